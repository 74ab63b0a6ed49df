"""Each format of the field: what it says, point by point."""

import io
import json
import pickle
import sys

import h5py
import numpy as np
import pytest

from pg2_jax.keypoints import keypoint_files
from tests.pg2_jax.keypoints import matlab_files, pickles_of_python_2

# Point k of COCO-18 at (10 + k, 100 + k).
POSE = np.array([[10 + k, 100 + k, 1] for k in range(18)], np.float32)
# Where COCO's 17 keep the points of COCO-18 other than the neck, by name.
COCO = "nose leye reye lear rear lsho rsho lelb relb lwri rwri lhip rhip lkne rkne"
COCO = [*COCO.split(), "lank", "rank"]
OURS = "nose neck rsho relb rwri lsho lelb lwri rhip rkne rank lhip lkne lank reye leye"
OURS = [*OURS.split(), "rear", "lear"]


def write(tmp_path, name, content):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def csv_with_commas(quote):
    ys, xs = POSE[:, 1].astype(int).tolist(), POSE[:, 0].astype(int).tolist()
    return (
        f"name,keypoints_y,keypoints_x\na,b.jpg,{quote}{ys}{quote},{quote}{xs}{quote}\n"
    )


def test_csv_with_commas(tmp_path):
    path = write(tmp_path, "a.csv", csv_with_commas(""))
    np.testing.assert_array_equal(keypoint_files.read(path)["a,b.jpg"], POSE)


def test_csv_with_commas_and_quotes_as_pandas_writes_it(tmp_path):
    text = csv_with_commas('"').replace("a,b.jpg", '"a,b.jpg"')
    path = write(tmp_path, "a.csv", text)
    np.testing.assert_array_equal(keypoint_files.read(path)["a,b.jpg"], POSE)


@pytest.mark.parametrize("separator", [":", ",", ";", "\t", "|"])
@pytest.mark.parametrize("index", ["", '""', "index", "Unnamed: 0"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_csv_as_spreadsheets_and_pandas_write_it(tmp_path, separator, index, encoding):
    xs, ys = (json.dumps(column.astype(int).tolist()) for column in POSE.T[:2])
    quote = "" if separator == ":" else '"'
    rows = [
        [index, "name", "keypoints_y", "keypoints_x"],
        ["0", "a.jpg", f"{quote}{ys}{quote}", f"{quote}{xs}{quote}"],
    ]
    for numbered in (True, False):
        text = "\n".join(separator.join(row[not numbered :]) for row in rows)
        path = tmp_path / "a.csv"
        path.write_text(text, encoding=encoding)
        np.testing.assert_array_equal(keypoint_files.read(path)["a.jpg"], POSE)


@pytest.mark.parametrize("index", ["", '""', "index", "Unnamed: 0", None])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_wide_csv_as_spreadsheets_and_pandas_write_it(tmp_path, separator, index):
    lines = wide_csv().splitlines()
    if index is not None:
        lines = [f"{index},{lines[0]}", *(f"0,{line}" for line in lines[1:])]
    path = write(tmp_path, "a.csv", "\n".join(lines).replace(",", separator))
    assert [*keypoint_files.read(path)] == ["a_1"]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("image;ys;xs", "'image;ys;xs', 3 columns separated by ';', expected 'name"),
        ("image\tname", r"2 columns separated by '\\t'"),
    ],
)
def test_another_header_is_named_with_its_separator(tmp_path, header, said):
    with pytest.raises(ValueError, match=said):
        keypoint_files.read(write(tmp_path, "a.csv", f"{header}\n"))


def wide_csv(height=200, width=100, **changes):
    columns = ["file_id", "img_h", "img_w"]
    columns += [f"p{k}_{axis}" for k in range(18) for axis in "xy"]
    values = dict(
        zip(columns, ["a_1", height, width, *POSE[:, :2].ravel()], strict=True)
    )
    values |= changes
    return ",".join(columns) + "\n" + ",".join(map(str, values.values())) + "\n"


