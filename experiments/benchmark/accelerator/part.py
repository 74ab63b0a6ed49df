"""One part of the measurement, in a process of its own:

    python -m experiments.benchmark.accelerator.part PART SETTINGS.json REPORT.json

What it leaves is the report. An error of a device spoils this process alone, and the
memory of the device is free at its end.
"""

import importlib
import json
import os
import pathlib
import signal
import sys
import threading
import time
import traceback

from experiments.benchmark.accelerator import plan, report


def main(words: list[str]) -> int:
    """Measures a part; returns the exit code, 0 where all was measured or left out."""
    name, settings, path = words
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    reported = report.Report(pathlib.Path(path))
    stored = json.loads(pathlib.Path(settings).read_text(encoding="utf-8"))
    try:
        program = importlib.import_module(plan.module(name))
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
