"""What stands beside the records of a data set; read without tensorflow, so that
mistakes are answered at once."""

import itertools
import json
from typing import Any, NamedTuple

from pg2_jax import errors
from pg2_jax.input_pipeline import cloud_files

# What a record holds.
IMAGES = ("source_image", "target_image")
KEYPOINTS = ("source_keypoints", "target_keypoints")
ARRAYS = (*IMAGES, *KEYPOINTS)
NAMES = ("identity", "source_name", "target_name")
KEYS = (*ARRAYS, *NAMES)
# Without it no folder is a data set.
INFO = "dataset_info.json"


class Description(NamedTuple):
    """The size of the images in pixels, and what the builder has recorded."""

    height: int
    width: int
    metadata: dict[str, Any]


class Shard(NamedTuple):
    """A file of records, and how many it holds."""

    path: cloud_files.Path
    pairs: int


class Split(NamedTuple):
    """The files of a split, and the bytes of all records."""

    shards: list[Shard]
    num_bytes: int

    @property
    def pairs(self) -> int:
        return sum(shard.pairs for shard in self.shards)

    @property
    def files(self) -> list[str]:
        return [str(shard.path) for shard in self.shards]


def find(data_dir: str) -> cloud_files.Path:
    """The folder of a data set, perhaps in a cloud; a ValueError if none is there."""
    folder = cloud_files.path_of(data_dir)
    with cloud_files.named_errors("data_dir", data_dir):
        if (folder / INFO).is_file():
            return folder
        where = ""
        if folder.is_dir() and any(folder.iterdir()):
            holds = f"the photos in {folder} if that is what it holds"
            where = f" in another folder, of {holds}"
    raise unusable(
        data_dir,
        "no data set is there (dataset_info.json is missing). Make one with "
        f"data_prep/build_tfrecords.py{where}.",
    )


def read(data_dir: str) -> Description | None:
    """The description of a data set that is there; None if it cannot be read."""
    folder = find(data_dir)
    try:
        image = _features(folder)[IMAGES[0]]["image"]
        height, width, _ = map(int, image["shape"]["dimensions"])
        return Description(height, width, _json(folder / "metadata.json"))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def read_whole(data_dir: str) -> tuple[Description, dict[str, Split]]:
    """The description, and each split that holds pairs. What is no data set of ours, or
    is damaged, or lacks a file is a ValueError."""
    folder = find(data_dir)
    try:
        names = set(_features(folder))
        splits = _splits(folder)
    except errors.ArgumentError:  # A storage cannot be reached, which is no damage.
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _damaged(data_dir, error) from error
    if missing := {*KEYS} - names:
        raise unusable(
            data_dir,
            f"the records lack {sorted(missing)}; this is not a data set of "
            "data_prep/build_tfrecords.py.",
        )
    with cloud_files.named_errors("data_dir", data_dir):
        for shard in itertools.chain(*(split.shards for split in splits.values())):
            if not shard.path.is_file():
                raise unusable(data_dir, f"{shard.path.name} is missing.")
    described = read(data_dir)
    if described is None:
        raise _damaged(data_dir, "the size of the images, or metadata.json")
    return described, splits


def _features(folder: cloud_files.Path) -> dict[str, Any]:
    return _json(folder / "features.json")["featuresDict"]["features"]


def _json(path: cloud_files.Path) -> Any:
    with cloud_files.named_errors("data_dir", path):
        return json.loads(path.read_text(encoding="utf-8"))


def _splits(folder: cloud_files.Path) -> dict[str, Split]:
    info = _json(folder / INFO)
    if info["fileFormat"] != "tfrecord":
        raise ValueError(f"files of the format {info['fileFormat']}, not tfrecord")
    splits: dict[str, Split] = {}
    for split in info["splits"]:
        counts = [int(count) for count in split["shardLengths"]]
        shards = []
        for number, count in enumerate(counts):
            name = split["filepathTemplate"].format(
                DATASET=info["name"],
                SPLIT=split["name"],
                FILEFORMAT=info["fileFormat"],
                SHARD_X_OF_Y=f"{number:05d}-of-{len(counts):05d}",
            )
            shards.append(Shard(folder / name, count))
        if sum(counts):
            splits[split["name"]] = Split(shards, int(split["numBytes"]))
    return splits


def _damaged(data_dir: str, what: object) -> errors.ArgumentError:
    return unusable(data_dir, f"dataset_info.json or features.json is damaged: {what}")


def unusable(data_dir: str, reason: str) -> errors.ArgumentError:
    """The error of a data set that cannot be used."""
    return errors.ArgumentError("data_dir", data_dir, f": {reason}")
