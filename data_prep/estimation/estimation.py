"""From photos to an annotation file, its report and its contact sheet."""

import contextlib
import dataclasses
import functools
import pathlib

import numpy as np
from tqdm import tqdm

from data_prep import command_line
from data_prep import workers as workers_lib
from data_prep.estimation import quality_report, resume_log
from data_prep.estimation.resume_log import EstimationLog, Record
from data_prep.flag_fields import option
from data_prep.records.summary import Problems
from data_prep.sources import photo_list, photo_names
from data_prep.sources.photo_list import Listing
from pg2_jax import downloads, files
from pg2_jax.errors import counted
from pg2_jax.estimators import base, registry
from pg2_jax.keypoints import keypoint_files, pose_transfer_csv
from pg2_jax.photos import photo_files

MIN_SCORE = 0.3
_HEADER = ":".join(pose_transfer_csv.HEADER)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What to estimate, and how: the flags of estimate_keypoints.py."""

    photos: str = option("", path=True, required=True)
    """Folder with photos, also below it, or a pattern: 'a/*/*.jpg'."""
    output: str = option("", path=True, required=True)
    """Annotation file to write, a .csv."""
    estimator: str = option("mediapipe", base.NAMES)
    """mediapipe: BlazePose, made for one person in a photo; of several it may miss
    some. rtmlib: an ONNX model, RTMO, which finds several, or RTMPose for photos that
    one person fills."""
    model: str = option("", path=True)
    """The estimator's model file; default: the published one, downloaded once."""
    people: str = option("largest", ("largest", "all"))
    """Of several people in a photo: the one whose points span the largest box, or all
    (at most 6), the others as PHOTO#2, PHOTO#3, ..."""
    min_confidence: float = option(base.MIN_CONFIDENCE, minimum=0, maximum=1)
    """A point of which the estimator is less sure is missing."""
    min_score: float = option(MIN_SCORE, minimum=0, maximum=1)
    """A person whose 18 points have a lower mean confidence, missing ones counting 0,
    is left out."""
    on_error: str = option("fail", ("fail", "skip"))
    """fail: list all bad photos, write nothing. skip: leave them out."""
    overwrite: bool = option(False)
    """Replace --output if it exists."""
    add: bool = option(False, not_with=("overwrite",))
    """Looks at the photos alone that came after --output was written, and adds their
    people to it; the rows that are there stay as they are, corrected or not."""
    workers: int = option(0, minimum=0)
    """Processes that estimate; 0 means one per core."""
    compare: str = option("", path=True)
    """Annotation file of the same photos to measure distances to."""

    def beside(self, ending: str) -> pathlib.Path:
        """The path of a file that belongs to the output."""
        output = pathlib.Path(self.output)
        return output.with_name(f"{output.stem}{ending}")


def estimate(listing: Listing, options: Options) -> str:
    """Finds the people in photos and writes the annotation file, its report and its
    contact sheet; returns a summary in lines for the terminal."""
    output = pathlib.Path(options.output)
    if output.suffix != ".csv":
        raise ValueError(f"--output={output}: the name must end in .csv")
    replaces = options.overwrite or options.add
    command_line.check_file("--output", output, overwrite=replaces)
    report, sheet = map(options.beside, (photo_list.REPORT, photo_list.CONTACT_SHEET))
    written, earlier = "", list[list[str]]()
    if options.add and output.exists():
        written, earlier = _written(output), quality_report.earlier_rows(report)
        listing = unseen(listing, output, earlier)
        if not listing.names:
            return f"{output}: no photo of {listing.folder} is new"
    reference, others = _reference(listing, options)
    registry.check_installed(options.estimator)
    model = registry.locate(options.estimator, options.model)
    least = options.min_confidence
    settings = base.Settings(options.estimator, model, least, everybody=False)
    facts = {
        "estimator": options.estimator,
        "model_sha256": downloads.sha256(model),
        "min_confidence": least,
    }
    log_path = options.beside("_partial.jsonl")
    with contextlib.closing(EstimationLog(log_path, facts)) as log:
        records = _find_all(listing, settings, log, options.workers)
        problems = Problems(skip=options.on_error == "skip")
        problems.photos += listing.problems
        problems.photos += [record.problem for record in records if record.problem]
        problems.check()
        everyone = options.people == "all"
        outcome = quality_report.choose(records, everyone, options.min_score)
        if not (outcome.annotations or written):
            found = f"{len(records):,} photos, {outcome.counts()}"
            why = f"nothing was written (--min_score={options.min_score:g})"
            raise ValueError(f"{listing.folder}: {found}; {why}")
        _write(output, outcome, written)
        quality_report.write(report, records, outcome, earlier)
        if outcome.annotations:
            quality_report.draw(sheet, listing.folder, outcome)
        log.remove()
    found = counted(len(outcome.annotations), "person", "people")
    where = counted(len(records), "new photo" if written else "photo")
    lines = [
        f"{output}: {found} in {where} ({outcome.counts()})",
        *(f"  left out: {problem}" for problem in listing.problems),
        f"  look at {sheet}; photo by photo: {report}",
    ]
    if options.compare:
        ours = outcome.annotations
        lines += quality_report.distances(ours, reference, options.compare)
    if others:
        unknown = f"poses there of no photo here: {len(others):,}, such as"
        lines += [f"    {unknown}", f"      {others[0]}"]
    return "\n".join(lines)


