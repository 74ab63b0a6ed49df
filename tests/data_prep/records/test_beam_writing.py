"""Apache Beam writes what this process writes, byte for byte."""

import shutil

import numpy as np
import pytest

from data_prep.records import pose_pairs
from tests.data_prep.small_sources import build, listing
from tests.late import tf

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


def test_a_finished_store_can_be_read_from_a_copy(tmp_path):
    store = pose_pairs.PhotoStore(tmp_path / "photos")
    for name in "ab":
        store.add(name, "who", name.encode() * 9, np.zeros((18, 3), np.float32))
    store.finish()
    copy = shutil.copy(store.path, tmp_path / "copy")
    sent = pose_pairs.PhotoStore.reopened(copy, store.starts, store.checksums)
    assert sent.record(1, 0) == store.record(1, 0) != store.record(0, 1)
    pairs = np.asarray([[0, 1]])
    assert sent.sizes(pairs).sum() == len(store.record(0, 1))
    assert list(sent.framed(pairs)) == list(store.framed(pairs))
    store.close()
    sent.close()


@pytest.fixture
def beam_writing():
    pytest.importorskip("apache_beam", reason="Apache Beam is not installed (.[beam])")
    from data_prep.records import beam_writing

    return beam_writing


@pytest.mark.parametrize("workers", [LOCAL, (LOCAL[0], "direct_num_workers=2")])
def test_the_files_are_the_same_byte_for_byte(
    beam_writing, market, tmp_path, monkeypatch, workers
):
    """So are the order of the records and their division into shards."""
    monkeypatch.setattr(pose_pairs, "number_of_shards", lambda size, pairs: 2)
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
    store = pose_pairs.PhotoStore(tmp_path / "photos")
    store.add("a", "who", b"", np.zeros((18, 3), np.float32))
    store.finish()
    pairs = np.zeros((1, 2), np.int32)
    shard = pose_pairs.Shard(str(tmp_path / "shard"), "train", 0, 1)
    write = beam_writing.ShardsOnBeam(tmp_path, LOCAL)
    with pytest.raises(OSError, match=r"without .*/shard; do all workers see"):
        write(store, {"train": pairs}, [shard], print)


def test_without_a_common_disk_all_goes_through_the_shared_folder(
    beam_writing, market, tmp_path, monkeypatch
):
    """tensorflow's ram:// takes the place of a bucket: nothing else can open it."""
    build(market, tmp_path / "here")
    opened, reopened = [], pose_pairs.PhotoStore.reopened

    def note(path, *places):
        opened.append(path)
        return reopened(path, *places)

    monkeypatch.setattr(pose_pairs.PhotoStore, "reopened", note)
    build(
        market,
        tmp_path / "beam",
        beam_pipeline_options=LOCAL,
        beam_shared_dir="ram://bucket/",
    )
    for file in (tmp_path / "here").iterdir():
        assert (tmp_path / "beam" / file.name).read_bytes() == file.read_bytes()
    assert opened and not any(str(tmp_path) in path for path in opened)
    assert tf.io.gfile.listdir("ram://bucket") == []
    assert listing(tmp_path) == ["beam", "here", "source"]


def test_a_shared_folder_that_cannot_be_made_is_named(beam_writing, market, tmp_path):
    """Before photos are read."""
    for path in market.glob("*/*.jpg"):
        path.write_bytes(b"not a photo")
    with pytest.raises(ValueError, match="--beam_shared_dir=disk9://x: cannot be used"):
        build(
            market,
            tmp_path / "out",
            beam_pipeline_options=LOCAL,
            beam_shared_dir="disk9://x",
        )


def test_a_shared_folder_without_beam_is_refused(market, tmp_path):
    with pytest.raises(ValueError, match="--beam_shared_dir needs --beam_pipeline"):
        build(market, tmp_path / "out", beam_shared_dir=str(tmp_path))
    assert listing(tmp_path) == ["source"]
