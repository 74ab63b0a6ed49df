"""Files dealt to virtual readers: the same batches for any number of processes, each of
which reads its own files alone."""

import itertools
import pathlib

import numpy as np
import pytest

from data_prep import build_tfrecords
from data_prep.records import pose_pairs
from pg2_jax.input_pipeline import (
    pair_reader,
    process_share,
    tf_data_reader,
)
from tests.late import tf

FILES, BATCH = 8, 24


@pytest.fixture(scope="module")
def folder(people, tmp_path_factory):
    """The pairs of `pair_dataset` in eight files a split."""
    folder = tmp_path_factory.mktemp("files") / "data"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pose_pairs, "number_of_shards", lambda *sizes: FILES)
        build_tfrecords.build(
            build_tfrecords.Options(
                dataset="market1501",
                source_dir=str(people),
                output_dir=str(folder),
                image_size="32x16",
            )
        )
    return str(folder)


@pytest.fixture(scope="module")
def dataset(folder):
    return pair_reader.PairDataset(folder, reader="tf_data")


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch):

    monkeypatch.setattr(tf_data_reader, "_ROWS_AT_ONCE", 8)


def keys(batch):
    """One hashable key for each pair."""
    parts = (batch["source_image"], batch["target_image"])
    return [b"".join(p[i].tobytes() for p in parts) for i in range(len(parts[0]))]


def joined(lists):
    return list(itertools.chain.from_iterable(lists))


def take(dataset, steps, **options):
    options = {"batch_size": BATCH, "seed": 3, "virtual_readers": 4, **options}
    batches = itertools.islice(dataset.training_batches(**options), steps)
    return [keys(batch) for batch in batches]


