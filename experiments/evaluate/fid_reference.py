"""--fid_reference: what FID compares with besides the targets of the same pairs.

The field's tables compare with all training photos. Their statistics are computed once
and kept in the user's cache folder, under a key of all that they depend on.
"""

import functools
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
from pg2_jax.metrics import fid, inception

_BATCH = 32


class Reference(NamedTuple):
    """Statistics to compare with."""

    gaussian: fid.Gaussian
    what: str  # they are of
    sha256: str  # of the photos, or of the file of statistics


def load(
    flag: str, data_dir: str, weights: Sequence[inception.Weights]
) -> Mapping[inception.InceptionV3, Reference]:
    """The statistics that --fid_reference names, for each network of --inception. The
    flag is empty, "train" for the training photos of --data_dir, or the path of another
    data set, of a folder of images, or of pytorch-fid's .npz with mu and sigma."""
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
        what, digest = (
            f"the training photos of {folder}, each once",
            data.checksum("train"),
        )
        batches = functools.partial(data.photos, "train", _BATCH)
    else:
        paths = image_folder.images("fid_reference", flag, [])
        named = [f"{path.name}\0{downloads.sha256(path)}\0" for path in paths]
        digest = hashlib.sha256("".join(named).encode()).hexdigest()
        what, batches = f"the images of {flag}", functools.partial(_batches, paths)
    return {x.network: _statistics(batches, what, digest, x) for x in weights}


def _batches(paths: list[pathlib.Path]) -> Iterator[np.ndarray]:
    size = image_folder.read("fid_reference", paths[0]).shape[:2]
    for first in range(0, len(paths), _BATCH):
        here = paths[first : first + _BATCH]
        yield image_folder.stack("fid_reference", here, size, "its first image")


def _statistics(
    batches: Callable[[], Iterator[np.ndarray]],
    what: str,
    sha256: str,
    weights: inception.Weights,
) -> Reference:
    """Statistics of photos, batches of [B, H, W, 3] uint8, with a checksum of them all,
    from the cache if they are there."""
    facts = {
        "photos_sha256": sha256,
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
        bar = tqdm.tqdm(batches(), desc=what[-50:], unit="batch", disable=None)
        for images in bar:
            # All batches are of one shape: another one would be compiled anew.
            padded = np.concatenate([images, *[images[-1:]] * (_BATCH - len(images))])
            features = np.asarray(see(weights.params, padded).features)
            moments.add(features[: len(images)])
        gaussian = moments.gaussian()
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as temporary:
            np.savez(temporary, facts=np.array(json.dumps(facts)), **gaussian._asdict())
    return Reference(gaussian, f"{what}, {gaussian.images:,} images", sha256)


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