def test_wide_csv_has_x_first_and_keeps_points_outside_the_photo(tmp_path):
    path = write(tmp_path, "a.csv", wide_csv(p0_x=-1, p0_y=-1, p5_x=100, p6_y=200))
    expected = POSE.copy()
    expected[0] = 0
    expected[5, 0], expected[6, 1] = 100, 200
    np.testing.assert_array_equal(keypoint_files.read(path)["a_1"], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p3_x": "x"}, "a.csv:2: p3_x is 'x', expected a finite number"),
        ({"p3_x": "nan"}, "a.csv:2: p3_x is 'nan', expected a finite number"),
        ({"p17_y": "1,2"}, "a.csv:2: the row has 40 columns, expected 39"),
        ({"img_h": 0}, "a.csv:2: img_h and img_w are 0"),
    ],
)
def test_bad_wide_csv(tmp_path, change, message):
    path = write(tmp_path, "a.csv", wide_csv(**change))
    with pytest.raises(ValueError, match=message):
        keypoint_files.read(path)


def test_wide_csv_with_a_damaged_header(tmp_path):
    path = write(tmp_path, "a.csv", '"' + wide_csv())
    with pytest.raises(ValueError, match=r"a\.csv:1: .* is not a csv row"):
        keypoint_files.read(path)


def test_wide_csv_with_other_columns(tmp_path):
    path = write(tmp_path, "a.csv", wide_csv().replace("p4_x", "p4_y", 1))
    with pytest.raises(
        ValueError, match=r"a\.csv:1: column 12 is 'p4_y', expected 'p4_x'"
    ):
        keypoint_files.read(path)


def point_text(points=POSE[:, :2]):
    return "\n".join(" ".join(f"{v:.3e}" for v in point) for point in points) + "\n"


def test_folder_of_point_texts_is_named_by_paths(tmp_path):
    missing = POSE.copy()
    missing[4] = [-1, -1, 0]
    write(tmp_path, "pose/b/2.txt", point_text(missing[:, :2]))
    write(tmp_path, "pose/a/1.txt", point_text(POSE * [1, 1, 0.5]))
    found = keypoint_files.read(tmp_path / "pose")
    assert list(found) == ["a/1", "b/2"]
    np.testing.assert_array_equal(found["a/1"], POSE)
    missing[4] = 0
    np.testing.assert_array_equal(found["b/2"], missing)


def test_third_column_of_a_point_text_is_the_confidence(tmp_path):
    points = POSE.copy()
    points[7, 2] = 0
    expected = POSE.copy()
    expected[7] = 0
    path = write(tmp_path, "1.txt", point_text(points))
    np.testing.assert_array_equal(keypoint_files.read(path)["1"], expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (point_text(POSE[:17, :2]), "1.txt: 17 lines, expected 18"),
        (point_text().replace("\n", " 1\n", 1), "1.txt: line 2 has 2 columns"),
        (point_text()[:-10] + "x\n", "1.txt: line 18.*'.*x' is not a number"),
        (point_text()[:-10] + "inf\n", "1.txt: line 18 holds inf, expected a finite"),
    ],
)
def test_bad_point_text(tmp_path, text, message):
    path = write(tmp_path, "1.txt", text)
    with pytest.raises(ValueError, match=message):
        keypoint_files.read(path)


def coco_points(pose=POSE, v=2):
    by_name = dict(zip(OURS, pose, strict=True))
    return [
        float(x) for name in COCO for x in (*by_name[name][:2], by_name[name][2] * v)
    ]


def coco_file(*people, **changes):
    images = [{"id": 7, "file_name": "a/1.jpg"}, {"id": 8, "file_name": "b.jpg"}]
    return json.dumps({"images": images, "annotations": list(people)} | changes)


def person(image=7, points=None, **more):
    points = coco_points() if points is None else points
    return {"image_id": image, "category_id": 1, "keypoints": points, **more}


@pytest.mark.parametrize("v", [1, 2])
def test_coco_is_mapped_by_joint_and_the_neck_is_between_the_shoulders(tmp_path, v):
    path = write(tmp_path, "coco.json", coco_file(person(points=coco_points(v=v))))
    expected = POSE.copy()
    expected[1] = [(12 + 15) / 2, (102 + 105) / 2, 1]
    found = keypoint_files.read(path)
    assert list(found) == ["a/1.jpg"]
    np.testing.assert_array_equal(found["a/1.jpg"], expected)


def test_coco_has_no_neck_without_a_shoulder(tmp_path):
    pose = POSE.copy()
    pose[5] = 0
    path = write(tmp_path, "coco.json", coco_file(person(points=coco_points(pose))))
    found = keypoint_files.read(path)["a/1.jpg"]
    pose[1] = 0
    np.testing.assert_array_equal(found, pose)


