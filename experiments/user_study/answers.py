"""The answers that people gave in a user study: files of its page, checked in full."""

import glob
import pathlib
from typing import Any, NamedTuple

from experiments import results
from pg2_jax import files

KEY = "key.json"
REAL, GENERATED = "real", "generated"
VERSION = 1


class Rater(NamedTuple):
    """What one person answered: the trials in the order of the study."""

    name: str
    path: pathlib.Path
    trials: list[dict[str, Any]]


def read_key(output: pathlib.Path) -> dict[str, Any]:
    """Reads what the images of the study in a folder are."""
    path = output / KEY
    if not path.is_file():
        raise ValueError(
            f"--output={output}: there is no study ({KEY} is missing); --answers "
            "needs the folder that --mode=user_study made."
        )
    key = results.read_json(path)
    if key.get("version") != VERSION:
        raise ValueError(f"{path}: version {key.get('version')}, not {VERSION}.")
    return key


def read(answers: str, key: dict[str, Any]) -> list[Rater]:
    """Reads and checks the answers to a study, one rater for each of the files that
    --answers names. The message on files that cannot be used names all of them."""
    raters: dict[str, Rater] = {}
    paths, problems = _paths(answers), []
    for path in paths:
        try:
            rater = _read_rater(path, key)
            other = raters.setdefault(rater.name, rater)
            if other is not rater:
                raise ValueError(
                    f"{path}: rater {rater.name} is that of {other.path}; keep one of "
                    "the two"
                )
        except (ValueError, OSError) as error:
            problems.append(f"  {error}")
    if problems:
        raise ValueError(
            f"--answers: nothing was scored; {len(problems)} of {len(paths)} files "
            "cannot be used:\n" + "\n".join(problems)
        )
    return list(raters.values())


def _paths(answers: str) -> list[pathlib.Path]:
    """The files that --answers speaks of, each once."""
    paths: dict[pathlib.Path, None] = {}
    for part in answers.split(","):
        path = pathlib.Path(part.strip()).expanduser()
        if path.is_dir():
            here = [x for x in path.glob("*.json") if not files.is_left_behind(x.name)]
        elif path.is_file():  # Its name may look like a pattern.
            here = [path]
        else:
            here = [pathlib.Path(name) for name in glob.glob(str(path), recursive=True)]
        if not part.strip() or not here:
            raise ValueError(f"--answers={answers}: no file of answers is at {part!r}.")
        paths |= dict.fromkeys(sorted(here))
    return list(paths)


def _read_rater(path: pathlib.Path, key: dict[str, Any]) -> Rater:
    content = results.read_json(path)
    name, trials = content.get("rater"), content.get("trials")
    if not (isinstance(name, str) and name and isinstance(trials, list)):
        raise ValueError(f"{path}: not the answers of a user study (rater, trials)")
    for field in ("study", "version"):
        if content.get(field) != key[field]:
            raise ValueError(
                f"{path}: {field} {content.get(field)!r}, but that of --output is "
                f"{key[field]!r}"
            )
    for number, trial in enumerate(trials, 1):
        if problem := _problem(trial):
            raise ValueError(f"{path}: trial {number}: {problem}")
    ids, wanted = ([x["id"] for x in part] for part in (trials, key["trials"]))
    for one in ids:
        if one not in wanted:
            raise ValueError(f"{path}: {one} is no image of this study")
        if ids.count(one) > 1:
            raise ValueError(f"{path}: {one} is answered {ids.count(one)} times")
    if len(ids) < len(wanted):
        answered = f"{len(ids)} of {len(wanted)} images are answered"
        raise ValueError(f"{path}: incomplete, {answered}")
    if ids != wanted:
        raise ValueError(f"{path}: the images are not in the order of the study")
    return Rater(name, path, trials)


def _problem(trial: Any) -> str:
    """What is wrong with a trial, if anything is."""
    if not isinstance(trial, dict) or not isinstance(trial.get("id"), str):
        return "no id"
    if trial.get("answer") not in (REAL, GENERATED):
        return f"answer {trial.get('answer')!r} is neither {REAL} nor {GENERATED}"
    for field in ("shown_ms", "answer_ms"):
        value = trial.get(field)
        # A bool is an int too; NaN fails every comparison.
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{field} {value!r} is no number"
        if not 0 <= value < float("inf"):
            return f"{field} {value!r} is no time"
    if not isinstance(trial.get("interrupted"), bool):
        return f"interrupted {trial.get('interrupted')!r} is neither true nor false"
    return ""
