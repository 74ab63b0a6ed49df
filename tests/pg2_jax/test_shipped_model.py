"""The model in models/: what its card and its flagfile say is what the file holds."""

import json
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from pg2_jax.inference import pose_transfer
from pg2_jax.keypoints import keypoint_files

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "models" / "pg2plus_128x64"
PEOPLE = FOLDER / "people"


@pytest.fixture(scope="module")
def model():
    return pose_transfer.PoseTransfer.restore(FOLDER / "model.safetensors")


@pytest.mark.slow
def test_it_generates_the_target_better_than_a_copy_of_the_source(model):
    poses = keypoint_files.read(PEOPLE / "market-annotation-test.csv")
    photos = {
        name: np.asarray(Image.open(PEOPLE / "bounding_box_test" / name))
        for name in poses
    }
    names = sorted(photos)
    pairs = [(a, b) for a in names for b in names if a != b and a[:4] == b[:4]]
    sources, targets = (
        np.stack([photos[pair[i]] for pair in pairs]).astype(np.uint8) for i in (0, 1)
    )
    generated = model.batch(
        sources,
        np.stack([poses[target] for _, target in pairs]),
        source_poses=np.stack([poses[source] for source, _ in pairs]),
    ).image

    def l1(images):
        return np.abs(images.astype(float) - targets).mean()

    assert l1(generated) < 0.72 * l1(sources)


def test_the_card_gives_the_numbers_of_the_evaluation():
    metrics = json.loads((FOLDER / "metrics.json").read_text())["metrics"]
    card = (FOLDER / "README.md").read_text()
    (kind,) = set(metrics) - {"copy of source"}
    for name in ("masked_ssim_pg2", "body_l1", "body_gradient", "masked_lpips_alex"):
        digits = 1 if "l1" in name else 3
        values = [metrics[k][name]["mean"] for k in ("copy of source", kind)]
        (row,) = (line for line in card.splitlines() if line.startswith(f"| `{name}`"))
        copy, _, generated = row.split("|")[2:5]  # between: the model of before
        assert [float(copy), float(generated)] == [round(v, digits) for v in values]


def test_it_is_small_and_trained_as_its_flagfile_and_its_card_say(model):
    assert (FOLDER / "model.safetensors").stat().st_size < 10_000_000
    path = ROOT / "experiments" / "flagfiles" / "pg2plus_128x64.flags"
    flags = re.findall(r"^--(\w+)=?(.*)$", path.read_text(), re.MULTILINE)
    for name, value in flags:
        wanted = float(value) if value[:1].isdigit() else value or True
        assert model.config[name] == wanted, name
    assert model.step == model.config["coarse_steps"]
    card = (FOLDER / "README.md").read_text()
    assert f"--flagfile=experiments/flagfiles/{path.name} " in card
    assert f"step {model.step:,}" in card