PEOPLE = {
    "score": [{"score": 0.2}, {"score": 0.9}, {"score": 0.5}],
    "points, not all scored": [{"points": 3, "score": 1}, {"points": 9}, {"points": 8}],
    "area": [{"area": 3}, {"area": 40}, {}],
}


@pytest.mark.parametrize("people", PEOPLE.values(), ids=PEOPLE)
def test_coco_person_is_chosen_by_score_points_area(tmp_path, people):
    persons = []
    for index, facts in enumerate(people):
        pose = POSE + np.array([100 * index, 0, 0])
        pose[facts.get("points", 18) :] = 0
        more = {k: v for k, v in facts.items() if k != "points"}
        persons.append(person(points=coco_points(pose), **more))
    path = write(tmp_path, "coco.json", coco_file(*persons))
    assert keypoint_files.read(path)["a/1.jpg"][0, 0] == 110


def test_coco_results_are_named_by_their_image(tmp_path):
    content = json.dumps([person(139), person("c.jpg")])
    found = keypoint_files.read(write(tmp_path, "results.json", content))
    assert list(found) == ["000000000139", "c.jpg"]


DOG = {"image_id": 8, "category_id": 18}
CATEGORIES = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]


def test_coco_annotations_of_other_things_are_passed_over_and_counted(tmp_path, capsys):
    content = coco_file(DOG, person(), DOG, categories=CATEGORIES)
    path = write(tmp_path, "c.json", content)
    assert list(keypoint_files.read(path)) == ["a/1.jpg"]
    said = "annotations of other categories than people, ignored: 2"
    assert capsys.readouterr().err == f"note: {path}: {said}\n"


def test_coco_takes_the_largest_complete_person(tmp_path):
    """The child has all 17 points, the man 16; of a third only a huge head is seen."""
    man, child, head = POSE * [2, 2, 1], POSE + np.array([200, 0, 0]), POSE * [9, 9, 1]
    man[16], head[2:14] = 0, 0
    people = [person(points=coco_points(pose)) for pose in (head, child, man)]
    path = write(tmp_path, "coco.json", coco_file(*people))
    np.testing.assert_array_equal(keypoint_files.read(path)["a/1.jpg"][0], [20, 200, 1])
    by_size = keypoint_files.read_placed(path)["a/1.jpg"].people[:, 0, 0]
    np.testing.assert_array_equal(by_size, [20, 210, 90])


def test_coco_annotations_without_keypoints_are_passed_over(tmp_path, capsys):
    box = {"image_id": 7, "category_id": 1, "bbox": [0, 0, 64, 128]}
    crowd = person(points=coco_points(POSE * [9, 9, 1]), iscrowd=1)
    content = coco_file(box, person(), crowd, box | {"keypoints": []})
    path = write(tmp_path, "c.json", content)
    assert keypoint_files.read(path)["a/1.jpg"][0, 0] == 10
    said = "annotations without keypoints, or of crowds, ignored: 3"
    assert capsys.readouterr().err == f"note: {path}: {said}\n"


@pytest.mark.parametrize("category", [None, 7, [1]])
def test_coco_annotations_of_no_known_category_are_bad(tmp_path, capsys, category):
    unknown = person(8) | {"category_id": category}
    content = coco_file(unknown, person(), categories=CATEGORIES)
    problems = []
    path = write(tmp_path, "c.json", content)
    assert list(keypoint_files.read(path, problems)) == ["a/1.jpg"]
    assert problems == [
        f'{path}: annotation 0: "category_id" is {category}, expected the id of one '
        'of the "categories"'
    ]
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (coco_file(person(9)), 'annotations 0: no entry of "images" has the id 9'),
        (coco_file(person(points=[1, 2])), "annotation 0: keypoints has 2 values"),
        (coco_file(person(points={})), "annotation 0: keypoints has {}"),
        (coco_file(person(score="x")), "annotation 0: score is 'x', expected a number"),
        (coco_file(person(area=10**400)), "annotation 0: area is 10+.*expected a num"),
        (coco_file({"keypoints": 3}), 'annotation 0 has "image_id" None'),
        (coco_file(person(points=["1"] * 51)), "annotation 0: keypoints holds '1'"),
        (coco_file(person(), images=3), 'expected a list "images"'),
        (coco_file(person(), images=[{"id": 7}]), 'image 0 has "file_name" None'),
        (
            coco_file(person(), images=[{"id": 7, "file_name": "../x"}]),
            "'../x' is refus",
        ),
        (
            coco_file(person(), categories=[{"id": 1, "keypoints": ["nose"]}]),
            "expected COCO's 17",
        ),
        (
            coco_file(person(), categories=[{"name": "person"}]),
            'category 0 has "id" None, expected a number or text',
        ),
    ],
)
def test_bad_coco(tmp_path, content, message):
    path = write(tmp_path, "coco.json", content)
    with pytest.raises(ValueError, match=message) as error:
        keypoint_files.read(path)
    assert str(error.value).startswith(str(path))


