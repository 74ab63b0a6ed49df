"""From photos to an annotation file, with an estimator that reads a colour."""

import csv
import errno
import fcntl
import json
import os

import numpy as np
import pytest
from PIL import Image

from data_prep.estimation import estimation, resume_log
from data_prep.sources import photo_list
from pg2_jax import visualize
from pg2_jax.estimators.base import Person
from pg2_jax.keypoints import keypoint_files
from tests.data_prep.colour_photos import ByColour, person, write_colour
from tests.pg2_jax.keypoints import matlab_files


def run(folder, **changes):
    """Estimates into keypoints.csv beside the folder, in this process."""
    options = {
        "output": str(folder.parent / "keypoints.csv"),
        "model": str(folder.parent / "model"),
        "workers": 1,
        **changes,
    }
    listing = photo_list.find(str(folder))
    return estimation.estimate(listing, estimation.Options(**options))


def report(folder):
    with open(folder.parent / "keypoints_report.csv", newline="") as file:
        return [tuple(row.values()) for row in csv.DictReader(file)]


def written(folder):
    return sorted(path.name for path in folder.parent.glob("keypoints*"))


def test_the_largest_person_of_each_photo_is_written(folder, estimator):
    text = run(folder)
    found = keypoint_files.read(folder.parent / "keypoints.csv")
    assert list(found) == ["anna/1.png", "anna/2.png"]
    for name, expected in [
        ("anna/1.png", person(0, 10)),
        ("anna/2.png", person(1, 20)),
    ]:
        rounded = np.round(expected.keypoints, 1)
        np.testing.assert_allclose(found[name], rounded, atol=1e-5)
    line = (folder.parent / "keypoints.csv").read_text().splitlines()[1]
    assert line.startswith("anna/1.png: [0, 0.6, 1.2, 1.8, 2.4, 2.9, 3.5, 4.1, ")
    assert "2 people in 4 photos (found 2, low score 1, not found 1, bad photo 0)" in (
        text
    )
    assert report(folder) == [
        ("anna/1.png", "found", "1", "0.900", "18", ""),
        ("anna/2.png", "found", "3", "0.800", "18", ""),
        ("bo/1.png", "not found", "0", "", "0", ""),
        ("bo/2.png", "low score", "2", "0.100", "18", ""),
    ]
    assert written(folder) == [
        "keypoints.csv",
        "keypoints_contact.png",
        "keypoints_report.csv",
    ]
    assert estimator.closed


def test_all_people_are_numbered_by_size(folder, estimator):
    run(folder, people="all", min_score=0.05)
    found = keypoint_files.read(folder.parent / "keypoints.csv")
    names = ["bo/2.png", "bo/2.png#2"]
    names = ["anna/1.png", "anna/2.png", "anna/2.png#2", "anna/2.png#3", *names]
    assert list(found) == names
    left = [found[name][0, 0] for name in names]
    assert left == [0, 1, 0, 2, 1, 0]


def test_the_contact_sheet_goes_from_the_lowest_score_to_the_highest(folder, estimator):
    run(folder)
    with Image.open(folder.parent / "keypoints_contact.png") as sheet:
        pixels = np.asarray(sheet)
    # A line says how many photos there are, one over each photo its score and name.
    assert pixels.shape == (2 * 18 + 192 + 2 * 4, 2 * (192 + 4) + 4, 3)
    for lines in (pixels[:18], pixels[22:40, 4:196], pixels[22:40, 200:392]):
        assert (lines < 128).any()
    pixels = pixels[2 * 18 :]
    # The corners of the photos, which are 144 wide, in the middle of their tiles.
    assert pixels[190, 4 + 24 + 2].tolist() == [3, 0, 80]
    assert pixels[190, 4 + 196 + 24 + 2].tolist() == [1, 0, 90]
    assert pixels[190, 4 + 10].tolist() == [255, 255, 255]


