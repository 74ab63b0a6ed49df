"""Apache Beam writes what this process writes, byte for byte."""

import pickle

import numpy as np
import pytest
from tensorflow_datasets.core.utils import shard_utils

from data_prep import pose_pairs
from data_prep.pair_list import NumberedPairs
from tests.data_prep.small_sources import build, listing

LOCAL = ("runner=DirectRunner", "direct_num_workers=1")


def test_without_beam_the_extra_is_named(market, tmp_path):
    try:
        import apache_beam  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match=r"not installed: .*\[data,beam\]"):
            build(market, tmp_path / "out", beam_pipeline_options=LOCAL)
        assert listing(tmp_path) == ["source"]
    else:
        pytest.skip("Apache Beam is installed")


def test_a_finished_store_can_be_sent_to_another_process(tmp_path):
    store = pose_pairs.PhotoStore(tmp_path / "photos", 24, 16)
    for name in "ab":
        store.add(name, "who", name.encode() * 9, np.zeros((18, 3), np.float32))
    store.finish()
    sent = pickle.loads(pickle.dumps(store))
    assert sent.record(1, 0) == store.record(1, 0) != store.record(0, 1)
    np.testing.assert_array_equal(
        sent.record_sizes(np.asarray([[0, 1]])), [len(store.record(0, 1))]
    )
    store.close()
    sent.close()


@pytest.fixture
def beam_writing():
    pytest.importorskip("apache_beam", reason="Apache Beam is not installed (.[beam])")
    from data_prep import beam_writing

    return beam_writing


@pytest.mark.parametrize("workers", [LOCAL, (LOCAL[0], "direct_num_workers=2")])
def test_the_files_are_the_same_byte_for_byte(
    beam_writing, market, tmp_path, monkeypatch, workers
):
    """So are the order of the records and their division into shards."""
    monkeypatch.setattr(
        shard_utils.ShardConfig, "calculate_number_shards", lambda size, pairs: 2
    )
    build(market, tmp_path / "here")
    build(market, tmp_path / "beam", beam_pipeline_options=workers)
    assert listing(tmp_path) == ["beam", "here", "source"]
    assert listing(tmp_path / "beam") == listing(tmp_path / "here")
    assert "pose_pairs-train.tfrecord-00001-of-00002" in listing(tmp_path / "beam")
    for file in (tmp_path / "here").iterdir():
        assert (tmp_path / "beam" / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("runner=Treadmill",), "runner=Treadmill: .*Treadmill"),
        ((LOCAL[0], "speed=9"), "Beam has no option 'speed'"),
        (("runner=DirectRunner", "direct_num_workers=many"), "direct_num_workers"),
    ],
)
def test_bad_options_are_named_before_photos_are_read(
    beam_writing, market, tmp_path, options, message
):
    for path in market.glob("*/*.jpg"):
        path.write_bytes(b"not a photo")
    with pytest.raises(ValueError, match=f"--beam_pipeline_options=.*{message}"):
        build(market, tmp_path / "out", beam_pipeline_options=options)
    assert listing(tmp_path) == ["source"]


def test_what_a_worker_meets_is_named(beam_writing, market, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pose_pairs.PhotoStore, "record", refuse)
    with pytest.raises(OSError, match=r"Beam pipeline failed: .*No space left"):
        build(market, tmp_path / "out", beam_pipeline_options=LOCAL)
    assert listing(tmp_path) == ["source"]


def test_workers_that_see_another_disk_are_found_out(
    beam_writing, tmp_path, monkeypatch
):
    """What they wrote is not here."""
    monkeypatch.setattr(beam_writing._WriteShard, "process", lambda *_: None)
    store = pose_pairs.PhotoStore(tmp_path / "photos", 24, 16)
    store.add("a", "who", b"", np.zeros((18, 3), np.float32))
    store.finish()
    pairs = NumberedPairs(np.zeros((1, 2), int), np.zeros(1, int))
    shard = pose_pairs.Shard(str(tmp_path / "shard"), "train", 0, 1)
    write = beam_writing.ShardsOnBeam(tmp_path, LOCAL)
    with pytest.raises(OSError, match=r"without .*shard; do all workers see"):
        write(store, {"train": pairs}, [shard], pytest.fail)
