"""--fid_reference: statistics of photos, cached by all that they depend on."""

import json
import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from experiments.evaluate import fid_reference, protocol
from pg2_jax.input_pipeline import pair_reader
from pg2_jax.metrics import fid, inception

SIZE = 6


def weights_of(network, sha256="0"):
    return inception.Weights(network, {}, "a.pth", sha256 * 64)


TF_2015 = weights_of(inception.TF_2015)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(inception, "FEATURES", SIZE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pg2_jax" / "fid"


@pytest.fixture
def photos(tmp_path):
    """A folder of 35 images, more than a batch."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(35):
        image = rng.integers(0, 256, (10, 8, 3), np.uint8)
        Image.fromarray(image).save(folder / f"{i:02}.png")
    return folder


class Network:
    """Sees the first pixels, and counts its batches."""

    batches = 0

    def __call__(self, params, images):
        self.batches += 1
        assert images.shape[0] == 32
        seen = images.reshape(len(images), -1)[:, :SIZE] / np.float32(255)
        return inception.Output(seen, seen, seen)


def load(flag, network, weights=(TF_2015,), data_dir=""):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "applied", lambda _: network)
        return fid_reference.load(str(flag), str(data_dir), weights)


def gaussian_of(images):
    rows = np.stack(images).reshape(len(images), -1)[:, :SIZE] / 255
    return fid.Gaussian(rows.mean(axis=0), np.cov(rows, rowvar=False), len(rows))


def assert_equal(found, want):
    np.testing.assert_allclose(found.mean, want.mean, rtol=1e-6)
    np.testing.assert_allclose(found.covariance, want.covariance, rtol=1e-5, atol=1e-9)
    assert found.images == want.images


def test_a_folder_is_read_once(photos, cache, capsys):
    assert load("", Network()) == {}
    network = Network()
    first = load(photos, network)[inception.TF_2015]
    images = [np.asarray(Image.open(path)) for path in sorted(photos.iterdir())]
    assert_equal(first.gaussian, gaussian_of(images))
    assert first.what == f"the images of {photos}, 35 images"
    again = load(photos, network)[inception.TF_2015]
    assert network.batches == 2 and len(list(cache.iterdir())) == 1
    assert_equal(again.gaussian, first.gaussian)
    assert again[1:] == first[1:]
    assert "damaged" not in capsys.readouterr().err


def test_the_key_is_of_photos_weights_and_network(photos, cache):
    network = Network()
    load(photos, network)
    load(photos, network, [weights_of(inception.TF_2015, "1")])
    load(photos, network, [weights_of(inception.TORCHVISION)])
    assert network.batches == 6
    (photos / "00.png").rename(photos / "99.png")
    load(photos, network)
    Image.new("RGB", (8, 10)).save(photos / "99.png")
    changed = load(photos, network)[inception.TF_2015]
    assert network.batches == 10 and len(list(cache.iterdir())) == 5
    images = [np.asarray(Image.open(path)) for path in sorted(photos.iterdir())]
    assert_equal(changed.gaussian, gaussian_of(images))


@pytest.mark.parametrize("damage", ["cut", "flip", "nan", "shape"])
def test_a_damaged_cache_is_computed_again(photos, cache, capsys, damage):
    network = Network()
    want = load(photos, network)[inception.TF_2015].gaussian
    (path,) = cache.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-30])
    elif damage == "flip":
        content[content.index(want.mean.tobytes()) + 3] ^= 255
        path.write_bytes(content)
    else:
        mean = want.mean * np.nan if damage == "nan" else want.mean[:-1]
        np.savez(path, mean=mean, covariance=want.covariance, images=35)
    assert_equal(load(photos, network)[inception.TF_2015].gaussian, want)
    assert network.batches == 4
    said = capsys.readouterr().err
    assert f"{path} is damaged" in said and "are computed again" in said
    load(photos, network)
    assert network.batches == 4


def test_a_cache_that_the_system_refuses_is_not_called_damaged(
    photos, cache, capsys, monkeypatch
):
    network = Network()
    want = load(photos, network)[inception.TF_2015].gaussian

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(np, "load", refused)
    assert_equal(load(photos, network)[inception.TF_2015].gaussian, want)
    (path,) = cache.iterdir()
    said = capsys.readouterr().err
    assert f"{path} cannot be read ([Errno 13]" in said and "damaged" not in said


def test_an_interrupted_computation_leaves_nothing(photos, cache):
    class Stopped(Network):
        def __call__(self, params, images):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(photos, Stopped())
    assert not cache.exists() or not os.listdir(cache)


def test_training_photos_count_once(people, pair_dataset):
    """The pairs name each photo many times."""
    network = Network()
    by_flag = load("train", network, data_dir=pair_dataset)[inception.TF_2015]
    by_path = load(pair_dataset, network)[inception.TF_2015]
    assert by_flag[1:] == by_path[1:]
    dataset = pair_reader.PairDataset(pair_dataset)
    photos = np.concatenate(list(dataset.photos("train", 7)))
    (batch,) = dataset.photos("train", 1000)
    np.testing.assert_array_equal(photos, batch)
    # 4 people with 6 photos each, those with all the joints that pairs need.
    names = pathlib.Path(people, "bounding_box_train").glob("*.*")
    known = {np.asarray(Image.open(path)).tobytes() for path in names}
    assert len({photo.tobytes() for photo in photos}) == len(photos) <= len(known)
    assert by_flag.gaussian.images == len(photos) > 12
    assert_equal(by_flag.gaussian, gaussian_of(photos))
    assert by_flag.what.startswith("the training photos of ")
    assert dataset.checksum("train") != dataset.checksum("test")


def test_statistics_of_pytorch_fid(tmp_path):
    want = gaussian_of(np.random.default_rng(0).integers(0, 256, (9, 2, 3)))
    path = tmp_path / "theirs.npz"
    np.savez(path, mu=want.mean, sigma=want.covariance)
    found = load(path, Network())[inception.TF_2015]
    assert_equal(found.gaussian, want._replace(images=0))
    assert "theirs.npz, which does not say of which network" in found.what
    both = [TF_2015, weights_of(inception.TORCHVISION)]
    with pytest.raises(
        ValueError, match="belongs to one network, but --inception names two"
    ):
        load(path, Network(), both)


def test_what_is_no_reference(tmp_path, photos):
    def check(flag, message):
        with pytest.raises(ValueError, match=message) as error:
            load(flag, Network())
        assert str(error.value).startswith("--fid_reference")

    check("/nowhere", "--fid_reference=/nowhere: there is no such folder")
    check("/nowhere.npz", "there is no such file")
    np.savez(tmp_path / "a.npz", mu=np.zeros(SIZE))
    check(tmp_path / "a.npz", "holds no statistics .*: 'sigma is not a file")
    np.savez(tmp_path / "a.npz", mu=np.zeros(3), sigma=np.zeros((3, 3)))
    check(tmp_path / "a.npz", "must have 6 dimensions")
    (tmp_path / "a.npz").write_text(json.dumps({}))
    check(tmp_path / "a.npz", "holds no statistics")
    Image.new("RGB", (9, 9)).save(photos / "07.png")
    check(photos, r"07.png is 9x9, its first image 10x8 \(height x width\)")
    (photos / "07.png").write_text("no image")
    check(photos, r"--fid_reference: .*07.png: not a photo in a format")
