"""--mode=user_study: the page says nothing about what is real; the key says it all."""

import base64
import io
import json
import re
import shutil
import struct

import numpy as np
import pytest
from PIL import Image

from experiments.config import Config
from experiments.user_study import make
from pg2_jax.inference import pose_transfer
from pg2_jax.input_pipeline import pair_reader
from tests.experiments import tiny_run, untrained_run
from tests.experiments.user_study.study_folders import make_config, write_folders


@pytest.fixture
def folders(tmp_path):
    write_folders(tmp_path, 7)
    return tmp_path


def read_study(output):
    """The page's text, its trials with their PNG files as bytes, and the key."""
    page = (output / "page" / "index.html").read_text()
    found = re.search(
        r'<script type="application/json" id="study">(.*?)</script>', page
    )
    content = json.loads(found[1])
    files = {t["id"]: base64.b64decode(t["png"]) for t in content["trials"]}
    return page, content, files, json.loads((output / "key.json").read_text())


def chunks(png):
    """(name, length) of every part of a PNG file."""
    found, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        found.append((png[at + 4 : at + 8], length))
        at += 12 + length
    return found


def pixels(file):
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def test_the_page_shows_the_images_that_the_key_names(folders):
    make.user_study(make_config(folders))
    assert sorted(path.name for path in (folders / "study").iterdir()) == [
        "key.json",
        "page",
    ]
    _, content, files, key = read_study(folders / "study")
    assert content["study"] == key["study"]
    assert [t["id"] for t in content["trials"]] == [t["id"] for t in key["trials"]]
    assert (content["practice"], content["seconds"]) == (2, 1.0)
    kinds = [trial["kind"] for trial in key["trials"]]
    assert sorted(kinds) == ["generated"] * 3 + ["real"] * 3
    for trial in key["trials"]:
        generated, target = trial["pair"]
        file = f"generated/{generated}" if trial["kind"] == "generated" else ""
        wanted = pixels(folders / (file or f"target/{target}"))
        np.testing.assert_array_equal(pixels(io.BytesIO(files[trial["id"]])), wanted)
    # Nobody sees a person in a pose twice.
    assert len({trial["pair"][1] for trial in key["trials"]}) == 6


def test_files_of_both_kinds_are_alike_in_all_but_the_pixels(folders):
    make.user_study(make_config(folders))
    page, content, files, _ = read_study(folders / "study")
    assert [path.name for path in (folders / "study/page").iterdir()] == ["index.html"]
    assert {tuple(trial) for trial in content["trials"]} == {("id", "png")}
    assert len({len(png) for png in files.values()}) == 1
    # No metadata, and the same parts of the same length.
    (parts,) = {tuple(chunks(png)) for png in files.values()}
    assert {name for name, _ in parts} == {b"IHDR", b"IDAT", b"IEND"}
    assert len({png[: 8 + 25] for png in files.values()}) == 1
    names = [path.stem for path in (folders / "target").iterdir()]
    for word in (*names, "key.json", "generated_dir", str(folders)):
        assert word not in page


def test_the_page_is_the_same_whatever_is_real(folders):
    config = make_config(folders)
    shown, _ = make.from_folders(config)
    other = {"real": "generated", "generated": "real"}
    swapped = [x._replace(kind=other[x.kind], pair=("a", "b")) for x in shown]
    page = make.render(make.arranged(shown, 0), config)
    # Neither is the order in which the images were collected in it.
    again = make.render(make.arranged(swapped[::-1], 0), config)
    assert page == again


def test_the_seed_decides(folders):
    pages = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        config = make_config(folders, output=str(folders / name), seed=seed)
        make.user_study(config)
        pages.append((folders / name / "page" / "index.html").read_bytes())
    assert pages[0] == pages[1] != pages[2]
    shown, _ = make.from_folders(make_config(folders))
    orders = [
        [one.pair for one in make.arranged(shown, seed).values()] for seed in range(3)
    ]
    assert orders[0] != orders[1] != orders[2]


