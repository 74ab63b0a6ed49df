"""Poses in JSON as the tools of the field write them."""

import json

import numpy as np
import pytest

from pg2_jax.keypoints import keypoint_files, layouts

# COCO-18, the neck in the middle of the shoulders; the left ear is missing.
POSE = np.array([[10 + 2 * i, 100 + 3 * i, 1] for i in range(18)], np.float32)
POSE[1, :2] = (POSE[2, :2] + POSE[5, :2]) / 2
POSE[17] = 0
HEIGHT, WIDTH = 400, 200


def skeleton(count):
    """The pose in a skeleton of so many points, [K, 3]; others lie far off."""
    places, has_neck = layouts._PLACES[count]
    points = np.full((count, 3), [900, 900, 1], np.float32)
    for point, place in enumerate(places):
        if has_neck or point != 1:
            points[place] = POSE[point]
    return points


def flat(points):
    return np.asarray(points).ravel().tolist()


def read(tmp_path, content, **more):
    path = tmp_path / "clip.json"
    path.write_text(json.dumps(content))
    return keypoint_files.read(path, **more)


COCO = skeleton(17)
ROWS, SURE = COCO[:, :2].tolist(), COCO[:, 2].tolist()
# MMPose is sure even of the ear that it has not found.
INSTANCE = {"keypoints": ROWS, "keypoint_scores": [0.9] * 17, "bbox_score": 0.9}
NAMED = [
    {"x": x, "y": y, "score": sure, "name": name}
    for (x, y, sure), name in zip(COCO.tolist(), layouts.KEYPOINTS, strict=True)
]
COLUMNS = dict(zip(("x", "y", "visible"), COCO.T.tolist(), strict=True))
FRACTIONS = POSE / np.array([WIDTH, HEIGHT, 1], np.float32)
CANVAS = {"canvas_height": HEIGHT, "canvas_width": WIDTH}
LANDMARKS = [
    {"x": x / WIDTH, "y": y / HEIGHT, "z": 0.0, "visibility": sure}
    for x, y, sure in skeleton(33).tolist()
]
POSENET = [
    {
        "part": "left" + name[5:].title() if name.startswith("left_") else name,
        "position": {"x": x, "y": y},
        "score": sure,
    }
    for (x, y, sure), name in zip(COCO.tolist(), layouts.KEYPOINTS, strict=True)
]
MOVENET = (COCO / [WIDTH, HEIGHT, 1])[:, [1, 0, 2]].tolist()

ONE = {
    "openpose 1.0": {"version": 1.0, "people": [{"pose_keypoints": flat(POSE)}]},
    "openpose 1.7": {
        "version": 1.7,
        "people": [{"person_id": [-1], "pose_keypoints_2d": flat(skeleton(25))}],
        "part_candidates": [],
    },
    "x and y alone": {"people": [{"pose_keypoints_2d": flat(POSE[:, :2])}]},
    "a face before the body": {
        "people": [
            {"pose_keypoints_2d": [], "face_keypoints_2d": [1, 2, 0.9]},
            {"pose_keypoints_2d": flat(POSE)},
            {"pose_keypoints_2d": None},
        ]
    },
    "controlnet": {"people": [{"pose_keypoints_2d": flat(POSE)}], **CANVAS},
    "fractions of a canvas": {
        "people": [{"pose_keypoints_2d": flat(FRACTIONS)}],
        **CANVAS,
    },
    "comfyui": [{"version": "1.0", "people": [{"pose_keypoints_2d": flat(POSE)}]}],
    "alphapose open": {"clip": {"people": [{"pose_keypoints_2d": flat(POSE)}]}},
    "alphapose cmu": {"clip": {"bodies": [{"joints": flat(POSE)}]}},
    "alphapose": [{"image_id": "clip", "keypoints": flat(COCO), "score": 2.9}],
    "halpe 26": [{"image_id": "clip", "keypoints": flat(skeleton(26))}],
    "halpe 136": [{"image_id": "clip", "keypoints": flat(skeleton(136))}],
    "wholebody 133": [{"image_id": "clip", "keypoints": flat(skeleton(133))}],
    "mmpose": [INSTANCE],
    "mmpose api": {"predictions": [[INSTANCE]]},
    "mmpose demo": {"meta_info": {}, "instance_info": [{"instances": [INSTANCE]}]},
    "rtmlib": {"keypoints": [ROWS], "scores": [SURE]},
    "movenet tfjs": [{"score": 0.8, "keypoints": NAMED}],
    "movenet alone": {"score": 0.8, "keypoints": NAMED[::-1]},
    "posenet": [{"keypoints": POSENET}],
    "openpifpaf": [{"keypoints": flat(COCO), "bbox": [1, 2, 3, 4], "score": 0.8}],
    "our own array": POSE.tolist(),
    "a point without a place": {
        "people": [{"pose_keypoints_2d": [*flat(POSE[:-1]), None, np.nan, 0.9]}]
    },
    "a row without a place": [
        INSTANCE | {"keypoints": [*ROWS[:3], [None, None], *ROWS[4:]]}
    ],
    "a landmark without a place": [
        {"keypoints": [*NAMED[:3], NAMED[3] | {"x": np.nan, "y": np.nan}, *NAMED[4:]]}
    ],
    "ultralytics": [{"name": "person", "confidence": 0.9, "keypoints": COLUMNS}],
}


