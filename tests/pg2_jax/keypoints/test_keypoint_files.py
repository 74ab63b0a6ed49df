"""Keypoint files: every spelling that real files have, every error by file and line."""

import json
import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

from pg2_jax.keypoints import base, keypoint_files

ROOT = pathlib.Path(__file__).parents[3]
HEADER = "name:keypoints_y:keypoints_x"
YS = list(range(10, 28))
XS = list(range(40, 58))


def _row(name="a.jpg", ys=YS, xs=XS, separator=": "):
    return f"{name}{separator}{ys}{separator}{xs}"


def _write(tmp_path, *lines, end="\n"):
    path = tmp_path / "annotation.csv"
    path.write_bytes((end.join(lines) + end).encode())
    return path


def test_text_in_memory_is_read_as_on_the_disk(tmp_path):
    path = _write(tmp_path, HEADER, _row())
    decoded = keypoint_files.decode(path.read_bytes(), "mine.csv")
    np.testing.assert_array_equal(decoded["a.jpg"], keypoint_files.read(path)["a.jpg"])
    with pytest.raises(ValueError, match=r"^mine.csv: holds no poses"):
        keypoint_files.decode(HEADER.encode(), "mine.csv")
    with pytest.raises(ValueError, match=r"^mine.csv"):
        keypoint_files.decode(pickle.dumps({}), "mine.csv")


@pytest.mark.parametrize("separator", [":", ": ", " : "])
@pytest.mark.parametrize("header", [HEADER, HEADER.replace(":", ": ")])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_reads_every_spelling_with_y_first(tmp_path, separator, header, end):
    path = _write(tmp_path, header, _row(separator=separator), end=end)
    result = keypoint_files.read(path)
    assert list(result) == ["a.jpg"]
    assert result["a.jpg"].dtype == np.float32
    np.testing.assert_array_equal(result["a.jpg"][:, 0], XS)
    np.testing.assert_array_equal(result["a.jpg"][:, 1], YS)
    np.testing.assert_array_equal(result["a.jpg"][:, 2], 1)


def test_keeps_row_order_and_ignores_repeated_headers_and_blank_lines(tmp_path):
    lines = [HEADER, _row("b"), "", "name: keypoints_y: keypoints_x", _row("a"), "  "]
    assert list(keypoint_files.read(_write(tmp_path, *lines))) == ["b", "a"]


def test_byte_order_mark_is_not_part_of_the_header(tmp_path):
    path = tmp_path / "annotation.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\n{_row()}\n".encode())
    assert list(keypoint_files.read(path)) == ["a.jpg"]


def test_any_negative_coordinate_is_a_missing_point(tmp_path):
    ys, xs = YS.copy(), XS.copy()
    ys[0], xs[0] = -1, -1
    ys[1] = -1
    xs[2] = -31
    xs[3], ys[3] = 0, 0  # The top left pixel is a place like any other.
    keypoints = keypoint_files.read(_write(tmp_path, HEADER, _row(ys=ys, xs=xs)))[
        "a.jpg"
    ]
    np.testing.assert_array_equal(keypoints[:3], 0)
    np.testing.assert_array_equal(keypoints[3], [0, 0, 1])