def test_the_contact_sheet_says_what_it_shows(folder, estimator, monkeypatch):
    said = []
    monkeypatch.setattr(
        visualize, "titled", lambda x, title: said.append(title) or np.asarray(x)
    )
    run(folder)
    assert said == [
        *("0.80 anna/2.png", "0.90 anna/1.png", "2 of 2 photos, lowest score first")
    ]


def test_new_photos_are_added_and_corrected_rows_stay(folder, estimator):
    run(folder)
    output = folder.parent / "keypoints.csv"
    corrected = output.read_text().replace("[0, 0.6,", "[0, 0.61,", 1)
    output.write_text(corrected)
    assert "no photo of" in run(folder, add=True)
    assert output.read_text() == corrected
    write_colour(folder / "anna" / "0.png", (1, 0, 70))
    write_colour(folder / "bo" / "3.png", (0, 0, 0))
    text = run(folder, add=True)
    assert "1 person in 2 new photos (found 1, low score 0, not found 1" in text
    assert output.read_text().startswith(corrected)
    assert list(keypoint_files.read(output)) == [
        *("anna/1.png", "anna/2.png", "anna/0.png")
    ]
    assert [row[0] for row in report(folder)] == [
        *("anna/1.png", "anna/2.png", "bo/1.png", "bo/2.png", "anna/0.png", "bo/3.png")
    ]
    # Of whom nobody was found is not looked at again.
    assert "no photo of" in run(folder, add=True)
    output.write_text("file_id,img_h\n")
    with pytest.raises(
        ValueError, match=r"--add: .* must begin with name:keypoints_y:"
    ):
        run(folder, add=True)


def test_a_bad_photo_stops_all_or_is_counted(folder, estimator):
    (folder / "anna" / "3.png").write_bytes(b"no photo")
    write_colour(folder / "anna" / "4.png", (1, 1, 0))
    write_colour(folder / "anna" / "5.png", (1, 2, 0))
    with pytest.raises(ValueError, match="bad photos: 3; nothing was written") as error:
        run(folder)
    assert f"{folder}/anna/3.png: not a photo in a format" in str(error.value)
    assert f"{folder}/anna/4.png: mediapipe fails: out of luck" in str(error.value)
    assert f"{folder}/anna/5.png: mediapipe fails: KeyError" in str(error.value)
    assert written(folder) == ["keypoints_partial.jsonl"]
    estimator.looked.clear()
    assert "found 2, low score 1, not found 1, bad photo 3" in run(
        folder, on_error="skip"
    )
    assert estimator.looked == [1, 1]  # The others were known.
    assert report(folder)[2][:2] == ("anna/3.png", "bad photo")
    assert "not a photo in a format" in report(folder)[2][-1]


def test_nobody_found_writes_nothing(folder, estimator):
    with pytest.raises(ValueError, match=r"4 photos, found 0, low score 3, .*=0\.95"):
        run(folder, min_score=0.95)
    assert "keypoints.csv" not in written(folder)


def test_an_interrupted_run_goes_on(folder, estimator, monkeypatch):
    look = ByColour.__call__

    def stop(self, image):
        if len(self.looked) == 2:
            raise KeyboardInterrupt
        return look(self, image)

    with monkeypatch.context() as patch:
        patch.setattr(ByColour, "__call__", stop)
        with pytest.raises(KeyboardInterrupt):
            run(folder)
    estimator.looked.clear()
    assert written(folder) == ["keypoints_partial.jsonl"]
    with open(folder.parent / "keypoints_partial.jsonl", "a") as file:
        file.write('["bo/1.png", [1, ')  # Killed in the middle of a line.
    write_colour(folder / "anna" / "2.png", (2, 0, 70))  # Changed since.
    os.utime(folder / "anna" / "2.png", (1, 1))
    text = run(folder)
    assert estimator.looked == [2, 0, 2]
    assert "found 2, low score 1, not found 1" in text
    assert report(folder)[:2] == [
        ("anna/1.png", "found", "1", "0.900", "18", ""),
        ("anna/2.png", "found", "2", "0.700", "18", ""),
    ]
    assert "keypoints_partial.jsonl" not in written(folder)


