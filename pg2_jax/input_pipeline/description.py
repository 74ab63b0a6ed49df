"""What stands beside the records of a data set; read without tensorflow, so that
mistakes are answered at once."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from pg2_jax import errors
from pg2_jax.input_pipeline import cloud_files

# What a record holds.
IMAGES = ("source_image", "target_image")
KEYPOINTS = ("source_keypoints", "target_keypoints")
ARRAYS = (*IMAGES, *KEYPOINTS)
NAMES = ("identity", "source_name", "target_name")

_INFO = "dataset_info.json"


class Description(NamedTuple):
    """The size of the images in pixels, and what the builder has recorded."""

    height: int
    width: int
    metadata: dict[str, Any]


class Shard(NamedTuple):
    """A file of records, and how many it holds."""

    path: cloud_files.Path
    pairs: int


def find(data_dir: str) -> cloud_files.Path:
    """The folder of a data set, which may be in cloud storage; a ValueError if none is
    there."""
    folder = cloud_files.path_of(data_dir)
    with cloud_files.named_errors("data_dir", data_dir):
        if not (folder / _INFO).is_file():
            raise unusable(
                data_dir,
                "no data set is there (dataset_info.json is missing). Make one with "
                f"data_prep/build_tfrecords.py{_of_photos(folder)}.",
            )
    return folder


def _of_photos(folder: cloud_files.Path) -> str:
    """What to say of a folder that may be the source of a data set."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return ""
    return f" in another folder, of the photos in {folder} if that is what it holds"


def read(data_dir: str) -> Description | None:
    """The description of a data set that is there; None if it cannot be read, of which
    whoever opens the data set says more."""
    folder = find(data_dir)
    try:
        image = _features(folder)[IMAGES[0]]["image"]
        height, width, _ = map(int, image["shape"]["dimensions"])
        return Description(height, width, _json(folder / "metadata.json"))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def read_whole(data_dir: str) -> tuple[Description, dict[str, list[Shard]]]:
    """The description, and the files of each split that holds pairs. What is no data
    set of ours, or is damaged, or lacks a file is a ValueError."""
    folder = find(data_dir)
    try:
        names = set(_features(folder))
        splits = _splits(folder)
    except errors.ArgumentError:  # A storage cannot be reached, which is no damage.
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise damaged(data_dir, error) from error
    check_features(data_dir, names)
    for shards in splits.values():
        check_files(data_dir, [shard.path for shard in shards])
    described = read(data_dir)
    if described is None:
        raise damaged(data_dir, "the size of the images, or metadata.json")
    return described, splits


def _features(folder: cloud_files.Path) -> dict[str, Any]:
    return _json(folder / "features.json")["featuresDict"]["features"]


def _json(path: cloud_files.Path) -> Any:
    with cloud_files.named_errors("data_dir", path):
        return json.loads(path.read_text(encoding="utf-8"))


def _splits(folder: cloud_files.Path) -> dict[str, list[Shard]]:
    info = _json(folder / _INFO)
    if info["fileFormat"] != "tfrecord":
        raise ValueError(f"files of the format {info['fileFormat']}, not tfrecord")
    splits = {}
    for split in info["splits"]:
        counts = [int(count) for count in split["shardLengths"]]
        shards = [
            Shard(folder / _file_name(info, split, number, len(counts)), count)
            for number, count in enumerate(counts)
        ]
        if sum(counts):
            splits[split["name"]] = shards
    return splits


def _file_name(
    info: dict[str, Any], split: dict[str, Any], number: int, count: int
) -> str:
    words = {
        "{DATASET}": info["name"],
        "{SPLIT}": split["name"],
        "{FILEFORMAT}": info["fileFormat"],
        "{SHARD_X_OF_Y}": f"{number:05d}-of-{count:05d}",
    }
    name = split["filepathTemplate"]
    for word, value in words.items():
        name = name.replace(word, value)
    return name


def check_features(data_dir: str, names: Iterable[str]) -> None:
    """Refuses records without what we need."""
    missing = {*ARRAYS, *NAMES} - set(names)
    if missing:
        raise unusable(
            data_dir,
            f"the records lack {sorted(missing)}; this is not a data set of "
            "data_prep/build_tfrecords.py.",
        )


def check_files(data_dir: str, paths: Iterable[cloud_files.Path]) -> None:
    """Refuses a data set that lacks a file."""
    with cloud_files.named_errors("data_dir", data_dir):
        for path in paths:
            if not path.is_file():
                raise unusable(data_dir, f"{path.name} is missing.")


def damaged(data_dir: str, what: object) -> errors.ArgumentError:
    """The error of a data set whose description cannot be read."""
    reason = f"dataset_info.json or features.json is damaged: {what}"
    return unusable(data_dir, reason)


def unusable(data_dir: str, reason: str) -> errors.ArgumentError:
    """The error of a data set that cannot be used."""
    return errors.ArgumentError("data_dir", data_dir, f": {reason}")
