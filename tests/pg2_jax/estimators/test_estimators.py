"""From what an estimator says to 18 keypoints, by hand; and the estimators themselves
where they are installed."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pg2_jax import pose
from pg2_jax.estimators import base, blazepose, registry, rtmpose
from pg2_jax.keypoints import keypoint_files, layouts

# Where BlazePose's documentation has the joints; the neck is not among them.
BLAZEPOSE = {
    "nose": 0,
    "left_eye": 2,
    "right_eye": 5,
    "left_ear": 7,
    "right_ear": 8,
    "left_shoulder": 11,
    "right_shoulder": 12,
    "left_elbow": 13,
    "right_elbow": 14,
    "left_wrist": 15,
    "right_wrist": 16,
    "left_hip": 23,
    "right_hip": 24,
    "left_knee": 25,
    "right_knee": 26,
    "left_ankle": 27,
    "right_ankle": 28,
}
# COCO's order of keypoints.
COCO_17 = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    *("left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)


def _landmarks():
    """Landmark i at (10 + 3 i, 5 + 2 i), the nose before the ears, all sure."""
    index = np.arange(33.0)
    depth = np.where(index == 0, -1, 0)
    return np.stack([10 + 3 * index, 5 + 2 * index, depth, np.full(33, 0.8)], axis=1)


def _joint(person, name):
    return person.keypoints[pose.JOINTS.index(name)].tolist()


def test_blazepose_becomes_coco_18():
    person = blazepose.from_landmarks(_landmarks(), (200, 300), 0.5)
    for name, index in BLAZEPOSE.items():
        assert _joint(person, name) == [10 + 3 * index, 5 + 2 * index, 1], name
    assert _joint(person, "neck") == [44.5, 28, 1]  # Between landmarks 11 and 12.
    assert person.keypoints.shape == (18, 3) and person.keypoints.dtype == np.float32
    assert person.score == pytest.approx(0.8)
    # From the nose (10, 5) to the right ankle, landmark 28.
    assert person.area == (28 * 3) * (28 * 2)


def test_a_face_seen_from_behind_is_missing():
    landmarks = _landmarks()
    landmarks[[7, 8], 2] = [-3, -2]  # The ears are nearer than the nose.
    person = blazepose.from_landmarks(landmarks, (200, 300), 0.0)
    for name in ("nose", "left_eye", "right_eye"):
        assert _joint(person, name) == [0, 0, 0]
    assert _joint(person, "left_ear") == [31, 19, 1]
    assert person.score == pytest.approx(0.8 * 15 / 18)


def test_coco_17_becomes_coco_18():
    index = np.arange(17.0)
    points = np.stack([10 + 3 * index, 5 + 2 * index, np.full(17, 0.9)], axis=1)
    person = rtmpose.from_coco_17(points, (200, 300), 0.5)
    for index, name in enumerate(COCO_17):
        assert _joint(person, name) == [10 + 3 * index, 5 + 2 * index, 1], name
    assert _joint(person, "neck") == [26.5, 16, 1]  # Between points 5 and 6.


def test_an_estimated_pose_is_that_of_coco_json():
    rng = np.random.default_rng(0)
    for _ in range(20):
        places = rng.integers(0, 60, (17, 2))
        points = np.column_stack([places, rng.choice([0.2, 0.9], 17)])
        person = rtmpose.from_coco_17(points, (60, 60), 0.5)
        annotated = np.column_stack([places, points[:, 2] > 0.5])
        expected = layouts.to_coco_18("annotated", annotated)
        np.testing.assert_array_equal(person.keypoints, expected)


def test_unsure_points_and_points_outside_are_missing():
    points = np.tile([20.0, 30.0, 0.9], (17, 1))
    points[COCO_17.index("left_wrist"), 2] = 0.49
    points[COCO_17.index("right_wrist"), :2] = [-0.2, 30]
    points[COCO_17.index("left_knee"), :2] = [59.96, 30]  # Rounds to the width.
    points[COCO_17.index("right_knee"), :2] = [59.94, 30.04]
    points[COCO_17.index("left_ankle"), :2] = np.nan
    points[COCO_17.index("right_ankle"), 2] = np.nan
    points[COCO_17.index("left_shoulder"), 2] = 0.1
    person = rtmpose.from_coco_17(points, (100, 60), 0.5)
    gone = "left_wrist right_wrist left_knee left_ankle right_ankle left_shoulder neck"
    for name in gone.split():
        assert _joint(person, name) == [0, 0, 0], name
    np.testing.assert_allclose(_joint(person, "right_knee"), [59.9, 30, 1])
    assert person.keypoints[:, 2].sum() == 11
    assert person.score == pytest.approx(0.9 * 11 / 18)


def test_the_neck_is_missing_when_a_shoulder_is_outside():
    points = np.tile([20.0, 30.0, 0.9], (17, 1))
    points[COCO_17.index("left_shoulder"), 0] = -10  # The midpoint is inside, at 5.
    assert _joint(rtmpose.from_coco_17(points, (100, 60), 0.5), "neck") == [0, 0, 0]


def test_two_poses_of_one_person_are_one():
    sure = blazepose.from_landmarks(_landmarks(), (200, 300), 0.5)
    shifted = _landmarks() + np.array([4, 4, 0, -0.1])  # 5.7 of about 69 pixels.
    unsure = blazepose.from_landmarks(shifted, (200, 300), 0.5)
    away = _landmarks() + np.array([50, 0, 0, 0])
    other = blazepose.from_landmarks(away, (200, 300), 0.5)
    found = blazepose._distinct([unsure, sure, other])
    assert [person.keypoints[1, 0] for person in found] == [44.5, 94.5]


@pytest.mark.parametrize(("size", "room"), [((90, 30), 0.25), ((2000, 4000), 0.5)])
def test_room_around_a_photo_moves_no_point(size, room):
    image = np.zeros((*size, 3), np.uint8)
    height, width = size
    cell = max(size) // 30
    x, y = width // 2, height // 3
    image[y : y + cell, x : x + cell] = 255
    square, scale, corner = blazepose._with_room(image, room)
    assert square.shape[0] == square.shape[1] <= 2560
    light = square[..., 0] / 255.0
    rows, columns = np.mgrid[: len(square), : len(square)] + 0.5
    centre = np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum()
    expected = [x + cell / 2, y + cell / 2]
    np.testing.assert_allclose((centre - corner) / scale, expected, atol=0.5)


@pytest.mark.parametrize(
    ("name", "modules", "extra"),
    [
        ("mediapipe", ["mediapipe"], "pose"),
        ("rtmlib", ["rtmlib", "onnxruntime"], "rtmlib"),
    ],
)
def test_what_is_not_installed_is_named(monkeypatch, tmp_path, name, modules, extra):
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.setattr(sys, "path", [])
    for module in modules:
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(ValueError, match=f"{modules[0]}.* is not installed") as error:
        registry.open_estimator(base.Settings(name, tmp_path / "model"))
    assert f"pip install 'pg2_jax[{extra}]'" in str(error.value)


# The estimators themselves.


@pytest.fixture
def model(shared):
    # Importing it here would import tensorflow, too, which the estimator avoids.
    if not importlib.util.find_spec("mediapipe"):
        pytest.skip("mediapipe is not installed (extra pose)")
    path = shared / "models" / "pose_landmarker_full.task"
    if not path.is_file():
        pytest.skip(f"BlazePose's model is not at {path}")
    return path


def test_a_program_ends_quietly_that_does_not_close_blazepose(model):
    program = (
        "from pg2_jax.estimators import base, registry\n"
        f"settings = base.Settings('mediapipe', {str(model)!r})\n"
        "estimator = registry.open_estimator(settings)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_blazepose_finds_the_points_of_real_photos(shared, model):
    folder = shared / "real_people"
    if not folder.is_dir():
        pytest.skip(f"the sample of real photos is not at {folder}")
    annotated = keypoint_files.read(folder / "fasion_256/fasion-annotation-test.csv")
    estimator = registry.open_estimator(base.Settings("mediapipe", model))
    gaps = []
    for name in list(annotated)[::13]:
        image = np.asarray(Image.open(folder / "fasion_256" / "test" / name))
        (person,) = estimator(image)
        both = (person.keypoints[:, 2] > 0) & (annotated[name][:, 2] > 0)
        assert both.sum() >= 6
        gaps.append(person.keypoints[both, :2] - annotated[name][both, :2])
    assert estimator(np.zeros((100, 60, 3), np.uint8)) == []
    estimator.close()
    # Photos of 256x256; the annotations are of another version of the model, and of
    # the frames that the photos were cut from.
    assert np.hypot(*np.concatenate(gaps).T).mean() < 4


def test_blazepose_refuses_what_is_no_model(model, tmp_path):
    path = tmp_path / "broken.task"
    path.write_bytes(model.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"broken\.task is not a pose model that medi"):
        registry.open_estimator(base.Settings("mediapipe", path))


def _write_onnx(path, shape, outputs):
    """A network that answers the same to every photo."""
    onnx = pytest.importorskip("onnx", reason="onnx, which writes models, is absent")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0)]
    nodes.append(helper.make_node("Mul", ["mean", "zero"], ["nothing"]))
    constants = [onnx.numpy_helper.from_array(np.float32(0), "zero")]
    infos = []
    for name, value in outputs.items():
        value = np.asarray(value, np.float32)
        constants.append(onnx.numpy_helper.from_array(value, f"{name}_value"))
        nodes.append(helper.make_node("Add", ["nothing", f"{name}_value"], [name]))
        infos.append(helper.make_tensor_value_info(name, kind, value.shape))
    inputs = [helper.make_tensor_value_info("input", kind, shape)]
    graph = helper.make_graph(nodes, "constant", inputs, infos, constants)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


@pytest.fixture
def rtmlib_settings(tmp_path):
    pytest.importorskip("rtmlib", reason="rtmlib is not installed (extra rtmlib)")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    return base.Settings("rtmlib", tmp_path / "model.onnx")


def test_rtmo_finds_several_people(rtmlib_settings):
    boxes = [[[0, 0, 320, 640, 0.9], [320, 0, 640, 640, 0.8], [0, 0, 10, 10, 0.1]]]
    points = np.zeros((1, 3, 17, 3))
    for who in range(3):
        for joint in range(17):
            points[0, who, joint] = [200 * who + 10 + joint, 20 + 2 * joint, 0.9]
    outputs = {"dets": boxes, "keypoints": points}
    _write_onnx(rtmlib_settings.model, [1, 3, 640, 640], outputs)
    estimator = registry.open_estimator(rtmlib_settings)
    people = estimator(np.zeros((320, 160, 3), np.uint8))  # Half of 640x640.
    # The right ankle, COCO's point 16, in COCO-18's place 10; the third is no person.
    ankles = sorted(person.keypoints[10].tolist() for person in people)
    assert ankles == [[13, 26, 1], [113, 26, 1]]


# COCO's body; Halpe's and COCO-WholeBody's, which begin with it.
@pytest.mark.parametrize("num_points", [17, 26, 133])
def test_rtmpose_takes_the_photo_for_the_person(rtmlib_settings, num_points):
    across, down = np.zeros((1, num_points, 384)), np.zeros((1, num_points, 512))
    for joint in range(17):
        across[0, joint, 20 * joint + 4], down[0, joint, 30 * joint + 2] = 0.9, 0.9
    outputs = {"simcc_x": across, "simcc_y": down}
    _write_onnx(rtmlib_settings.model, [1, 3, 256, 192], outputs)
    estimator = registry.open_estimator(rtmlib_settings)
    (person,) = estimator(np.zeros((256, 192, 3), np.uint8))
    # The left hip, COCO's point 11, at (112, 166) of a box 1.25 times as large.
    expected = [112 * 1.25 - 24, 166 * 1.25 - 32, 1]
    np.testing.assert_allclose(person.keypoints[11], expected, atol=0.06)


# A hand has 21 points, MPII's body 16.
@pytest.mark.parametrize("num_points", [16, 21])
@pytest.mark.parametrize("name", ["RTMPose", "RTMO"])
def test_a_model_of_other_points_is_refused(rtmlib_settings, name, num_points):
    shapes = {
        "RTMPose": {"simcc_x": (1, num_points, 384), "simcc_y": (1, num_points, 512)},
        "RTMO": {"dets": (1, 3, 5), "keypoints": (1, 3, num_points, 3)},
    }
    outputs = {output: np.zeros(shape) for output, shape in shapes[name].items()}
    _write_onnx(rtmlib_settings.model, [1, 3, 256, 192], outputs)
    message = rf"model=.*model\.onnx .* it has {num_points} points, expected COCO's"
    with pytest.raises(ValueError, match=message):
        registry.open_estimator(rtmlib_settings)


def test_another_network_is_refused(rtmlib_settings):
    _write_onnx(rtmlib_settings.model, [1, 3, 8, 8], {"logits": np.zeros((1, 10))})
    with pytest.raises(ValueError, match=r"its outputs have \[2\] axes, neither RTMO"):
        registry.open_estimator(rtmlib_settings)
    rtmlib_settings.model.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match="is not a pose model that rtmlib can read"):
        registry.open_estimator(rtmlib_settings)


def _standing(left, height=80.0):
    """A person whose shoulders, hips and ankles are seen."""
    keypoints = np.zeros((18, 3), np.float32)
    for joints, share in (((2, 5), 0.1), ((8, 11), 0.5), ((10, 13), 1.0)):
        y = 10 + share * height
        keypoints[list(joints)] = [[left, y, 1], [left + 10, y, 1]]
    return base.Person(keypoints, 0.9)


@pytest.mark.parametrize(("everybody", "count"), [(True, 3), (False, 1)])
def test_a_group_is_looked_at_until_nobody_is_left(everybody, count):
    """Its model finds one person of a group, and makes one up where that was."""
    group = [_standing(left) for left in (20, 70, 120)]
    estimator = object.__new__(blazepose.BlazePose)
    estimator._everybody, looks = everybody, []

    def look(image, room):
        looks.append(image)
        seen = [p for p in group if image[50, int(p.keypoints[2, 0]) + 5].any()]
        return seen[:1] or [_standing(24, 60)]

    estimator._look = look
    people = estimator(np.full((100, 160, 3), 200, np.uint8))
    assert [person.left for person in people] == [25, 75, 125][:count]
    assert len(looks) == (4 if everybody else 1)
    assert (looks[0] == 200).all()


def test_spread_arms_make_nobody_larger():
    person = _standing(40)
    spread = person.keypoints.copy()
    spread[4], spread[7] = (5, 40, 1), (85, 40, 1)
    wide = base.Person(spread, 0.9)
    assert wide.area > 2 * person.area
    assert wide.length == 80 and person.length == pytest.approx(72)