def peaks_of(pose, first_id=0, score=0.5):
    peaks, ids, number = [], [], first_id
    for x, y, visible in pose.tolist():
        peaks.append([(int(x), int(y), score, number)] if visible else [])
        ids.append(float(number) if visible else -1.0)
        number += bool(visible)
    return peaks, ids


def two_people():
    """Peaks of two people; the second has the higher score, and no left ankle."""
    other = POSE + np.array([200, 0, 0])
    other[13] = 0
    (first, ids), (second, other_ids) = peaks_of(POSE), peaks_of(other, 18)
    peaks = [a + b for a, b in zip(first, second, strict=True)]
    subsets = np.array([[*ids, 10.0, 18.0], [*other_ids, 12.0, 17.0]])
    return peaks, subsets, other


DUMPS = {
    "python 2": pickles_of_python_2.dumps,
    **{f"protocol {p}": lambda v, p=p: pickle.dumps(v, protocol=p) for p in range(6)},
}


@pytest.mark.parametrize("dumps", DUMPS.values(), ids=DUMPS)
def test_peaks_are_those_of_the_person_with_the_highest_score(tmp_path, dumps):
    peaks, subsets, expected = two_people()
    path = write(tmp_path, "all_peaks_dic_X.p", dumps({"ä.jpg": peaks}))
    write(tmp_path, "subsets_dic_X.p", dumps({"ä.jpg": subsets}))
    found = keypoint_files.read(path)
    assert list(found) == ["ä.jpg"]
    np.testing.assert_array_equal(found["ä.jpg"], expected)


def test_peaks_without_any_person_are_the_first_of_each_kind(tmp_path):
    peaks, _, _ = two_people()
    path = write(tmp_path, "all_peaks_dic_X.p", pickle.dumps({"a": peaks}))
    write(tmp_path, "subsets_dic_X.p", pickle.dumps({"a": np.zeros((0, 20))}))
    np.testing.assert_array_equal(keypoint_files.read(path)["a"], POSE)


def test_peaks_of_one_person_need_no_subsets(tmp_path):
    content = pickles_of_python_2.dumps({"a": peaks_of(POSE)[0]}, protocol=0)
    path = write(tmp_path, "poses.p", content)
    np.testing.assert_array_equal(keypoint_files.read(path)["a"], POSE)


@pytest.mark.parametrize("dumps", DUMPS.values(), ids=DUMPS)
def test_rcv_is_row_column_visible(tmp_path, dumps):
    rcv = POSE.astype(float)[:, [1, 0, 2]]
    rcv[3, 2] = 0
    path = write(tmp_path, "train.pickle", dumps({"a.png": rcv}))
    expected = POSE.copy()
    expected[3] = 0
    np.testing.assert_array_equal(keypoint_files.read(path)["a.png"], expected)


def test_numpy_numbers_in_peaks(tmp_path):
    pose = [[(np.int64(x), np.float32(y), np.float64(1), 3)] for x, y, _ in POSE]
    path = write(tmp_path, "poses.p", pickle.dumps({"a": pose}, protocol=2))
    np.testing.assert_array_equal(keypoint_files.read(path)["a"], POSE)


class _Evil:
    def __reduce__(self):
        return print, ("this must never run",)


