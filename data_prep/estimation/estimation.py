"""From photos to an annotation file, its report and its contact sheet."""

import contextlib
import dataclasses
import functools
import pathlib
import sys

import numpy as np
from tqdm import tqdm

from data_prep import command_line
from data_prep import workers as workers_lib
from data_prep.estimation import distance, quality_report, resume_log
from data_prep.estimation.resume_log import EstimationLog, Record
from data_prep.records.summary import Problems
from data_prep.sources import photo_list, photo_names, split
from pg2_jax import downloads
from pg2_jax.estimators import base, registry, weights
from pg2_jax.keypoints import keypoint_files
from pg2_jax.photos import photo_files

MIN_SCORE = 0.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What to estimate and how.

    Attributes:
        output: the annotation file to write.
        estimator: one of `registry.NAMES`.
        model: its model file; empty to download the published one.
        everyone: whether all people of a photo are written, or the largest.
        min_confidence: a point below it is missing.
        min_score: a person below it is left out.
        skip: whether bad photos are left out (True) or stop all (False).
        workers: processes; 0 for one per core.
        compare: an annotation file to compare with; empty for none.
    """

    output: pathlib.Path
    estimator: str = "mediapipe"
    model: str = ""
    everyone: bool = False
    min_confidence: float = base.MIN_CONFIDENCE
    min_score: float = MIN_SCORE
    skip: bool = False
    overwrite: bool = False
    workers: int = 0
    compare: str = ""

    def beside(self, ending: str) -> pathlib.Path:
        """Returns the path of a file that belongs to the output."""
        return self.output.with_name(f"{self.output.stem}{ending}")


def estimate(listing: photo_list.Listing, options: Options) -> str:
    """Finds the people in photos and writes the annotation file, its report and its
    contact sheet; returns a summary in lines for the terminal.

    Raises:
        ValueError: an option; a missing estimator or model; bad photos that are not to
        be skipped; nobody found. OSError: a file cannot be written.
    """
    _check_output(options)
    reference, others = _reference(listing, options)
    settings = _settings(options)
    with contextlib.closing(_open_log(options, settings)) as log:
        records = _find_all(listing, settings, log, options.workers)
        problems = Problems(skip=options.skip, photos=list(listing.problems))
        problems.photos += [record.problem for record in records if record.problem]
        problems.check()
        outcome = quality_report.choose(records, options.everyone, options.min_score)
        _write(listing, options, records, outcome)
        log.remove()
    sheet = options.beside(photo_list.CONTACT_SHEET)
    lines = [
        f"{options.output}: {len(outcome.annotations):,} people in {len(records):,} "
        f"photos ({outcome.counts()})",
        *(f"  left out: {problem}" for problem in listing.problems),
        f"  look at {sheet}; photo by photo: {options.beside(photo_list.REPORT)}",
    ]
    if options.compare:
        distances = distance.measure(outcome.annotations, reference)
        lines.append(distances.text(options.compare))
    if others:
        lines.append(f"    poses there of no photo here: {len(others):,}, such as")
        lines.append(f"      {others[0]}")
    return "\n".join(lines)


def annotate_people(folder: pathlib.Path, options: Options) -> str:
    """Estimates the keypoints of a folder of <person>/<photo>; otherwise as
    `estimate`."""
    listing = photo_list.checked(folder, split.photos_of_people(folder))
    try:
        return estimate(listing, options)
    except ValueError as error:
        raise ValueError(
            f"there is no {options.output}, and estimating it failed: {error}"
        ) from error


def _write(
    listing: photo_list.Listing,
    options: Options,
    records: list[Record],
    outcome: quality_report.Outcome,
) -> None:
    if not outcome.annotations:
        raise ValueError(
            f"{listing.folder}: {len(records):,} photos, {outcome.counts()}; nothing "
            f"was written (--min_score={options.min_score:g})"
        )
    quality_report.write(options.beside(photo_list.REPORT), records, outcome)
    quality_report.draw(
        options.beside(photo_list.CONTACT_SHEET), listing.folder, outcome
    )
    keypoint_files.write_csv(options.output, outcome.annotations)


def _check_output(options: Options) -> None:
    if options.output.suffix != ".csv":
        raise ValueError(f"--output={options.output}: the name must end in .csv")
    command_line.check_output("--output", options.output, overwrite=options.overwrite)


def _reference(
    listing: photo_list.Listing, options: Options
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Reads what to compare with, before time is spent; returns it by photo, and what
    is of no photo as problems."""
    if not options.compare:
        return {}, []
    poses = keypoint_files.read_placed(options.compare, photos=listing.names)
    problems: list[str] = []
    reference = photo_names.match(
        poses, photo_names.PhotoNames(listing.names), problems
    )
    if not reference:
        raise ValueError(
            f"--compare={options.compare} has none of the photos of {listing.folder}; "
            f"they are named like {', '.join(listing.names[:1])}"
        )
    return reference, problems


def _settings(options: Options) -> base.Settings:
    registry.check_installed(options.estimator)
    model = weights.locate(options.estimator, options.model)
    return base.Settings(options.estimator, model, options.min_confidence)


def _open_log(options: Options, settings: base.Settings) -> EstimationLog:
    facts = {
        "estimator": settings.name,
        "model_sha256": downloads.sha256(settings.model),
        "min_confidence": settings.min_confidence,
    }
    path = options.beside("_partial.jsonl")
    log = EstimationLog(path, facts)
    if log.discarded:
        print(
            f"{path}: the results of an interrupted run with other settings are "
            f"discarded: {log.discarded:,} photos",
            file=sys.stderr,
        )
    return log


def _find_all(
    listing: photo_list.Listing,
    settings: base.Settings,
    log: EstimationLog,
    workers: int,
) -> list[Record]:
    """Looks at the photos that the log does not have yet; returns all records in the
    order of the listing."""
    paths = {name: listing.folder / name for name in listing.names}
    waiting = [
        name
        for name, path in paths.items()
        if not log.is_done(name, resume_log.stamp(path))
    ]
    find = functools.partial(_find, folder=listing.folder, settings=settings)
    done = len(paths) - len(waiting)
    bar = tqdm(total=len(paths), initial=done, desc="estimating", unit="photo")
    try:
        with bar, workers_lib.results(find, waiting, workers) as records:
            for record in records:
                log.add(record)
                bar.update()
    finally:
        if _estimator.cache_info().currsize:
            _estimator(settings).close()
            _estimator.cache_clear()
    return [log.records[name] for name in listing.names]


@functools.lru_cache(maxsize=1)
def _estimator(settings: base.Settings) -> base.Estimator:
    """The estimator of this process: loading one takes seconds."""
    return registry.open_estimator(settings)


def _find(name: str, *, folder: pathlib.Path, settings: base.Settings) -> Record:
    """Finds the people in one photo."""
    estimator = _estimator(settings)
    path = folder / name
    stamp = resume_log.stamp(path)
    try:
        image = photo_files.load(path).image
    except (ValueError, OSError) as error:
        return Record(name, stamp, [], str(error))
    try:
        return Record(name, stamp, estimator(np.asarray(image)))
    except Exception as error:
        # These libraries raise nearly anything.
        reason = base.first_line(error)
        return Record(name, stamp, [], f"{path}: {settings.name} fails: {reason}")
