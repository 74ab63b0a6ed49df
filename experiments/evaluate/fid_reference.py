"""--fid_reference: what FID compares with besides the targets of the same pairs.

The field's tables compare with all training photos. Their statistics are computed once
and kept in the user's cache folder, under a key of all that they depend on.
"""

import hashlib
import json
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tqdm

from experiments.evaluate import image_folder, protocol
from pg2_jax import downloads, files
from pg2_jax.input_pipeline import pair_reader
from pg2_jax.metrics import fid, inception, inception_weights

_BATCH = 32


class Reference(NamedTuple):
    """Statistics to compare with."""

    gaussian: fid.Gaussian
    what: str  # they are of
    sha256: str  # of the photos, or of the file of statistics


class _Photos(NamedTuple):
    what: str  # they are
    sha256: str  # of all of them
    batches: Callable[[], Iterator[np.ndarray]]  # uint8 [B, H, W, 3]


def load(
    flag: str, data_dir: str, weights: Sequence[inception_weights.Weights]
) -> Mapping[inception.InceptionV3, Reference]:
    """The statistics that --fid_reference names, for each network of --inception.

    The flag is "train" for the training photos of --data_dir; the path of a data set of
    data_prep/build_tfrecords.py (its training photos), of a folder of images, or of an
    .npz with mu and sigma as pytorch-fid writes it; or empty.
    """
    if not flag:
        return {}
    path = pathlib.Path(flag).expanduser()
    if path.suffix == ".npz":
        if len(weights) > 1:
            raise ValueError(
                f"--fid_reference={flag} belongs to one network, but --inception "
                "names two; name only that network."
            )
        return {weights[0].network: _read_npz(flag, path)}
    if flag == "train" or (path / "dataset_info.json").is_file():
        folder = data_dir if flag == "train" else flag
        data = pair_reader.PairDataset(folder)
        photos = _Photos(
            f"the training photos of {folder}, each once",
            data.checksum("train"),
            lambda: data.photos("train", _BATCH),
        )
    else:
        photos = _of_folder(flag)
    return {one.network: _statistics(photos, one) for one in weights}


def _of_folder(flag: str) -> _Photos:
    paths = image_folder.images("fid_reference", flag, [])
    size = image_folder.read("fid_reference", paths[0]).shape[:2]
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name}\0{downloads.sha256(path)}\0".encode())

    def batches() -> Iterator[np.ndarray]:
        for first in range(0, len(paths), _BATCH):
            here = paths[first : first + _BATCH]
            yield image_folder.stack("fid_reference", here, size, "its first image")

    return _Photos(f"the images of {flag}", digest.hexdigest(), batches)


def _statistics(photos: _Photos, weights: inception_weights.Weights) -> Reference:
    """Statistics of photos, from the cache if they are there."""
    facts = {
        "photos_sha256": photos.sha256,
        "weights_sha256": weights.sha256,
        # Says how images are resized, scaled and pooled.
        "network": repr(weights.network).replace("\n", " "),
        "version": 1,
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    path = downloads.cache_folder() / "fid" / f"{key}.npz"
    gaussian = _cached(path)
    if gaussian is None:
        moments = fid.Moments(inception.FEATURES)
        see = protocol.applied(weights.network)
        for images in tqdm.tqdm(
            photos.batches(), desc=photos.what[-50:], unit="batch", disable=None
        ):
            # All batches are of one shape: another one would be compiled anew.
            padded = np.concatenate([images, *[images[-1:]] * (_BATCH - len(images))])
            features = np.asarray(see(weights.params, padded).features)
            moments.add(features[: len(images)])
        gaussian = moments.gaussian()
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as temporary:
            np.savez(temporary, facts=np.array(json.dumps(facts)), **gaussian._asdict())
    what = f"{photos.what}, {gaussian.images:,} images"
    return Reference(gaussian, what, photos.sha256)


def _cached(path: pathlib.Path) -> fid.Gaussian | None:
    try:
        return _gaussian(path, "mean", "covariance", "images")
    except FileNotFoundError:
        return None
    except Exception as error:
        # Damaged files make numpy raise nearly anything.
        what = "cannot be read" if isinstance(error, OSError) else "is damaged"
        said = f"Note: {path} {what} ({error}); its statistics are computed again."
        print(said, file=sys.stderr)
        return None


def _gaussian(path: pathlib.Path, *names: str) -> fid.Gaussian:
    """Mean, covariance and, if it is there, the number of images of an .npz."""
    with np.load(path) as file:
        mean, covariance, *images = (file[name] for name in names)
    count = inception.FEATURES
    if mean.shape != (count,) or covariance.shape != (count, count):
        raise ValueError(f"mean and covariance must have {count:,} dimensions")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError("it holds NaN or infinite values")
    mean, covariance = mean.astype(np.float64), covariance.astype(np.float64)
    return fid.Gaussian(mean, covariance, int(images[0]) if images else 0)


def _read_npz(flag: str, path: pathlib.Path) -> Reference:
    """A file of pytorch-fid or TTUR; which network it is of, it does not say."""
    if not path.is_file():
        raise ValueError(f"--fid_reference={flag}: there is no such file.")
    try:
        gaussian = _gaussian(path, "mu", "sigma")
    except Exception as error:
        raise ValueError(
            f"--fid_reference={flag} holds no statistics (mu and sigma, as pytorch-fid "
            f"and TTUR write them): {error}"
        ) from error
    what = f"the statistics in {path.name}, which does not say of which network"
    return Reference(gaussian, what, downloads.sha256(path))
