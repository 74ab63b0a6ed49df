"""Measures part after part within some minutes, and keeps what was measured.

Each part runs in a process of its own, so that an error of a device spoils that part
alone, and the memory of the device is free at its end; results.json in the output tells
it the settings, and gets what it measures.
"""

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import IO, Any

from data_prep import command_line
from experiments import results
from experiments.benchmark.accelerator import equality, report, speed, training
from experiments.benchmark.accelerator.report import Report, Settings
from pg2_jax import files

_ROOT = pathlib.Path(__file__).parents[3]
LOG = "log.txt"
# In this order, each with its title, its share of the time, and what measures it; what
# a part leaves of its time goes to those after it.
PARTS: dict[str, tuple[str, float, Callable[[Report], None]]] = {
    "machine": ("The machine", 0.04, speed.measure_machine),
    "equality": ("Equality with the CPU", 0.16, equality.measure),
    "ceilings": ("Ceilings: copies and matrix products", 0.04, speed.measure_ceilings),
    "our_speed": ("Speed of pg2_jax", 0.27, speed.measure_ours),
    "torch_speed": ("Speed of PyTorch on the same device", 0.15, speed.measure_torch),
    "training": ("Two trainings, stopped and resumed", 0.34, training.measure),
}


def measure(settings: Settings, output: pathlib.Path) -> str:
    """Measures all parts; returns a summary. A ValueError says that the output is a
    file or holds earlier results, that there is no accelerator, or what is incomplete;
    what was measured is in the output then."""
    command_line.check_folder("--output", output, empty=False)
    if (output / report.RESULTS).exists():
        rule = f"holds {report.RESULTS} of an earlier measurement; name another folder."
        raise ValueError(f"--output={output} {rule}")
    output.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + settings.minutes * 60
    content = {
        "settings": dataclasses.asdict(settings),
        "hardware": results.hardware(),
        **results.provenance(),
        "parts": {
            name: {"title": title, "state": "not begun"}
            for name, (title, _, _) in PARTS.items()
        },
    }
    _write(output, content)
    incomplete = []
    for name in PARTS:
        content = _take(name, output, settings, end)
        part = content["parts"][name]
        if part.get("facts", {}).get("platform") == "cpu" and settings.scale >= 1:
            _refuse_cpu(output)
        print(f"{name}: {report.state_of(part)}", flush=True)
        if part["state"] not in ("done", "left out") or part.get("failures"):
            incomplete.append(name)
    written = f"{output / report.TEXT} and {report.RESULTS} beside it"
    if incomplete:
        raise ValueError(
            f"incomplete: {', '.join(incomplete)}; what was measured, and why no "
            f"more, is in {written}."
        )
    return f"{written}: all that was measured"


def limit(part: str, seconds_left: float) -> float:
    """The seconds that a part may take, of those left for it and all after it."""
    shares = [share for _, share, _ in PARTS.values()]
    here = list(PARTS).index(part)
    return seconds_left * shares[here] / sum(shares[here:])


def _write(output: pathlib.Path, content: dict[str, Any]) -> None:
    results.write_json(output / report.RESULTS, content)
    files.write_text(output / report.TEXT, report.text(content))


def _take(
    name: str, output: pathlib.Path, settings: Settings, end: float
) -> dict[str, Any]:
    """Measures a part in a process that is ended at its limit; returns all results."""
    begin = time.monotonic()
    most = limit(name, max(0.0, end - begin))
    content = results.read_json(output / report.RESULTS)
    content["parts"][name] |= {"state": report.BEGUN, "limit": most}
    _write(output, content)
    ended = {}
    with open(output / LOG, "ab") as log:
        log.write(f"== {name}\n".encode())
        log.flush()
        process = _start(name, output, settings, log)
    try:
        status = process.wait(most)
        # It had no time to say why: a signal, or python's own death.
        ended = {"state": "failed", "error": f"exit status {status}; see {LOG}"}
    except subprocess.TimeoutExpired:
        ended = {"state": "out of time", "error": "ended at its limit"}
    finally:
        # With what it has started itself.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        content = results.read_json(output / report.RESULTS)
        part = content["parts"][name]
        part["seconds"] = time.monotonic() - begin
        if part["state"] == report.BEGUN:
            part |= ended
        _write(output, content)
    return content


def _start(
    name: str, output: pathlib.Path, settings: Settings, log: IO[bytes]
) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        # What one part compiles, a later one need not.
        "JAX_COMPILATION_CACHE_DIR": str(pathlib.Path(settings.folder, "xla")),
        "PYTHONUNBUFFERED": "1",
    }
    if name == "torch_speed":  # The device is PyTorch's alone there.
        environment["JAX_PLATFORMS"] = "cpu"
    elif "cpu" not in (environment.get("JAX_PLATFORMS") or "cpu"):
        environment["JAX_PLATFORMS"] += ",cpu"
    return subprocess.Popen(
        [sys.executable, "-m", __name__, name, str(output)],
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        process_group=0,
    )


def _refuse_cpu(output: pathlib.Path) -> None:
    """Refuses the full work on a CPU, and leaves nothing of it."""
    for name in (report.RESULTS, report.TEXT, LOG):
        (output / name).unlink()
    with contextlib.suppress(OSError):  # It held something before.
        output.rmdir()
    raise ValueError(
        "--what=accelerator measures a GPU or TPU, and jax sees none here: pip "
        "install 'pg2_jax[cuda]' or 'pg2_jax[tpu]'. A --scale below 1 rehearses"
        " it on a CPU, such as --scale=0.06 --image_size=32x16."
    )


def main(words: list[str]) -> None:
    """Measures a part; its report says how it has ended."""
    name, output = words
    _, _, measure_part = PARTS[name]
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    reported = Report(pathlib.Path(output), name)
    try:
        measure_part(reported)
        reported.end("done")
    except Exception as error:
        traceback.print_exc()
        reported.end("failed", report.in_short(error))


def _end_with(parent: int) -> None:
    """Ends this process and its own when the one that started it is no more."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
