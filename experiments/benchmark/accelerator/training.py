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
from typing import Any

from data_prep import synthesize_people
from experiments import results
from experiments.benchmark.accelerator import plan, rates
from experiments.benchmark.accelerator.report import Report
from experiments.train import history

_ROOT = pathlib.Path(__file__).parents[3]
_PAUSE = 0.05  # seconds between two looks at the history of a run
_TRAIN, _TEST, _PHOTOS = 60, 12, 10  # people of both splits, photos of each
_TEST_PAIRS = 256
_STOPPED = 128 + signal.SIGTERM  # the exit status of a training that was told to stop
_SCORES = ("ssim_pg2", "masked_ssim_pg2", "body_l1", "body_gradient")


def measure(settings: plan.Settings, report: Report) -> None:
    """Makes people, then trains and scores each of `plan.RUNS`; its metrics.json and
    its picture go to the output."""
    begin = time.monotonic()
    data_dir = _make_people(settings, pathlib.Path(settings.folder))
    size = sum(file.stat().st_size for file in pathlib.Path(data_dir).iterdir())
    report.fact("data set made, s", time.monotonic() - begin)
    report.fact("data set, MB", size / 1e6)
    for name in plan.RUNS:
        with report.attempt(name):
            _Run(settings, report, name, data_dir).train_and_score()


def _make_people(settings: plan.Settings, folder: pathlib.Path) -> str:
    photos, data = str(folder / "photos"), str(folder / "data")
    image_size = "{}x{}".format(*settings.image_size)
    synthesize_people.synthesize(
        synthesize_people.Options(
            output_dir=photos,
            train_identities=settings.scaled(_TRAIN, least=4),
            test_identities=settings.scaled(_TEST, least=2),
            images_per_identity=_PHOTOS,
            image_size=image_size,
            same_scene=True,
            workers=1 if settings.is_rehearsal else 0,
        )
    )
    flags = [f"--source_dir={photos}", f"--output_dir={data}"]
    command = [sys.executable, "data_prep/build_tfrecords.py", *flags]
    command.append(f"--image_size={image_size}")
    # A process of its own, on the CPU: the trainings need the device's memory.
    on_cpu = os.environ | {"JAX_PLATFORMS": "cpu"}
    subprocess.run(command, cwd=_ROOT, env=on_cpu, check=True)
    return data


class _Run:
    """A training by the programs that people run."""

    def __init__(
        self, settings: plan.Settings, report: Report, name: str, data_dir: str
    ):
        self._settings, self._report, self._name = settings, report, name
        self._workdir = pathlib.Path(settings.folder) / name
        self._data_dir = data_dir
        per_call = settings.steps_per_call
        self._first = settings.calls * per_call
        self._total = self._first + settings.calls // 2 * per_call

    def train_and_score(self) -> None:
        """Trains to a quarter of the first stage, to the end, and scores."""
        begin = time.monotonic()
        stopped = self._train(stop_after=self._first // 4)
        if not 0 < stopped < self._total:
            raise ValueError(f"stopped at step {stopped} of {self._total}")
        self._fact("told to stop, saved step", stopped)
        ended = self._train()
        sessions = results.read_json(self._workdir / "config.json")["sessions"]
        resumed = [session["first_step"] for session in sessions]
        if resumed != [0, stopped] or ended != self._total:
            raise ValueError(f"began at steps {resumed}, ended at {ended}")
        self._fact("resumed from it, ended at step", ended)
        self._fact("both sessions, s", time.monotonic() - begin)
        self._rates()
        begin = time.monotonic()
        self._score()
        self._fact("scored, s", time.monotonic() - begin)

    def _train(self, stop_after: int | None = None) -> int:
        """One session; returns the last step in the history."""
        command = self._command(
            "train",
            *plan.flags(self._settings, self._name, precision=rates.TRAINED[0]),
            f"--coarse_steps={self._first}",
            f"--refine_steps={self._total - self._first}",
            "--reader=memory",
            "--noprogress",
        )
        with subprocess.Popen(command, cwd=_ROOT) as process:
            try:
                while stop_after is not None and process.poll() is None:
                    if self._last_step() >= stop_after:
                        process.send_signal(signal.SIGTERM)
                        break
                    time.sleep(_PAUSE)
                status = process.wait()
            except BaseException:
                process.kill()
                raise
        if status != (0 if stop_after is None else _STOPPED):
            raise ValueError(f"the training ended with exit status {status}")
        return self._last_step()

    def _score(self) -> None:
        command = self._command(
            "evaluate",
            f"--batch_size={self._settings.batch_size}",
            f"--max_test_pairs={_TEST_PAIRS}",
            "--lpips=",
        )
        subprocess.run(command, cwd=_ROOT, check=True)
        output = pathlib.Path(self._settings.output)
        for file, kept in {
            "metrics.json": "metrics",
            "evaluation.png": "picture",
        }.items():
            to = output / f"{self._name}_{kept}{pathlib.Path(file).suffix}"
            shutil.copyfile(self._workdir / file, to)
        metrics = results.read_json(self._workdir / "metrics.json")["metrics"]
        for kind, scores in metrics.items():
            means = {n: scores[n]["mean"] for n in _SCORES if n in scores}
            self._report.row("Scores", run=self._name, image=kind, **means)

    def _rates(self) -> None:
        """The images a second that the log tells, and the losses at both ends."""
        rows = history.read(str(self._workdir))
        for stage, first, last in (
            ("first", 0, self._first),
            ("second", self._first, self._total),
        ):
            own = [row for row in rows if first < row["step"] <= last]
            losses: dict[str, Any] = {
                name.replace("/", " "): value
                for name, value in own[-1].items()
                if name.endswith("/loss")
            }
            self._report.row(
                "Logged",
                run=self._name,
                stage=stage,
                images_a_second=statistics.median(x["images_per_second"] for x in own),
                steps=last - first,
                **losses,
            )

    def _last_step(self) -> int:
        rows = history.read(str(self._workdir))
        return rows[-1]["step"] if rows else 0

    def _command(self, mode: str, *flags: str) -> list[str]:
        return [
            *(sys.executable, "-m", "experiments.main", *flags, f"--mode={mode}"),
            f"--data_dir={self._data_dir}",
            f"--workdir={self._workdir}",
        ]

    def _fact(self, name: str, value: Any) -> None:
        self._report.fact(f"{self._name}: {name}", value)
