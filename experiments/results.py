"""What a run leaves on disk for people and programs: whole files, and how they came."""

import json
import pathlib
import subprocess
from typing import Any

from PIL import Image

from pg2_jax import checkpoint, files


def write_text(path: pathlib.Path, content: str) -> None:
    """Writes a text file that appears whole or not at all."""
    with files.replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def write_json(path: pathlib.Path, content: dict[str, Any]) -> None:
    """Writes a JSON file that appears whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_picture(path: pathlib.Path, picture: Image.Image) -> None:
    """Writes a PNG that appears whole or not at all."""
    with files.replacing(path) as temporary:
        picture.save(temporary, "PNG")


def provenance() -> dict[str, Any]:
    """Versions of the packages and the commit of this code."""
    return {"versions": checkpoint.versions(), "commit": _commit()}


def _commit() -> str:
    """The commit of this code, "unknown" outside a git checkout."""
    here = pathlib.Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()
