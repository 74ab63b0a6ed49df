"""What a run leaves on disk for people and programs: whole files, and how they came."""

import json
import os
import pathlib
import platform
import subprocess
from typing import Any

from PIL import Image

from data_prep import workers
from pg2_jax import errors, files
from pg2_jax.checkpoint import restore


def write_json(path: pathlib.Path, content: dict[str, Any]) -> None:
    """Writes a JSON file that appears whole or not at all."""
    files.write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Reads a JSON object; the ValueError on anything else names the file."""
    with errors.said_of(f"{path}: not JSON"):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not a JSON object")
    return content


def write_picture(path: pathlib.Path, picture: Image.Image) -> None:
    """Writes a PNG that appears whole or not at all."""
    with files.replacing(path) as temporary:
        picture.save(temporary, "PNG")


def provenance() -> dict[str, Any]:
    """Versions of the packages, and the commit of this code, "unknown" outside git."""
    here = pathlib.Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty"]
    try:
        commit = subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    return {"versions": restore.versions(), "commit": commit.strip()}


# Of Intel and AMD, then of ARM, as Linux names them.
_VECTORS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "asimd", "sve", "sve2")


def hardware() -> dict[str, Any]:
    """Processor, cores that this process may use, memory and system of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": workers.num_cores(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.platform(),
    }


def _processor() -> str:
    """Its name, and the vector extensions on which the speed of a program depends."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # Linux alone has it.
        return platform.processor()
    parts = (line.partition(":") for line in reversed(lines))
    facts = {name.strip(): value.strip() for name, _, value in parts}
    name = facts.get("model name", platform.processor())
    flags = facts.get("flags", facts.get("Features", "")).split()
    vectors = [flag for flag in _VECTORS if flag in flags]
    return f"{name} ({', '.join(vectors)})" if vectors else name