def unseen(
    listing: Listing, output: pathlib.Path, report: quality_report.Rows
) -> Listing:
    """The photos that neither the annotations nor the rows of the report have."""
    seen = {name.partition("#")[0] for name in keypoint_files.read(output)}
    seen |= {row[0] for row in report}
    return listing._replace(names=[name for name in listing.names if name not in seen])


def _written(output: pathlib.Path) -> str:
    text = output.read_text(encoding="utf-8")
    if text.partition("\n")[0].strip() != _HEADER:
        rule = f"must begin with {_HEADER}, as this program writes it"
        raise ValueError(f"--add: {output} {rule}")
    return text.rstrip("\n") + "\n"


def _write(output: pathlib.Path, outcome: quality_report.Outcome, written: str) -> None:
    with files.replacing(output) as temporary:
        keypoint_files.write_csv(temporary, outcome.annotations)
        if written:
            _, _, rows = temporary.read_text(encoding="utf-8").partition("\n")
            temporary.write_text(written + rows, encoding="utf-8")


def _reference(
    listing: Listing, options: Options
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Reads what to compare with: by photo, and what is of no photo here."""
    if not options.compare:
        return {}, []
    poses = keypoint_files.read_placed(options.compare, photos=listing.names)
    names, problems = photo_names.PhotoNames(listing.names), list[str]()
    matched = photo_names.match(poses, names, problems)
    if not matched:
        raise ValueError(
            f"--compare={options.compare} has none of the photos of {listing.folder}; "
            f"they are named like {', '.join(listing.names[:1])}"
        )
    return {name: pose.keypoints for name, pose in matched.items()}, problems


def _find_all(
    listing: Listing, settings: base.Settings, log: EstimationLog, workers: int
) -> list[Record]:
    """Looks at the photos that the log lacks; all records, as they are listed."""
    names, folder = listing.names, listing.folder
    stamps = {name: resume_log.stamp(folder / name) for name in names}
    waiting = [name for name in names if not log.is_done(name, stamps[name])]
    find = functools.partial(_find, folder=folder, settings=settings)
    done, total = len(names) - len(waiting), len(names)
    bar = tqdm(None, "estimating", total, initial=done, unit="photo", disable=None)
    try:
        with bar, workers_lib.results(find, waiting, workers) as records:
            for record in records:
                log.add(record)
                bar.update()
    finally:
        if _estimator.cache_info().currsize:
            _estimator(settings).close()
            _estimator.cache_clear()
    return [log.records[name] for name in names]


@functools.lru_cache(maxsize=1)
def _estimator(settings: base.Settings) -> base.Estimator:
    # One for each process: loading it takes seconds.
    return registry.open_estimator(settings)


def _find(name: str, *, folder: pathlib.Path, settings: base.Settings) -> Record:
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