BAD_ROWS = {
    "too few points": (_row(ys=YS[:-1]), "keypoints_y has 17 values, .* list of 18"),
    "too many points": (_row(xs=[*XS, 1]), "keypoints_x has 19 values"),
    "text for a number": (_row(ys=[*YS[:-1], "x"]), "keypoints_y .*not a list of num"),
    "quoted number": (f"a: {json.dumps([*YS[:-1], '7'])}: {XS}", "'7'.* not a number"),
    "null": (f"a: {json.dumps([*YS[:-1], None])}: {XS}", "None, which is not a number"),
    "true": (f"a: {json.dumps([*YS[:-1], True])}: {XS}", "True, which is not a number"),
    "nan": (f"a: {json.dumps([*YS[:-1], np.nan])}: {XS}", "nan, expected a finite"),
    "infinite": (f"a: {json.dumps([*YS[:-1], np.inf])}: {XS}", "inf, expected a fin"),
    "huge": (_row(xs=[*XS[:-1], 10**30]), "keypoints_x holds 10+, expected a finite"),
    "no lists": ("a.jpg", "'a.jpg' is not a row of the form"),
    "no name": (_row(name=""), "is not a row of the form"),
    "not a list": (f"a: 3: {XS}", "keypoints_y has 3, expected a list of 18"),
    "duplicate name": (
        _row("first.jpg"),
        "'first.jpg' is already in .*annotation.csv:2",
    ),
}


@pytest.mark.parametrize(("row", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_row_raises_with_file_line_value_and_rule(tmp_path, row, message):
    path = _write(tmp_path, HEADER, _row("first.jpg"), row)
    with pytest.raises(ValueError, match=rf"annotation\.csv:3: .*{message}"):
        keypoint_files.read(path)


def test_bad_rows_are_collected_and_left_out(tmp_path):
    bad = [row for row, _ in BAD_ROWS.values()]
    path = _write(tmp_path, HEADER, _row("first.jpg"), *bad, _row("last.jpg"))
    problems = []
    assert list(keypoint_files.read(path, problems)) == ["first.jpg", "last.jpg"]
    assert len(problems) == len(BAD_ROWS)
    assert all(
        f"annotation.csv:{i}: " in text for i, text in enumerate(problems, start=3)
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"from,to\na,b\n", ":1: the header is 'from,to', 2 columns separated"),
        (f"{HEADER}\na".encode() + b"\xff: \n", r":2: byte b'\\xff' is not UTF-8"),
    ],
)
def test_unreadable_file(tmp_path, content, message):
    path = tmp_path / "annotation.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        keypoint_files.read(path, problems=[])
    assert str(path) in str(error.value)


def _person(points, key="pose_keypoints_2d"):
    return {key: [float(value) for point in points for value in point]}


def _write_json(tmp_path, *people):
    path = tmp_path / "photo_keypoints.json"
    path.write_text(json.dumps({"version": 1.3, "people": people}))
    return path


@pytest.mark.parametrize("key", ["pose_keypoints_2d", "pose_keypoints"])
def test_openpose_coco(tmp_path, key):
    points = [[10 + i, 20 + i, 0.5] for i in range(18)]
    points[4] = [3, 3, 0]
    result = keypoint_files.read(_write_json(tmp_path, _person(points, key)))["photo"]
    expected = [[10 + i, 20 + i, 1] for i in range(18)]
    expected[4] = [0, 0, 0]
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)


def test_openpose_body_25_is_mapped_by_joint(tmp_path):
    # Index in BODY_25 of nose, neck, right arm, left arm, right leg, left leg, face.
    places = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]
    points = [[i, 100 + i, 1] for i in range(25)]
    result = keypoint_files.read(_write_json(tmp_path, _person(points)))["photo"]
    np.testing.assert_array_equal(result, [[i, 100 + i, 1] for i in places])


def test_of_people_of_one_size_openpose_takes_the_surest(tmp_path):
    people = [_person([[i, i, c]] * 18) for i, c in ((1, 0.3), (2, 0.9), (3, 0.6))]
    result = keypoint_files.read(_write_json(tmp_path, *people))["photo"]
    np.testing.assert_array_equal(result[:, 0], 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"people": []}', "holds no person"),
        ("[1, 2]", "no known tool: a list of 2, the first of it 1; known: OpenPose"),
        ('{"shapes": 1}', "no known tool: an object with the keys 'shapes'; known"),
        ('{"people": [\n{"pose"', ":2: not valid JSON"),
        ('{"people": [{}]}', "person 0: expected one of the keys pose_keypoints_2d"),
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', "has 2 values, expected 18"),
        (json.dumps({"people": [_person([[1, 1, np.nan]] * 18)]}), "nan, expected"),
    ],
)
def test_bad_openpose_file(tmp_path, content, message):
    path = tmp_path / "photo.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        keypoint_files.read(path)
    assert str(path) in str(error.value)


