"""The page as a folder of files."""

import json
import pathlib
import subprocess
import tarfile

import numpy as np
import pytest
from PIL import Image

from experiments.config import Config
from experiments.demo import demo, static_page
from pg2_jax.inference import onnx_model

_NPM_SAYS = b"npm error code E1\nnpm error no network\nnpm error A log is there"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A stand-in of the npm package, unpacked."""
    folder = tmp_path_factory.mktemp("npm")
    (folder / "dist").mkdir()
    for name in static_page.RUNTIME:
        (folder / "dist" / name).write_text(name)
    return folder


@pytest.fixture
def build(plus_queue, package, monkeypatch):
    """Builds the page of a stand-in, whose model file is a word."""

    def export(path, form):
        assert form == "onnx"
        pathlib.Path(path).write_text("model")

    monkeypatch.setattr(plus_queue.model, "export", export)
    monkeypatch.setattr(demo, "open_queue", lambda config: plus_queue)
    monkeypatch.setattr(onnx_model, "require_packages", lambda: None)

    def run(folder, **changes):
        options = {
            "workdir": "unused",
            "static": str(folder),
            "onnxruntime_web": str(package),
            **changes,
        }
        demo.demo(Config(mode="demo", **options))

    return run


def test_the_folder_holds_all_that_the_page_shows(build, plus_queue, tmp_path, capsys):
    folder = tmp_path / "new" / "page"
    build(folder)
    said = capsys.readouterr().out
    assert f"python -m http.server --directory {folder}\n" in said
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    page = {f"page/{path.name}" for path in static_page._PAGE.iterdir()}
    pictures = {f"people/{number}.png" for number in range(1, 7)}
    runtime = {
        "onnxruntime/ort.wasm.bundle.min.js",
        "onnxruntime/ort-wasm-simd-threaded.wasm",
    }
    others = {"index.html", "setup.json", "model.onnx"}
    assert files == (page - {"page/index.html"}) | pictures | runtime | others
    assert (folder / "model.onnx").read_text() == "model"
    setup = json.loads((folder / "setup.json").read_text())
    assert setup["size"] == [32, 16] and setup["model"] == "model.onnx"
    assert setup["needs_source_pose"] and setup["max_bytes"] == 40 * 2**20
    assert setup["standing"] in [each["name"] for each in setup["poses"]]
    assert list(setup["sequence_poses"]) == setup["sequences"]
    people = demo.example_people(plus_queue, "")
    for shown, (name, person) in zip(setup["people"], people.items(), strict=True):
        assert shown["name"] == name and "large" not in shown
        image = np.asarray(Image.open(folder / shown["picture"]))
        np.testing.assert_array_equal(image, person.image)
        assert shown["source_keypoints"] == person.keypoints.tolist()
        want = plus_queue.catalogue(person.keypoints)["back"]
        np.testing.assert_allclose(shown["poses"]["Back"], want, atol=0.005)


def test_it_appears_whole_or_not_at_all(build, plus_queue, tmp_path, monkeypatch):
    def export(path, form):
        pathlib.Path(path).write_text("mod")
        raise ValueError("no weights")

    monkeypatch.setattr(plus_queue.model, "export", export)
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        with pytest.raises(ValueError, match="no weights"):
            build(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_a_folder_in_use_is_refused(build, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=f"--static={tmp_path} already holds file;"):
        build(tmp_path)
    with pytest.raises(ValueError, match=f"--static=.*: {tmp_path}/file is a file, "):
        build(tmp_path / "file")
    monkeypatch.undo()
    monkeypatch.setattr(onnx_model, "_lacks", lambda name: f" needs {name}: pip")
    with pytest.raises(ValueError, match=r"^--static=.*new needs onnx: pip"):
        static_page.check(tmp_path / "new", "unused")


@pytest.mark.parametrize("name", ["model.onnx", "model.jax_export"])
def test_a_model_without_weights_is_refused(build, tmp_path, name):
    with pytest.raises(ValueError, match=rf"^--workdir={name} is a compiled program; "):
        build(tmp_path / "page", workdir=name)
    assert not (tmp_path / "page").exists()


def test_flags_that_do_not_go_together():
    for changes, words in (
        ({"onnxruntime_web": "web"}, "--onnxruntime_web=web needs --static"),
        ({"static": "page", "port": 80}, "--port=80 has no meaning with --static"),
        (
            {"static": "page", "host": "0.0.0.0"},
            "--host=0.0.0.0 has no meaning with --static",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            Config(mode="demo", workdir="w", **changes)


def test_the_package_is_fetched_by_npm(package, monkeypatch):
    """npm is a stand-in."""

    def run(command, cwd, **options):
        assert command[:3] == ["/bin/npm", "pack", static_page.PACKAGE]
        with tarfile.open(pathlib.Path(cwd) / "a.tgz", "w:gz") as archive:
            archive.add(package, "package")

    monkeypatch.setattr(static_page.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(static_page.subprocess, "run", run)
    with static_page.runtime("") as paths:
        assert tuple(path.read_text() for path in paths) == static_page.RUNTIME
    assert not any(path.exists() for path in paths)


def test_without_the_package_it_says_what_to_do(package, tmp_path, monkeypatch):
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / static_page.RUNTIME[0]).touch()
    with (
        pytest.raises(
            ValueError, match=r"no file dist/ort-wasm.*wasm; expected the npm"
        ),
        static_page.runtime(str(tmp_path)),
    ):
        pass
    monkeypatch.setattr(static_page.shutil, "which", lambda name: None)
    with (
        pytest.raises(ValueError, match=r"^--static needs npm .*--onnxruntime_web=FO"),
        static_page.runtime(""),
    ):
        pass

    def run(command, **options):
        raise subprocess.CalledProcessError(1, command, stderr=_NPM_SAYS)

    monkeypatch.setattr(static_page.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(static_page.subprocess, "run", run)
    with (
        pytest.raises(
            ValueError, match=r"could not fetch onnx.* \(code E1; no network\); try"
        ),
        static_page.runtime(""),
    ):
        pass
