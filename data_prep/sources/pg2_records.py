"""The TFRecords of PG2's authors (`datasets/convert_market.py`, `convert_DF.py`): their
pairs, photos and keypoints.

Read are `Market1501_{train,test}_*.tfrecord` and `DeepFashion_{train,test}_*.tfrecord`,
anywhere below the source folder; either split may be absent. Of a record:

- image_raw_0 (source), image_raw_1 (target): the photos, unchanged;
- image_name_0, image_name_1: their names, or, where there are none, names made of id_0,
  id_1 and the photo's checksum;
- keypoints: pose_peaks_0_rcv and pose_peaks_1_rcv, rows of (row, column, visible).
  Without these indices_r4_0 and indices_r4_1: each channel is a disc of radius 4 about
  the point, cut off at the borders, whose centre gives whole pixels exactly.
  pose_peaks_0 and pose_peaks_1 are too coarse, a cell is 8 or 16 pixels wide; a record
  that has nothing else is refused.

Heat maps, masks, attributes and segments are not taken along: the first two are drawn
from the keypoints when training. The authors mirrored their training photos beforehand;
mirrored ones go along as the photos they are. A name that stands for several photos
gets the photo's checksum as an addition.
"""

import hashlib
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from tqdm import tqdm

from data_prep.pairs.identity import identity_of
from data_prep.pairs.pair_list import Pair
from data_prep.sources.split import Split, collecting, found_in
from pg2_jax.keypoints.base import NUM_KEYPOINTS, check_name, from_coordinates, numbers
from pg2_jax.photos import photo_files

_FILE = re.compile(r"(Market1501|DeepFashion)_(train|test)_\d+-of-\d+\.tfrecord")
# Their test_samples and test_seq are parts of the test split over again.
_NOT_SPLITS = re.compile(r".*_(samples|seq)_data")
# Their names of both data sets begin with the person, up to the first "_".
LAYOUT = "market1501"
_RADIUS = 4
_OFFSETS = np.mgrid[-_RADIUS : _RADIUS + 1, -_RADIUS : _RADIUS + 1].reshape(2, -1).T
_DISC = _OFFSETS[(_OFFSETS**2).sum(axis=1) <= _RADIUS**2]


def extract(
    source: pathlib.Path, stage: pathlib.Path, problems: list[str]
) -> tuple[dict[str, Split], dict[str, list[Pair]], tuple[str, str], tuple[int, int]]:
    """Takes the photos out of the records in a file or below a folder, into `stage`.
    Bad records are left out, and go to `problems`, one message each. Gives photos and
    keypoints, and the pairs, in their order, of each split; the first file of train and
    of test, or ""; (height, width) of the photos."""
    files = _files(source)
    taken = {split: _Photos(stage / "records" / split) for split in files}
    for split, photos in taken.items():
        for path in files[split]:
            for place, features in tqdm(
                _records(path, problems), desc="extracting", unit="record", disable=None
            ):
                with collecting(problems, place):
                    photos.take_pair(features)
    sizes = [photos.size for photos in taken.values() if photos.size]
    if not sizes:
        listed = f"; {problems[0]}" if problems else ""
        raise ValueError(f"{source}: no record can be read{listed}")
    train, test = (str(files.get(split, [""])[0]) for split in ("train", "test"))
    splits = {split: photos.as_split() for split, photos in taken.items()}
    pairs = {split: photos.pairs for split, photos in taken.items()}
    return splits, pairs, (train, test), sizes[0]


