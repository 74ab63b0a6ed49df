"""Tests of the synthetic people: files, keypoints, pictures, errors."""

import dataclasses
import os
import re

import numpy as np
import pytest
from PIL import Image

from data_prep import synthesize_people
from data_prep.synthetic import figure, person, pictures, scenes, shading

SMALL = {
    "train_identities": 3,
    "test_identities": 2,
    "images_per_identity": 4,
    "image_size": "64x32",
}
INDEX = {name: i for i, name in enumerate(figure.KEYPOINTS)}


def synthesize(folder, **options):
    options = synthesize_people.Options(output_dir=str(folder), **options)
    return synthesize_people.synthesize(options)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people") / "out"
    summary = synthesize(folder, **SMALL, seed=1, workers=1)
    return folder, summary


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def plain_look(**changes):
    look = person.sample_look(np.random.default_rng(3))
    plain = {
        "pattern": "plain",
        "front": "plain",
        "sleeve": 1.95,
        "bag": "none",
        "hair_style": "short",
        "skirt": 0.0,
        "shirt": (0.2, 0.5, 0.7),
    }
    return dataclasses.replace(look, **plain | changes)


def photograph(pose, height=128, width=128, **changes):
    """A photograph under frontal white light by a perfect camera."""
    scene = scenes.make_scene(np.random.default_rng(0), height, width)
    perfect = {"pitch": 0, "zoom": 1, "blur": 0, "noise": 0}
    perfect |= {"gain": 1, "gamma": 1, "haze": 0}
    light = shading.Light(np.array((0, 0, 1.0)), np.ones(3), 0.5)
    scene = dataclasses.replace(scene, light=light, **perfect)
    rng = np.random.default_rng(0)
    return pictures.take_photo(plain_look(**changes), pose, scene, rng)


def point(photo, name):
    """The visible keypoint `name` as (x, y)."""
    x, y, visible = photo.keypoints[INDEX[name]]
    assert visible == 1, f"{name} is missing"
    return x, y


def missing(photo):
    return {name for name, i in INDEX.items() if not photo.keypoints[i, 2]}


def test_the_number_of_workers_does_not_change_a_byte(people, tmp_path):
    synthesize(tmp_path / "two", **SMALL, seed=1, workers=2)
    assert contents(tmp_path / "two") == contents(people[0])


def test_seeds_differ_and_more_images_keep_the_first(people, tmp_path):
    arguments = SMALL | {"images_per_identity": 2}
    synthesize(tmp_path / "few", **arguments, seed=1, workers=1)
    synthesize(tmp_path / "other", **arguments, seed=2, workers=1)
    few, other = contents(tmp_path / "few"), contents(tmp_path / "other")
    pictures = {k: v for k, v in few.items() if k.startswith("bounding")}
    assert len(pictures) == 10
    assert pictures.items() <= contents(people[0]).items()
    assert not set(pictures.values()) & set(other.values())


def test_no_two_pictures_show_the_same_pose(people):
    rows = []
    for split in ("train", "test"):
        path = people[0] / f"market-annotation-{split}.csv"
        rows += [row.partition(":")[2] for row in path.read_text().splitlines()[1:]]
    assert len(set(rows)) == len(rows) == 20


def test_a_person_wears_the_same_in_every_picture_and_all_poses_differ():
    looks, poses = [], []

    def remember(look, pose, *_):
        looks.append(look)
        poses.append(pose.arms.tolist())
        return pictures.Photo(np.zeros(0), np.zeros(0), 90, 0.0, np.zeros(0))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "take_photo", remember)
        for identity, index in ((1, 0), (1, 6), (2, 0)):
            pictures.photograph(0, identity, index, 64, 32)
    assert looks[0] == looks[1] != looks[2]
    assert poses[0] != poses[1] != poses[2] != poses[0]


@pytest.mark.parametrize("same", [True, False])
def test_in_the_same_scene_only_the_person_moves(same):
    photos = [
        pictures.photograph(5, 1, index, 64, 64, same_scene=same) for index in range(4)
    ]
    corners = np.array([photo.image[:12, :8] for _, photo in photos], float)
    change = np.abs(corners - corners[0]).mean((1, 2, 3))[1:]
    assert (change < 8).all() == same
    cameras = {name.split("_")[1][:2] for name, _ in photos}
    assert len(cameras) == (1 if same else 4)