@pytest.mark.parametrize("content", ONE.values(), ids=ONE)
def test_one_person_of_one_photo(tmp_path, content):
    found = read(tmp_path, content)
    assert list(found) == ["clip"]
    np.testing.assert_allclose(found["clip"], POSE, atol=1e-4)


@pytest.mark.parametrize(
    ("number", "track"),
    [
        ({"idx": 3}, 3),
        ({"idx": 3.0}, 3),
        ({"idx": [[3.0], 3]}, 3),
        ({"track_id": 3}, 3),
        ({"person_id": [3]}, 3),
        ({"person_id": [-1]}, None),
        ({"idx": None}, None),
        ({"idx": []}, None),
        ({"idx": "3"}, None),
        ({"idx": True}, None),
        ({"idx": 10**400}, None),
        ({"idx": 0.5}, None),
    ],
)
def test_who_is_who_through_a_video(tmp_path, number, track):
    """The numbers of trackers, in lists as AlphaPose writes them, stay with people."""
    small = {"keypoints": flat(COCO * [0.5, 0.5, 1]), "idx": 8}
    people = [small, {"keypoints": flat(COCO), **number}]
    alphapose = [{"image_id": "a", **person} for person in people]
    for content in (alphapose, {"a": people}):  # PoseFlow's by photo
        path = tmp_path / "clip.json"
        path.write_text(json.dumps(content))
        found = keypoint_files.read_placed(path)["a"]
        np.testing.assert_array_equal(found.keypoints, POSE)
        assert list(found.tracks) == [track, 8]


def test_frames_in_lines_and_arrays(tmp_path):
    """OpenPifPaf writes a line for each frame; blank ones are none."""
    path = tmp_path / "clip.json"
    frames = [
        {"frame": i, "predictions": [{"keypoints": flat(COCO)}]} for i in range(2)
    ]
    frames[1]["predictions"] = []
    path.write_text("\n\n".join(map(json.dumps, frames)) + "\n")
    found = keypoint_files.read(path)
    np.testing.assert_array_equal(found["clip_000000"], POSE)
    assert not found["clip_000001"].any()
    path.write_text(json.dumps(frames[0]) + "\n{]")
    with pytest.raises(ValueError, match=r"clip.json:2:1: not valid JSON"):
        keypoint_files.read(path)
    several = read(tmp_path, [POSE.tolist(), (POSE + np.array([1, 0, 0])).tolist()])
    assert [pose[0, 0] for pose in several.values()] == [10, 11]


def test_a_list_of_nobody_is_a_frame_of_a_folder(tmp_path):
    (tmp_path / "0.json").write_text("[]")
    (tmp_path / "1.json").write_text(json.dumps([INSTANCE]))
    assert [bool(p.any()) for p in keypoint_files.read(tmp_path).values()] == [0, 1]


UNSIZED = {
    "movenet's own array": [[MOVENET]],
    "mediapipe of javascript": {"landmarks": [LANDMARKS], "worldLandmarks": []},
    "mediapipe's solutions": {"poseLandmarks": LANDMARKS},
    "mediapipe of python": {"landmark": LANDMARKS},
    "mediapipe, the list alone": [LANDMARKS],
    "mediapipe, one person": LANDMARKS,
    "openpose's keypoint_scale": {"people": [{"pose_keypoints_2d": flat(FRACTIONS)}]},
}