def test_other_settings_begin_anew(folder, estimator):
    def looked(**changes):
        estimator.looked.clear()
        with pytest.raises(ValueError, match="found 0"):
            run(folder, min_score=0.95, **changes)
        return len(estimator.looked)

    assert [looked(), looked(), looked(people="all")] == [4, 0, 0]
    assert [looked(min_confidence=0.6), looked(min_confidence=0.6)] == [4, 0]
    (folder.parent / "model").write_bytes(b"another")
    assert looked(min_confidence=0.6) == 4


def test_results_of_other_settings_are_said_to_be_discarded(folder, estimator, capfd):
    said = "interrupted run with other settings are discarded: 4 photos"
    for changes, expected in [({}, False), ({}, False), ({"min_confidence": 1}, True)]:
        with pytest.raises(ValueError, match="found 0"):
            run(folder, min_score=0.95, **changes)
        assert (said in capfd.readouterr().err) == expected


def test_an_opened_log_keeps_its_bytes(tmp_path, capsys):
    path = tmp_path / "log"
    # As a kill left it, in the middle of a line.
    path.write_text('{"a": 1}\n["b", [1, 2], []]\n["c", [1, ')
    before = path.read_bytes()
    log = resume_log.EstimationLog(path, {"a": 1})
    assert path.read_bytes().startswith(before)
    log.add(resume_log.Record("d", (3, 4), []))
    log.close()
    assert path.read_bytes().startswith(before)
    log = resume_log.EstimationLog(path, {"a": 1})
    log.close()
    assert list(log.records) == ["b", "d"] and not capsys.readouterr().err


def test_a_log_of_other_settings_begins_anew(tmp_path, capsys):
    path = tmp_path / "log"
    path.write_text('{"a": 1}\n["b", [1, 2], []]\n["c", [1, ')
    log = resume_log.EstimationLog(path, {"a": 2})
    assert list(log.records) == []
    assert capsys.readouterr().err.endswith("are discarded: 1 photos\n")
    assert path.read_text() == '{"a": 2}\n'
    log.close()


def test_a_log_on_a_disk_without_locks(tmp_path, monkeypatch, capsys):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    log = resume_log.EstimationLog(tmp_path / "log", {"a": 1})
    log.add(resume_log.Record("b", (1, 2), []))
    log.close()
    assert f"{tmp_path}/log cannot be locked ([Errno 37]" in capsys.readouterr().err
    assert (tmp_path / "log").read_text() == '{"a": 1}\n["b", [1, 2], []]\n'


def test_keypoints_survive_the_log_exactly(tmp_path):
    keypoints = np.random.default_rng(0).random((18, 3)).astype(np.float32)
    record = resume_log.Record("é#\u2028.jpg", (5, 7), [Person(keypoints, 1 / 3)])
    log = resume_log.EstimationLog(tmp_path / "log", {"a": 1})
    log.add(record)
    log.close()
    log = resume_log.EstimationLog(tmp_path / "log", {"a": 1})
    log.close()
    again = log.records[record.name]
    np.testing.assert_array_equal(again.people[0].keypoints, keypoints)
    assert again.people[0].score == 1 / 3 and again.stamp == (5, 7)
    assert log.is_done(record.name, (5, 7)) and not log.is_done(record.name, (5, 8))


@pytest.mark.parametrize(
    "line", ["", "null", "7", "[]", '["a"]', '["a",[1,2],[[1,[2]]]]', '{"a":1}', "\0"]
)
def test_damaged_lines_of_the_log_are_looked_at_again(tmp_path, line):
    path = tmp_path / "log"
    path.write_text('{"a": 1}\n["b", [1, 2], []]\n' + line + "\n")
    log = resume_log.EstimationLog(path, {"a": 1})
    log.close()
    assert list(log.records) == ["b"]


