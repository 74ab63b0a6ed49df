"""Poses of any kind, brought into the model's image."""

import json
import warnings

import numpy as np
import pytest
from PIL import Image

from pg2_jax.inference import fitting, retarget, target_pose
from tests.pg2_jax.inference.stand_in import HEIGHT, WIDTH, Finder, figure

SIZE = (HEIGHT, WIDTH)


def write(path, *people):
    rows = [{"pose_keypoints_2d": np.asarray(p).ravel().tolist()} for p in people]
    path.write_text(json.dumps({"people": rows}))
    return path


def read(given, name="", finder=None, **more):
    return target_pose.read_poses(given, name, finder or Finder(), **more)


def fit(poses, fit="auto", body=None, pose_size=None, mirror=False):
    how = body, fit, pose_size
    fitted = fitting.fit_poses(poses, SIZE, *how, mirror=mirror)
    return dict(zip(poses.poses, fitted, strict=True))


def test_arrays_and_mappings():
    assert list(read(figure()).poses) == ["00"]
    assert list(read(np.stack([figure()] * 2)).poses) == ["00", "01"]
    named = read({"a": figure(), "b": figure(8)}, "b")
    np.testing.assert_array_equal(named.poses["b"], figure(8))
    assert read(named) is named


def test_poses_are_mirrored_in_the_image_that_they_are_of():
    """figure(): the neck at 6, hips at 4 and 8, the right ankle at 4, of 16 columns."""
    given = figure()
    got = fit(read(given), "none", mirror=True)["00"]
    np.testing.assert_array_equal(got[[1, 8, 11, 13], 0], [9, 7, 11, 11])
    np.testing.assert_array_equal(got[[1, 8, 11, 13], 1], given[[1, 11, 8, 10], 1])
    assert got[10, 2] == 0 and got[:, 2].sum() == 4
    large = given * [2, 2, 1]
    twice = fit(read(large), "none", None, (64, 32), mirror=True)
    # 31 - 2 x, halved.
    np.testing.assert_array_equal(twice["00"][1, 0], (31 - 12) / 2)
    body = fit(read(given), "body", figure(), mirror=True)
    np.testing.assert_array_equal(body["00"][[8, 11, 13], 0], [4, 8, 8])


def test_joints_beyond_the_image_are_counted():
    raised = figure()
    raised[4] = 6, -5, 1
    given = read({"a": figure(), "up": raised})
    words = r"1 of 2 poses reach .*: up \(1 joint\)\. `pose_fit=image`"
    with pytest.warns(UserWarning, match=words):
        fitted = fit(given, "body", figure())
    np.testing.assert_array_equal(fitted["a"], figure())
    assert fitted["up"][4, 2] == 0 and fitted["up"][:, 2].sum() == 4
    with pytest.warns(UserWarning, match=r"that the pose reaches beyond it; .* up \("):
        fit(read({"up": raised}), "body", figure())


def test_files_folders_photos_and_the_library(tmp_path):
    write(tmp_path / "1_keypoints.json", figure(8))
    write(tmp_path / "2_keypoints.json", figure(12))
    assert list(read(tmp_path).poses) == ["1", "2"]
    one = read(tmp_path / "2_keypoints.json").poses
    np.testing.assert_array_equal(one["2"], figure(12))
    Image.new("RGB", (40, 60)).save(tmp_path / "dancer.png")
    photo = read(tmp_path / "dancer.png", finder=Finder(figure(30)))
    assert not photo.pixels
    np.testing.assert_array_equal(photo.poses["dancer"], figure(30))
    assert len(read("walk").poses) == 8
    assert list(read("catalogue/back").poses) == ["back"]


def test_frames_without_a_person_are_left_out_and_said(tmp_path):
    write(tmp_path / "1_keypoints.json", figure())
    write(tmp_path / "2_keypoints.json")
    with pytest.warns(UserWarning, match="1 of 2 poses have no joint .* left out: 2"):
        assert list(read(tmp_path).poses) == ["1"]


def frame(folder, number, *people):
    return write(folder / f"clip_{number}_keypoints.json", *people)


