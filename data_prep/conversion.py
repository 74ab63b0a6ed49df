"""From photos, keypoints and pairs to a data set: check, store, write, summarise,
draw."""

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Container, Mapping
from typing import Any

import numpy as np
from tqdm import tqdm

from data_prep import framing, output_folder, pairs, photos, sources
from data_prep.pair_choice import PairChoice
from data_prep.summary import Problems, SplitSummary, Summary

NUM_PICTURED_PAIRS = 8

PhotoReader = Callable[
    [pathlib.Path, np.ndarray, tuple[int, int]], tuple[bytes, str, np.ndarray, int]
]


@dataclasses.dataclass(frozen=True)
class Rules:
    """How photos become records.

    Attributes:
        name: what the data set is called.
        dataset: layout of the source, a key of `sources.READERS`.
        height: height of every stored photo.
        width: width of every stored photo.
        fit: how photos get that size, one of `framing.RULES`.
        margin: around the person where `fit` is crop; see `framing`.
        seed: order of the training records, choice of the pictured pairs.
        choice: where the pairs come from.
        read_photo: reads a photo and fits its keypoints as the data set has it; given
            path, float32 [18, 3] and (height, width), returns its bytes, what was done
            to it, the fitted keypoints and how many points lie outside. None for the
            general way.
    """

    name: str
    dataset: str
    height: int
    width: int
    fit: str
    margin: float
    seed: int
    choice: PairChoice
    read_photo: PhotoReader | None = None


def convert(
    stage: pathlib.Path,
    splits: Mapping[str, sources.Split],
    lists: Mapping[str, list[pairs.Pair]],
    rules: Rules,
    problems: Problems,
) -> tuple[pathlib.Path, Summary]:
    """Checks every photo of the pairs, then writes the records and their picture.

    Args:
        stage: temporary folder to work in.
        splits: photos and keypoints.
        lists: the pairs of each split in protocol order.
        rules: how photos become records.
        problems: what the annotations held; bad photos are added.

    Returns:
        The finished data set below `stage`, and its summary.

    Raises:
        ValueError: bad rows or photos that are not to be skipped; a split without
        pairs.
    """
    # Imports tensorflow: seconds that a wrong flag need not cost.
    from data_prep import pose_pairs

    store = pose_pairs.PhotoStore(stage / "photos", rules.height, rules.width)
    try:
        reading = _Reading(rules, store, problems)
        numbers = {split: reading.read(splits[split], lists[split]) for split in lists}
        problems.check()
        kept = {split: _keep(lists[split], numbers[split]) for split in lists}
        for split, listed in kept.items():
            rules.choice.check_not_empty(split, listed)
        store.finish()
        summaries = {
            split: _summarize(splits[split], lists[split], kept[split], rules)
            for split in splits
        }
        if "train" in kept:
            kept["train"] = _shuffle(kept["train"], rules.seed)
        rows = {split: _number(kept[split], numbers[split]) for split in kept}
        with tqdm(
            total=sum(map(len, rows.values())), desc="writing", unit="pair"
        ) as bar:
            facts = _metadata(rules, summaries)
            built = pose_pairs.write(stage, store, rows, facts, bar.update)
    finally:
        store.close()
    _write_skipped(built, problems)
    split, pictured = next(iter(kept.items()))
    _draw(built, split, len(pictured), rules.seed)
    return built, Summary(
        summaries, _size(built), problems, reading.converted, reading.outside_points
    )


