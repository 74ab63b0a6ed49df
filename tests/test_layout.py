"""The rules that the folders stand on, read from the imports of every module."""

import ast
import configparser
import functools
import graphlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("pg2_jax", "data_prep", "experiments")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(
        ".__init__"
    ): path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
}


def _imports(module: str) -> set[str]:
    """Modules that a module imports, anywhere in it, those for types alone included."""
    names = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    # `from package import module` does not use what else the package holds.
    return {n for n in names if n not in MODULES or MODULES[n].name != "__init__.py"}


@functools.cache
def imports() -> dict[str, set[str]]:
    """What each module imports; read when asked for, not by all who collect this."""
    return {module: _imports(module) for module in MODULES}


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ("pg2_jax", "data_prep"),
        ("pg2_jax", "experiments"),
        ("data_prep", "experiments"),
    ],
)
def test_nothing_imports_what_stands_above_it(below, above):
    upward = {
        (module, name)
        for module, names in imports().items()
        for name in names
        if module.split(".")[0] == below and name.split(".")[0] == above
    }
    assert not upward


def test_no_modules_import_each_other_in_a_circle():
    # static_order raises CycleError with the modules of the circle.
    order = graphlib.TopologicalSorter(
        {module: names & MODULES.keys() for module, names in imports().items()}
    ).static_order()
    assert set(order) == MODULES.keys()


# The authors' checkpoints are tensorflow's; the benchmark reads records without us.
TENSORFLOW_BESIDES = {"experiments.import_checkpoint", "experiments.benchmark.data"}


def test_tensorflow_is_imported_by_readers_and_writers_of_records_alone():
    users = {
        module
        for module, names in imports().items()
        if any(name.split(".")[0].startswith("tensorflow") for name in names)
    }
    rooms = ("pg2_jax.input_pipeline.", "data_prep.records.", "data_prep.sources.pg2_")
    others = {user for user in users if not user.startswith(rooms)}
    assert users and others == TENSORFLOW_BESIDES


def test_no_folder_is_too_full_to_look_through():
    folders = {path.parent for path in MODULES.values()}
    assert max(len(list(folder.glob("*.py"))) for folder in folders) <= 20


def test_what_the_library_needs_besides_code_is_packaged():
    """Poses, a template, the weights of the small networks: `pip install .` has all."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    packaged = {
        path
        for package, patterns in config["options.package_data"].items()
        for pattern in patterns.split()
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    others = {
        path
        for path in (ROOT / "pg2_jax").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert len(others) >= 7 and others <= packaged
