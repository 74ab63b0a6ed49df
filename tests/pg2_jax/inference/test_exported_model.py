"""Models in one file, and on a stand-in of the Hugging Face Hub."""

import dataclasses
import importlib.util
import json
import pathlib
import shutil
import sys
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import restore
from pg2_jax.inference import exported_model, hub, onnx_model, pose_transfer
from tests import cloud_storage
from tests.pg2_jax.inference.stand_in import figure, make_model, make_photo

ARCHITECTURE = Architecture(
    image_height=32,
    image_width=16,
    base_channels=2,
    bottleneck_size=2,
    discriminator_channels=2,
)
HAS_ONNX = all(map(importlib.util.find_spec, ("onnx", "onnxruntime")))
needs_onnx = pytest.mark.skipif(not HAS_ONNX, reason="the extra onnx is not installed")
FORMS = [
    pytest.param(form, marks=needs_onnx if form == "onnx" else ())
    for form in exported_model.FORMATS
]
CONFIG = {**dataclasses.asdict(ARCHITECTURE), "data_dir": "/home/anna/data/market"}


@pytest.fixture(scope="module")
def generators():
    rng = np.random.default_rng(3)
    weights = jax.tree.map(
        lambda x: jnp.asarray(rng.normal(0, 0.2, x.shape), x.dtype),
        restore.weight_shapes(ARCHITECTURE),
    )
    return restore.Generators(12, ARCHITECTURE, CONFIG, **weights)


@pytest.fixture(scope="module")
def files(generators, tmp_path_factory):
    """The model in all formats."""
    folder = tmp_path_factory.mktemp("bundle")
    for form in exported_model.FORMATS:
        if form == "onnx" and not HAS_ONNX:
            continue
        exported_model.write(folder / f"model.{form}", generators, form)
    return folder


@pytest.fixture(scope="module")
def drawn(generators):
    images = np.stack([make_photo(seed=i) for i in range(3)])
    poses = np.stack([figure(12 + i) for i in range(3)])
    return images, poses, pose_transfer.PoseTransfer(generators).batch(images, poses)


def assert_close(tree, other, tolerance=0.0):
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=tolerance), tree, other
    )


def test_weights_and_config_come_back(files, generators):
    got = exported_model.read(files / "model.safetensors")
    assert (got.step, got.architecture) == (12, ARCHITECTURE)
    # Of the machine's folders the last part alone is told.
    assert got.config == {**CONFIG, "data_dir": "market"}
    assert_close((got.coarse, got.refine), (generators.coarse, generators.refine))


def test_models_in_cloud_storage_are_written_and_read(
    generators, drawn, tmp_path, monkeypatch
):
    cloud_storage.without_tensorflow(monkeypatch, tmp_path)
    address = "gs://bucket/models/model.safetensors"
    exported_model.write(address, generators)
    assert [path.name for path in tmp_path.glob("bucket/models/*")] == [
        "model.safetensors"
    ]
    images, poses, want = drawn
    model = pose_transfer.PoseTransfer.restore(address)
    np.testing.assert_array_equal(model.batch(images, poses).refined, want.refined)
    with pytest.raises(
        ValueError, match=r"^workdir=gs://bucket/no.onnx: there is no s"
    ):
        pose_transfer.PoseTransfer.restore("gs://bucket/no.onnx")
    with pytest.raises(ValueError, match=r"^workdir=gs://bucket/run must be a model i"):
        pose_transfer.PoseTransfer.restore("gs://bucket/run")
    (tmp_path / "bucket" / "bad.safetensors").write_bytes(b"half a model")
    # By its own name, not by that of the copy.
    with pytest.raises(ValueError, match=r"^gs://bucket/bad.safetensors: not a model "):
        pose_transfer.PoseTransfer.restore("gs://bucket/bad.safetensors")


