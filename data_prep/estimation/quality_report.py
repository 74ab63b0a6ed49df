"""Which people of the photos are kept, the report about them and the contact sheet; and
how far they lie from those of another file."""

import collections
import csv
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from data_prep.estimation.resume_log import Record
from pg2_jax import files
from pg2_jax.errors import counted
from pg2_jax.estimators.base import Person
from pg2_jax.photos import crop, photo_files

HEADER = ("name", "status", "people", "score", "points", "note")
STATUSES = ("found", "low score", "not found", "bad photo")
# Of an earlier report.
Rows = Sequence[Sequence[str]]
_SHEET_ROWS, _SHEET_COLUMNS, _TILE = 4, 6, 192


@dataclasses.dataclass
class Outcome:
    """What becomes of an estimation, by photo name: [18, 3], further people of a photo
    as name#2, ...; the people that are kept, the largest first; one of `STATUSES`."""

    annotations: dict[str, np.ndarray]
    kept: dict[str, list[Person]]
    statuses: dict[str, str]

    def counts(self) -> str:
        """How many photos have which status, in words."""
        number = collections.Counter(self.statuses.values())
        return ", ".join(f"{status} {number[status]:,}" for status in STATUSES)


def choose(records: Sequence[Record], everyone: bool, min_score: float) -> Outcome:
    """Decides who is kept: of the people with a score of at least `min_score` everyone,
    or the one whose visible points span the largest box."""
    outcome = Outcome({}, {}, {})
    for record in records:
        sure = [person for person in record.people if person.score >= min_score]
        sure.sort(key=lambda person: -person.area)
        status = "low score" if record.people else "not found"
        status = "bad photo" if record.problem else "found" if sure else status
        outcome.statuses[record.name] = status
        outcome.kept[record.name] = sure if everyone else sure[:1]
        for number, person in enumerate(outcome.kept[record.name], start=1):
            name = record.name if number == 1 else f"{record.name}#{number}"
            # In float64 a tenth of a pixel is written with one digit.
            outcome.annotations[name] = np.round(person.keypoints.astype(float), 1)
    return outcome


def earlier_rows(path: pathlib.Path) -> list[list[str]]:
    """The rows of a report that is there, each with the photo's name first."""
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return [row for row in csv.reader(file) if row][1:]


def write(
    path: pathlib.Path, records: Sequence[Record], outcome: Outcome, earlier: Rows
) -> None:
    """Writes earlier rows, and a row per photo: status, how many people were found,
    score and points of the largest that is kept (or else the surest), and what is
    wrong."""
    rows: list[Sequence[object]] = [HEADER, *earlier]
    for record in records:
        surest = sorted(record.people, key=lambda person: -person.score)
        shown = (outcome.kept[record.name] or surest)[:1]
        score = f"{shown[0].score:.3f}" if shown else ""
        points = int(shown[0].keypoints[:, 2].sum()) if shown else 0
        status, people = outcome.statuses[record.name], len(record.people)
        rows.append([record.name, status, people, score, points, record.problem])
    files.write_csv(path, rows)


def draw(path: pathlib.Path, folder: pathlib.Path, outcome: Outcome) -> None:
    """Draws skeletons over photos of a folder, from the lowest score to the highest,
    each under its score and name, and says how many of all photos it shows."""
    from pg2_jax import visualize  # Imports jax, which the workers need not do.

    kept = [(people[0].score, name) for name, people in outcome.kept.items() if people]
    ranked = sorted(kept)
    count = min(len(ranked), _SHEET_ROWS * _SHEET_COLUMNS)
    tiles = []
    for i in np.linspace(0, len(ranked) - 1, count).astype(int):
        score, name = ranked[i]
        image = photo_files.load(folder / name).image
        original, size = (image.height, image.width), (_TILE, _TILE)
        part = crop.frame("letterbox", original, size)
        tile = np.asarray(crop.apply(image, part, size))
        for person in outcome.kept[name]:
            moved, _ = crop.move_keypoints(person.keypoints, original, part, size)
            tile = visualize.draw_skeleton(tile, moved)
        left, top, right, bottom = (int(side) for side in part.target)
        shown = np.full_like(tile, 255)
        shown[top:bottom, left:right] = tile[top:bottom, left:right]
        tiles.append(visualize.titled(shown, f"{score:.2f} {name}"))
    rows = [tiles[i : i + _SHEET_COLUMNS] for i in range(0, len(tiles), _SHEET_COLUMNS)]
    heading = f"{count:,} of {counted(len(ranked), 'photo')}, lowest score first"
    sheet = visualize.titled(np.asarray(visualize.grid(rows)), heading)
    with files.replacing(path) as temporary:
        Image.fromarray(sheet).save(temporary)


def distances(
    estimated: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], name: str
) -> list[str]:
    """The distances of the photos that two sets of keypoints have in common, over all
    and joint by joint, in lines for the terminal. The sets are photo name -> [18, 3] =
    (x, y, visible) in pixels; `name` is the file of the reference."""
    names = [photo for photo in estimated if photo in reference]
    ours, theirs = (
        np.array([poses[name] for name in names], np.float64).reshape(-1, 18, 3)
        for poses in (estimated, reference)
    )
    here, there = ours[..., 2] > 0, theirs[..., 2] > 0
    both = here & there
    pixels = np.linalg.norm((ours - theirs)[both][:, :2], axis=1)
    common = f"{len(names):,} photos and {len(pixels):,} points that both have"
    alone = f"{(here & ~there).sum():,} points only here, {(there & ~here).sum():,}"
    lines = [f"  compared with {name}: {common}; {alone} only there"]
    if not len(pixels):
        return lines
    median, most = np.percentile(pixels, [50, 95])
    average = f"mean {pixels.mean():.2f}, median {median:.2f}"
    lines.append(f"  distance in pixels: {average}, 95 % below {most:.2f}")
    from pg2_jax import pose  # Imports jax.

    joints = np.nonzero(both)[1]
    for joint, joint_name in enumerate(pose.JOINTS):
        of_joint = pixels[joints == joint]
        if count := len(of_joint):
            mean = f"{of_joint.mean():6.2f}"
            lines.append(f"    {joint_name:14} {mean} ({count:,} points)")
    return lines
