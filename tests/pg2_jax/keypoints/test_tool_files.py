"""Files as the writing code of a tool makes them: of each the version is named whose
writer was run, or read where it is no python, on poses of known places."""

import json

import numpy as np
import pytest

from pg2_jax.keypoints import keypoint_files, layouts
from tests.pg2_jax.keypoints.test_estimator_json import (
    COCO,
    HEIGHT,
    INSTANCE,
    MOVENET,
    POSE,
    ROWS,
    WIDTH,
    flat,
    skeleton,
)

SMALL = COCO * [0.5, 0.5, 1]
SIZE = (HEIGHT, WIDTH)


def read(tmp_path, content, name="clip.json", **more):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return keypoint_files.read_placed(path, **more)


def test_results_of_ultralytics_name_their_photo(tmp_path):
    """ultralytics 8.4.190, val(save_json=True): the number of 7.jpg and of 0007.jpg is
    7, so that they were two people of 000000000007."""
    people = [
        {"image_id": 7, "file_name": name, "category_id": 1, "score": 0.9}
        for name in ("7.jpg", "0007.jpg")
    ]
    people[0]["keypoints"], people[1]["keypoints"] = flat(SMALL), flat(COCO)
    found = read(tmp_path, people)
    assert list(found) == ["7.jpg", "0007.jpg"]
    np.testing.assert_array_equal(found["0007.jpg"].keypoints, POSE)
    assert len(found["0007.jpg"].people) == 1


def test_results_without_confidences_have_two_numbers_a_point(tmp_path):
    """ultralytics 8.4.190 with a model whose points are x, y alone."""
    person = {"image_id": "a", "keypoints": flat(COCO[:, :2])}
    np.testing.assert_array_equal(read(tmp_path, [person])["a"].keypoints, POSE)


YOLO = np.float64([0, 0.5, 0.5, 0.2, 0.4])


def yolo_lines(columns, *after, people=(SMALL, COCO)):
    """Two people, as lines of numbers."""
    lines = []
    for person, more in zip(people, after, strict=True):
        points = (person / [WIDTH, HEIGHT, 1])[:, :columns]
        lines.append([*YOLO, *points.ravel(), *more])
    return "".join(" ".join(f"{x:g}" for x in line) + "\n" for line in lines)


@pytest.mark.parametrize(
    ("columns", "after", "tracks"),
    [
        (3, ((), ()), [None, None]),
        (3, ((0.8,), (0.9,)), [None, None]),  # save_conf
        (3, ((1,), (2,)), [2, 1]),  # track
        (3, ((0.8, 1), (0.9, 2)), [2, 1]),
        (2, ((), ()), [None, None]),
        (2, ((0.8, 1), (0.9, 2)), [2, 1]),
    ],
)
def test_lines_of_yolo(tmp_path, columns, after, tracks):
    """ultralytics 8.4.190, Results.save_txt, with and without save_conf and track."""
    text = yolo_lines(columns, *after)
    (tmp_path / "labels").mkdir()
    for found in (
        read(tmp_path, text, "clip.txt", photo_size=SIZE),
        read(tmp_path / "labels", text, "clip.txt", photo_size=SIZE),
        keypoint_files.read_placed(tmp_path / "labels", photo_size=SIZE),
    ):
        assert list(found) == ["clip"]
        np.testing.assert_allclose(found["clip"].keypoints, POSE, atol=1e-2)
        assert list(found["clip"].tracks) == tracks
        assert found["clip"].size == SIZE


def test_of_equally_large_people_of_yolo_the_surer_is_first(tmp_path):
    shifted = COCO + np.array([1, 0, 0])
    for first, second in ((0.9, 0.4), (0.4, 0.9)):
        text = yolo_lines(3, (first,), (second,), people=(shifted, COCO))
        found = read(tmp_path, f"\n{text}\n".lstrip(), "a.txt", photo_size=SIZE)["a"]
        assert len(found.people) == 2
        assert found.keypoints[0, 0] == pytest.approx(11 if first > second else 10)


