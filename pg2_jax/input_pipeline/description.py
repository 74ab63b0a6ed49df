"""What stands beside the records of a data set; read without tensorflow, so that
mistakes are answered at once."""

import json
import pathlib
from typing import Any, NamedTuple

from pg2_jax import errors


class Description(NamedTuple):
    """The size of the images in pixels, and what the builder has recorded."""

    height: int
    width: int
    metadata: dict[str, Any]


def find(data_dir: str) -> pathlib.Path:
    """The folder of a data set; a ValueError if none is there."""
    folder = pathlib.Path(data_dir).expanduser()
    if not (folder / "dataset_info.json").is_file():
        raise unusable(
            data_dir,
            "no data set is there (dataset_info.json is missing). Make one with "
            f"data_prep/build_tfrecords.py{_of_photos(folder)}.",
        )
    return folder


def _of_photos(folder: pathlib.Path) -> str:
    """What to say of a folder that may be the source of a data set."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return ""
    return f" in another folder, of the photos in {folder} if that is what it holds"


def read(data_dir: str) -> Description | None:
    """The description of a data set that is there; None if it cannot be read, of which
    tensorflow_datasets says more."""
    folder = find(data_dir)
    try:
        described = json.loads((folder / "features.json").read_text(encoding="utf-8"))
        image = described["featuresDict"]["features"]["source_image"]["image"]
        height, width, _ = map(int, image["shape"]["dimensions"])
        metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
        return Description(height, width, metadata)
    except (OSError, ValueError, LookupError, TypeError):
        return None


def unusable(data_dir: str, reason: str) -> errors.ArgumentError:
    """The error of a data set that cannot be used."""
    return errors.ArgumentError("data_dir", data_dir, f": {reason}")