@pytest.mark.parametrize(("dtype", "digits"), [("float16", 11), ("bfloat16", 8)])
def test_half_the_bytes_keep_half_the_digits(tmp_path, generators, dtype, digits):
    path = tmp_path / "half.safetensors"
    exported_model.write(path, generators, dtype=dtype)
    got = exported_model.read(path)
    assert {x.dtype for x in jax.tree.leaves(got.coarse)} == {np.dtype(np.float32)}
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=2.0**-digits, atol=1e-6),
        (got.coarse, got.refine),
        (generators.coarse, generators.refine),
    )


@pytest.mark.parametrize("form", FORMS)
def test_all_formats_draw_the_same(files, drawn, form):
    images, poses, want = drawn
    model = pose_transfer.PoseTransfer.restore(files / f"model.{form}")
    got = model.batch(images, poses)
    np.testing.assert_allclose(got.coarse, want.coarse, atol=1)
    np.testing.assert_allclose(got.refined, want.refined, atol=1)


def test_jax_alone_runs_the_program(files, drawn):
    images, poses, want = drawn
    with zipfile.ZipFile(files / "model.jax_export") as archive:
        program = jax.export.deserialize(bytearray(archive.read("program")))
    assert program.platforms == ("cpu", "cuda", "tpu")
    got = program.call(images[:2], poses[:2])
    np.testing.assert_allclose(got["refined"], want.refined[:2], atol=1)


def test_a_program_has_no_weights_to_export(tmp_path):
    with pytest.raises(ValueError, match=r"\.jax_export or \.onnx has no weights"):
        make_model()[0].export(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("path", "form", "dtype", "message"),
    [
        ("a.bin", "safetensors", "float32", r"^output=a.bin must end in .safetensors"),
        ("a.safetensors", "jax_export", "float32", r"must end in .jax_export, as"),
        (
            "a.onnx",
            "safetensors",
            "float32",
            r"format is\. Or choose the format onnx\.",
        ),
        ("a.tflite", "tflite", "float32", "form=tflite must be one of safetensors, "),
        ("a.safetensors", "safetensors", "int8", "dtype=int8 must be one of float32"),
    ],
)
def test_what_cannot_be_exported_is_named(generators, path, form, dtype, message):
    with pytest.raises(ValueError, match=message):
        exported_model.write(path, generators, form, dtype)


def changed(files, tmp_path, form, **about):
    """A copy of a model that says something else of itself."""
    path, other = files / f"model.{form}", tmp_path / f"other.{form}"
    if form == "onnx":
        import onnx

        model = onnx.load(path)
        for entry in model.metadata_props:
            entry.value = about.get(entry.key, entry.value)
        onnx.save(model, other)
        return other
    if form == "jax_export":
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
            known = json.loads(old.read("model.json"))
            new.writestr("model.json", json.dumps({**known, **about}))
            new.writestr("program", old.read("program"))
        return other
    with safetensors.safe_open(path, framework="np") as file:
        known = file.metadata()
    weights = safetensors.numpy.load_file(path)
    safetensors.numpy.save_file(weights, other, metadata={**known, **about})
    return other


@pytest.mark.parametrize("form", FORMS)
def test_a_later_version_is_refused(files, tmp_path, form):
    path = changed(files, tmp_path, form, pg2_jax_bundle="2")
    with pytest.raises(ValueError, match=r"later version .* is 2, this one reads up"):
        pose_transfer.PoseTransfer.restore(path)


def test_weights_of_another_config_are_refused(files, tmp_path):
    other = dataclasses.asdict(dataclasses.replace(ARCHITECTURE, base_channels=3))
    path = changed(files, tmp_path, "safetensors", architecture=json.dumps(other))
    with pytest.raises(ValueError, match=r"the weight coarse/.* should have the shape"):
        exported_model.read(path)


def test_other_files_are_refused(files, tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(2)}, path)
    with pytest.raises(ValueError, match="not a model exported by this program"):
        exported_model.read(path)


