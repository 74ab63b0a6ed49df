"""The notebooks run from beginning to end, and hold pictures that can be compared."""

import base64
import json
import re

import jax
import nbformat
import pytest

from experiments import execute_notebooks
from tests.experiments import program_processes, untrained_run
from tests.experiments.tiny_run import make_config

NAMES = ("compare_runs", "inside_pg2", "restore_and_generate", "your_own_photos")
# Processes that a notebook starts ask for __spec__, which is forgotten too. Without
# tensorflow, whose import takes ten seconds, data sets are read from memory.
FORGET = """
%reset -f
__spec__ = None
__import__("sys").modules["tensorflow"] = None
""".strip()
PATHS = {path.stem: path for path in execute_notebooks.FOLDER.glob("*.ipynb")}


def with_parameters(notebook, values):
    """Puts a cell with other values behind the one that has the tag parameters."""
    (place,) = (
        i
        for i, cell in enumerate(notebook.cells)
        if "parameters" in cell.metadata.get("tags", ())
    )
    source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    for name in values:
        assert re.search(f"^{name} = ", notebook.cells[place].source, re.MULTILINE)
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source))


def outputs_of(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def pictures_in(notebook):
    return sum("image/png" in o.get("data", {}) for o in outputs_of(notebook))


@pytest.fixture(scope="module")
def quickstart(people, pair_dataset, tmp_path_factory):
    """The parameters of each notebook: two tiny runs, as if trained but with weights
    drawn at random, and their data."""
    folder = tmp_path_factory.mktemp("notebooks")
    run, other = folder / "run", folder / "other"
    for seed, workdir in enumerate((run, other)):
        config = make_config(pair_dataset, workdir)
        untrained_run.write(config, config.total_steps, drawn_with=seed)
    common = {"RUN": str(run), "OUT": str(folder / "out")}
    return {
        "compare_runs": {"DATA": pair_dataset, **common, "OTHER": str(other)},
        "inside_pg2": {
            "DATA": pair_dataset,
            **common,
            "L1_WEIGHTS": (1, 100),
            "REFINE_STEPS": 1,
        },
        "restore_and_generate": {"PEOPLE": str(people), **common},
        "your_own_photos": {
            "MODEL": str(run),
            "OUT": common["OUT"],
            "PEOPLE": 2,
            "PHOTOS_EACH": 6,
            "STEPS": 1,
        },
    }


@pytest.fixture(scope="module")
def kernel_environment():
    """Kernels take compiled programs from the other tests."""
    with pytest.MonkeyPatch.context() as patch:
        environment = program_processes.environment(jax.device_count())
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


def test_every_notebook_is_tested():
    assert tuple(sorted(PATHS)) == NAMES


@pytest.mark.slow
def test_notebooks_run(quickstart, kernel_environment, tmp_path):
    """One after the other in one kernel, which forgets all names in between, so that
    modules are imported and programs compiled once."""
    notebooks = [execute_notebooks.read(PATHS[name]) for name in NAMES]
    before = [pictures_in(notebook) for notebook in notebooks]
    together = nbformat.v4.new_notebook()
    for name, notebook in zip(NAMES, notebooks, strict=True):
        with_parameters(notebook, quickstart[name])
        together.cells += [nbformat.v4.new_code_cell(FORGET), *notebook.cells]

    execute_notebooks.execute(together, tmp_path)

    assert not [o for o in outputs_of(together) if o.output_type == "error"]
    # The committed files come from the same cells.
    assert [pictures_in(notebook) for notebook in notebooks] == before
    assert min(before) > 0
    # Everything is written where the parameters say.
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_committed_notebook_is_normalised(name):
    text = PATHS[name].read_text(encoding="utf-8")
    notebook = execute_notebooks.read(PATHS[name])
    execute_notebooks.normalise(notebook)
    # Sorted keys, indentation, and no metadata but the kernel's name and tags.
    assert text == nbformat.writes(notebook) + "\n"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    # Names that say what a cell does stay the same when cells move.
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", cell.id) for cell in notebook.cells)


@pytest.mark.parametrize("name", NAMES)
def test_committed_outputs_are_small_and_of_no_machine(name):
    found = outputs_of(execute_notebooks.read(PATHS[name]))
    assert not [o for o in found if o.output_type == "error"]
    for output in found:
        data = output.get("data", {})
        for kind in [kind for kind in data if kind.startswith("image/")]:
            most = execute_notebooks.MOST_BYTES
            assert len(base64.b64decode(data.pop(kind))) < most
        # An absolute path has two slashes at least.
        assert not re.search(r"(?<![\w.<:])/\w[\w.-]*/\w", json.dumps(output))
        assert " at 0x" not in json.dumps(output)


def small_notebook(path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path.read_text()


def test_execution_is_saved_without_what_differs(tmp_path, capsys):
    path = tmp_path / "small.ipynb"
    small_notebook(
        path,
        "print(6 * 7)\nprint('again')",
        "import sys\nprint('50 %', file=sys.stderr)",
        "from PIL import Image\nImage.new('RGB', (2, 2))",
    )

    execute_notebooks.main([str(path)])
    once = path.read_text()
    execute_notebooks.main([str(path)])

    assert path.read_text() == once
    printed, picture = outputs_of(execute_notebooks.read(path))
    assert printed.text == "42\nagain\n"
    assert list(picture.data) == ["image/png"]
    assert capsys.readouterr().out == f"{path}\n" * 2


def test_failing_notebook_stays_as_it_was(tmp_path):
    path = tmp_path / "failing.ipynb"
    before = small_notebook(path, "print(1)", "1 / 0")
    with pytest.raises(SystemExit, match=r"failing\.ipynb: a cell failed: ZeroDiv"):
        execute_notebooks.main([str(path)])
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("not json", r"bad\.ipynb is not a notebook"),
        ('{"cells": [], "nbformat": 4}', r"bad\.ipynb is not a notebook"),
        ("[1]", r"bad\.ipynb is not a notebook"),
        ("", r"bad\.ipynb is not a notebook"),
    ],
)
def test_what_is_no_notebook_is_refused(content, message, tmp_path):
    path = tmp_path / "bad.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit, match=message):
        execute_notebooks.main([str(path)])
