"""python -m data_prep.pairs"""

import re

import numpy as np
import pytest

from data_prep.pairs import field_protocol, pair_files
from pg2_jax.keypoints import keypoint_files
from tests import programs


def _market(*names):
    return {name: np.ones((18, 3), np.float32) for name in names}


def _run(*arguments, **environment):
    return programs.run("data_prep.pairs", *arguments, **environment)


def test_command_line_writes_the_list_without_photos(tmp_path):
    annotated = _market("1_b.jpg", "1_a.jpg", "1_c.jpg")
    keypoint_files.write_csv(tmp_path / "annotations.csv", annotated)
    arguments = ["--annotations=~/annotations.csv", "--output=~/pairs.csv"]
    done = _run("--dataset=market1501", "--split=train", *arguments, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    expected = list(field_protocol.all_pairs(annotated, "market1501"))
    assert (
        pair_files.read(tmp_path / "pairs.csv", annotated, "market1501", []) == expected
    )
    assert "6 pairs" in done.stdout


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--annotations=no.csv", "error: .*no.csv"),
        ("again", "error: unexpected argument 'again'"),
        ("--seed=4294967296", "--seed=4294967296 must be at most 4294967295"),
    ],
)
def test_command_line_names_the_mistake_without_a_traceback(argument, message):
    done = _run("--split=test", "--annotations=a.csv", "--output=x.csv", argument)
    assert done.returncode == 1
    assert re.search(message, done.stderr) and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 3


def test_command_line_replaces_a_list_only_when_told_to(tmp_path):
    keypoint_files.write_csv(tmp_path / "a.csv", _market("1_b.jpg", "1_a.jpg"))
    output = tmp_path / "pairs.csv"
    output.write_text("kept")
    arguments = [
        "--split=test",
        f"--annotations={tmp_path}/a.csv",
        f"--output={output}",
    ]
    done = _run(*arguments)
    assert done.returncode == 1 and output.read_text() == "kept"
    assert f"error: --output={output} is there already; --overwrite" in done.stderr
    assert _run(*arguments, "--overwrite").returncode == 0
    assert output.read_text().splitlines()[0] == "from,to"


def _touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def _pg2_pairs(
    tmp_path, folder, *arguments, names=("1_a", "1_b"), dataset="market1501"
):
    keypoint_files.write_csv(tmp_path / "a.csv", _market(*names))
    return _run(
        f"--dataset={dataset}",
        "--pair_protocol=pg2",
        "--split=train",
        f"--annotations={tmp_path}/a.csv",
        f"--photos={folder}",
        f"--output={tmp_path}/pairs.csv",
        *arguments,
    )


@pytest.mark.parametrize(
    ("dataset", "photos"),
    [
        ("market1501", ["1_a.jpg", "1_b.jpg", "._1_a.jpg"]),
        ("folder", ["1/a.jpg", "1/b.jpg", "1/._a.jpg"]),
    ],
)
def test_annotations_without_suffix_are_those_of_the_photos(tmp_path, dataset, photos):
    folder = _touch(tmp_path / "photos", *photos)
    names = [name[:-4] for name in photos[:2]]
    done = _pg2_pairs(tmp_path, folder, names=names, dataset=dataset)
    assert done.returncode == 0, done.stderr
    assert "2 pairs of 2 of 2 annotated photos" in done.stdout
    found = pair_files.read(tmp_path / "pairs.csv", photos[:2], dataset, [])
    assert sorted(found) == [tuple(photos[:2]), tuple(photos[1::-1])]


@pytest.mark.parametrize(
    ("dataset", "photos", "message"),
    [
        ("market1501", [], r"photos: the folder is empty \(--photos\)"),
        ("market1501", ["._1_a.jpg"], r"photos: the folder is empty \(--photos\)"),
        ("market1501", ["1/a.jpg"], r"photos: no photos .*\(--photos\)"),
        ("folder", ["1_a.jpg"], "photos: no photos of the form <person>/<photo>"),
        ("market1501", ["1_a.jpg"], r"bad rows: 1,(.|\n)*a\.csv:3: there is no photo"),
    ],
)
def test_photos_that_are_not_the_annotated_ones(tmp_path, dataset, photos, message):
    folder = _touch(tmp_path / "photos", *photos)
    folder.mkdir(exist_ok=True)
    done = _pg2_pairs(tmp_path, folder, dataset=dataset)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert re.search(message, done.stderr)
    assert not (tmp_path / "pairs.csv").exists()


def test_an_empty_list_is_not_written_and_what_is_skipped_is_said(tmp_path):
    folder = _touch(tmp_path / "photos", "1_a.jpg", "1_b.jpg")
    names = ["1_a", "2_no", "1_b"]
    done = _pg2_pairs(tmp_path, folder, "--on_error=skip", names=names)
    assert "2 pairs of 2 of 2 annotated photos" in done.stdout
    assert re.search(r"left out: .*a\.csv:3: there is no photo 2_no", done.stdout)
    names = ["1_a", "2_no"]
    done = _pg2_pairs(tmp_path, folder, "--on_error=skip", "--overwrite", names=names)
    assert done.returncode == 1 and "the train split has no pairs" in done.stderr
