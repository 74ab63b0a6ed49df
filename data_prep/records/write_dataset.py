"""From photos, keypoints and pairs to a data set: check, store, write, summarise and
picture."""

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from data_prep.pairs import field_protocol, identity, pair_list
from data_prep.pairs.pair_choice import PairChoice
from data_prep.pairs.pair_list import PairList
from data_prep.records import output_folder
from data_prep.records.summary import Problems, SplitSummary, Summary
from data_prep.sources.split import Split
from pg2_jax.photos import crop, photo_files

NUM_PICTURED_PAIRS = 8

# Given path, float32 [18, 3] and (height, width), returns the photo's bytes, what was
# done to it, the fitted keypoints and how many of them lie outside.
PhotoReader = Callable[
    [pathlib.Path, np.ndarray, tuple[int, int]], tuple[bytes, str, np.ndarray, int]
]


@dataclasses.dataclass(frozen=True)
class Rules:
    """How photos become records.

    Attributes:
        name: what the data set is called.
        dataset: layout of the source, a key of `readers.READERS`.
        height, width: of every stored photo, in pixels.
        fit: how photos get that size, one of `crop.RULES`.
        margin: around the person where `fit` is crop; see `crop`.
        seed: order of the training records, choice of the pictured pairs.
        choice: where the pairs come from.
        beam_pipeline_options: of the Apache Beam pipeline that writes the records;
            empty to write them here.
        beam_shared_dir: folder through which its workers get the photos and give back
            the records; empty if they see the output folder.
        read_photo: reads and fits a photo as the data set has it; None for the general
            way.
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
    splits: Mapping[str, Split],
    lists: Mapping[str, PairList],
    rules: Rules,
    problems: Problems,
) -> tuple[pathlib.Path, Summary]:
    """Checks every photo of the pairs, then writes the records and their picture.

    Args:
        stage: temporary folder to work in.
        splits: photos and keypoints.
        lists: the pairs of each split in protocol order.
        rules: see there.
        problems: what the annotations held; bad photos are added.

    Returns:
        The finished data set below `stage`, and its summary.

    Raises:
        ValueError: problems that are not to be skipped; a split without pairs.
    """
    # Imports tensorflow: seconds that a wrong flag need not cost.
    from data_prep.records import pose_pairs

    write_shards = _writer(stage, rules)
    built = stage / "built"
    built.mkdir()
    store = pose_pairs.PhotoStore(stage / "photos", rules.height, rules.width)
    try:
        reading = _Reading(rules, store, problems)
        numbers = {split: reading.read(splits[split], lists[split]) for split in lists}
        problems.check()
        kept = {split: lists[split].only(numbers[split] >= 0) for split in lists}
        for split, pairs in kept.items():
            rules.choice.check_not_empty(split, pairs)
        store.finish()
        summaries = {
            split: _summarize(splits[split], lists[split], kept[split], rules)
            for split in splits
        }
        rows = {
            split: _in_record_order(split, pairs, rules.seed).numbered(numbers[split])
            for split, pairs in kept.items()
        }
        facts = _metadata(rules, summaries)
        total = sum(map(len, rows.values()))
        with tqdm(total=total, desc="writing", unit="pair") as bar:
            pose_pairs.write(built, store, rows, facts, bar.update, write_shards)
    finally:
        store.close()
    if problems.all():
        text = "".join(f"{problem}\n" for problem in problems.all())
        (built / output_folder.SKIPPED).write_text(text, encoding="utf-8")
    split, pairs = next(iter(kept.items()))
    _draw(built, split, len(pairs), rules.seed)
    size = sum(path.stat().st_size for path in built.glob("*.tfrecord*"))
    return built, Summary(
        summaries, size, problems, reading.converted, reading.outside_points
    )


class _Reading:
    """Reads photos into a store, each once, and counts what happened to them."""

    def __init__(self, rules: Rules, store: Any, problems: Problems) -> None:
        self._rules, self._store, self._problems = rules, store, problems
        # By folder and name: a path for each photo would take more than the photo's
        # keypoints.
        self._numbers: dict[pathlib.Path, dict[str, int]] = {}
        self.converted: collections.Counter[str] = collections.Counter()
        self.outside_points = 0

    def read(self, source: Split, pairs: PairList) -> np.ndarray:
        """Reads the photos of some pairs; returns int32 [photos], the number of each in
        the store, -1 for a bad photo or one of no pair."""
        known = self._numbers.setdefault(source.folder, {})
        for name in tqdm(pairs.used(), desc="reading", unit="photo"):
            if name not in known:
                known[name] = self._read_into_store(name, source)
        return np.asarray([known.get(name, -1) for name in pairs.photos], np.int32)

    def _read_into_store(self, name: str, source: Split) -> int:
        try:
            encoded, note, fitted, outside = self._read_photo(
                source.path(name), source.annotations[name]
            )
        except (ValueError, OSError) as error:
            self._problems.photos.append(str(error))
            return -1
        self.outside_points += outside
        if note:
            self.converted[note] += 1
        person = identity.identity_of(name, self._rules.dataset)
        # Outside the try: a full disk is no fault of the photo.
        return self._store.add(name, person, encoded, fitted)

    def _read_photo(
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


def _in_record_order(split: str, pairs: PairList, seed: int) -> PairList:
    # Training reads the shards in order, through a window of thousands of records.
    if split != "train":
        return pairs
    return pairs.take(pair_list.random_order(len(pairs), seed))


def _summarize(
    source: Split, listed: PairList, kept: PairList, rules: Rules
) -> SplitSummary:
    dataset, used = rules.dataset, kept.used()
    return SplitSummary(
        images=len(used),
        people=len({identity.identity_of(name, dataset) for name in used}),
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


def pictured_rows(num_pairs: int, seed: int) -> list[int]:
    """The records that the picture shows."""
    return pair_list.random_order(num_pairs, seed)[:NUM_PICTURED_PAIRS].tolist()


def _draw(folder: pathlib.Path, split: str, num_pairs: int, seed: int) -> None:
    """Draws random pairs as they are read back from the records."""
    from data_prep.records import pose_pairs
    from pg2_jax import pose, visualize

    cells: list[list[np.ndarray]] = []
    rows = pictured_rows(num_pairs, seed)
    for record in pose_pairs.read_records(folder, split, rows):
        cells.append([])
        for role in ("source", "target"):
            image, keypoints = record[f"{role}_image"], record[f"{role}_keypoints"]
            scale = visualize.screen_scale(len(image))
            mask = np.asarray(pose.body_mask(keypoints, *image.shape[:2]))
            skeleton = visualize.draw_skeleton(image, keypoints, mask, scale=scale)
            cells[-1] += [image, skeleton]
    titles = ["source", "source pose", "target", "target pose"]
    visualize.grid(cells, titles, scale=scale).save(folder / output_folder.PICTURE)
