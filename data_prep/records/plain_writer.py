"""Writes a small data set without tensorflow: one file of records for each split.

The readers take it as one of `build_tfrecords.py`, which does not need the memory for
all records of a split. example_parser.py and tfrecord.py of pg2_jax.input_pipeline say
what the bytes mean.
"""

import json
import pathlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from data_prep.records.output_folder import DATASET_NAME
from pg2_jax.input_pipeline import crc32c

_ROLES = ("source", "target")
_BYTES, _FLOATS = 1, 2  # the fields of a Feature
_PYTHON = "tensorflow_datasets.core.features"


class Photo(NamedTuple):
    """A photo: its name, its person, an 8-bit RGB JPEG or PNG, and its keypoints,
    float32 [18, 3] = (x, y, visible)."""

    name: str
    person: str
    encoded: bytes
    keypoints: np.ndarray


# Photos of one person: source, target.
Pair = tuple[Photo, Photo]


def write(
    folder: pathlib.Path,
    splits: Mapping[str, Sequence[Pair]],
    size: tuple[int, int],
    metadata: Mapping[str, Any],
) -> None:
    """Writes the pairs of each split into an existing folder; `size` is (height, width)
    of all photos. dataset_info.json comes last: without it there is no data set."""
    described = []
    for split, pairs in splits.items():
        name = f"{DATASET_NAME}-{split}.tfrecord-00000-of-00001"
        records = [_example(*pair) for pair in pairs]
        with open(folder / name, "wb") as file:
            for record in records:
                file.write(_framed(record))
        described.append(
            {
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "name": split,
                "numBytes": str(sum(map(len, records))),
                "shardLengths": [str(len(records))],
            }
        )
    info = {
        "disableShuffling": True,
        "fileFormat": "tfrecord",
        "name": DATASET_NAME,
        "splits": described,
        "version": "1.0.0",
    }
    files = {
        "features.json": _features(*size),
        "metadata.json": {"height": size[0], "width": size[1], **metadata},
        "dataset_info.json": info,
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def _example(source: Photo, target: Photo) -> bytes:
    entries = [_entry("identity", _BYTES, source.person.encode())]
    for role, photo in zip(_ROLES, (source, target), strict=True):
        entries += [
            _entry(f"{role}_image", _BYTES, photo.encoded),
            _entry(f"{role}_keypoints", _FLOATS, photo.keypoints.astype("<f4")),
            _entry(f"{role}_name", _BYTES, photo.name.encode()),
        ]
    return _text(1, b"".join(entries))


def _entry(key: str, kind: int, value: bytes | np.ndarray) -> bytes:
    content = value if isinstance(value, bytes) else value.tobytes()
    feature = _text(kind, _text(1, content))
    return _text(1, _text(1, key.encode()) + _text(2, feature))


def _text(number: int, content: bytes) -> bytes:
    """A field of a message that holds bytes."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _framed(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    return length + _checksum(length) + record + _checksum(record)


def _checksum(data: bytes) -> bytes:
    crc = crc32c.masked(np.array([crc32c.of(data)], np.uint32))
    return crc.astype("<u4").tobytes()


def _features(height: int, width: int) -> dict[str, Any]:
    """What features.json says of the records."""

    def shape(*sizes: int) -> dict[str, Any]:
        return {"dimensions": [str(size) for size in sizes]}

    text = {"pythonClassName": f"{_PYTHON}.text_feature.Text", "text": {}}
    image = {
        "image": {"dtype": "uint8", "shape": shape(height, width, 3)},
        "pythonClassName": f"{_PYTHON}.image_feature.Image",
    }
    tensor = {"dtype": "float32", "encoding": "none", "shape": shape(18, 3)}
    keypoints = {
        "pythonClassName": f"{_PYTHON}.tensor_feature.Tensor",
        "tensor": tensor,
    }
    by_role: Iterable[tuple[str, dict[str, Any]]] = (
        (f"{role}_{key}", value)
        for role in _ROLES
        for key, value in (("image", image), ("keypoints", keypoints), ("name", text))
    )
    return {
        "featuresDict": {"features": {"identity": text, **dict(by_role)}},
        "pythonClassName": f"{_PYTHON}.features_dict.FeaturesDict",
    }
