"""Measures part after part within some minutes, and keeps what was measured.

Each part runs in a process of its own, so that an error of a device spoils that part
alone, and the memory of the device is free at its end:

    python -m experiments.benchmark.accelerator.timed_parts PART SETTINGS REPORT

with the path of its `plan.Settings` as JSON, and of the report that it leaves.
"""

import contextlib
import dataclasses
import importlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from typing import IO, Any

from data_prep import command_line
from experiments import results
from experiments.benchmark.accelerator import plan, report
from pg2_jax import files

_ROOT = pathlib.Path(__file__).parents[3]
_PACKAGE = "experiments.benchmark.accelerator"
RESULTS, TEXT, LOG = "results.json", "results.md", "log.txt"


def check_output(output: pathlib.Path) -> None:
    """Refuses a folder for the results that is a file, or holds earlier results."""
    command_line.check_folder("--output", output, empty=False)
    if (output / RESULTS).exists():
        rule = f"holds {RESULTS} of an earlier measurement; name another folder."
        raise ValueError(f"--output={output} {rule}")


def measure(settings: plan.Settings, minutes: float) -> str:
    """Measures all parts; returns a summary. A ValueError says that there is no
    accelerator, or names what is incomplete; what was measured is in the output
    then."""
    output = pathlib.Path(settings.output)
    output.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + minutes * 60
    content = _content(settings, minutes)
    for name, part in content["parts"].items():
        _take(name, content, settings, end)
        print(f"{name}: {report.state_of(part)}", flush=True)
    written = f"{output / TEXT} and {RESULTS} beside it"
    incomplete = [
        name
        for name, part in content["parts"].items()
        if part["state"] not in ("done", "left out") or part.get("failures")
    ]
    if incomplete:
        raise ValueError(
            f"incomplete: {', '.join(incomplete)}; what was measured, and why no "
            f"more, is in {written}."
        )
    return f"{written}: all that was measured"


def _content(settings: plan.Settings, minutes: float) -> dict[str, Any]:
    """What results.json holds before the first part."""
    origin = results.provenance()
    about = {
        "commit": origin["commit"],
        "scale": settings.scale,
        "image": "{}x{}".format(*settings.image_size),
        "batch": settings.batch_size,
        "minutes": round(minutes, 2),
    }
    if settings.is_rehearsal:
        about["rehearsal"] = "smaller networks; no time says anything of the real"
    return {
        "title": "pg2_jax on an accelerator",
        "about": about,
        "hardware": results.hardware(),
        **origin,
        "parts": {name: {"state": "not begun"} for name in plan.PARTS},
    }


def _take(
    name: str, content: dict[str, Any], settings: plan.Settings, end: float
) -> None:
    """Measures a part in a process of its own, and ends it at its limit. Its report is
    a file in the output until all results have it, whatever happens."""
    parts, output, begin = (
        content["parts"],
        pathlib.Path(settings.output),
        time.monotonic(),
    )
    limit = plan.limit(name, max(0.0, end - begin))
    path = output / f"{name}.json"
    facts = {n: part.get("facts", {}) for n, part in parts.items()}
    ended = {"state": "interrupted"}
    try:
        with _started(
            name, dataclasses.replace(settings, facts=facts), path
        ) as process:
            status = process.wait(limit)
        # It had no time to say why: a signal, or python's own death.
        ended = {"state": "failed", "error": f"exit status {status}; see {LOG}"}
    except subprocess.TimeoutExpired:
        ended = {"state": "out of time", "error": "ended at its limit"}
    finally:
        said = report.read(path)
        parts[name] |= {"limit": limit, "seconds": time.monotonic() - begin}
        parts[name] |= said if "state" in said else ended | said
        platform = parts["machine"].get("facts", {}).get("platform")
        if platform == "cpu" and not settings.is_rehearsal:
            _refuse_cpu(output, path)
        results.write_json(output / RESULTS, content)
        files.write_text(output / TEXT, report.text(content))
        path.unlink(missing_ok=True)


def _refuse_cpu(output: pathlib.Path, path: pathlib.Path) -> None:
    """Refuses the full work on a CPU; the report of that, and the output, then go."""
    (output / LOG).unlink()
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # It held something before.
        output.rmdir()
    raise ValueError(
        "--what=accelerator measures a GPU or TPU, and jax sees none here: pip "
        "install 'pg2_jax[cuda]' or 'pg2_jax[tpu]'. A --scale below 1 rehearses"
        " it on a CPU, such as --scale=0.06 --image_size=32x16."
    )


@contextlib.contextmanager
def _started(
    name: str, settings: plan.Settings, path: pathlib.Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The process of a part, which does not outlive this context."""
    told = pathlib.Path(settings.folder, f"{name}_settings.json")
    results.write_json(told, dataclasses.asdict(settings))
    with open(pathlib.Path(settings.output, LOG), "ab") as log:
        log.write(f"== {name}\n".encode())
        log.flush()
        process = _start(name, [str(told), str(path)], log, settings)
        try:
            yield process
        finally:
            # With what it has started itself.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _start(
    name: str, paths: list[str], log: IO[bytes], settings: plan.Settings
) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        # What one part compiles, a later one need not.
        "JAX_COMPILATION_CACHE_DIR": str(pathlib.Path(settings.folder, "xla")),
        "PYTHONUNBUFFERED": "1",
    }
    if name == "torch_speed":  # The device is PyTorch's alone there.
        environment["JAX_PLATFORMS"] = "cpu"
    elif platforms := environment.get("JAX_PLATFORMS"):
        several = dict.fromkeys([*platforms.split(","), "cpu"])
        environment["JAX_PLATFORMS"] = ",".join(several)
    return subprocess.Popen(
        [sys.executable, "-m", f"{_PACKAGE}.timed_parts", name, *paths],
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        process_group=0,
    )


def main(words: list[str]) -> int:
    """Measures a part; returns the exit code, 0 where all was measured or left out."""
    name, settings, path = words
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    reported = report.Report(pathlib.Path(path))
    stored = results.read_json(pathlib.Path(settings))
    try:
        program = importlib.import_module(f"{_PACKAGE}.{name}")
        program.measure(plan.Settings.of(stored), reported)
    except plan.LeftOut as reason:
        reported.end("left out", str(reason))
        return 0
    except Exception as error:
        traceback.print_exc()
        reported.end("failed", report.in_short(error))
        return 1
    reported.end("done")
    return 0


def _end_with(parent: int) -> None:
    """Ends this process and its own when the one that started it is no more."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
