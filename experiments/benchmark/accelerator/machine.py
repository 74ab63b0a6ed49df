"""What the machine is: devices, memory, driver, versions."""

import importlib.util
import shutil
import subprocess

import jax
import jax.extend

from experiments.benchmark.accelerator import plan
from experiments.benchmark.accelerator.report import Report

_ASKED = "name,memory.total,driver_version,clocks.max.sm,power.limit"


def measure(settings: plan.Settings, report: Report) -> None:
    """Names what jax and PyTorch see, and what nvidia-smi says."""
    device = jax.devices()[0]
    report.fact("platform", device.platform)
    report.fact("devices", f"{jax.device_count()} x {device.device_kind}")
    report.fact("jax", jax.__version__)
    version = jax.extend.backend.get_backend().platform_version
    report.fact("platform of jax", " ".join(version.split()))
    memory = (device.memory_stats() or {}).get("bytes_limit")
    report.fact("memory for jax, GiB", memory and memory / 2**30)
    report.fact("nvidia-smi", _nvidia_smi())
    with report.attempt("PyTorch"):
        report.fact("PyTorch", _torch())


def _nvidia_smi() -> str:
    if shutil.which("nvidia-smi") is None:
        return "not installed"
    command = ["nvidia-smi", f"--query-gpu={_ASKED}", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"failed: {error}"
    return "; ".join(done.stdout.split("\n")).strip("; ")


def _torch() -> str:
    if importlib.util.find_spec("torch") is None:
        return "not installed"
    import torch

    if not torch.cuda.is_available():
        return f"{torch.__version__} on a CPU"
    return f"{torch.__version__} on {torch.cuda.get_device_name()}"