def test_one_person_is_followed_through_a_video(tmp_path):
    """A dancer walks from 20 to 34, beside others from frame 2 on; 4 is empty."""
    other = figure(60, left=300, top=0)
    for i in range(8):
        dancer = figure(20 + i % 2, left=20 + 2 * i)
        here = {0: [], 2: [other, dancer], 3: [dancer, other], 4: []}
        frame(tmp_path, i, *here.get(i, [dancer]))
    said = r"several people in 2 of 8 frames; followed is number 1"
    with pytest.warns(UserWarning, match=said):
        poses = read(tmp_path, sequence=True)
    assert list(poses.poses) == [f"clip_{i}" for i in range(8)]
    with warnings.catch_warnings(record=True) as notes:
        fitted = fit(poses, pose_size=(64, 32 * 3), fit="none")
    said = str(notes[-1].message)
    assert "2 of 8 frames show no joint" in said and said.endswith("clip_0, clip_4.")
    # 96 wide to 16, so that 64 become 10 2/3 high, 10 2/3 from the top.
    necks = np.stack([points[1] for points in fitted.values()])
    lefts = np.array([22, 22, 24, 26, 28, 30, 32, 34]) + 2
    np.testing.assert_allclose(necks[:, 0], lefts / 6, rtol=1e-5)
    np.testing.assert_allclose(necks[:, 1], 4 / 6 + 32 / 3, rtol=1e-5)
    with pytest.warns(UserWarning, match="several people"):
        second = read(tmp_path, sequence=True, pose_person=2).poses
    # By size the dancer is the second.
    assert [p[1, 0] for p in second.values() if p.any()] == [24, 26, 28, 32, 34, 36]
    with pytest.raises(ValueError, match="pose_person=3 must be from 1 to 2"):
        read(tmp_path, sequence=True, pose_person=3)


def test_frames_that_a_tool_left_out_are_filled(tmp_path):
    """AlphaPose lists people, so that nobody is in frame 5; its numbers say who jumps
    to the other side in frame 7."""
    people = []
    for i in [*range(5), *range(6, 12)]:
        places = (2, 40) if i < 7 else (40, 2)
        for idx, (left, tall) in enumerate(zip(places, (20, 16), strict=True)):
            points = np.zeros((26, 3))
            points[[5, 6, 18, 11, 12, 15, 16], 2] = 0.9
            points[[5, 6, 18], :2] = left, 2
            points[[11, 12], :2] = left, 2 + tall / 2
            points[[15, 16], :2] = left + i % 2, 2 + tall
            row = {"image_id": f"{i}.jpg", "keypoints": points.ravel().tolist()}
            people.append({**row, "score": 3.1, "idx": [float(idx)]})
    path = tmp_path / "alphapose-results.json"
    path.write_text(json.dumps(people))
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        poses = read(path, sequence=True).poses
    assert "frames are missing: 1 of 12." in str(notes[0].message)
    assert list(poses) == [f"{i}.jpg" for i in range(12)]
    assert not poses["5.jpg"].any()
    lefts = [points[1, 0] for points in poses.values() if points.any()]
    assert lefts == [2] * 6 + [40] * 5


def test_the_second_person_of_a_photo(tmp_path):
    path = write(tmp_path / "a.json", figure(10), figure(20, left=9))
    np.testing.assert_array_equal(read(path).poses["a"], figure(20, left=9))
    np.testing.assert_array_equal(read(path, pose_person=2).poses["a"], figure(10))
    with pytest.raises(ValueError, match="pose_person=3 must be from 1 to 2"):
        read(path, pose_person=3)


@pytest.mark.parametrize("how", ["none", "body"])
def test_who_walks_through_the_image_does_not_end_the_run(how):
    lefts = (-20, -10, 2, 8, 25)
    poses = read(np.stack([figure(left=left) for left in lefts]))
    with warnings.catch_warnings(record=True) as said:
        fitted = fit(poses, how, figure(left=0.2), SIZE)
    assert "3 of 5 frames show no joint" in str(said[-1].message)
    assert len(fitted) == 5
    np.testing.assert_array_equal(fitted["00"], fitted["02"])
    np.testing.assert_array_equal(fitted["04"], fitted["03"])