def test_read_recognises_the_format_by_content_and_names_the_photo(tmp_path):
    json_path = _write_json(tmp_path, _person([[1, 2, 1]] * 18))
    renamed = json_path.rename(tmp_path / "photo_keypoints.txt")
    assert list(keypoint_files.read(renamed)) == ["photo"]
    assert list(keypoint_files.read(_write(tmp_path, HEADER, _row()))) == ["a.jpg"]


def test_write_then_read_gives_the_same_values(tmp_path):
    rng = np.random.default_rng(0)
    written = {}
    for name in ("p/2.jpg", "p/1.jpg"):
        keypoints = rng.integers(0, 100, (18, 3)).astype(np.float32)
        keypoints[:, 2] = rng.integers(0, 2, 18)
        keypoints[3] = [1.25, 0, 1]
        keypoints[keypoints[:, 2] == 0] = 0
        written[name] = keypoints
    path = tmp_path / "written.csv"
    keypoint_files.write_csv(path, written)
    result = keypoint_files.read(path)
    assert list(result) == list(written)
    for name, keypoints in written.items():
        np.testing.assert_array_equal(result[name], keypoints)
    lines = path.read_text().splitlines()
    assert lines[0] == HEADER and "-1" in lines[1] and "nan" not in lines[1]


@pytest.mark.parametrize(
    ("name", "shape"), [("a:b", (18, 3)), (" a", (18, 3)), ("a", (17, 3))]
)
def test_what_the_format_cannot_hold_is_not_written(tmp_path, name, shape):
    path = tmp_path / "written.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match="a"):
        keypoint_files.write_csv(path, {name: np.zeros(shape)})
    assert path.read_text() == "old"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "written.csv"
    path.write_text("old")
    monkeypatch.setattr(
        "os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full"))
    )
    with pytest.raises(OSError, match="disk full"):
        keypoint_files.write_csv(path, {"a": np.zeros((18, 3))})
    assert [entry.name for entry in tmp_path.iterdir()] == ["written.csv"]
    assert path.read_text() == "old"


def test_readers_do_not_import_tensorflow_or_jax():
    code = (
        "import sys, pg2_jax.keypoints.keypoint_files, data_prep.pairs.field_protocol\n"
    )
    code += "assert not {'tensorflow', 'jax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def _pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    return tmp_path / "pipe.csv"


def _pipe_in_folder(tmp_path, suffix=".json"):
    os.mkfifo(tmp_path / f"pipe{suffix}")
    return tmp_path


def _pipe_beside_peaks(tmp_path):
    path = tmp_path / "all_peaks_dic_x.p"
    path.write_bytes(pickle.dumps({"a.jpg": [[]] * 18}))
    os.mkfifo(tmp_path / "subsets_dic_x.p")
    return path


@pytest.mark.parametrize(
    "make",
    [
        _pipe,
        _pipe_in_folder,
        lambda folder: _pipe_in_folder(folder, ".txt"),
        _pipe_beside_peaks,
        lambda _: "/dev/zero",
    ],
)
def test_what_is_no_file_is_refused_without_waiting(tmp_path, make):
    with pytest.raises(ValueError, match=r"^/\S+: not a file with annotations"):
        keypoint_files.read(make(tmp_path))


def test_a_file_too_large_is_not_read(tmp_path):
    with open(tmp_path / "a.csv", "wb") as file:
        file.truncate(base.MAX_BYTES + 1)
    with pytest.raises(ValueError, match=r"a\.csv: 2,147,483,649 bytes, at most"):
        keypoint_files.read(tmp_path / "a.csv")
