"""DeepFashion In-shop: where its photos and keypoints lie.

Photos, below the source folder, are either

- `train/` and `test/` (or `filted_up_train/` and `filted_up_test/`, as PG2's authors
  have them), or
- `img/` or `img_highres/` as downloaded; the annotation files, or the lists `train.lst`
  and `test.lst`, then say who is in which split.

Keypoints are in pixels of one of the photos of deepfashion_photos.py. Which, the
published names tell, and --annotation_size for others: a wrong guess would move all
points by 40 pixels.
"""

import dataclasses
import pathlib
import re
from collections.abc import Iterable

import numpy as np

from data_prep.build_options import Options
from data_prep.sources import photo_names
from data_prep.sources.deepfashion_photos import CROP, HIGH_RES, LOW_RES, to_canvas
from data_prep.sources.photo_names import PhotoNames, flat_name, simplify
from data_prep.sources.split import (
    Split,
    checked_annotation_files,
    collecting,
    entries,
    found_in,
    read_annotations,
)
from pg2_jax.errors import counted
from pg2_jax.files import parse_size
from pg2_jax.keypoints.base import content_of, lines_of, text_of
from pg2_jax.photos import photo_files

_SPLITS = ("train", "test")
_TREES = ("img", "img_highres", "Img/img", "Img/img_highres")
_PUBLISHED = re.compile(r"fash?ion-(resize-)?annotation-(train|test)\.csv")
_OF_MARKET = re.compile(r"(-1|\d{4})_c\d+s\d+_")
# Of PATN's 176x256 file 19 points lie outside.
_MOST_OUTSIDE = 0.02
_ENOUGH_POINTS = 1000


def read(
    source_dir: pathlib.Path, options: Options, problems: list[str]
) -> dict[str, Split]:
    """Lists the photos and the keypoints, in pixels of the 256x256 canvas, of "train"
    and "test". Bad rows are left out, and go to `problems`, one message each."""
    photos = {split: _photos(source_dir, split, problems) for split in _SPLITS}
    _check_names(photos["train"])
    files = _annotation_files(source_dir, options)
    shared_file = files["train"] == files["test"]
    shared_folder = photos["train"] == photos["test"]
    if shared_file and shared_folder:
        raise ValueError(
            f"{files['train']} has the keypoints of both splits, and nothing says who "
            f"is in which; put train.lst and test.lst into {source_dir}"
        )
    poses = {
        file: read_annotations(file, problems, options.min_confidence)
        for file in dict.fromkeys(files.values())
    }
    names = {split: PhotoNames(photos[split], "deepfashion") for split in _SPLITS}
    splits = {}
    for split, other in zip(_SPLITS, reversed(_SPLITS), strict=True):
        mine = {
            name: pose
            for name, pose in poses[files[split]].items()
            # A file of both splits names photos that are in the other.
            if names[split].knows(name)
            or not (shared_file and (split == "test" or names[other].knows(name)))
        }
        poses_of = photo_names.match(mine, names[split], problems)
        matched = {name: pose.keypoints for name, pose in poses_of.items()}
        size = _annotation_size(files[split], options.annotation_size)
        _check_size(files[split], matched, size)
        splits[split] = Split(
            source_dir,
            {name: to_canvas(keypoints, size) for name, keypoints in matched.items()},
            num_unannotated=len(photos[split]) - len(matched),
            photos=sorted(matched if shared_folder else photos[split]),
            paths=photos[split],
        )
    train, test = splits["train"], splits["test"]
    if shared_folder:
        # What neither split's annotations name is counted once.
        rest = photos["train"].keys() - {*train.annotations, *test.annotations}
        train = dataclasses.replace(train, num_unannotated=len(rest))
        test = dataclasses.replace(test, num_unannotated=0)
    return {"train": _without(test, train, problems), "test": test}


def _photos(
    folder: pathlib.Path, split: str, problems: list[str]
) -> dict[str, pathlib.Path]:
    """Name -> file of a split's photos, or of both if annotations divide them."""
    places = [folder / split, folder / f"filted_up_{split}"]
    if place := next(filter(pathlib.Path.is_dir, places), None):
        there = filter(photo_files.is_photo, entries(place))
        photos = {path.name: path for path in there}
    else:
        photos = _photos_of_tree(_tree(folder))
    if not photos:
        raise ValueError(
            f"{folder}: no photos of the {split} split "
            f"({', '.join(photo_files.SUFFIXES)})"
        )
    file = folder / f"{split}.lst"
    return _listed(file, photos, problems) if file.exists() else photos


