"""--mode=generate and --mode=export, with a model whose drawings are known."""

import json
import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from experiments import export, generate, main
from experiments.config import Config
from pg2_jax.inference import pose_transfer
from pg2_jax.keypoints import keypoint_files
from tests.pg2_jax.inference.stand_in import (
    HEIGHT,
    WIDTH,
    figure,
    make_model,
    make_photo,
)


@pytest.fixture
def model(monkeypatch):
    """Whatever is restored draws the negative of the photo."""

    def restore(path, step=None, weights="averaged", precision="", *, finder=None):
        return make_model(finder)[0]

    monkeypatch.setattr(pose_transfer.PoseTransfer, "restore", restore)


@pytest.fixture
def draw(model, tmp_path, monkeypatch):
    """Runs generate in a folder with people/a.png, people/b.png and a pose."""
    monkeypatch.chdir(tmp_path)
    os.mkdir("people")
    for i, name in enumerate("ab"):
        Image.fromarray(make_photo(seed=i)).save(f"people/{name}.png")
    points = figure().ravel().tolist()
    content = {"people": [{"pose_keypoints_2d": points}]}
    pathlib.Path("pose.json").write_text(json.dumps(content))

    def run(output, **changes):
        given = {"source_image": "people/a.png", **changes}
        if "poses" not in given:
            given.setdefault("pose", "pose.json")
        generate.generate(
            Config(mode="generate", workdir="run", output=output, **given)
        )

    return run


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_one_pose_is_one_picture(draw, capsys):
    draw("out.png")
    np.testing.assert_array_equal(read("out.png"), 255 - make_photo())
    assert "people/a.png in pose.json, 1 drawn by step 7" in capsys.readouterr().out
    draw("out.png", skeleton=True)
    assert read("out.png").shape == (HEIGHT, 2 * WIDTH, 3)


def test_several_people_and_poses_are_a_contact_sheet(draw):
    draw("sheet.png", source_image="people", poses="wave")
    # Eight poses and the source; a row for each person.
    assert read("sheet.png").shape[:2] == (
        18 + 2 * (8 * HEIGHT + 4) + 4,
        9 * (8 * WIDTH + 4) + 4,
    )
    draw("more.png", source_image="people", poses="wave", skeleton=True)
    assert read("more.png").shape[0] == 18 + 3 * (8 * HEIGHT + 4) + 4


@pytest.mark.parametrize(("suffix", "frames"), [("gif", 15), ("webp", 15)])
def test_a_sequence_is_an_animation(draw, suffix, frames):
    draw(
        f"walk.{suffix}",
        poses="walk",
        between=1,
        frames_per_second=20.0,
        skeleton=True,
    )
    with Image.open(f"walk.{suffix}") as film:
        assert film.n_frames == frames
        film.load()
        assert film.info["duration"] == 50


def test_a_folder_gets_a_picture_for_each(draw):
    draw("one", poses="catalogue")
    assert len(os.listdir("one")) == 12
    np.testing.assert_array_equal(read("one/back.png"), 255 - make_photo())
    draw("all", source_image="people", poses="turn")
    np.testing.assert_array_equal(read("all/b.png/03.png"), 255 - make_photo(seed=1))
    with pytest.raises(ValueError, match="--output=all: this folder is not empty"):
        draw("all", source_image="people", poses="turn")


def test_a_large_photo_is_cropped_and_the_drawing_put_back(draw):
    Image.fromarray(make_photo(64, 100)).save("large.png")
    keypoint_files.write_csv("joints.csv", {"large.png": figure(40, left=50)})
    draw("out.png", source_image="large.png", source_pose="joints.csv", paste_back=True)
    changed = (read("out.png") != make_photo(64, 100)).any(axis=(0, 2))
    assert (np.flatnonzero(changed)[[0, -1]] == [39, 64]).all()


def test_what_is_said_of_several_photos_is_said_once(draw, capsys, monkeypatch):
    from pg2_jax.estimators import person_finder

    monkeypatch.setattr(person_finder, "_installed", lambda: None)
    os.mkdir("wide")
    for i in range(3):
        Image.fromarray(make_photo(32, 64 + i)).save(f"wide/{i}.png")
    draw("all", source_image="wide", poses="turn")
    said = [line for line in capsys.readouterr().out.splitlines() if "wide and" in line]
    assert len(said) == 1 and "wide/0.png is 64 wide" in said[0]
    assert said[0].endswith("The same goes for 2 other photos.")


def test_poses_are_mirrored(draw):
    draw("out.png", skeleton=True)
    draw("mirrored.png", skeleton=True, mirror=True)
    plain, mirrored = (read(name)[:, 16:] for name in ("out.png", "mirrored.png"))
    # Right limbs are warm and left ones cool, whose colours change places, too.
    at = [(image > 0).any(axis=-1) for image in (plain, mirrored)]
    np.testing.assert_array_equal(at[1], at[0][:, ::-1])
    assert not np.array_equal(*at)


