"""Every pair once, in an order that (seed, step) alone decides."""

import itertools
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from pg2_jax import input_pipeline


@pytest.fixture(scope="module")
def dataset(pair_dataset):
    return input_pipeline.PairDataset(pair_dataset)


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


def test_batches_hold_what_tfds_reads(dataset, pair_dataset):
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


@pytest.mark.parametrize("processes", [2, 4])
def test_the_shares_of_the_processes_make_the_whole_batch(dataset, processes):
    shares = [
        take(dataset, 3, first_step=2, process_index=i, process_count=processes)
        for i in range(processes)
    ]
    whole = take(dataset, 3, first_step=2)
    for step, batch in enumerate(whole):
        parts = keys(share[step] for share in shares)
        assert sorted(parts) == sorted(keys([batch]))


def test_a_limit_takes_the_first_test_pairs(dataset):
    names = [n for test in dataset.test_batches(batch_size=4) for n in test.names]
    (few,) = dataset.test_batches(batch_size=4, limit=3)
    assert few.names == names[:3]


def damaged(pair_dataset, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(pair_dataset, folder)
    (shard,) = folder.glob("*test.tfrecord*")
    return folder, shard


def test_a_missing_shard_is_named_before_training(pair_dataset, tmp_path):
    folder, shard = damaged(pair_dataset, tmp_path)
    shard.unlink()
    with pytest.raises(ValueError, match=f"{shard.name} is missing"):
        input_pipeline.PairDataset(str(folder))


def test_a_truncated_shard_is_an_error_that_names_the_data_set(pair_dataset, tmp_path):
    folder, shard = damaged(pair_dataset, tmp_path)
    shard.write_bytes(shard.read_bytes()[:-100])
    dataset = input_pipeline.PairDataset(str(folder))
    with pytest.raises(ValueError, match=f"{folder}: a record cannot be read"):
        list(dataset.test_batches(batch_size=4))


def test_damaged_information_is_named(pair_dataset, tmp_path):
    folder, _ = damaged(pair_dataset, tmp_path)
    (folder / "dataset_info.json").write_text("{")
    with pytest.raises(ValueError, match=r"dataset_info\.json .* is damaged"):
        input_pipeline.PairDataset(str(folder))


def test_a_missing_data_set_is_named_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(ValueError, match=r"no data set is there.*build_tfrecords"):
        input_pipeline.PairDataset(str(tmp_path / "nothing"))


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
    with pytest.raises(ValueError, match=r"the records lack .*source_image"):
        input_pipeline.PairDataset(str(tmp_path / "other" / "1.0.0"))


def test_a_missing_split_is_named(dataset):
    with pytest.raises(ValueError, match="no pairs in split validation"):
        dataset.count("validation")
