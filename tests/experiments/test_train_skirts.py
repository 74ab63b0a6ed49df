"""Training what finds skirts, with a few people and steps."""

import dataclasses
import pathlib

import numpy as np
import pytest
import safetensors.numpy

from experiments import train_skirts
from pg2_jax.inference import exported_model
from pg2_jax.pg2plus import skirts

ROOT = pathlib.Path(__file__).parents[2]
MODEL = ROOT / "models/pg2plus_128x64/model.safetensors"
SMALL = ("--identities=8", "--images_per_identity=2", "--steps=2", "--workers=1")


def test_a_few_steps_write_weights_of_the_form_of_those_that_are_used(tmp_path, capsys):
    output = tmp_path / "skirts.safetensors"
    words = [*SMALL, f"--workdir={MODEL}", f"--output={output}"]
    assert train_skirts.main(words) == 0
    assert (
        "skirts.safetensors: of 2 pictures of other people" in capsys.readouterr().out
    )
    learned, shipped = map(safetensors.numpy.load_file, (output, skirts.WEIGHTS))
    assert {k: (v.shape, v.dtype) for k, v in learned.items()} == {
        k: (v.shape, v.dtype) for k, v in shipped.items()
    }
    assert all(np.isfinite(x).all() for x in learned.values())
    assert [path.name for path in tmp_path.iterdir()] == [output.name]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([f"--workdir={ROOT / 'README.md'}"], "README.md"),
        (["--workdir=nowhere.safetensors"], "nowhere.safetensors"),
        (["--identities=3"], "--identities=3"),
        (["--output=nowhere/skirts.safetensors"], "--output=nowhere"),
    ],
)
def test_wrong_words_are_refused(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(train_skirts, "_people", lambda _: pytest.fail("too late"))
    monkeypatch.chdir(tmp_path)
    assert train_skirts.main([*SMALL, f"--workdir={MODEL}", *words]) != 0
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"blending": "soft"}, "trained with --blending=sharp"),
        ({"image_height": 64}, "must be for 128x64 pixels, got 64x64"),
    ],
)
def test_a_model_that_cannot_find_the_person_is_refused(changed, said, monkeypatch):
    model = exported_model.read(MODEL)
    other = dataclasses.replace(model.architecture, **changed)
    other = dataclasses.replace(model, architecture=other)
    monkeypatch.setattr(exported_model, "read", lambda _: other)
    with pytest.raises(ValueError, match=f"--workdir={MODEL}.*{said}"):
        train_skirts.train(train_skirts.Options(workdir=str(MODEL), output="x.st"))


def test_a_compiled_model_is_refused(monkeypatch):
    architecture = exported_model.read(MODEL).architecture
    program = exported_model.Program(1, architecture, {}, None)
    monkeypatch.setattr(exported_model, "read", lambda _: program)
    with pytest.raises(ValueError, match="must be a model of pg2plus"):
        train_skirts.train(train_skirts.Options(workdir=str(MODEL), output="x.st"))


def test_rows_above_the_hem_are_cloth():
    # A hem half-way to the knees lies between the rows 3 and 4, and the answer is soft.
    hems = np.array([0.5, 0.0], np.float32)
    near, far = 0.5 + 8 * 0.0625, 0.5 - 8 * 0.0625
    want = [[1, 1, 1, near, far, *[0] * 11], [0] * 16]
    np.testing.assert_allclose(train_skirts.above(hems), want, atol=1e-6)