@pytest.mark.parametrize("content", UNSIZED.values(), ids=UNSIZED)
def test_fractions_of_a_photo_need_its_size(tmp_path, content):
    found = read(tmp_path, content, photo_size=(HEIGHT, WIDTH))
    np.testing.assert_allclose(found["clip"], POSE, atol=1e-3)
    with pytest.raises(ValueError, match="fractions of the photo, whose size"):
        read(tmp_path, content)


FRAMES = {
    "comfyui": [{"people": [{"pose_keypoints_2d": flat(POSE)}]}, {"people": []}],
    "mmpose": [
        {"frame_id": 0, "instances": [INSTANCE]},
        {"frame_id": 1, "instances": []},
    ],
    "mmpose api": {"predictions": [[INSTANCE], []]},
    "mediapipe": [
        {"landmarks": [LANDMARKS], "width": WIDTH, "height": HEIGHT},
        {"landmarks": []},
    ],
}


@pytest.mark.parametrize("content", FRAMES.values(), ids=FRAMES)
def test_frames_are_counted_and_an_empty_one_stays(tmp_path, content):
    first, second = read(tmp_path, content).items()
    assert first[0].endswith("000000") and second[0].endswith("000001")
    np.testing.assert_allclose(first[1], POSE, atol=1e-3)
    assert not second[1].any()


def test_an_unsure_point_is_missing_and_said_once(tmp_path, capsys):
    doubtful = COCO.copy()
    doubtful[0, 2], doubtful[5, 2] = 0.29, 0.02  # The nose, and the left shoulder.
    content = [{"image_id": f"{i}.jpg", "keypoints": flat(doubtful)} for i in (1, 2)]
    expected = POSE.copy()
    expected[[0, 1, 5]] = 0
    np.testing.assert_array_equal(read(tmp_path, content)["1.jpg"], expected)
    said = "below 0.3 count as missing (min_confidence): 6\n"
    assert capsys.readouterr().err.endswith(said)
    found = read(tmp_path, content, min_confidence=0.02)["1.jpg"]
    np.testing.assert_array_equal(found, POSE)
    assert not capsys.readouterr().err


def test_what_a_labeller_saw_stays_and_a_confidence_in_coco_does_not(tmp_path):
    images = [{"id": 1, "file_name": "a.jpg"}]
    for unsure, seen in ((1, True), (0.2, False)):
        points = COCO.copy()
        points[0, 2] = unsure
        people = [{"image_id": 1, "keypoints": flat(points)}]
        found = read(tmp_path, {"images": images, "annotations": people})["a.jpg"]
        assert found[0, 2] == seen and found[2, 2] == 1


def test_the_size_of_the_photo_is_known_where_the_file_says_it(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(ONE["controlnet"]))
    assert keypoint_files.read_placed(path)["a"].size == (HEIGHT, WIDTH)
    images = [{"id": 1, "file_name": "a.jpg", "height": 9, "width": 8}]
    people = [{"image_id": 1, "keypoints": flat(COCO)}]
    path.write_text(json.dumps({"images": images, "annotations": people}))
    assert keypoint_files.read_placed(path)["a.jpg"].size == (9, 8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"shapes": [], "flags": {}}, "the keys 'shapes', 'flags'; known: OpenPose"),
        ([{"id": 3}], "a list of 1, the first of it an object with the keys 'id'"),
        ([], "holds no person"),
        ([{"keypoints": [[1, 2]] * 20}], "person 0: keypoints has 20 points, expected"),
        ([{"keypoints": [[1]] * 17}], "rows of 1, expected x, y"),
        ([INSTANCE | {"keypoint_scores": [1]}], "expected 17 scores"),
        ([{"keypoints": NAMED[:16]}], "names no point right_ankle"),
        ([{"keypoints": {"x": [1]}}], "expected lists x and y"),
        ({"people": 3}, "the people are 3, expected a list"),
        ({"people": [{"pose_keypoints_2d": None}]}, "holds no person"),
    ],
)
def test_other_json_is_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, content)
