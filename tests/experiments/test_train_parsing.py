"""Training what reads photos for pg2plus, with a few people and steps."""

import numpy as np
import pytest
import safetensors.numpy

from data_prep.synthetic import figure
from experiments import train_parsing
from pg2_jax.pg2plus import parsing, skirts

SMALL = ("--identities=8", "--images_per_identity=2", "--steps=2", "--workers=1")


@pytest.mark.parametrize(
    ("network", "weights", "said"),
    [
        ("parsing", parsing.WEIGHTS, "in 2 pictures of others: the person 0."),
        ("skirts", skirts.WEIGHTS, "of 2 pictures of other people"),
    ],
)
def test_a_few_steps_write_weights_of_the_form_of_those_that_are_used(
    tmp_path, capsys, network, weights, said
):
    output = tmp_path / "weights.safetensors"
    words = [*SMALL, f"--network={network}", f"--output={output}"]
    assert train_parsing.main(words) == 0
    said_of = capsys.readouterr().out
    assert said_of.startswith(f"{output}: ") and said in said_of
    learned, shipped = map(safetensors.numpy.load_file, (output, weights))
    assert {k: (v.shape, v.dtype) for k, v in learned.items()} == {
        k: (v.shape, v.dtype) for k, v in shipped.items()
    }
    assert all(np.isfinite(x).all() for x in learned.values())
    assert [path.name for path in tmp_path.iterdir()] == [output.name]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--network=hats"], "hats"),
        (["--identities=3"], "--identities=3"),
        (["--output=nowhere/weights.safetensors"], "--output=nowhere"),
    ],
)
def test_wrong_words_are_refused(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(train_parsing, "_people", lambda _: pytest.fail("too late"))
    monkeypatch.chdir(tmp_path)
    assert train_parsing.main([*SMALL, *words]) != 0
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []


def test_rows_above_the_hem_are_cloth():
    # A hem half-way to the knees lies between the rows 3 and 4, and the answer is soft.
    hems = np.array([0.5, 0.0], np.float32)
    near, far = 0.5 + 8 * 0.0625, 0.5 - 8 * 0.0625
    want = [[1, 1, 1, near, far, *[0] * 11], [0] * 16]
    np.testing.assert_allclose(train_parsing.above(hems), want, atol=1e-6)


def test_what_the_renderer_tells_are_the_classes_that_are_learned():
    assert ("background", *figure.CLASSES) == parsing.CLASSES
    shares = np.asarray(train_parsing._shares(np.array([[[[128, 0, 128]]]], np.uint8)))
    np.testing.assert_allclose(shares[0, 0, 0], [0, 0.502, 0, 0.502], atol=1e-3)