def test_the_suffix_may_be_in_capitals(draw):
    draw("out.PNG")
    assert read("out.PNG").shape == (32, 16, 3)


def test_a_letterboxed_photo_is_said(draw, capsys, monkeypatch):
    from pg2_jax.estimators import person_finder

    monkeypatch.setattr(person_finder, "_installed", lambda: None)
    Image.fromarray(make_photo(32, 64)).save("wide.png")
    draw("out.png", source_image="wide.png")
    said = capsys.readouterr().out
    assert "note: --source_image=wide.png is 64 wide" in said
    assert "(--source_pose)" in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_image": "c.png"}, "--source_image=c.png: there is no such file"),
        ({"source_image": "pose.json"}, "--source_image=pose.json: not a photo"),
        ({"source_image": "empty"}, "--source_image=empty: "),
        ({"pose": "fly"}, "--pose=fly: there is no such file or folder, and no such"),
        ({"poses": "fly"}, "--poses=fly: there is no such file"),
        ({"source_image": "wide.png", "paste_back": True}, r"wide.png: .*\(--source_p"),
        ({"pose": "walk"}, r"--pose=walk holds 8 poses; choose one with --pose_name"),
        ({"pose_name": "posse"}, r"--pose_name=posse is not in .* Did you mean pose"),
        ({"pose_fit": "body"}, r"--pose_fit=body needs .* \(--source_pose\)"),
        ({"pose": "people/b.png"}, r"--pose=people/b.png: .* is needed: pip install"),
        ({"source_pose": "people"}, "--source_pose=people: a folder of annotations"),
        ({"output": "out.avi"}, r"--output=out.avi must end in .png, .jpg"),
        ({"output": "none/out.png"}, "--output=none/out.png: no folder none"),
        ({"output": "people"}, "--output=people: this folder is not empty"),
        ({"pose": "", "poses": ""}, "either --pose, one pose, or --poses, .* neither"),
        ({"poses": "walk", "pose": "pose.json"}, "several; got both"),
        ({"between": 2}, "--between=2 needs --poses"),
    ],
)
def test_what_cannot_be_used_is_named(draw, monkeypatch, changes, message):
    from pg2_jax.estimators import person_finder

    monkeypatch.setattr(person_finder, "_installed", lambda: None)
    os.mkdir("empty")
    Image.fromarray(make_photo(32, 64)).save("wide.png")
    with pytest.raises(ValueError, match=message):
        draw(**{"output": "out.png", **changes})
    assert not os.path.exists("out.png")


def test_a_folder_that_is_not_ones_own_is_named_before_drawing(draw, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(generate, "_draw", None)
    with pytest.raises(ValueError, match=r"--output=.*: you may not write into"):
        draw("out.png")


def test_a_full_disk_is_one_line(draw, monkeypatch, capsys):
    def refuse(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", refuse)
    config = {"mode": "generate", "workdir": "run", "source_image": "people/a.png"}
    config = Config(**config, pose="pose.json", output="out.png")
    with pytest.raises(SystemExit) as stopped:
        main.run(config)
    assert str(stopped.value) == (
        "error: out.png cannot be written: the disk is full; free some space or choose "
        "another folder."
    )
    assert not list(pathlib.Path().glob("*out.png"))


def exporting(output, **changes):
    return Config(mode="export", workdir="run", output=output, **changes)


def test_export_writes_and_uploads(monkeypatch, tmp_path, capsys):
    done = []

    class Model:
        step = 7

        def export(self, path, form, dtype):
            done.append((path, form, dtype))

        def push_to_hub(self, repository, *, metrics, dtype):
            done.append((repository, metrics, dtype))
            return "https://there"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pose_transfer.PoseTransfer, "restore", lambda *_: Model())
    export.export(exporting("m.safetensors", dtype="float16"))
    export.export(exporting("m.jax_export", format="jax_export"))
    export.export(exporting("hf://anna/dance"))
    os.mkdir("run")
    pathlib.Path("run/metrics.json").write_text("{}")
    export.export(exporting("hf://anna/dance"))
    assert done == [
        ("m.safetensors", "safetensors", "float16"),
        ("m.jax_export", "jax_export", "float32"),
        ("anna/dance", None, "float32"),
        ("anna/dance", pathlib.Path("run/metrics.json"), "float32"),
    ]
    assert "Wrote step 7 of run in float16: m.safetensors" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (exporting("m.bin"), r"--output=m.bin must end in .safetensors"),
        (exporting("none/m.safetensors"), "no folder none"),
        (exporting("hf://a/b", format="jax_export"), "needs --format=safetensors"),
        (exporting("m.safetensors"), "--workdir=run: there is no such file or folder"),
    ],
)
def test_what_cannot_be_exported_is_named(monkeypatch, tmp_path, config, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        export.export(config)