def test_file_names_sizes_and_disjoint_identities(people):
    identities = {}
    for split in ("train", "test"):
        paths = sorted((people[0] / f"bounding_box_{split}").iterdir())
        for path in paths:
            assert re.fullmatch(r"\d{4}_c[1-6]s\d_\d{6}_00\.jpg", path.name)
            with Image.open(path) as picture:
                assert (picture.size, picture.format) == ((32, 64), "JPEG")
        identities[split] = {path.name[:4] for path in paths}
        assert len(paths) == 4 * len(identities[split])
    assert identities == {"train": {"0001", "0002", "0003"}, "test": {"0004", "0005"}}


def test_annotation_rows(people):
    for split in ("train", "test"):
        text = (people[0] / f"market-annotation-{split}.csv").read_text()
        header, *rows = text.splitlines()
        assert header == "name:keypoints_y:keypoints_x"
        names = [row.partition(":")[0] for row in rows]
        pictures = (people[0] / f"bounding_box_{split}").iterdir()
        assert names == sorted(path.name for path in pictures)
        for row in rows:
            numbers = r"\[(?:-?\d+, ){17}-?\d+\]"
            assert re.fullmatch(rf"[\w.]+: {numbers}: {numbers}", row)
            ys, xs = (
                np.array(re.findall(r"-?\d+", part), int) for part in row.split(":")[1:]
            )
            np.testing.assert_array_equal(ys == -1, xs == -1)
            assert ys.min() >= -1 and ys.max() < 64
            assert xs.min() >= -1 and xs.max() < 32


def test_summary_counts_the_complete_trunks(people):
    rows = []
    for split in ("train", "test"):
        path = people[0] / f"market-annotation-{split}.csv"
        rows += path.read_text().splitlines()[1:]
    complete = []
    for row in rows:
        ys = np.array(re.findall(r"-?\d+", row.split(":")[1]), int)
        complete.append((ys[[2, 5, 8, 11]] >= 0).all())
    summary = people[1]
    assert (summary.images, summary.identities) == (20, 5)
    assert summary.complete_share == pytest.approx(np.mean(complete))


def test_contact_sheet_has_a_row_per_person(people):
    with Image.open(people[0] / "contact_sheet.jpg") as sheet:
        assert sheet.size == (4 * (32 + 2), 5 * (64 + 2))


def test_most_people_have_both_shoulders_and_hips(tmp_path):
    arguments = SMALL | {"train_identities": 19, "test_identities": 1}
    arguments |= {"images_per_identity": 8, "image_size": "32x16"}
    summary = synthesize(tmp_path / "out", **arguments)
    assert summary.complete_share > 0.7


def test_a_person_facing_the_camera_has_the_right_side_on_the_left():
    photo = photograph(person.standing_pose("side", yaw=0.0))
    assert missing(photo) == set()
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "eye", "ear"):
        assert point(photo, f"r_{joint}")[0] < point(photo, f"l_{joint}")[0]
    order = [point(photo, name)[1] for name in ("r_eye", "nose", "neck", "r_hip")]
    order += [point(photo, name)[1] for name in ("r_knee", "r_ankle")]
    assert order == sorted(order)
    middle = (point(photo, "r_wrist")[0] + point(photo, "l_wrist")[0]) / 2
    assert middle == pytest.approx(point(photo, "neck")[0], abs=2)


def test_from_behind_the_sides_swap_and_the_face_is_missing():
    photo = photograph(person.standing_pose("side", yaw=np.pi))
    assert missing(photo) == {"nose", "r_eye", "l_eye"}
    for joint in ("shoulder", "wrist", "hip", "ankle", "ear"):
        assert point(photo, f"r_{joint}")[0] > point(photo, f"l_{joint}")[0]


def test_in_a_side_view_the_far_side_is_missing():
    # Who walks to the image's right shows the right side to the camera.
    photo = photograph(person.standing_pose(yaw=np.pi / 2))
    assert {"l_eye", "l_ear", "l_shoulder", "l_hip"} <= missing(photo)
    assert not {"nose", "r_eye", "r_ear", "r_shoulder", "r_knee"} & missing(photo)
    assert point(photo, "nose")[0] > point(photo, "r_ear")[0]


def test_hands_behind_the_back_are_missing_only_from_the_front():
    hands = {"r_wrist", "l_wrist"}
    front = photograph(person.standing_pose("back", yaw=0.0))
    behind = photograph(person.standing_pose("back", yaw=np.pi))
    assert hands <= missing(front)
    assert not hands & missing(behind)


def test_joints_outside_the_picture_are_missing():
    wide = photograph(person.standing_pose("side"))
    narrow = photograph(person.standing_pose("side"), width=32)
    assert "r_wrist" not in missing(wide)
    assert {"r_wrist", "l_wrist"} <= missing(narrow)


