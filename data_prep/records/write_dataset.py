"""From photos, keypoints and pairs to a data set: check, store, write, summarise,
draw."""

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from data_prep.pairs import field_protocol
from data_prep.pairs.pair_choice import PairChoice
from data_prep.pairs.pair_list import NumberedPairs, PairList, random_order
from data_prep.records import output_folder
from data_prep.records.summary import Problems, SplitSummary, Summary
from data_prep.sources import readers
from pg2_jax.photos import crop, photo_files

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
        beam_pipeline_options: of the Apache Beam pipeline that writes the records;
            empty to write them here.
        beam_shared_dir: folder through which its workers get the photos and give back
            the records; empty if they see the output folder.
    """

    name: str
    dataset: str
    height: int
    width: int
    fit: str
    margin: float
    seed: int
    choice: PairChoice
    beam_pipeline_options: Sequence[str] = ()
    beam_shared_dir: str = ""
    read_photo: PhotoReader | None = None


def convert(
    stage: pathlib.Path,
    splits: Mapping[str, readers.Split],
    lists: Mapping[str, PairList],
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
    from data_prep.records import pose_pairs

    write_shards = _writer(stage, rules)
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
        rows = {
            split: _number(
                kept[split], numbers[split], rules.seed if split == "train" else None
            )
            for split in kept
        }
        with tqdm(
            total=sum(map(len, rows.values())), desc="writing", unit="pair"
        ) as bar:
            facts = _metadata(rules, summaries)
            built = pose_pairs.write(
                stage, store, rows, facts, bar.update, write_shards
            )
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
        # By folder and name: a path for each photo would take more than the photo's
        # keypoints.
        self._numbers: dict[pathlib.Path, dict[str, int | None]] = {}
        self.converted: collections.Counter[str] = collections.Counter()
        self.outside_points = 0

    def read(self, source: readers.Split, listed: PairList) -> dict[str, int]:
        """Reads the photos of some pairs; returns the number of each good one."""
        names = listed.used()
        known = self._numbers.setdefault(source.folder, {})
        for name in tqdm(names, desc="reading", unit="photo"):
            if name not in known:
                known[name] = self._try_one(source.path(name), name, source)
        numbered = ((name, known[name]) for name in names)
        return {name: n for name, n in numbered if n is not None}

    def _try_one(
        self, path: pathlib.Path, name: str, source: readers.Split
    ) -> int | None:
        try:
            read = self._read_one(path, source.annotations[name])
        except (ValueError, OSError) as error:
            self._problems.photos.append(str(error))
            return None
        encoded, note, fitted, outside = read
        self.outside_points += outside
        if note:
            self.converted[note] += 1
        identity = field_protocol.identity_of(name, self._rules.dataset)
        # Outside the try: a full disk is no fault of the photo.
        return self._store.add(name, identity, encoded, fitted)

    def _read_one(
        self, path: pathlib.Path, keypoints: np.ndarray
    ) -> tuple[bytes, str, np.ndarray, int]:
        """What a `PhotoReader` returns."""
        rules = self._rules
        size = rules.height, rules.width
        if rules.read_photo:
            return rules.read_photo(path, keypoints, size)
        encoded, original_size, frame, note = photo_files.read(
            path, *size, fit=rules.fit, keypoints=keypoints, margin=rules.margin
        )
        fitted, outside = crop.move_keypoints(keypoints, original_size, frame, size)
        return encoded, note, fitted, outside


def _writer(stage: pathlib.Path, rules: Rules) -> Any:
    """Where the records are written; bad options are named before photos are read."""
    from data_prep.records import pose_pairs

    if not rules.beam_pipeline_options:
        if rules.beam_shared_dir:
            raise ValueError("--beam_shared_dir needs --beam_pipeline_options")
        return pose_pairs.write_here
    from data_prep.records import beam_writing

    options = rules.beam_pipeline_options
    beam_writing.pipeline(options)
    return beam_writing.ShardsOnBeam(stage, options, rules.beam_shared_dir)


def _keep(listed: PairList, numbers: Mapping[str, int]) -> PairList:
    return listed.only(np.asarray([name in numbers for name in listed.photos], bool))


def _number(
    kept: PairList, numbers: Mapping[str, int], shuffle_seed: int | None
) -> NumberedPairs:
    # Training reads the shards in order, through a window of thousands of records.
    order = None if shuffle_seed is None else random_order(len(kept), shuffle_seed)
    # A listed photo that is bad is in no pair that is kept.
    of_photos = np.asarray([numbers.get(name, -1) for name in kept.photos], np.int64)
    return NumberedPairs(kept.positions, of_photos, order)


def _size(folder: pathlib.Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.tfrecord*"))


def _summarize(
    source: readers.Split,
    listed: PairList,
    kept: PairList,
    rules: Rules,
) -> SplitSummary:
    dataset = rules.dataset
    used = kept.used()
    return SplitSummary(
        images=len(used),
        people=len({field_protocol.identity_of(name, dataset) for name in used}),
        pairs=len(kept),
        unused=field_protocol.unused(
            source.annotations, listed, dataset, rules.choice.rule
        ),
        unannotated=source.num_unannotated,
        dropped_pairs=len(listed) - len(kept),
    )


def _metadata(rules: Rules, splits: Mapping[str, SplitSummary]) -> dict[str, Any]:
    counts = {
        name: {"images": split.images, "people": split.people, "pairs": split.pairs}
        for name, split in splits.items()
    }
    # With a reader of its own a data set does not follow --fit.
    fit = rules.dataset if rules.read_photo else rules.fit
    return {
        "dataset": rules.name,
        "height": rules.height,
        "width": rules.width,
        "fit": fit,
        **({"margin": rules.margin} if fit == "crop" else {}),
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


def pictured_rows(num_pairs: int, seed: int) -> list[int]:
    """The records that the picture shows; takes no memory for the others."""
    first = np.arange(min(NUM_PICTURED_PAIRS, num_pairs))
    return random_order(num_pairs, seed)[first].tolist()


def _draw(folder: pathlib.Path, split: str, num_pairs: int, seed: int) -> None:
    """Draws random pairs as they are read back from the records."""
    from data_prep.records import pose_pairs
    from pg2_jax import pose, visualize

    rows = pictured_rows(num_pairs, seed)
    cells: list[list[np.ndarray]] = []
    for record in pose_pairs.read_records(folder, split, rows):
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
