"""Two real trainings, of the paper's networks and of pg2plus, on synthetic people: told
to stop in the middle, resumed, scored, with a picture."""

import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

from experiments import results
from experiments.benchmark import jax_peer
from experiments.benchmark.accelerator.report import PRECISIONS, Report, Settings
from experiments.train import history

_ROOT = pathlib.Path(__file__).parents[3]
_PAUSE = 0.05  # seconds between two looks at the history of a run
_STOPPED = 128 + signal.SIGTERM  # the exit status of a training that was told to stop
_SCORES = ("ssim_pg2", "masked_ssim_pg2", "body_l1", "body_gradient")


def measure(report: Report) -> None:
    """Makes people, then trains and scores each run."""
    begin = time.monotonic()
    folder = pathlib.Path(report.settings.folder)
    _make_people(report.settings, folder)
    report.fact("data set made, s", time.monotonic() - begin)
    size = sum(file.stat().st_size for file in (folder / "data").iterdir())
    report.fact("data set, MB", size / 1e6)
    for name in jax_peer.RUNS:
        with report.attempt(name):
            _train_and_score(report, name, folder)


def _make_people(settings: Settings, folder: pathlib.Path) -> None:
    """Makes folder/data, of photos in folder/photos."""
    photos, size = folder / "photos", f"--image_size={settings.image_size}"
    people = [
        *("-m", "data_prep.synthesize_people", size, f"--output_dir={photos}"),
        f"--train_identities={settings.scaled(60, least=4)}",
        f"--test_identities={settings.scaled(12, least=2)}",
        *("--images_per_identity=10", "--same_scene"),
    ]
    data = ["data_prep/build_tfrecords.py", size, f"--source_dir={photos}"]
    data.append(f"--output_dir={folder / 'data'}")
    # On the CPU: the trainings need the device's memory.
    on_cpu = os.environ | {"JAX_PLATFORMS": "cpu"}
    for command in (people, data):
        subprocess.run([sys.executable, *command], cwd=_ROOT, env=on_cpu, check=True)


def _train_and_score(report: Report, name: str, folder: pathlib.Path) -> None:
    """By the programs that people run: trains to a quarter of the first stage, then to
    the end, and scores."""
    settings, workdir = report.settings, folder / name
    # Stage II has half the steps.
    calls = settings.scaled(100, least=6)
    stages = [n * settings.steps_per_call for n in (calls, calls // 2)]
    size = settings.scale, settings.image_size, settings.scaled(16, least=2)
    flags = jax_peer.flags(*size, PRECISIONS[0], settings.steps_per_call, name)
    flags += [f"--coarse_steps={stages[0]}", f"--refine_steps={stages[1]}"]
    folders = [f"--data_dir={folder / 'data'}", f"--workdir={workdir}"]
    main = [sys.executable, "-m", "experiments.main", *folders]
    train = [*main, "--mode=train", *flags, "--reader=memory", "--noprogress"]
    begin = time.monotonic()
    stopped = _session(train, workdir, stop_after=stages[0] // 4)
    report.fact(f"{name}: told to stop, saved step", stopped)
    ended = _session(train, workdir)
    sessions = results.read_json(workdir / "config.json")["sessions"]
    resumed = [session["first_step"] for session in sessions]
    if resumed != [0, stopped] or not 0 < stopped < ended == sum(stages):
        raise ValueError(f"began at steps {resumed}, ended at {ended}")
    report.fact(f"{name}: resumed from it, ended at step", ended)
    report.fact(f"{name}: both sessions, s", time.monotonic() - begin)
    _note_history(report, name, workdir, stages)
    begin = time.monotonic()
    score = ["--mode=evaluate", f"--batch_size={size[-1]}", "--max_test_pairs=256"]
    subprocess.run([*main, *score, "--lpips="], cwd=_ROOT, check=True)
    report.fact(f"{name}: scored, s", time.monotonic() - begin)
    _note_scores(report, name, workdir)


def _session(
    command: list[str], workdir: pathlib.Path, stop_after: int | None = None
) -> int:
    """Trains to the end, or tells the training to stop when its history has so many
    steps; returns the last step in the history."""
    with subprocess.Popen(command, cwd=_ROOT) as process:
        try:
            while stop_after is not None and process.poll() is None:
                if _last_step(workdir) >= stop_after:
                    process.send_signal(signal.SIGTERM)
                    break
                time.sleep(_PAUSE)
            status = process.wait()
        except BaseException:
            process.kill()
            raise
    if status != (0 if stop_after is None else _STOPPED):
        raise ValueError(f"the training ended with exit status {status}")
    return _last_step(workdir)


def _last_step(workdir: pathlib.Path) -> int:
    rows = history.read(str(workdir))
    return rows[-1]["step"] if rows else 0


def _note_history(
    report: Report, name: str, workdir: pathlib.Path, stages: list[int]
) -> None:
    """The images a second that the log tells, and the last losses."""
    rows, first = history.read(str(workdir)), 0
    for stage, steps in zip(("first", "second"), stages, strict=True):
        own = [row for row in rows if first < row["step"] <= first + steps]
        rate = statistics.median(row["images_per_second"] for row in own)
        losses = {n: value for n, value in own[-1].items() if n.endswith("/loss")}
        cells = {"run": name, "stage": stage, "images a second": rate, "steps": steps}
        report.row("Logged", cells | losses)
        first += steps


def _note_scores(report: Report, name: str, workdir: pathlib.Path) -> None:
    """The scores; metrics.json and the picture go to the output."""
    shutil.copyfile(workdir / "metrics.json", report.output / f"{name}_metrics.json")
    shutil.copyfile(workdir / "evaluation.png", report.output / f"{name}_picture.png")
    metrics = results.read_json(workdir / "metrics.json")["metrics"]
    for kind, scores in metrics.items():
        means = {n: scores[n]["mean"] for n in _SCORES if n in scores}
        report.row("Scores", {"run": name, "image": kind, **means})
