"""Every pair once, in an order that (seed, step) alone decides, by both readers."""

import itertools
import shutil

import numpy as np
import pytest

from pg2_jax import inputs
from pg2_jax.input_pipeline import pair_reader
from tests.late import tf, tfds


@pytest.fixture(scope="module", params=["tf_data", "memory"])
def dataset(pair_dataset, request):
    return pair_reader.PairDataset(pair_dataset, reader=request.param)


def take(dataset, steps, **options):
    options = {"batch_size": 4, "seed": 0, **options}
    return list(itertools.islice(dataset.training_batches(**options), steps))


def assert_equal(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        for name in batch:
            np.testing.assert_array_equal(batch[name], other[name], err_msg=name)


def keys(batches):
    """One hashable key for each pair."""
    return [
        batch["source_image"][i].tobytes() + batch["target_image"][i].tobytes()
        for batch in batches
        for i in range(len(batch["source_image"]))
    ]


def test_batches_hold_what_tfds_reads(pair_dataset):
    dataset = pair_reader.PairDataset(pair_dataset, reader="tf_data")
    examples = tfds.builder_from_directory(pair_dataset).as_dataset(split="test")
    examples = list(examples.as_numpy_iterator())
    batches = list(dataset.test_batches(batch_size=4))
    row = 0
    for test in batches:
        for i, names in enumerate(test.names):
            want = examples[row]
            for name, array in test.batch.items():
                assert array.dtype == want[name].dtype
                np.testing.assert_array_equal(array[i], want[name])
            assert names[0].encode() == want["source_name"]
            assert names[1].encode() == want["target_name"]
            row += 1
    assert row == len(examples) == dataset.count("test")
    assert {len(t.batch["source_image"]) for t in batches} == {4}


def test_an_epoch_holds_every_pair_once_and_the_next_is_ordered_anew(dataset):
    count = dataset.count("train")
    epochs = keys(take(dataset, 2 * count, batch_size=1))
    assert len(set(epochs[:count])) == count
    assert sorted(epochs[:count]) == sorted(epochs[count:])
    assert epochs[:count] != epochs[count:]


def test_another_seed_is_another_order(dataset):
    assert keys(take(dataset, 3)) != keys(take(dataset, 3, seed=1))


@pytest.mark.parametrize("first_step", [1, 5, 31])
def test_a_resumed_run_sees_what_the_uninterrupted_one_saw(dataset, first_step):
    """31 steps of 4 lie beyond the first epoch."""
    assert dataset.count("train") < 31 * 4
    resumed = take(dataset, 3, first_step=first_step)
    assert_equal(resumed, take(dataset, first_step + 3)[first_step:])


@pytest.fixture(scope="module")
def stream(dataset):
    """The keys of one process' pairs, over three epochs."""
    return keys(take(dataset, 4 * dataset.count("train"), batch_size=1))


def joined(shares):
    """The stream that the shares of all processes make, batch by batch."""
    return [key for step in zip(*shares, strict=True) for key in keys(step)]


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
def test_the_shares_of_the_processes_make_the_stream_of_one(dataset, stream, processes):
    """48 divides neither the epoch nor what follows: batches reach over its end."""
    count, size, first_step = dataset.count("train"), 48, 1
    assert count % size and first_step * size < count
    steps = (3 * count - first_step * size) // size
    shares = [
        take(
            dataset,
            steps,
            batch_size=size,
            first_step=first_step,
            process_index=i,
            process_count=processes,
        )
        for i in range(processes)
    ]
    assert {len(b["source_image"]) for share in shares for b in share} == {
        size // processes
    }
    whole = joined(shares)
    start = first_step * size
    assert whole == stream[start : start + len(whole)]
    epoch = whole[count - start : 2 * count - start]  # The second one is in it whole.
    assert len(set(epoch)) == count and set(epoch) == set(stream[:count])


@pytest.mark.parametrize("process", [0, 1])
def test_numbers_of_photos_are_those_of_the_images(pair_dataset, process):
    """Of a resumed run's second process, too; 25 steps of 4 reach the second epoch."""
    dataset = pair_reader.PairDataset(pair_dataset, 0.25, reader="memory")
    options = {"process_index": process, "process_count": 2, "first_step": 7}
    images = take(dataset, 25, **options)
    numbers = take(dataset, 25, numbered=True, **options)
    photos = dataset.training_photos
    assert photos.shape == (19, 32, 16, 3) and photos.dtype == np.uint8
    assert_equal(images, [inputs.with_images(batch, photos) for batch in numbers])
    for batch in numbers:
        assert batch["source_image"].shape == (2,)
        assert batch["target_image"].dtype == np.int32


def test_a_reader_that_keeps_no_photos_cannot_number_them(pair_dataset):
    dataset = pair_reader.PairDataset(pair_dataset, reader="tf_data")
    with pytest.raises(ValueError, match=r"numbered=True needs .* not 'tf_data'"):
        take(dataset, 1, numbered=True)


@pytest.mark.parametrize(
    ("processes", "limit"), [(1, 0), (2, 0), (3, 0), (8, 0), (3, 25), (8, 3)]
)
def test_over_all_processes_every_test_pair_comes_once_in_order(
    dataset, processes, limit
):
    options = {"batch_size": 24, "limit": limit, "process_count": processes}
    shares = [
        list(dataset.test_batches(process_index=i, **options)) for i in range(processes)
    ]
    count = min(limit or dataset.count("test"), dataset.count("test"))
    for share in shares:  # The collective steps of all processes must go together.
        assert len(share) == -(-count // 24)
        assert {len(t.batch["source_image"]) for t in share} == {24 // processes}
    whole = [n for t in dataset.test_batches(batch_size=1) for n in t.names][:count]
    steps = zip(*shares, strict=True)
    assert [n for step in steps for t in step for n in t.names] == whole


def test_the_padding_of_the_test_pairs_is_the_first_pair(dataset):
    count = dataset.count("test")
    (batch,) = dataset.test_batches(batch_size=count + 2)
    assert len(batch.names) == count
    for array in batch.batch.values():
        np.testing.assert_array_equal(array[count:], array[[0, 0]])


def test_processes_that_do_not_divide_the_batch_are_refused(dataset):
    for batches in (dataset.training_batches, dataset.test_batches):
        options = {"seed": 0} if batches == dataset.training_batches else {}
        with pytest.raises(ValueError, match=r"batch_size=4 must be a multiple .* 3,"):
            next(batches(batch_size=4, process_count=3, **options))
        with pytest.raises(ValueError, match=r"process_index=2 must lie in \[0, 2\)"):
            next(batches(batch_size=4, process_index=2, process_count=2, **options))


@pytest.mark.parametrize("batch_size", [3, 64, 100])
def test_the_batch_size_does_not_change_the_order(
    dataset, stream, batch_size, monkeypatch
):
    """Batches are decoded together or alone."""
    from pg2_jax.input_pipeline import tf_data_reader

    monkeypatch.setattr(tf_data_reader, "_ROWS_AT_ONCE", 64)
    batches = take(dataset, 130 // batch_size, batch_size=batch_size)
    assert keys(batches) == stream[: batch_size * (130 // batch_size)]


def test_large_records_shrink_the_shuffle_buffer(pair_dataset, monkeypatch):
    """The memory is bounded; each epoch still holds every pair once."""
    from pg2_jax.input_pipeline import tf_data_reader

    monkeypatch.setattr(tf_data_reader, "_SHUFFLE_BYTES", 1)
    dataset = pair_reader.PairDataset(pair_dataset, reader="tf_data")
    count = dataset.count("train")
    assert len(set(keys(take(dataset, count, batch_size=1)))) == count


def test_a_limit_takes_the_first_test_pairs(dataset):
    names = [n for test in dataset.test_batches(batch_size=4) for n in test.names]
    (few,) = dataset.test_batches(batch_size=4, limit=3)
    assert few.names == names[:3]


def damaged(pair_dataset, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(pair_dataset, folder)
    (shard,) = folder.glob("*test.tfrecord*")
    return folder, shard


both_readers = pytest.mark.parametrize("reader", ["tf_data", "memory"])


@both_readers
def test_a_missing_shard_is_named_before_training(pair_dataset, tmp_path, reader):
    folder, shard = damaged(pair_dataset, tmp_path)
    shard.unlink()
    with pytest.raises(ValueError, match=f"{shard.name} is missing"):
        pair_reader.PairDataset(str(folder), reader=reader)


@both_readers
def test_a_truncated_shard_is_an_error_that_names_the_data_set(
    pair_dataset, tmp_path, reader
):
    folder, shard = damaged(pair_dataset, tmp_path)
    shard.write_bytes(shard.read_bytes()[:-100])
    dataset = pair_reader.PairDataset(str(folder), reader=reader)
    with pytest.raises(ValueError, match=f"{folder}: a record cannot be read"):
        list(dataset.test_batches(batch_size=4))


@both_readers
def test_damaged_information_is_named(pair_dataset, tmp_path, reader):
    folder, _ = damaged(pair_dataset, tmp_path)
    (folder / "dataset_info.json").write_text("{")
    with pytest.raises(ValueError, match=r"dataset_info\.json .* is damaged"):
        pair_reader.PairDataset(str(folder), reader=reader)


def test_a_missing_data_set_is_named_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(ValueError, match=r"no data set is there.*build_tfrecords.py.$"):
        pair_reader.PairDataset(str(tmp_path / "nothing"))


def test_photos_in_place_of_a_data_set_are_not_to_be_overwritten(tmp_path):
    (tmp_path / "0001_c1s1_000451_03.jpg").touch()
    words = r"build_tfrecords.py in another folder, of the photos in "
    with pytest.raises(ValueError, match=words):
        pair_reader.PairDataset(str(tmp_path))


def test_a_data_set_of_another_kind_is_refused(tmp_path):
    features = tfds.features.FeaturesDict({"label": tfds.features.Scalar(tf.int64)})
    tfds.dataset_builders.store_as_tfds_dataset(
        name="other",
        version="1.0.0",
        features=features,
        split_datasets={
            "train": tf.data.Dataset.from_tensors({"label": [7]}).unbatch()
        },
        data_dir=tmp_path,
    )
    for reader in ("tf_data", "memory"):
        with pytest.raises(ValueError, match=r"the records lack .*source_image"):
            pair_reader.PairDataset(str(tmp_path / "other" / "1.0.0"), reader=reader)


def test_a_missing_split_is_named(dataset):
    with pytest.raises(ValueError, match="no pairs in split validation"):
        dataset.count("validation")