def _check_names(photos: Iterable[str]) -> None:
    """Refuses Market-1501's photos, of which each would be a person of its own."""
    others = [name for name in photos if _OF_MARKET.match(name)]
    if others:
        raise ValueError(
            f"--dataset=deepfashion: {counted(len(others), 'photo')} such as "
            f"{others[0]} are named as those of Market-1501; give --dataset=market1501"
        )


def _tree(folder: pathlib.Path) -> pathlib.Path:
    trees = [folder / tree for tree in _TREES if (folder / tree).is_dir()]
    if {"MEN", "WOMEN"}.intersection(path.name for path in entries(folder)):
        trees = [folder]
    if len(trees) != 1:
        held = " and ".join(str(tree) for tree in trees) or "none of them"
        raise ValueError(
            f"{folder}: DeepFashion's layout has train and test, or one of img and "
            f"img_highres; found {held}"
        )
    return trees[0]


def _photos_of_tree(tree: pathlib.Path) -> dict[str, pathlib.Path]:
    # The data set's own name, below whatever folder it was unpacked to.
    photos = {
        flat_name(f"/{path.relative_to(tree).as_posix()}"): path
        for path in found_in(tree, "**/*")
        if photo_files.is_photo(path)
    }
    return {name: path for name, path in photos.items() if not name.startswith("/")}


def _listed(
    file: pathlib.Path, photos: dict[str, pathlib.Path], problems: list[str]
) -> dict[str, pathlib.Path]:
    names, listed = PhotoNames(photos, "deepfashion"), set()
    lines = lines_of(text_of(file, content_of(file, "photo names")))
    for number, line in enumerate(lines, start=1):
        if line.strip():
            with collecting(problems, f"{file}:{number}"):
                listed.add(names.find(line.strip()))
    return {name: path for name, path in photos.items() if name in listed}


def _annotation_files(
    source_dir: pathlib.Path, options: Options
) -> dict[str, pathlib.Path]:
    files = options.annotations
    if not files:
        files = [str(_published(source_dir, split)) for split in _SPLITS]
    if len(files) == 1:
        files = [*files, *files]
    rule = "deepfashion has two, TRAIN,TEST, or one for both"
    return dict(zip(_SPLITS, checked_annotation_files(files, 2, rule), strict=True))


def _published(folder: pathlib.Path, split: str) -> pathlib.Path:
    for path in entries(folder):
        match = _PUBLISHED.fullmatch(path.name)
        if match and match[2] == split:
            return path
    raise ValueError(
        f"{folder}: neither fasion-annotation-{split}.csv nor "
        f"fasion-resize-annotation-{split}.csv is there; --annotations names others"
    )


def _without(test: Split, train: Split, problems: list[str]) -> Split:
    """Leaves out of the training split what is in the test split too."""
    tested = {simplify(name) for name in test.annotations}
    kept = {}
    for name, keypoints in train.annotations.items():
        if simplify(name) not in tested:
            kept[name] = keypoints
            continue
        problems.append(
            f"{name} is in both splits, train and test; --on_error=skip leaves it in "
            "test only"
        )
    return dataclasses.replace(train, annotations=kept)


def _annotation_size(file: pathlib.Path, given: str) -> tuple[int, int]:
    if given:
        size = parse_size("annotation_size", given)
        if size not in (LOW_RES, CROP, HIGH_RES):
            raise ValueError(
                f"--annotation_size={given}: DeepFashion's keypoints are those of "
                "photos of 256x256, 256x176 or 1101x750"
            )
        return size
    match = _PUBLISHED.fullmatch(file.name)
    if not match:
        raise ValueError(
            f"{file}: --annotation_size=HEIGHTxWIDTH is needed for a file that is not "
            "named as the published ones: 256x256, 256x176 or 1101x750, the size of "
            "the photos that its points were found in"
        )
    return CROP if match[1] else LOW_RES


def _check_size(
    file: pathlib.Path, poses: dict[str, np.ndarray], size: tuple[int, int]
) -> None:
    points = np.concatenate([np.zeros((0, 3)), *poses.values()])
    points = points[points[:, 2] > 0]
    outside = ((points[:, 0] >= size[1]) | (points[:, 1] >= size[0])).sum()
    # People stand in the middle.
    middle = points[:, 0].mean() if len(points) >= _ENOUGH_POINTS else size[1] / 2
    nearest = min(LOW_RES[1], CROP[1], HIGH_RES[1], key=lambda w: abs(middle - w / 2))
    if outside > _MOST_OUTSIDE * len(points) or nearest != size[1]:
        raise ValueError(
            f"{file}: {outside:,} of {len(points):,} points lie outside {size[0]}x"
            f"{size[1]}, and their mean column is {middle:.0f}; --annotation_size says "
            "which photos they were found in"
        )