def test_two_estimations_for_one_output_are_refused(folder, estimator):
    with open(folder.parent / "keypoints_partial.jsonl", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="another process estimates for the same"):
            run(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "keypoints.txt"}, r"keypoints\.txt: the name must end in \.csv"),
        ({"output": "no/keypoints.csv"}, "there is no folder .*no"),
        ({"model": "no.task"}, r"^model=no\.task: there is no such file"),
        ({"compare": "no.csv"}, r"no\.csv"),
    ],
)
def test_bad_options_are_named_before_any_photo_is_read(
    folder, estimator, changes, message
):
    if "output" in changes:
        changes = {"output": str(folder.parent / changes["output"])}
    with pytest.raises((ValueError, OSError), match=message):
        run(folder, **changes)
    assert estimator.looked == [] and written(folder) == []


def test_an_existing_output_is_kept(folder, estimator):
    (folder.parent / "keypoints.csv").write_text("corrected by hand")
    with pytest.raises(ValueError, match=r"keypoints\.csv is there already; --overwr"):
        run(folder)
    assert (folder.parent / "keypoints.csv").read_text() == "corrected by hand"
    run(folder, overwrite=True)
    assert len(keypoint_files.read(folder.parent / "keypoints.csv")) == 2


def test_a_folder_in_the_place_of_the_output_is_refused_first(folder, estimator):
    (folder.parent / "keypoints.csv").mkdir()
    with pytest.raises(ValueError, match=r"--output=.*keypoints\.csv is a folder"):
        run(folder, overwrite=True)
    assert estimator.looked == []


def test_distances_to_annotations_are_said(folder, estimator):
    reference = {"anna/1.png": person(3, 10).keypoints}  # 3 px right, 3 px down.
    keypoint_files.write_csv(folder.parent / "reference.csv", reference)
    text = run(folder, compare=str(folder.parent / "reference.csv"))
    assert "1 photos and 18 points that both have" in text
    assert f"distance in pixels: mean {3 * 2**0.5:.2f}, median 4.24" in text
    renamed = {"1.png": person(3, 10).keypoints}
    keypoint_files.write_csv(folder.parent / "reference.csv", renamed)
    with pytest.raises(ValueError, match=r"none of the photos .* like anna/1\.png"):
        run(folder, overwrite=True, compare=str(folder.parent / "reference.csv"))


def test_names_to_compare_with_may_lack_the_suffix(folder, estimator):
    reference = folder.parent / "reference"
    (reference / "anna").mkdir(parents=True)
    for name in ("anna/1", "anna/9"):
        points = person(3, 10).keypoints.ravel().tolist()
        people = json.dumps({"people": [{"pose_keypoints_2d": points}]})
        (reference / f"{name}_keypoints.json").write_text(people)
    text = run(folder, compare=str(reference))
    assert "1 photos and 18 points that both have" in text
    assert "poses there of no photo here: 1, such as" in text
    assert "anna/9_keypoints.json: there is no photo anna/9" in text


def test_matlab_files_to_compare_with_take_the_photos_in_order(folder, estimator):
    for photo in folder.rglob("*.png"):
        photo.rename(photo.with_suffix(".jpg"))  # MATLAB's are *.jpg.
    necks = [np.round(person(*who).keypoints[1], 1) for who in [(0, 10), (1, 20)]]
    table = np.ones((28, 4))
    table[1, :2] = [necks[0][0] + 1 + 3, necks[1][0] + 1]  # MATLAB counts from 1.
    table[15, :2] = [necks[0][1] + 1 + 4, necks[1][1] + 1]
    (folder.parent / "reference.mat").write_bytes(matlab_files.dumps(table))
    text = run(folder, compare=str(folder.parent / "reference.mat"))
    assert "2 photos and 26 points that both have" in text
    assert "neck             2.50 (2 points)" in text  # 5 and 0.
