"""Measures part after part within some minutes, and keeps what was measured."""

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import IO, Any

from experiments import results
from experiments.benchmark.accelerator import part as part_program
from experiments.benchmark.accelerator import plan, report
from pg2_jax import files

_ROOT = pathlib.Path(__file__).parents[3]
RESULTS, TEXT, LOG = "results.json", "results.md", "log.txt"


def check_output(output: pathlib.Path) -> None:
    """Refuses a folder for the results that is a file, or holds earlier results."""
    if output.is_file():
        rule = "is a file; --what=accelerator writes several into a folder."
        raise ValueError(f"--output={output} {rule}")
    if (output / RESULTS).exists():
        rule = f"holds {RESULTS} of an earlier measurement; name another folder."
        raise ValueError(f"--output={output} {rule}")
    if not output.parent.is_dir():
        raise ValueError(f"--output={output}: no folder {output.parent}.")


def measure(
    temporary: pathlib.Path, output: pathlib.Path, *, minutes: float, **sizes: Any
) -> str:
    """Measures all parts; returns a summary. A ValueError says that there is no
    accelerator, or names what is incomplete; what was measured is in `output` then.
    `sizes` are scale, repeats and image_size of `plan.Settings`."""
    settings = plan.Settings(
        **sizes, folder=str(temporary), output=str(output), facts={}
    )
    output.mkdir(exist_ok=True)
    return _Measurement(settings, minutes * 60).run()


class _Measurement:
    """The measurement in progress."""

    def __init__(self, settings: plan.Settings, seconds: float):
        self._settings = settings
        self._output = pathlib.Path(settings.output)
        self._end = time.monotonic() + seconds
        self._parts: dict[str, dict[str, Any]] = {
            name: {"state": "not begun"} for name in plan.SHARES
        }
        origin = results.provenance()
        about = {
            "commit": origin["commit"],
            "scale": settings.scale,
            "image": "{}x{}".format(*settings.image_size),
            "batch": settings.batch_size,
            "minutes": round(seconds / 60, 2),
        }
        if settings.is_rehearsal:
            about["rehearsal"] = "smaller networks; no time says anything of the real"
        self._content = {
            "title": "pg2_jax on an accelerator",
            "about": about,
            "hardware": results.hardware(),
            **origin,
            "parts": self._parts,
        }

    def run(self) -> str:
        """Measures all parts; returns a line for people, or raises if one failed."""
        for name, part in self._parts.items():
            self._take(name)
            print(f"{name}: {report.state_of(part)}", flush=True)
        files = f"{self._output / TEXT} and {RESULTS} beside it"
        incomplete = [n for n, p in self._parts.items() if not _is_complete(p)]
        if incomplete:
            raise ValueError(
                f"incomplete: {', '.join(incomplete)}; what was measured, and why no "
                f"more, is in {files}."
            )
        return f"{files}: all that was measured"

    def _take(self, name: str) -> None:
        """Measures a part in a process of its own, and ends it at its limit. Its report
        is a file in the output until all results have it, whatever happens."""
        part, begin = self._parts[name], time.monotonic()
        limit = plan.limit(name, max(0.0, self._end - begin))
        path = self._output / f"{name}.json"
        ended = {"state": "interrupted"}
        try:
            with self._started(name, path) as process:
                status = process.wait(limit)
            # It had no time to say why: a signal, or python's own death.
            ended = {"state": "failed", "error": f"exit status {status}; see {LOG}"}
        except subprocess.TimeoutExpired:
            ended = {"state": "out of time", "error": "ended at its limit"}
        finally:
            said = report.read(path)
            part |= {"limit": limit, "seconds": time.monotonic() - begin}
            part |= said if "state" in said else ended | said
            self._check_device(path)
            results.write_json(self._output / RESULTS, self._content)
            files.write_text(self._output / TEXT, report.text(self._content))
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _started(
        self, name: str, path: pathlib.Path
    ) -> Iterator[subprocess.Popen[bytes]]:
        """The process of a part, which does not outlive this context."""
        facts = {n: part.get("facts", {}) for n, part in self._parts.items()}
        told = dataclasses.replace(self._settings, facts=facts)
        settings = self._settings.temporary / f"{name}_settings.json"
        results.write_json(settings, dataclasses.asdict(told))
        with open(self._output / LOG, "ab") as log:
            log.write(f"== {name}\n".encode())
            log.flush()
            process = _start(name, [str(settings), str(path)], log, told)
            try:
                yield process
            finally:
                # With what it has started itself.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _check_device(self, path: pathlib.Path) -> None:
        """Refuses the full work on a CPU, as soon as the device is known; the report of
        that, and the output, then go."""
        platform = self._parts["machine"].get("facts", {}).get("platform")
        if platform == "cpu" and not self._settings.is_rehearsal:
            (self._output / LOG).unlink()
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # It held something before.
                self._output.rmdir()
            raise ValueError(
                "--what=accelerator measures a GPU or TPU, and jax sees none here: pip "
                "install 'pg2_jax[cuda]' or 'pg2_jax[tpu]'. A --scale below 1 rehearses"
                " it on a CPU, such as --scale=0.06 --image_size=32x16."
            )


def _start(
    name: str, paths: list[str], log: IO[bytes], settings: plan.Settings
) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        # What one part compiles, a later one need not.
        "JAX_COMPILATION_CACHE_DIR": str(settings.temporary / "xla"),
        "PYTHONUNBUFFERED": "1",
    }
    if name == "torch_speed":  # The device is PyTorch's alone there.
        environment["JAX_PLATFORMS"] = "cpu"
    elif platforms := environment.get("JAX_PLATFORMS"):
        environment["JAX_PLATFORMS"] = ",".join(
            dict.fromkeys([*platforms.split(","), "cpu"])
        )
    return subprocess.Popen(
        [sys.executable, "-m", part_program.__name__, name, *paths],
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        process_group=0,
    )


def _is_complete(part: dict[str, Any]) -> bool:
    return part["state"] in ("done", "left out") and not part.get("failures")