def _files(source: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    of_split: dict[str, list[pathlib.Path]] = {}
    first: dict[str, pathlib.Path] = {}
    is_folder = source.is_dir()
    for path in found_in(source, "**/*.tfrecord") if is_folder else [source]:
        match = _FILE.fullmatch(path.name)
        if match and not (is_folder and _NOT_SPLITS.fullmatch(path.parent.name)):
            of_split.setdefault(match[2], []).append(path)
            first.setdefault(match[1], path)
    names = [path.name for files in of_split.values() for path in files]
    if len(first) > 1 or len(set(names)) < len(names):
        raise ValueError(
            f"{source}: the files of more than one data set, "
            f"{' and '.join(str(path) for path in first.values())}; name the folder of "
            "one"
        )
    if not of_split:
        raise ValueError(
            f"{source}: no file of the name Market1501_train_00000-of-00001.tfrecord, "
            "or _test_, or DeepFashion_..."
        )
    return {split: of_split[split] for split in ("train", "test") if split in of_split}


class _Photos:
    """The photos and pairs of one split, in a folder of its own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        self.pairs: list[Pair] = []
        self.size: tuple[int, int] | None = None
        self._files: dict[str, pathlib.Path] = {}
        self._keypoints: dict[str, np.ndarray] = {}
        self._names: dict[tuple[str, bytes], str] = {}

    def as_split(self) -> Split:
        """What was taken; in its own folder, since both splits may have a name."""
        return Split(self._folder, self._keypoints, 0, paths=self._files)

    def take_pair(self, features: Mapping[str, Any]) -> None:
        """Takes the pair of a record, and its photos unless they are there."""
        source, target = (_photo(features, role) for role in (0, 1))
        if identity_of(source[0], LAYOUT) != identity_of(target[0], LAYOUT):
            raise ValueError(
                f"{source[0]!r} and {target[0]!r} show two people; a pair shows one"
            )
        self.pairs.append((self._take(*source), self._take(*target)))

    def _take(self, name: str, encoded: bytes, keypoints: np.ndarray) -> str:
        key = name, hashlib.sha1(encoded).digest()
        if key not in self._names:
            size = _size(encoded, name)
            self.size = self.size or size
            if name in self._files:
                stem, suffix = os.path.splitext(name)
                name = f"{stem}-{key[1].hex()[:8]}{suffix}"
            file = self._folder / f"{len(self._files)}.jpg"
            file.write_bytes(encoded)
            self._names[key], self._files[name] = name, file
            self._keypoints[name] = keypoints
        name = self._names[key]
        if not np.array_equal(keypoints, self._keypoints[name]):
            raise ValueError(f"{name!r} has other keypoints than in an earlier record")
        return name


def _photo(features: Mapping[str, Any], role: int) -> tuple[str, bytes, np.ndarray]:
    """Name, bytes and keypoints of a photo of a pair."""
    contents = _values(features, f"image_raw_{role}", "bytes_list", 1)
    if not contents:
        raise ValueError(f"there is no image_raw_{role}")
    name = _name(features, role, contents[0])
    coordinates, heat_map = f"pose_peaks_{role}_rcv", f"indices_r4_{role}"
    values = _values(features, coordinates, "float_list", 3 * NUM_KEYPOINTS)
    if values:
        rows, columns, visible = numbers(coordinates, values).reshape(-1, 3).T
        keypoints = from_coordinates(columns, rows, visible != 0)
    elif heat_map in features:
        indices = _values(features, heat_map, "int64_list")
        keypoints = _centres(heat_map, indices, _size(contents[0], name))
    else:
        raise ValueError(
            f"there is neither {heat_map} nor {coordinates}; pose_peaks_{role} is "
            "too coarse to tell the keypoints"
        )
    return name, contents[0], keypoints


def _size(encoded: bytes, name: str) -> tuple[int, int]:
    """(height, width) of a photo that can be decoded."""
    image = photo_files.decode(encoded, f"the photo {name!r}").image
    return image.height, image.width


def _values(
    features: Mapping[str, Any], name: str, kind: str, count: int | None = None
) -> list[Any]:
    """The values of a feature, an empty list when it is absent."""
    if name not in features:
        return []
    feature = features[name]
    if feature.WhichOneof("kind") not in (kind, None):
        raise ValueError(f"{name} is a {feature.WhichOneof('kind')}, not a {kind}")
    values = list(getattr(feature, kind).value)
    if values and count is not None and len(values) != count:
        raise ValueError(f"{name} has {len(values)} values, expected {count}")
    return values


def _name(features: Mapping[str, Any], role: int, encoded: bytes) -> str:
    names = _values(features, f"image_name_{role}", "bytes_list", 1)
    if names:
        try:
            name = names[0].decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"image_name_{role} is not UTF-8 text") from error
        check_name(name)
        return name
    people = _values(features, f"id_{role}", "int64_list", 1)
    if not people:
        raise ValueError(f"there is neither image_name_{role} nor id_{role}")
    return f"{people[0]:04d}_{hashlib.sha1(encoded).hexdigest()[:12]}.jpg"


def _centres(what: str, values: list[int], size: tuple[int, int]) -> np.ndarray:
    """The keypoints whose discs a sparse heat map holds, given as flat indices into [H,
    W, 18] of a photo of this (height, width)."""
    indices = np.unique(np.array(values, np.int64))
    end = NUM_KEYPOINTS * np.prod(size)
    if indices.size and not 0 <= indices[0] <= indices[-1] < end:
        raise ValueError(f"{what} points outside [{size[0]}, {size[1]}, 18]")
    places = np.stack(np.unravel_index(indices, (*size, NUM_KEYPOINTS)), axis=1)
    points = np.zeros((NUM_KEYPOINTS, 3), np.float32)
    for joint in range(NUM_KEYPOINTS):
        disc = places[places[:, 2] == joint, :2]
        if len(disc):
            row, column = (_middle(disc[:, axis], size[axis]) for axis in (0, 1))
            if not np.array_equal(disc, _disc(row, column, size)):
                raise ValueError(f"{what}: channel {joint} is no disc of radius 4")
            points[joint] = column, row, 1
    return points


def _middle(places: np.ndarray, length: int) -> int:
    # At most one side is cut off, and the widest row and column never are.
    low, high = int(places.min()), int(places.max())
    return low + _RADIUS if low > 0 else min(high - _RADIUS, length - 1)


def _disc(row: int, column: int, size: tuple[int, int]) -> np.ndarray:
    """The pixels of a disc, [N, 2], as `np.unique` orders them."""
    places = _DISC + np.array([row, column])
    return places[((places >= 0) & (places < size)).all(axis=1)]


def _records(
    path: pathlib.Path, problems: list[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    # Takes seconds to import.
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    tf.config.set_visible_devices([], "GPU")
    number = -1
    try:
        dataset = tf.data.TFRecordDataset(os.fspath(path))
        for number, content in enumerate(dataset.as_numpy_iterator()):
            place = f"{path}: record {number}"
            try:
                yield place, tf.train.Example.FromString(content).features.feature
            except DecodeError:
                problems.append(f"{place}: not a tf.train.Example")
    except tf.errors.OpError as error:
        message = str(error.message).split("\n")[0][:200]
        problems.append(f"{path}: record {number + 1}: cannot be read: {message}")
