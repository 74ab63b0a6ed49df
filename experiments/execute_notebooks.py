"""python -m experiments.execute_notebooks [MINE.ipynb ...]: executes notebooks, all of
the repository by default, and saves them with their pictures.

What says nothing about the result is left out of the files, so that two executions
differ where their results do.
"""

import base64
import io
import pathlib
import sys
from collections.abc import Sequence

import nbclient
import nbformat
from PIL import Image

from pg2_jax import files

MOST_BYTES = 300_000  # of a picture
FOLDER = pathlib.Path(__file__).parent / "notebooks"
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read(path: pathlib.Path) -> nbformat.NotebookNode:
    """Reads a notebook; a file that is none is a ValueError."""
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, nbformat.ValidationError, AttributeError) as error:
        first_line = str(error).partition("\n")[0]
        raise ValueError(f"{path} is not a notebook: {first_line}") from error


def execute(notebook: nbformat.NotebookNode, folder: pathlib.Path) -> None:
    """Runs all cells in a fresh kernel, in a folder, and replaces their outputs."""
    nbclient.execute(
        notebook,
        cwd=str(folder),
        timeout=None,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
    )


def normalise(notebook: nbformat.NotebookNode) -> None:
    """Drops what differs between machines and executions of the same result."""
    notebook.metadata = nbformat.from_dict(_METADATA)
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "tags"}
        if cell.cell_type != "code":
            continue
        # Progress bars and logs.
        cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        for output in cell.outputs:
            output.pop("transient", None)
            data = output.get("data", {})
            if "image/png" in data:
                # The name of the object and its address; Pillow's other format.
                for kind in ("text/plain", "image/jpeg"):
                    data.pop(kind, None)
                data["image/png"] = _small(data["image/png"])


def _small(png: str) -> str:
    """A PNG in base64; in 256 colours if it is large, as photos are."""
    content = base64.b64decode(png)
    if len(content) < MOST_BYTES:
        return png
    buffer = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").quantize().save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def main(arguments: Sequence[str]) -> None:
    """Executes and saves each notebook; a failure leaves its file as it was."""
    paths = [pathlib.Path(argument) for argument in arguments]
    for path in paths or sorted(FOLDER.glob("*.ipynb")):
        print(path, flush=True)
        try:
            notebook = read(path)
            execute(notebook, path.parent)
            normalise(notebook)
            files.write_text(path, nbformat.writes(notebook) + "\n")
        except nbclient.exceptions.CellExecutionError as error:
            sys.exit(f"error: {path}: a cell failed: {error.ename}: {error.evalue}")
        except (ValueError, OSError) as error:
            sys.exit(f"error: {path}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