def test_the_belly_has_the_colour_of_the_shirt_and_the_thigh_of_the_trousers():
    photo = photograph(
        person.standing_pose(),
        trousers=(0.7, 0.3, 0.2),
        trousers_pattern="plain",
        leg_cover=2.0,
    )
    shoulder, hip, knee = (
        np.array(point(photo, name)) for name in ("r_shoulder", "r_hip", "r_knee")
    )
    for spot, colour in (
        ((shoulder + hip) / 2 + (2, 0), (0.2, 0.5, 0.7)),
        ((hip + knee) / 2, (0.7, 0.3, 0.2)),
    ):
        x, y = spot.astype(int)
        found = photo.image[y - 1 : y + 2, x - 1 : x + 2].mean((0, 1)) / 255
        np.testing.assert_allclose(found, colour, atol=0.12)


def test_pixels_are_told_apart():
    photo = photograph(person.standing_pose("side", yaw=0.0))
    eyes, neck = (np.array(point(photo, name)) for name in ("r_eye", "neck"))
    places = {name: point(photo, name) for name in ("r_wrist", "l_elbow", "nose")}
    places |= {"fringe": (neck[0], eyes[1] - 5), "corner": (0, 0)}
    places["belly"] = (neck + np.array(point(photo, "r_hip"))) / 2
    shown = {name: photo.classes[int(y), int(x)] for name, (x, y) in places.items()}
    hair, arms, body = 255 * np.eye(3, dtype=int)
    want = {"r_wrist": arms, "l_elbow": arms, "nose": body, "belly": body}
    want |= {"fringe": hair, "corner": 0 * hair}
    for name, share in want.items():
        np.testing.assert_allclose(shown[name], share, atol=40, err_msg=name)
    assert photo.classes.sum(axis=-1, dtype=int).max() <= 256


def test_a_print_is_on_the_chest_and_not_on_the_back():
    def red(yaw):
        pose = person.standing_pose(yaw=yaw)
        changes = {"front": "print", "accents": ((1.0, 0.0, 0.0),) * 2}
        image = photograph(pose, **changes).image.astype(int)
        x, y = point(photograph(pose), "neck")
        chest = image[int(y) : int(y) + 30, int(x) - 8 : int(x) + 8]
        return ((chest[..., 0] > 150) & (chest[..., 1] < 70)).sum()

    assert red(0.0) > 20
    assert red(np.pi) == 0


def test_a_full_folder_is_refused_and_kept(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"--output_dir=.* empty folder"):
        synthesize(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_identities": 0}, "--train_identities=0 must be at least 1"),
        ({"test_identities": -1}, "--test_identities=-1 must be at least 1"),
        ({"images_per_identity": 0}, "--images_per_identity=0 must be at least 1"),
        ({"images_per_identity": 10_000}, "at most 9999"),
        ({"train_identities": 9998, "test_identities": 2}, "add up to at most 9999"),
        ({"image_size": "31x32"}, r"--image_size=31x32: the height must be 32"),
        ({"image_size": "64x4"}, r"--image_size=64x4.*width 16"),
        ({"seed": -1}, "--seed=-1 must be at least 0"),
        ({"seed": 2**32}, "--seed=4294967296 must be at most 4294967295"),
        ({"workers": -2}, "--workers=-2 must be at least 0"),
    ],
)
def test_bad_arguments_are_named(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        synthesize(tmp_path / "out", **SMALL | change)
    assert not list(tmp_path.iterdir())


def test_data_land_where_a_link_points_and_the_link_stays(tmp_path):
    (tmp_path / "disk" / "people").mkdir(parents=True)
    link = tmp_path / "out"
    link.symlink_to("disk/people")
    small = SMALL | {"train_identities": 1, "test_identities": 1}
    synthesize(link, **small, workers=1)
    assert link.is_symlink()
    assert len(contents(tmp_path / "disk" / "people")) == 8 + 2 + 1


def test_cores_are_counted_where_the_system_does_not_say_which(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    small = SMALL | {"train_identities": 1, "test_identities": 1}
    summary = synthesize(tmp_path / "out", **small)
    assert summary.images == 8


@pytest.mark.parametrize("error", [RuntimeError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(pictures, "write_contact_sheet", fail)
    with pytest.raises(type(error)):
        synthesize(tmp_path / "out", **SMALL, workers=1)
    assert not list(tmp_path.iterdir())