def test_a_line_that_is_no_person_of_yolo_is_named(tmp_path):
    person, _ = yolo_lines(3, (), ()).splitlines()
    for bad in ("0 0.5 0.5 0.2 0.4", person.replace("0.5", "x", 1)):
        with pytest.raises(ValueError, match="line 2 is no person of YOLO's"):
            read(tmp_path, f"{person}\n{bad}\n", "a.txt", photo_size=SIZE)


def test_lines_of_yolo_need_the_photos_size(tmp_path):
    with pytest.raises(ValueError, match="line 1: keypoints: all coordinates are frac"):
        read(tmp_path, yolo_lines(3, (), ()), "a.txt")


@pytest.mark.parametrize("alone", [False, True])
def test_alphapose_takes_the_top_of_halpes_head_for_the_neck(tmp_path, alone):
    """AlphaPose 1.1 on PyPI and its repository of today, --format open and cmu: the
    neck is the 18th point of the skeleton, with Halpe's the top of the head."""
    wrong = POSE.copy()
    wrong[1, :2] = 900, 700
    for key, points in (("people", "pose_keypoints_2d"), ("bodies", "joints")):
        photo = {"version": "AlphaPose v0.3", key: [{points: flat(wrong)}]}
        found = read(tmp_path, photo if alone else {"clip": photo})["clip"]
        np.testing.assert_array_equal(found.keypoints, POSE)


def test_poseflow_ranks_people_by_their_scores(tmp_path):
    """PoseFlow's tracker-general.py: "scores" is one number of the person."""
    shifted = COCO + np.array([1, 0, 0])
    people = [
        {"keypoints": flat(person), "scores": score, "idx": track}
        for person, score, track in ((shifted, 2.5, 1), (COCO, 2.9, 2))
    ]
    found = read(tmp_path, {"0.jpg": people, "1.jpg": []})
    np.testing.assert_array_equal(found["0.jpg"].keypoints, POSE)
    assert list(found["0.jpg"].tracks) == [2, 1]
    assert not found["1.jpg"].keypoints.any()


def test_skeletons_of_68_and_134_points(tmp_path):
    """AlphaPose's halpe_68_noface, and rtmlib 0.0.16's to_openpose of 133 points."""
    for count in (68, 134):
        person = {"image_id": "a", "keypoints": flat(skeleton(count))}
        found = read(tmp_path, [person])["a"]
        np.testing.assert_array_equal(found.keypoints, POSE)
        found = read(tmp_path, {"keypoints": [skeleton(count)[:, :2].tolist()]})
        np.testing.assert_allclose(found["clip"].keypoints, POSE)


def test_openpose_scaled_to_minus_one_is_refused(tmp_path):
    """OpenPose 1.0 to 1.7, --keypoint_scale 4: half of the points would be missing, and
    the others be fractions. A missing point was (-1, -1, 0) in the first versions. The
    fractions of a canvas, as DWPose's, may be a little negative."""
    points = POSE / [WIDTH / 2, HEIGHT / 2, 1] - [1, 1, 0]
    points[3] = -1, -1, 0
    photo = {"people": [{"pose_keypoints_2d": flat(points)}]}
    with pytest.raises(ValueError, match=r"coordinates from -1 to 1 \(OpenPose's"):
        read(tmp_path, photo, photo_size=SIZE)
    points = POSE / [WIDTH, HEIGHT, 1]
    points[4, 0] = -0.02
    photo = {"people": [{"pose_keypoints_2d": flat(points)}]}
    photo |= {"canvas_height": HEIGHT, "canvas_width": WIDTH}
    found = read(tmp_path, photo)["clip"].keypoints
    assert not found[4].any()
    np.testing.assert_allclose(np.delete(found, 4, 0), np.delete(POSE, 4, 0), atol=1e-4)


def test_places_in_space_are_refused(tmp_path):
    """MMPose 1.3.2, Pose3DInferencer and body3d_pose_lifter_demo.py: rows x, y, z, in
    the order of Human3.6M, not of COCO."""
    person = INSTANCE | {"keypoints": [[*row, 7.0] for row in ROWS]}
    with pytest.raises(ValueError, match="places in space, as of MMPose's 3D models"):
        read(tmp_path, [person])