@pytest.fixture(scope="module")
def alone(dataset):
    """The batches of one process: two epochs and more."""
    return take(dataset, 2 * dataset.count("train") // BATCH + 2)


def pairs_of_files(dataset):
    """The key of every training pair, file by file, as they are stored."""
    options = {"split": "train", "limit": dataset.count("train"), "batch_size": 1}
    stored = iter([keys(t.batch)[0] for t in dataset.test_batches(**options)])
    lengths = [shard.pairs for shard in dataset._reader.splits["train"].shards]
    return [list(itertools.islice(stored, length)) for length in lengths]


def test_each_reader_has_epochs_of_its_own_files(dataset, alone):
    files = pairs_of_files(dataset)
    for reader, own in enumerate([files[i] + files[i + 1] for i in range(0, FILES, 2)]):
        rows = slice(reader * BATCH // 4, (reader + 1) * BATCH // 4)
        stream = joined(batch[rows] for batch in alone)
        first, second = stream[: len(own)], stream[len(own) : 2 * len(own)]
        assert len(set(own)) == len(own)
        assert sorted(first) == sorted(second) == sorted(own)
        assert first != second
        assert first != own


@pytest.mark.parametrize("processes", [2, 3])
def test_the_shares_of_the_processes_make_the_batches_of_one(dataset, alone, processes):
    """Three processes share each of four readers."""
    shares = [
        take(dataset, 3, first_step=1, process_index=i, process_count=processes)
        for i in range(processes)
    ]
    assert [joined(step) for step in zip(*shares, strict=True)] == alone[1:4]


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_a_resumed_run_sees_what_the_uninterrupted_one_saw(folder, share):
    """In the second epoch, too; with people held out readers have unequal numbers."""
    dataset = pair_reader.PairDataset(folder, share, reader="tf_data")
    options = {"batch_size": 8, "virtual_readers": 2}
    steps = 2 * dataset.count("train") // 8
    whole = take(dataset, steps, **options)
    for first_step in (1, steps - 3):
        resumed = take(dataset, 3, first_step=first_step, **options)
        assert resumed == whole[first_step : first_step + 3]


def test_each_of_n_processes_reads_an_nth(dataset, monkeypatch):
    """Bytes of records, over forty epochs: beside them what is read ahead is little."""
    size = []

    def counted(files, record_dataset=tf.data.TFRecordDataset):
        mine = len(size) - 1  # a reader before may still read ahead

        def note(record):
            size[mine] += len(record)
            return record

        return record_dataset(files).map(
            lambda r: tf.ensure_shape(tf.numpy_function(note, [r], tf.string), [])
        )

    monkeypatch.setattr(tf.data, "TFRecordDataset", counted)
    read = {}
    for processes in (1, 2, 4):
        for index in range(processes):
            size.append(0)
            take(
                dataset,
                dataset.count("train") * 40 // BATCH,
                process_index=index,
                process_count=processes,
            )
            read[processes, index] = size[-1]
    stored = sum(
        pathlib.Path(f).stat().st_size for f in dataset._reader.splits["train"].files
    )
    assert 39 * stored < read[1, 0] < 44 * stored
    for (processes, _), found in read.items():
        assert found == pytest.approx(read[1, 0] / processes, rel=0.1)


def test_one_reader_keeps_the_order_of_the_runs_of_before(dataset):
    """All files shuffled, then their records: by a program of its own."""
    files = tf.constant(dataset._reader.splits["train"].files)
    count, options = dataset.count("train"), {"minval": None, "maxval": None}
    photos = {"source_image": (32, 16, 3), "target_image": (32, 16, 3)}
    want = []
    for epoch in range(2):
        key = tf.constant([3, epoch], tf.int64)
        own = tf.random.experimental.stateless_shuffle(files, seed=key)
        seed = tf.random.stateless_uniform((), key, dtype=tf.int64, **options)
        stream = tf.data.TFRecordDataset(own).shuffle(
            count, seed, reshuffle_each_iteration=False
        )
        for record in stream.as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            images = [
                tf.io.decode_image(features[name].bytes_list.value[0]).numpy()
                for name in photos
            ]
            want.append(b"".join(image.tobytes() for image in images))
    got = take(dataset, 2 * count // BATCH, virtual_readers=1)
    assert joined(got) == want[: 2 * count // BATCH * BATCH]


def test_a_reader_without_training_pairs_is_refused(folder):
    dataset = pair_reader.PairDataset(folder, reader="tf_data")
    dataset._reader.is_held_out[: dataset._reader.splits["train"].shards[0].pairs] = 1
    with pytest.raises(ValueError, match="virtual_readers=8: one of them has no train"):
        take(dataset, 1, virtual_readers=8)


@pytest.mark.parametrize(
    ("batch_size", "files", "count"),
    [
        (16, 1, 1),
        (16, 7, 1),
        (16, 8, 2),
        (16, 16, 4),
        (16, 1024, 16),
        (24, 1024, 8),
        (256, 1024, 64),
        (15, 1024, 1),
    ],
)
def test_as_many_readers_as_leave_four_files_to_each(batch_size, files, count):
    assert process_share.choose_readers(0, batch_size, files) == count
    assert process_share.choose_readers(1, batch_size, files) == 1


def test_the_number_of_readers_is_checked_where_it_has_a_meaning(dataset, pair_dataset):
    assert dataset.virtual_readers(16) == 2
    assert dataset.virtual_readers(16, 8) == 8
    rule = r"virtual_readers=8 must divide batch_size=12 and the 8 training files\."
    with pytest.raises(ValueError, match=rule):
        dataset.virtual_readers(12, 8)
    with pytest.raises(ValueError, match=r"virtual_readers=16 must divide .* the 8 tr"):
        dataset.virtual_readers(16, 16)
    memory = pair_reader.PairDataset(pair_dataset, reader="memory")
    assert memory.virtual_readers(16) == 0


@pytest.mark.parametrize("readers", [1, 4, 6])
@pytest.mark.parametrize("processes", [1, 2, 3, 4, 6, 12])
def test_a_process_has_the_readers_of_its_rows(readers, processes):
    rows_of_reader = BATCH // readers
    owners = []
    for index in range(processes):
        share = process_share.of_process(BATCH, index, processes)
        mine, of_mine = process_share.readers_of(share, readers)
        owners += list(mine)
        read = np.arange(mine.start * rows_of_reader, mine.stop * rows_of_reader)
        assert of_mine.batch_size == len(read) and of_mine.rows == share.rows
        rows = read[of_mine.first : of_mine.first + of_mine.rows]
        assert rows.tolist() == list(range(share.first, share.first + share.rows))
    if readers % processes == 0:
        assert owners == list(range(readers))
