"""From photos, keypoints and pairs to a data set: check, store, write, summarise and
picture."""

import collections
import contextlib
import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from tqdm import tqdm

from data_prep.build_options import Options
from data_prep.pairs import field_protocol, identity, pair_choice, pair_list
from data_prep.pairs.pair_list import PairList
from data_prep.records import output_folder, pose_pairs
from data_prep.records.pose_pairs import PhotoStore
from data_prep.records.summary import Problems, SplitSummary, Summary
from data_prep.sources import deepfashion_photos
from data_prep.sources.split import Split
from pg2_jax.input_pipeline import example_parser
from pg2_jax.photos import crop, photo_files

NUM_PICTURED_PAIRS = 8


@dataclasses.dataclass(frozen=True)
class Rules:
    """How photos become records: the flags; the layout of the source, see `readers`;
    (height, width) of every stored photo."""

    options: Options
    layout: str
    size: tuple[int, int]

    @property
    def fit(self) -> str:
        """How photos get their size: one of `crop.RULES`, or DeepFashion's own way."""
        if self.layout == "deepfashion":
            return self.layout
        return self.options.fit or ("crop" if self.options.photos else "none")


def convert(
    stage: pathlib.Path,
    splits: Mapping[str, Split],
    lists: Mapping[str, PairList],
    rules: Rules,
    problems: Problems,
) -> tuple[pathlib.Path, Summary]:
    """Checks every photo of the pairs, then writes the records and their picture.
    `lists` are in protocol order; bad photos are added to `problems`. The finished data
    set, below the temporary folder `stage`, and its summary."""
    seed = rules.options.seed
    write_shards = _writer(stage, rules.options)
    built = stage / "built"
    built.mkdir()
    with contextlib.closing(PhotoStore(stage / "photos")) as store:
        reading = _Reading(rules, store, problems)
        numbers = {split: reading.read(splits[split], lists[split]) for split in lists}
        problems.check()
        store.finish()
        summaries, rows = {}, {}
        for split, listed in lists.items():
            pairs = listed.only(numbers[split] >= 0)
            pair_choice.check_not_empty(rules.options, split, pairs)
            summaries[split] = _summarize(splits[split], listed, pairs, rules)
            if split == "train":
                # It is read in order, through a window of thousands of records.
                pairs = pairs.take(pair_list.random_order(len(pairs), seed))
            rows[split] = pairs.numbered(numbers[split])
        facts = _metadata(rules, summaries)
        total = sum(map(len, rows.values()))
        with tqdm(total=total, desc="writing", unit="pair", disable=None) as bar:
            pose_pairs.write(built, store, rows, facts, bar.update, write_shards)
        _draw(built / output_folder.PICTURE, store, next(iter(rows.values())), seed)
    if problems.all():
        text = "".join(f"{problem}\n" for problem in problems.all())
        (built / output_folder.SKIPPED).write_text(text, encoding="utf-8")
    size = sum(path.stat().st_size for path in built.glob("*.tfrecord*"))
    counts = reading.converted, reading.outside_points
    return built, Summary(summaries, size, problems, *counts)


class _Reading:
    def __init__(self, rules: Rules, store: PhotoStore, problems: Problems) -> None:
        self._rules, self._store, self._problems = rules, store, problems
        # By folder and name: a path for each takes more than its keypoints.
        self._numbers: dict[pathlib.Path, dict[str, int]] = {}
        self.converted: collections.Counter[str] = collections.Counter()
        self.outside_points = 0

    def read(self, source: Split, pairs: PairList) -> np.ndarray:
        """Reads the photos of some pairs; returns int32 [photos], the number of each in
        the store, -1 for a bad photo or one of no pair."""
        known = self._numbers.setdefault(source.folder, {})
        for name in tqdm(pairs.used(), desc="reading", unit="photo", disable=None):
            if name not in known:
                known[name] = self._read_into_store(name, source)
        return np.asarray([known.get(name, -1) for name in pairs.photos], np.int32)

    def _read_into_store(self, name: str, source: Split) -> int:
        try:
            encoded, note, fitted, outside = self._read_photo(name, source)
        except (ValueError, OSError) as error:
            self._problems.photos.append(str(error))
            return -1
        self.outside_points += outside
        if note:
            self.converted[note] += 1
        person = identity.identity_of(name, self._rules.layout)
        # Outside the try: a full disk is no fault of the photo.
        return self._store.add(name, person, encoded, fitted)

    def _read_photo(
        self, name: str, source: Split
    ) -> tuple[bytes, str, np.ndarray, int]:
        """A photo's bytes, what was done to it, the fitted keypoints and how many of
        them lie outside; a ValueError if it is not of the annotated size."""
        path, keypoints = source.path(name), source.annotations[name]
        size, fit = self._rules.size, self._rules.fit
        if fit == "deepfashion":
            return deepfashion_photos.read_photo(path, keypoints, size)
        margin = self._rules.options.margin
        encoded, found, frame, note = photo_files.read(
            path, *size, fit=fit, keypoints=keypoints, margin=margin
        )
        said = source.sizes.get(name, found)
        # A pixel may be lost by rounding, as where ControlNet has enlarged the photo.
        if np.abs(np.subtract(said, found)).max() > 1:
            raise ValueError(
                f"{path}: it is {found[0]}x{found[1]} pixels, its keypoints are those "
                f"of {said[0]}x{said[1]} (annotations)"
            )
        fitted, outside = crop.move_keypoints(keypoints, found, frame, size)
        return encoded, note, fitted, outside