@pytest.mark.parametrize("form", FORMS)
def test_damaged_files_are_refused(files, tmp_path, form):
    path = tmp_path / f"model.{form}"
    whole = (files / path.name).read_bytes()
    for part in (whole[: len(whole) // 2], b""):
        path.write_bytes(part)
        with pytest.raises(ValueError, match="or damaged"):
            exported_model.read(path)


@needs_onnx
def test_onnx_runtime_alone_runs_the_file_which_says_how(files, drawn):
    import onnxruntime

    images, poses, want = drawn
    session = onnxruntime.InferenceSession(files / "model.onnx")
    names = [[x.name for x in y] for y in (session.get_inputs(), session.get_outputs())]
    assert names == [["photos", "keypoints"], ["coarse", "refined"]]
    for count in (1, 3):
        given = {"photos": images[:count], "keypoints": poses[:count]}
        (refined,) = session.run(["refined"], given)
        np.testing.assert_allclose(refined, want.refined[:count], atol=1)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["architecture"])["base_channels"] == 2
    words = json.loads(about["inputs_and_outputs"])
    assert words["keypoints"][0] == "nose" and len(words["keypoints"]) == 18
    assert "x from 0 to 15, y from 0 to 31 in pixels" in words["inputs"]["keypoints"]
    assert words["outputs"]["refined"] == "uint8 [batch, 32, 16, 3], RGB, 0 to 255"


@needs_onnx
def test_half_floats_make_half_the_onnx_file(files, generators, tmp_path, drawn):
    path = tmp_path / "half.onnx"
    exported_model.write(path, generators, "onnx", "float16")
    # Of weights so few the names of the nodes are the larger part.
    assert path.stat().st_size < (files / "model.onnx").stat().st_size
    images, poses, want = drawn
    got = pose_transfer.PoseTransfer.restore(path).batch(images, poses)
    np.testing.assert_allclose(got.refined, want.refined, atol=3)


@needs_onnx
def test_an_onnx_model_that_differs_from_jax_is_refused(
    generators, tmp_path, monkeypatch
):
    from pg2_jax.onnx_program import rules

    # The centres of the heat maps are then other pixels.
    monkeypatch.setitem(rules.RULES, "floor", rules.RULES["ceil"])
    with pytest.raises(ValueError, match=r"image of ONNX Runtime differs from that of"):
        exported_model.write(tmp_path / "model.onnx", generators, "onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
def test_without_onnx_it_says_what_to_install(generators, tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "model.onnx"
    message = rf" needs {name}: pip install 'pg2_jax\[onnx\]' \(in a checkout: pip"
    if HAS_ONNX or name == "onnx":
        with pytest.raises(ValueError, match=message):
            exported_model.write(path, generators, "onnx")
    if name == "onnxruntime":
        path.write_bytes(b"")
        with pytest.raises(ValueError, match=message):
            pose_transfer.PoseTransfer.restore(path)
    else:
        assert not list(tmp_path.iterdir())


@needs_onnx
def test_an_onnx_runtime_that_is_too_old_is_refused(monkeypatch):
    monkeypatch.setattr("onnxruntime.__version__", "1.19.2")
    message = r"^form=onnx needs onnxruntime 1.20 or later, not 1.19.2: pip install 'pg"
    with pytest.raises(ValueError, match=message):
        onnx_model.require_packages()


def test_a_step_of_a_file_is_refused(files):
    with pytest.raises(ValueError, match="is a single model; step and weights are"):
        pose_transfer.PoseTransfer.restore(files / "model.safetensors", step=3)


class Hub:
    """Takes the place of huggingface_hub: repositories are folders."""

    def __init__(self, folder: pathlib.Path):
        self.folder, self.private = folder, None

    def HfApi(self):
        return self

    def create_repo(self, repo_id, *, private, exist_ok):
        assert exist_ok
        self.private = private
        (self.folder / repo_id).mkdir(parents=True, exist_ok=True)

    def upload_folder(self, *, repo_id, folder_path, commit_message):
        assert commit_message == "Step 12"
        shutil.copytree(folder_path, self.folder / repo_id, dirs_exist_ok=True)

    def hf_hub_download(self, repo_id, filename, *, revision):
        path = self.folder / repo_id / filename
        if not path.exists() or revision not in (None, "main"):
            raise FileNotFoundError(f"404 {repo_id}\nmore")
        return str(path)


@pytest.fixture
def remote(tmp_path, monkeypatch):
    stand_in = Hub(tmp_path / "hub")
    monkeypatch.setattr(hub, "_library", lambda: stand_in)
    return stand_in


def test_a_model_goes_to_the_hub_and_back(remote, generators, tmp_path, drawn):
    record = {"ssim_pg2": {"mean": 0.3951}, "l1": {"mean": None}}
    report = {"step": 11, "pairs": 1000, "metrics": {"refined": record}}
    (tmp_path / "metrics.json").write_text(json.dumps(report))
    model = pose_transfer.PoseTransfer(generators)
    where = model.push_to_hub(
        "anna/dance", metrics=tmp_path / "metrics.json", dtype="float16", private=True
    )
    assert where == "https://huggingface.co/anna/dance"
    assert remote.private is True
    folder = remote.folder / "anna/dance"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["README.md", "config.json", "metrics.json", "model.safetensors"]
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: pg2_jax\n")
    assert 'PoseTransfer.restore("hf://anna/dance")' in card
    assert "| SSIM (PG2's), `ssim_pg2` | 0.395 |" in card and "`l1`" not in card
    assert "1,000 test pairs" in card and "those of step 11." in card
    assert json.loads((folder / "config.json").read_text())["data_dir"] == "market"
    images, poses, want = drawn
    for name in ("hf://anna/dance", "hf://anna/dance@main"):
        back = pose_transfer.PoseTransfer.restore(name)
    np.testing.assert_allclose(back.batch(images, poses).image, want.image, atol=2)


def test_an_upload_that_fails_is_one_line(remote, generators, monkeypatch):
    class ConnectError(Exception):
        pass

    def fail(*_args, **_options):
        raise ConnectError("Name or service not known\nmore")

    monkeypatch.setattr(remote, "create_repo", fail)
    message = r"hf://anna/dance: cannot be uploaded: Name .* known\. Is there internet"
    with pytest.raises(ValueError, match=message):
        pose_transfer.PoseTransfer(generators).push_to_hub("anna/dance")


def test_others_may_read_the_file(files):
    (files / "plain").write_bytes(b"")
    modes = {path.stat().st_mode for path in files.iterdir()}
    assert len(modes) == 1


def test_what_is_not_on_the_hub_is_named(remote, generators, tmp_path):
    with pytest.raises(ValueError, match=r"hf://anna/none: .* 404 anna/none. Is the"):
        pose_transfer.PoseTransfer.restore("hf://anna/none")
    (tmp_path / "metrics.json").write_text("{}")
    model = pose_transfer.PoseTransfer(generators)
    with pytest.raises(ValueError, match=r"not the metrics.json of an evaluation"):
        model.push_to_hub("anna/dance", metrics=tmp_path / "metrics.json")
    assert not remote.folder.exists()


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"need huggingface_hub: pip install"):
        pose_transfer.PoseTransfer.restore("hf://anna/dance")


def test_the_library_has_what_is_called():
    library = pytest.importorskip("huggingface_hub")
    import inspect

    wanted = {
        library.hf_hub_download: {"repo_id", "filename", "revision"},
        library.HfApi.create_repo: {"repo_id", "private", "exist_ok"},
        library.HfApi.upload_folder: {"repo_id", "folder_path", "commit_message"},
    }
    for function, names in wanted.items():
        assert names <= set(inspect.signature(function).parameters)