def test_one_photo_under_two_names_is_one_target(folders):
    """As in the output of pose-transfer projects, one file for each pair."""
    shutil.copy(folders / "target/person1.jpg", folders / "target/person0.jpg")
    for seed in range(5):
        shown, _ = make.from_folders(make_config(folders, seed=seed))
        names = {one.pair[1] for one in shown}
        assert len(names) == 6
        assert not {"person0.jpg", "person1.jpg"} <= names
    with pytest.raises(ValueError, match="7 pairs of 6 different targets; --study_ima"):
        make.user_study(make_config(folders, study_images=4))


@pytest.mark.slow
def test_a_checkpoint_draws_the_generated_images(pair_dataset, tmp_path):
    run = tiny_run.make_config(pair_dataset, tmp_path / "run", stages="coarse")
    untrained_run.write(run, step=1)
    config = Config(
        mode="user_study",
        workdir=run.workdir,
        data_dir=pair_dataset,
        output=str(tmp_path / "study"),
        study_images=3,
        study_practice=0,
        batch_size=2,
    )
    make.user_study(config)
    _, _, files, key = read_study(tmp_path / "study")
    assert (key["images"]["workdir"], key["images"]["step"]) == (run.workdir, 1)
    (test,) = pair_reader.PairDataset(pair_dataset).test_batches(
        batch_size=64, limit=64
    )
    rows = [test.names.index(tuple(trial["pair"])) for trial in key["trials"]]
    model = pose_transfer.PoseTransfer.restore(run.workdir)
    drawn = model.batch(
        test.batch["source_image"][rows], test.batch["target_keypoints"][rows]
    ).image
    for trial, row, drawing in zip(key["trials"], rows, drawn, strict=True):
        real = trial["kind"] == "real"
        wanted = test.batch["target_image"][row] if real else drawing
        # What is compiled for another batch may round otherwise.
        np.testing.assert_allclose(
            pixels(io.BytesIO(files[trial["id"]])).astype(int),
            wanted.astype(int),
            atol=0 if real else 1,
        )
    assert [trial["kind"] for trial in key["trials"]].count("real") == 3
    assert len({trial["pair"][1] for trial in key["trials"]}) == 6


def test_images_that_would_be_told_apart_are_refused(folders):
    config = make_config(folders)
    Image.new("RGB", (16, 40)).save(folders / "generated" / "person3.png")
    with pytest.raises(ValueError, match=r"generated image of person3.png and .*40x16"):
        for seed in range(9):  # One of them shows it.
            make.from_folders(make_config(folders, seed=seed))
    for i in range(7):
        Image.new("RGB", (16, 32)).save(folders / "generated" / f"person{i}.png")
    with pytest.raises(ValueError, match="are equal in every pixel; nobody must see"):
        make.user_study(config)
    assert not (folders / "study").exists()


def test_a_study_is_not_overwritten(folders):
    config = make_config(folders)
    make.user_study(config)
    before = (folders / "study" / "key.json").read_bytes()
    with pytest.raises(ValueError, match=r"--output=.*study already holds key\.json, "):
        make.user_study(config)
    assert (folders / "study" / "key.json").read_bytes() == before
    (folders / "file").touch()
    with pytest.raises(ValueError, match=r"--output=.*file is a file, not a folder"):
        make.user_study(make_config(folders, output=str(folders / "file")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": ""}, "--output is required with --mode=user_study"),
        ({"target_dir": ""}, "--target_dir is required with --mode=user_study"),
        ({"generated_dir": "", "target_dir": ""}, "--workdir is required"),
        ({"workdir": "w"}, "--workdir=w has no meaning with --generated_dir"),
        (
            {"study_practice": 3},
            "--study_practice=3 must be below --study_images=3",
        ),
        ({"study_practice": -1}, "--study_practice=-1 must be at least 0"),
        ({"study_images": 0}, "--study_images=0 must be at least 1"),
        ({"study_seconds": 0.0}, "--study_seconds=0.0 must be above 0"),
        ({"answers": "a.json"}, "has no meaning with --answers"),
    ],
)
def test_flags_that_make_no_sense_are_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        make_config(tmp_path, **changes)