def test_other_points_in_mmposes_description_are_refused(tmp_path):
    """MMPose 1.3.2, topdown_demo_with_mmdet.py --save-predictions: "meta_info" names
    the points; 17 may be those of an animal."""
    names = {str(i): name for i, name in enumerate(layouts.KEYPOINTS)}
    demo = {
        "meta_info": {"dataset_name": "coco", "keypoint_id2name": names},
        "instance_info": [{"frame_id": 1, "instances": [INSTANCE]}],
    }
    found = read(tmp_path, demo)
    assert list(found) == ["000001"]
    np.testing.assert_array_equal(found["000001"].keypoints, POSE)
    demo["meta_info"] = {
        "dataset_name": "ap10k",
        "keypoint_id2name": names | {"0": "L_Eye"},
    }
    with pytest.raises(ValueError, match=r"the points are \['L_Eye'.*\(ap10k\), expec"):
        read(tmp_path, demo)


def test_landmarks_without_visibility(tmp_path):
    """mediapipe 1.2.3, dataclasses.asdict of a PoseLandmarkerResult: what a model does
    not tell is null."""
    unknown = {"z": 0.1, "visibility": None, "presence": None, "name": None}
    landmarks = [
        {"x": x / WIDTH, "y": y / HEIGHT, **unknown}
        for x, y, _ in skeleton(33).tolist()
    ]
    result = {"pose_landmarks": [landmarks], "segmentation_masks": None}
    result["pose_world_landmarks"] = [[{"x": 0.1, "y": -0.2, **unknown}] * 33]
    found = read(tmp_path, result, photo_size=SIZE)["clip"]
    # The ear that POSE lacks is at the origin.
    np.testing.assert_allclose(found.keypoints[:17], POSE[:17], atol=1e-3)


def test_movenets_own_arrays(tmp_path):
    """MoveNet on tfhub: singlepose [1, 1, 17, 3], multipose [1, 6, 56], 17 points of
    (y, x, score), the box and the score of the person; also a list of frames."""
    empty = [0.0] * 56
    box = [0.1, 0.1, 0.5, 0.5, 0.8]
    halves = (np.array(MOVENET) * [0.5, 0.5, 1]).ravel().tolist()
    whole = [*np.ravel(MOVENET).tolist(), *box]
    several = [[[*halves, *box], whole, empty, empty, empty, empty]]
    for content in (several, [several, several], [[[MOVENET]], several]):
        frames = read(tmp_path, content, photo_size=SIZE).values()
        assert len(frames) == (1 if content is several else 2)
        for found in frames:
            np.testing.assert_allclose(found.keypoints, POSE, atol=1e-3)
        assert len(found.people) == 2
    alone = read(tmp_path, [[MOVENET]], photo_size=SIZE)
    assert list(alone) == ["clip"]
    with pytest.raises(ValueError, match="JSON of no known tool"):
        read(tmp_path, [[[MOVENET]], [1]])


def test_numbers_of_movenet_of_javascript_and_of_openpifpaf(tmp_path):
    """@tensorflow-models/pose-detection 2.1.3 writes "id", openpifpaf 0.13 "id_"; the
    "id" of COCO's annotations is of no person."""
    names = layouts.KEYPOINTS
    points = [
        {"x": x, "y": y, "score": sure, "name": name}
        for (x, y, sure), name in zip(COCO.tolist(), names, strict=True)
    ]
    for person, track in (
        ({"keypoints": points, "id": 4}, 4),
        ({"keypoints": flat(COCO), "id_": 4}, 4),
        ({"keypoints": flat(COCO), "id": 4}, None),
    ):
        assert list(read(tmp_path, [person])["clip"].tracks) == [track]


def test_openpifpaf_keeps_the_photos_suffix(tmp_path):
    """openpifpaf, predict --json-output: photo.jpg.predictions.json."""
    person = {"keypoints": flat(COCO), "score": 0.8, "category_id": 1}
    found = read(tmp_path, [person], "photo.jpg.predictions.json")
    assert list(found) == ["photo.jpg"]
    assert list(keypoint_files.read(tmp_path)) == ["photo.jpg"]