def test_the_image_that_a_pose_file_names_is_the_pose_size(tmp_path):
    values = (figure() * [4, 4, 1]).ravel().tolist()
    content = {"people": [{"pose_keypoints_2d": values}]}
    canvas = {"canvas_height": 4 * HEIGHT, "canvas_width": 4 * WIDTH}
    (tmp_path / "a.json").write_text(json.dumps([content | canvas]))
    poses = read(tmp_path / "a.json")
    np.testing.assert_array_equal(fit(poses)["a"], figure())
    half = fit(poses, pose_size=(8 * HEIGHT, 8 * WIDTH))["a"]
    np.testing.assert_array_equal(half, figure() * [0.5, 0.5, 1])


def test_another_shape_is_centred_and_said(tmp_path):
    wide = figure() * [2, 2, 1]
    with warnings.catch_warnings(record=True) as said:
        fitted = fit(read(wide), pose_size=(HEIGHT, 2 * WIDTH))["00"]
    assert "image of 32x32, which has another shape" in str(said[-1].message)
    np.testing.assert_array_equal(fitted[1], [6, 4 + 8, 1])
    np.testing.assert_array_equal(fitted[8], [4, 14 + 8, 1])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((17, 3)), r"got \[17, 3\], COCO's 17 points"),
        (np.zeros((25, 3)), "BODY_25's points"),
        (np.full((18, 3), np.nan), "not finite"),
        ({}, "There is no pose"),
        (None, "order; got NoneType"),
        (object(), "order; got object"),
        ({"a": "b"}, "order; got str"),
        ([[1, 2], [3]], "order; got list"),
        (
            "fly",
            r"^pose=fly: there is no such file or folder, and no such set .*walk, turn",
        ),
        ("back", r"^pose=back: .* wave\); did you mean catalogue/back\?$"),
        ("walk/99", r"^pose=walk/99 is not in walk\."),
        ("catalogue/bakc", r"^pose=catalogue/bakc is not .* mean catalogue/back"),
    ],
)
def test_what_is_no_pose_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        read(given)


def test_files_without_a_person_or_of_another_kind(tmp_path):
    with pytest.raises(ValueError, match="holds no person"):
        read(write(tmp_path / "empty.json"))
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match=r"notes.txt: not a known format"):
        read(tmp_path / "notes.txt")


def test_pixels_stay_and_another_size_is_scaled():
    poses = read(figure())
    np.testing.assert_array_equal(fit(poses)["00"], figure())
    double = read(figure() * [2, 2, 1])
    np.testing.assert_array_equal(fit(double, pose_size=(64, 32))["00"], figure())


def test_the_body_is_followed_where_it_is_known():
    body = figure(12, left=3)
    want = retarget.fit_to_body(figure(200, left=90)[None], body)[0]
    np.testing.assert_allclose(fit(read(figure(200, left=90)), body=body)["00"], want)
    lame = body.copy()
    lame[1] = 0
    np.testing.assert_array_equal(fit(read(figure()), body=lame)["00"], figure())


def test_poses_of_the_library_fill_the_image():
    fitted = fit(read("turn"))
    tops = [points[:, 1][points[:, 2] > 0].min() for points in fitted.values()]
    assert 2 < min(tops) < 6


def test_a_pose_outside_the_image_is_refused_or_said():
    with pytest.raises(ValueError, match=r"4 points outside .* `pose_size"):
        fit(read(figure(left=100)))
    with pytest.raises(ValueError, match=r"00: all joints lie outside .* of 32x16"):
        fit(read(figure()), "body", figure(left=100))
    one = figure()
    one[10] = 4, 40, 1
    with pytest.warns(UserWarning, match="1 point outside an image of 32x16, left out"):
        kept = fit(read(one))["00"]
    assert not kept[10].any()


def test_fits_that_cannot_be_done_are_named():
    with pytest.raises(ValueError, match="pose_fit=body needs the joints"):
        fit(read(figure()), "body")
    with pytest.raises(ValueError, match="pose_fit=best must be one of auto, body"):
        fit(read(figure()), "best")
