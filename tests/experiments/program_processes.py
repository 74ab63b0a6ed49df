"""Real processes of `python -m experiments.main`, for tests that kill them; they start
ten seconds sooner because to them tensorflow is not installed."""

import dataclasses
import os
import pathlib
import socket
import subprocess
import sys
import threading

import jax

ROOT = pathlib.Path(__file__).parents[2]
_PROGRAM = """
import runpy, sys
sys.modules["tensorflow"] = None
runpy.run_module("experiments.main", run_name="__main__", alter_sys=True)
"""
# Seconds after which a process hangs, on a machine that does much besides.
PATIENCE = 600


def start(config, *, devices, log):
    """Starts a process that behaves as this one: same optimizations, same cache."""
    command = [sys.executable, "-c", _PROGRAM, *_flags(config)]
    with open(log, "a") as errors:
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **environment(devices)},
            cwd=ROOT,
        )


def start_two(config, logs):
    """Starts two processes of one device each, which work on one run."""
    address = f"localhost:{_free_port()}"
    return [
        start(
            dataclasses.replace(
                config, coordinator_address=address, num_processes=2, process_id=i
            ),
            devices=1,
            log=log,
        )
        for i, log in enumerate(logs)
    ]


def run_two(config, folder):
    """Runs two such processes to their end; returns what they said."""
    logs = [folder / f"log{i}" for i in range(2)]
    both = start_two(config, logs)
    said = [process.communicate(timeout=PATIENCE)[0] for process in both]
    statuses = [process.returncode for process in both]
    assert statuses == [0, 0], [log.read_text() for log in logs]
    return said


def environment(devices):
    """What makes a process of so many devices compile as this one does."""
    return {
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(devices),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }


def _flags(config):
    for field in dataclasses.fields(config):
        value, modes = getattr(config, field.name), field.metadata["modes"]
        if value != field.default and (not modes or config.mode in modes):
            yield f"--{field.name}={value}"


def wait_for_step(process, log, count=1):
    """Reads until so many steps are reported; returns the number of the last, None if
    the process ends before.

    What comes later is read and forgotten, so that the process is never blocked.
    """
    for line in process.stdout:
        with open(log, "a") as file:
            file.write(line)
        count -= line.startswith("step ")
        if not count:
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return int(line.split()[1].rstrip(":"))
    return None


def _free_port():
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]