BAD_PICKLES = {
    "a call": (pickle.dumps({"a": _Evil()}), "it holds builtins.print; only plain"),
    "an old call": (
        pickle.dumps({"a": _Evil()}, 0),
        "it holds __builtin__.print; only",
    ),
    "a set": (pickle.dumps({"a": {1, 2}}), "makes more than plain containers"),
    "an object array": (
        pickle.dumps({"a": np.array([{}, None])}),
        "an array without numbers",
    ),
    "a tuple as name": (pickle.dumps({(1, 2): []}), "keys other than names"),
    "truncated": (pickle.dumps({"a": POSE})[:-9], "not a whole pickle"),
    "an empty dict": (pickle.dumps({}), "expected a dict of photo names"),
    "17 lists": (pickle.dumps({"a": [[]] * 17}), "record 'a': 17 lists of peaks"),
    "short peak": (pickle.dumps({"a": [[(1, 2)]] * 18}), "point 0 has the peak"),
    "nan": (pickle.dumps({"a": POSE * np.nan}), "record 'a': the array holds nan"),
    "wrong shape": (pickle.dumps({"a": POSE[:3]}), "an array of shape .3, 3.,"),
    "a number as name": (pickle.dumps({3: POSE}), "record 3: the photo name 3 is not"),
    "subsets": (pickle.dumps({"a": np.ones((1, 20))}), "holds the subsets of people"),
    "two people": (pickle.dumps({"a": two_people()[0]}), "several candidates"),
    # DUP and TUPLE2, 60 times: printed out, it would be longer than any disk holds.
    "nested shape": (
        pickle.dumps({"a": POSE}, 2).replace(
            b"K\x12K\x03\x86", b"K\x01" + b"2\x86" * 60
        ),
        "an array of the shape",
    ),
    "a number": (b"(dp0\nF" + b"9" * 5000 + b"x\n", "could not convert .{,90}$"),
    "giant": (b"\x80\x04}\x8e" + b"\xff" * 8, "not a whole pickle"),
    "giant bytearray": (b"\x80\x05}\x96" + b"\xff" * 6 + b"\0\0", "not a whole pickle"),
    "giant memo": (b"\x80\x02}r\xff\xff\xff\x7f", "not a whole pickle"),
}


@pytest.mark.parametrize(("content", "message"), BAD_PICKLES.values(), ids=BAD_PICKLES)
def test_bad_pickle(tmp_path, content, message, capsys):
    path = write(tmp_path, "all_peaks_dic_X.p", content)
    with pytest.raises(ValueError, match=message) as error:
        keypoint_files.read(path)
    assert str(error.value).startswith(str(path))
    assert "never run" not in capsys.readouterr().out


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_matlab_columns_are_photos_in_the_order_of_their_names(tmp_path, compression):
    # 14 x, then 14 y, counted from 1; head, neck, right arm, left arm, legs.
    column = np.array([*range(20, 34), *range(60, 74)], float)
    table = np.stack([column, column + 5], axis=1)
    path = write(
        tmp_path, "points.mat", matlab_files.dumps(table, compression=compression)
    )
    photos = ["b.jpg", "Thumbs.db", "a.jpg"]
    found = keypoint_files.read(path, photos=photos)
    assert list(found) == ["a.jpg", "b.jpg"]
    expected = np.zeros((18, 3))
    expected[1:14] = [[19 + k, 59 + k, 1] for k in range(1, 14)]
    np.testing.assert_array_equal(found["a.jpg"], expected)
    np.testing.assert_array_equal(
        found["b.jpg"], expected + expected[:, 2:] * [5, 5, 0]
    )


OLD = b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x01IM"