class _Reading:
    """Reads photos into a store, each once, and counts what happened to them."""

    def __init__(self, rules: Rules, store: Any, problems: Problems) -> None:
        self._rules, self._store, self._problems = rules, store, problems
        self._numbers: dict[pathlib.Path, int | None] = {}
        self.converted: collections.Counter[str] = collections.Counter()
        self.outside_points = 0

    def read(self, source: sources.Split, listed: list[pairs.Pair]) -> dict[str, int]:
        """Reads the photos of some pairs; returns the number of each good one."""
        names = dict.fromkeys(name for pair in listed for name in pair)
        for name in tqdm(names, desc="reading", unit="photo"):
            path = source.path(name)
            if path not in self._numbers:
                self._numbers[path] = self._try_one(path, name, source)
        numbered = {name: self._numbers[source.path(name)] for name in names}
        return {name: n for name, n in numbered.items() if n is not None}

    def _try_one(
        self, path: pathlib.Path, name: str, source: sources.Split
    ) -> int | None:
        try:
            return self._read_one(path, name, source.annotations[name])
        except (ValueError, OSError) as error:
            self._problems.photos.append(str(error))
            return None

    def _read_one(self, path: pathlib.Path, name: str, keypoints: np.ndarray) -> int:
        rules = self._rules
        size = rules.height, rules.width
        if rules.read_photo:
            encoded, note, fitted, outside = rules.read_photo(path, keypoints, size)
        else:
            encoded, original_size, frame, note = photos.read(
                path, *size, fit=rules.fit, keypoints=keypoints, margin=rules.margin
            )
            fitted, outside = framing.move_keypoints(
                keypoints, original_size, frame, size
            )
        self.outside_points += outside
        if note:
            self.converted[note] += 1
        identity = pairs.identity_of(name, self._rules.dataset)
        return self._store.add(name, identity, encoded, fitted)


def _keep(listed: list[pairs.Pair], known: Container[str]) -> list[pairs.Pair]:
    return [pair for pair in listed if pair[0] in known and pair[1] in known]


def _number(
    listed: list[pairs.Pair], numbers: Mapping[str, int]
) -> list[tuple[int, int]]:
    return [(numbers[source], numbers[target]) for source, target in listed]


def _size(folder: pathlib.Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.tfrecord*"))


def _shuffle(listed: list[pairs.Pair], seed: int) -> list[pairs.Pair]:
    # Training reads the shards in order, through a window of thousands of records.
    order = np.random.RandomState(seed).permutation(len(listed))
    return [listed[index] for index in order]


def _summarize(
    source: sources.Split,
    listed: list[pairs.Pair],
    kept: list[pairs.Pair],
    rules: Rules,
) -> SplitSummary:
    dataset = rules.dataset
    used = {name for pair in kept for name in pair}
    return SplitSummary(
        images=len(used),
        people=len({pairs.identity_of(name, dataset) for name in used}),
        pairs=len(kept),
        unused=pairs.unused(source.annotations, listed, dataset, rules.choice.rule),
        unannotated=source.num_unannotated,
        dropped_pairs=len(listed) - len(kept),
    )


def _metadata(rules: Rules, splits: Mapping[str, SplitSummary]) -> dict[str, Any]:
    counts = {
        name: {"images": split.images, "people": split.people, "pairs": split.pairs}
        for name, split in splits.items()
    }
    return {
        "dataset": rules.name,
        "height": rules.height,
        "width": rules.width,
        "fit": rules.fit,
        "pairing": {
            name: rules.choice.protocol(name, rules.dataset) for name in splits
        },
        "seed": rules.seed,
        "counts": counts,
    }


def _write_skipped(folder: pathlib.Path, problems: Problems) -> None:
    found = [*problems.rows, *problems.photos]
    if found:
        (folder / output_folder.SKIPPED).write_text(
            "\n".join(found) + "\n", encoding="utf-8"
        )


def _draw(folder: pathlib.Path, split: str, num_pairs: int, seed: int) -> None:
    """Draws random pairs as they are read back from the records."""
    from data_prep import pose_pairs
    from pg2_jax import pose, visualize

    count = min(NUM_PICTURED_PAIRS, num_pairs)
    rows = np.random.RandomState(seed).choice(num_pairs, count, replace=False)
    cells: list[list[np.ndarray]] = []
    for record in pose_pairs.read_records(folder, split, [int(row) for row in rows]):
        cells.append([])
        for role in ("source", "target"):
            image, keypoints = record[f"{role}_image"], record[f"{role}_keypoints"]
            scale = visualize.screen_scale(len(image))
            mask = np.asarray(pose.body_mask(keypoints, *image.shape[:2]))
            cells[-1] += [
                image,
                visualize.draw_skeleton(image, keypoints, mask, scale=scale),
            ]
    titles = ["source", "source pose", "target", "target pose"]
    visualize.grid(cells, titles, scale=scale).save(folder / output_folder.PICTURE)