def _writer(stage: pathlib.Path, options: Options) -> pose_pairs.WriteShards:
    """Where the records are written; bad options are named before photos are read."""
    if options.beam_pipeline_options:
        from data_prep.records import beam_writing

        how = options.beam_pipeline_options, options.beam_shared_dir
        return beam_writing.ShardsOnBeam(stage, *how)
    if options.beam_shared_dir:
        raise ValueError("--beam_shared_dir needs --beam_pipeline_options")
    return pose_pairs.write_here


def _summarize(
    source: Split, listed: PairList, kept: PairList, rules: Rules
) -> SplitSummary:
    layout, rule, used = rules.layout, rules.options.pair_protocol, kept.used()
    return SplitSummary(
        images=len(used),
        people=len({identity.identity_of(name, layout) for name in used}),
        pairs=len(kept),
        unused=field_protocol.unused(source.annotations, listed, layout, rule),
        unannotated=source.num_unannotated,
        dropped_pairs=len(listed) - len(kept),
    )


def _metadata(rules: Rules, splits: Mapping[str, SplitSummary]) -> dict[str, Any]:
    counts = {
        name: {"images": split.images, "people": split.people, "pairs": split.pairs}
        for name, split in splits.items()
    }
    margin = {"margin": rules.options.margin} if rules.fit == "crop" else {}
    return {
        "dataset": rules.options.dataset,
        "height": rules.size[0],
        "width": rules.size[1],
        "fit": rules.fit,
        **margin,
        "pairing": {
            name: pair_choice.describe(rules.options, name, rules.layout)
            for name in splits
        },
        "seed": rules.options.seed,
        "counts": counts,
    }


def pictured_rows(num_pairs: int, seed: int) -> list[int]:
    """The records that the picture shows."""
    return pair_list.random_order(num_pairs, seed)[:NUM_PICTURED_PAIRS].tolist()


def _draw(path: pathlib.Path, store: PhotoStore, pairs: np.ndarray, seed: int) -> None:
    import jax.numpy as jnp

    from pg2_jax import pose, visualize

    images, poses = [], []
    for pair in pairs[pictured_rows(len(pairs), seed)].tolist():
        record: dict[str, Any] = example_parser.features(store.record(*pair))
        roles = ("source", "target")
        encoded = [record[f"{role}_image"][0] for role in roles]
        images.append([np.asarray(photo_files.decode(x, "").image) for x in encoded])
        poses.append([record[f"{role}_keypoints"].reshape(18, 3) for role in roles])
    height, width = images[0][0].shape[:2]
    scale = visualize.screen_scale(height)
    masks = np.asarray(pose.body_mask(jnp.array(poses), height, width))
    cells: list[list[np.ndarray]] = []
    for photos, points, bodies in zip(images, poses, masks, strict=True):
        cells.append([])
        for image, keypoints, mask in zip(photos, points, bodies, strict=True):
            skeleton = visualize.draw_skeleton(image, keypoints, mask, scale=scale)
            cells[-1] += [image, skeleton]
    titles = ["source", "source pose", "target", "target pose"]
    visualize.grid(cells, titles, scale=scale).save(path)