@pytest.mark.parametrize(
    ("content", "photos", "message"),
    [
        (matlab_files.dumps(np.ones((28, 2))), None, "the folder of photos is needed"),
        (matlab_files.dumps(np.ones((28, 2))), ["a.jpg"], "2 poses for 1 photos"),
        (
            matlab_files.dumps(np.ones((27, 2))),
            ["a.jpg"],
            r"numbers \[28, N\]; found \(27, 2\)",
        ),
        (
            matlab_files.dumps(np.ones(28)),
            ["a.jpg"],
            r"numbers \[28, N\]; found \(28,\)",
        ),
        (matlab_files.dumps(np.full((28, 1), b"x")), ["a.jpg"], r"numbers \[28, N\]"),
        (
            matlab_files.dumps(np.ones((28, 1)), "q"),
            ["a.jpg"],
            r"\[28, N\]; found none",
        ),
        (
            matlab_files.dumps(np.ones((28, 1)), "pp/q"),
            ["a.jpg"],
            r"\[28, N\]; found none",
        ),
        (
            matlab_files.dumps(np.full((28, 1), np.nan)),
            ["a.jpg"],
            "column 1: the column holds nan",
        ),
        (
            matlab_files.dumps(np.ones((28, 1)))[:-9],
            ["a.jpg"],
            "not a whole MATLAB file: ",
        ),
        (
            matlab_files.dumps(np.ones((28, 1)))[:600],
            ["a.jpg"],
            "not a whole MATLAB file: ",
        ),
        (OLD, ["a.jpg"], "of version 5 to 7; save it with -v7.3 to read it here"),
    ],
)
def test_bad_matlab(tmp_path, content, photos, message):
    path = write(tmp_path, "points.mat", content)
    with pytest.raises(ValueError, match=message) as error:
        keypoint_files.read(path, photos=photos)
    assert str(error.value).startswith(str(path))


def test_a_matlab_table_is_not_read_before_its_size_is_known_to_be_right(tmp_path):
    content = io.BytesIO()
    with h5py.File(content, "w", userblock_size=512) as file:
        # Zeros that a small file does not hold: 224 TB in memory.
        file.create_dataset("pp", (10**12, 28), "f8", chunks=(1000, 28))
    path = write(tmp_path, "a.mat", b"MATLAB 7.3".ljust(512) + content.getvalue()[512:])
    with pytest.raises(ValueError, match="1,000,000,000,000 poses for 1 photos"):
        keypoint_files.read(path, photos=["a.jpg"])


def test_matlab_files_need_h5py(tmp_path, monkeypatch):
    path = write(tmp_path, "a.mat", matlab_files.dumps(np.ones((28, 1))))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match=r"a.mat: MATLAB files need h5py: pip install"):
        keypoint_files.read(path, photos=["a.jpg"])


def test_openpose_fractions_of_the_photo_are_refused(tmp_path):
    values = (POSE * [0.001, 0.001, 1]).ravel().tolist()
    content = json.dumps({"people": [{"pose_keypoints_2d": values}]})
    with pytest.raises(ValueError, match="fractions of the photo, whose size"):
        keypoint_files.read(write(tmp_path, "a.json", content))


def test_folder_of_openpose_files(tmp_path):
    values = POSE.ravel().tolist()
    content = json.dumps({"people": [{"pose_keypoints_2d": values}]})
    write(tmp_path, "poses/p/2_keypoints.json", content)
    write(tmp_path, "poses/1.json", '{"people": []}')
    write(tmp_path, "poses/.hidden.json", "{")
    (tmp_path / "poses" / "loop").symlink_to(tmp_path / "poses")
    found = keypoint_files.read(tmp_path / "poses")
    assert list(found) == ["1", "p/2"]
    np.testing.assert_array_equal(found["1"], 0)
    np.testing.assert_array_equal(found["p/2"], POSE)


@pytest.mark.parametrize("files", [[], ["a.json", "a.txt"]])
def test_folder_of_nothing_or_of_two_formats(tmp_path, files):
    for name in files:
        write(tmp_path, f"poses/{name}", "{}")
    (tmp_path / "poses").mkdir(exist_ok=True)
    with pytest.raises(ValueError, match=r"this one holds (both|neither)"):
        keypoint_files.read(tmp_path / "poses")


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../b", "a//b", "a\\b", ".", "a\x00b", "a\x1bb", " "]
)
def test_a_name_never_leaves_its_folder(tmp_path, name):
    path = write(tmp_path, "a.pickle", pickle.dumps({name: POSE, "b": POSE}))
    problems = []
    assert list(keypoint_files.read(path, problems)) == ["b"]
    assert len(problems) == 1 and "is refused" in problems[0]


@pytest.mark.parametrize("content", ["hello\n", "\x00\x01\x02", "MATLAB", "1 2 3 4"])
def test_other_files_are_refused_with_the_formats_that_are_read(tmp_path, content):
    with pytest.raises(ValueError, match=r"x\.bin: ") as error:
        keypoint_files.read(write(tmp_path, "x.bin", content), photos=["a.jpg"])
    assert "format" in str(error.value) or "MATLAB" in str(error.value)
