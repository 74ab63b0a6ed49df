"""Photos of any kind and size, brought to the model's."""

import re

import numpy as np
import pytest
from PIL import Image

from pg2_jax.estimators import base, person_finder, registry
from pg2_jax.estimators.base import Person
from pg2_jax.inference import paste_back, retarget, source_photo
from pg2_jax.keypoints import keypoint_files
from pg2_jax.photos import crop, photo_files
from tests.pg2_jax.inference.stand_in import (
    HEIGHT,
    WIDTH,
    Finder,
    NoFinder,
    figure,
    make_photo,
)

SIZE = (HEIGHT, WIDTH)


def test_ranges_of_floats():
    given = np.zeros((8, 8, 3))
    given[0, 0] = 1, 0.5, 0
    np.testing.assert_array_equal(photo_files.to_uint8(given)[0, 0], [255, 128, 0])
    given[0, 1] = -1, 0, 1
    got = photo_files.to_uint8(given)
    np.testing.assert_array_equal(got[0, 0], [255, 191, 128])
    np.testing.assert_array_equal(got[0, 1], [0, 128, 255])


def test_grey_becomes_rgb_and_transparency_white():
    grey = np.full((8, 9), 7, np.uint8)
    np.testing.assert_array_equal(photo_files.to_photo(grey)[0], np.full((8, 9, 3), 7))
    clear = np.zeros((8, 9, 4), np.uint8)
    np.testing.assert_array_equal(
        photo_files.to_photo(clear)[0], np.full((8, 9, 3), 255)
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.full((8, 8, 3), 200.0), r"in 0 .. 1 or in -1 .. 1; this one is in 200"),
        (np.full((8, 8, 3), np.nan), "this one is in nan"),
        (np.zeros((8, 8, 3), np.int32), "got int32"),
        (np.zeros((8, 8, 3), bool), "got bool"),
        (np.zeros((2, 8, 8, 3), np.uint8), r"got \[2, 8, 8, 3\]"),
        (np.zeros((8, 8, 2), np.uint8), r"got \[8, 8, 2\]"),
        ("nobody.jpg", "nobody.jpg: there is no such file"),
        (Image.new("I;16", (8, 8)), "more than 8 bits a channel"),
    ],
)
def test_what_is_no_photo_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        photo_files.to_photo(given)


def test_the_orientation_of_a_file_and_of_an_image_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(make_photo(10, 20)).save(tmp_path / "a.png", exif=exif)
    want = np.rot90(make_photo(10, 20), -1)
    np.testing.assert_array_equal(photo_files.to_photo(tmp_path / "a.png")[0], want)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(photo_files.to_photo(image)[0], want)


def read(image, joints=None, finder=None, fit="auto"):
    return source_photo.read_source(image, joints, SIZE, finder or NoFinder(), fit)


def test_a_photo_of_the_models_size_is_taken_as_it_is():
    joints = figure()
    source = read(make_photo(), joints)
    np.testing.assert_array_equal(source.image, make_photo())
    np.testing.assert_array_equal(source.pose, joints)


def test_a_photo_of_the_models_shape_is_taken_whole():
    source = read(make_photo(64, 32))
    assert source.image.shape == (*SIZE, 3)
    assert tuple(source.frame.source) == (0, 0, 32, 64)
    assert source.pose is None


def test_known_joints_crop():
    source = read(make_photo(100, 200), figure(60, left=100, top=20))
    # 60 high with 0.15 * 60 on both sides: 78 high, 39 wide, about (102, 50).
    assert tuple(source.frame.source) == pytest.approx((82.5, 11, 121.5, 89))
    scale = HEIGHT / 78
    np.testing.assert_allclose(source.pose[1], [19.5 * scale, 9 * scale, 1], rtol=1e-5)


def test_a_person_is_looked_for_in_a_photo_of_another_shape():
    finder = Finder(figure(60, left=100, top=20), figure(10))
    found = read(make_photo(100, 200), finder=finder)
    known = read(make_photo(100, 200), figure(60, left=100, top=20))
    assert found.frame == known.frame


def test_an_estimator_is_opened_once(monkeypatch):
    def look(image):
        return [Person(figure(60), 0.9)]

    def open_estimator(settings):
        opened.append(settings)
        return look

    opened = []
    monkeypatch.setattr(person_finder, "_installed", lambda: "mediapipe")
    monkeypatch.setattr(registry, "locate", lambda name, path: path)
    monkeypatch.setattr(registry, "open_estimator", open_estimator)
    finder = person_finder.PersonFinder("a.task")
    assert finder.is_installed() and opened == []
    for _ in range(2):
        found = finder(Image.new("RGB", (90, 90)), "a.jpg")
        np.testing.assert_array_equal(found, figure(60))
    assert opened == [base.Settings("mediapipe", "a.task")]


def test_the_finder_names_its_own_argument(monkeypatch):
    monkeypatch.setattr(person_finder, "_installed", lambda: "mediapipe")
    with pytest.raises(ValueError, match=r"^pose_model=/no/a.task: there is no such"):
        read(make_photo(100, 200), finder=person_finder.PersonFinder("/no/a.task"))


def test_a_failing_estimator_is_told_without_its_words():
    finder = Finder()

    def fail(photo):
        raise RuntimeError("secret")

    finder._estimator = fail
    with pytest.raises(ValueError, match="the pose estimator failed on this ") as told:
        read(make_photo(100, 200), finder=finder)
    assert "secret" not in str(told.value) and "(`source_pose`)" in str(told.value)


def test_without_an_estimator_it_is_letterboxed_and_said(monkeypatch):
    monkeypatch.setattr(person_finder, "_installed", lambda: None)
    with pytest.warns(UserWarning, match=r"64 wide and 32 high.*letterboxed.*source_p"):
        source = read(make_photo(32, 64))
    assert tuple(source.frame.target) == (0, 12, 16, 20)
    with pytest.raises(
        ValueError,
        match="a pose estimator is needed to find the person in a photo: pip install",
    ):
        person_finder.PersonFinder()(Image.new("RGB", (9, 9)), "a.jpg")


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ([], "the photo: no person was found in this photo. Choose one that shows"),
        (
            [figure(20), figure(18)],
            "2 people were found, two of them of about the same size. Crop",
        ),
    ],
)
def test_nobody_and_two_people_are_refused(people, message):
    with pytest.raises(ValueError, match=message):
        read(make_photo(100, 200), finder=Finder(*people), fit="crop")


def wide(points):
    """The person with both arms spread: the box is wider, not the person larger."""
    points = points.copy()
    points[[4, 7]] = points[1] + [[-15, 0, 0], [15, 0, 0]]
    return points


def test_one_of_several_people_is_chosen_from_left_to_right():
    people = [figure(30, left=x, top=20) for x in (120, 20, 70)]
    people[0] = wide(people[0])
    photo, finder = make_photo(100, 200), Finder(*people)
    with pytest.raises(
        ValueError, match=r"3 people were found, two .* 1 to 3 .*\(`per"
    ):
        read(photo, finder=finder)
    for number, joints in enumerate((people[1], people[2], people[0]), 1):
        source = source_photo.read_source(photo, None, SIZE, finder, person=number)
        assert source.frame == read(photo, joints).frame
    with pytest.raises(ValueError, match=r"^person=4: 3 people were found in the"):
        source_photo.read_source(photo, None, SIZE, finder, person=4)


def test_a_person_that_is_turned_is_said(recwarn):
    upright = figure(60, left=100, top=20)
    read(make_photo(100, 200), upright)
    assert not recwarn
    lying = upright.copy()
    lying[:, :2] = np.add(upright[:, 1::-1], (20, -60)) * upright[:, 2:]
    words = {"lies on the side": lying, "stands on the head": upright * [1, -1, 1]}
    words["stands on the head"][:, 1] += 99 * upright[:, 2]
    for said, joints in words.items():
        with pytest.warns(UserWarning, match=f"the photo: the person {said}; if the"):
            read(make_photo(100, 200), joints)
    bent = upright.copy()
    bent[1, :2] = np.add(bent[[8, 11], :2].mean(axis=0), (20, -12))
    assert not retarget.turned(bent) and not retarget.turned(bent * 0)


def whole_person():
    """All 18 joints."""
    return np.stack([np.arange(18.0), np.arange(18.0) ** 2, np.ones(18)], axis=1)


LEGS, ARMS = [9, 10, 12, 13], [3, 4, 6, 7]


@pytest.mark.parametrize(
    ("lacks", "fit", "left_out"),
    [
        ([], "auto", []),
        (LEGS, "auto", LEGS),
        (ARMS, "auto", ARMS),
        (LEGS + ARMS, "auto", LEGS + ARMS),
        (LEGS, "body", []),
        (LEGS, "image", []),
        # A knee is enough, and without a torso nothing is known of the body.
        (LEGS[1:], "auto", []),
        ([1, *LEGS], "auto", []),
    ],
)
def test_poses_are_of_what_the_photo_shows_of_a_person(recwarn, lacks, fit, left_out):
    body, whole = whole_person(), whole_person()
    body[lacks] = 0
    shown = whole.copy()
    shown[left_out] = 0
    poses = source_photo.poses_as_shown(np.stack([whole, shown]), body, fit)
    np.testing.assert_array_equal(poses, [shown, shown])
    said = [str(note.message).split(":")[0] for note in recwarn]
    what = [
        w for w, joints in (("legs", LEGS), ("arms", ARMS)) if joints[0] in left_out
    ]
    assert said == [f"the person in the photo shows no {limbs}" for limbs in what]
    # What the poses lack is not said.
    source_photo.poses_as_shown(shown[None], shown, "auto")
    assert len(recwarn) == len(what)


def test_half_a_person_is_cropped_as_if_the_legs_were_there():
    # A torso of 20 rows: the feet are expected 1.63 times that below the hips.
    body = np.zeros((18, 3))
    body[[0, 1, 8, 11]] = [(50, 12, 1), (50, 20, 1), (46, 40, 1), (54, 40, 1)]
    feet = 40 + 1.63 * 20
    box = (feet - 12) * 1.3
    top = (feet + 12 - box) / 2
    # Of a photo that goes on: what is there is taken, and nothing is repeated.
    part = source_photo.frame_of("crop", "a", (100, 100), SIZE, body)
    np.testing.assert_allclose(part.source[1::2], (top, top + box), atol=1e-4)
    assert part.target == (0, 0, *SIZE[::-1])
    # Of one that is cut at the hips: the same, as far as there is a photo.
    part = source_photo.frame_of("crop", "a", (44, 100), SIZE, body)
    np.testing.assert_allclose(part.source[1::2], (top, 44), atol=1e-4)
    assert part.target[3] == round(SIZE[0] * (44 - top) / box)
    # A knee, or a person who lies, is cropped to what is seen.
    for other in (body + 0, body[:, [1, 0, 2]]):
        other[9] = (other[8] + other[11]) / 2
        part = source_photo.frame_of("crop", "a", (100, 100), SIZE, other)
        assert part.source == crop.frame("crop", (100, 100), SIZE, other).source


def test_head_and_shoulders_are_too_little_for_another_pose():
    body = whole_person() * [1, 0.1, 1] + [0, 10, 0]
    body[[8, 9, 10, 11, 12, 13]] = 0
    body[8] = 5, 101, 1  # Below the photo.
    with pytest.raises(ValueError, match="the photo shows the person above the hips"):
        read(make_photo(100, 90), body)
    whole = read(make_photo(100, 90), body, fit="stretch")
    assert whole.pose is not None and whole.pose[8, 2] == 0
    body[8, 1] = 99
    assert read(make_photo(100, 90), body).pose[8, 2] == 1


def test_joints_outside_the_photo_are_refused():
    with pytest.raises(ValueError, match="no joint of the photo lies inside the photo"):
        read(make_photo(), figure(left=500))


def test_a_photo_of_a_modern_phone_is_read_at_a_part_of_its_size(tmp_path, monkeypatch):
    """Its joints are those of the file."""
    path, joints = tmp_path / "a.jpg", figure(60, left=100, top=20)
    Image.fromarray(make_photo(100, 200)).save(path)
    whole = read(path, joints)
    monkeypatch.setattr(photo_files, "MAX_PIXELS", 100 * 200 // 4)
    with pytest.warns(UserWarning, match=r"a.jpg is so large .* at 1/2 of its size"):
        half = read(path, joints)
    assert half.photo.size == (100, 50)
    np.testing.assert_allclose(half.frame.source, np.divide(whole.frame.source, 2))
    np.testing.assert_allclose(half.pose, whole.pose, atol=1e-4)
    assert joints[1].tolist() == [102, 20, 1]


def test_joints_are_found_by_the_name_of_the_photo(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(make_photo()).save(path)
    joints = {"b.png": figure(8), "a.png": figure(12)}
    np.testing.assert_array_equal(read(path, joints).pose, figure(12))
    with pytest.raises(
        ValueError, match=r"source_pose holds 2 poses, none .* of c.png"
    ):
        Image.fromarray(make_photo()).save(tmp_path / "c.png")
        read(tmp_path / "c.png", joints)
    keypoint_files.write_csv(tmp_path / "joints.csv", joints)
    words = r"^source_pose=.*joints.csv holds 2 poses, none of them of c.png.$"
    with pytest.raises(ValueError, match=words):
        read(tmp_path / "c.png", tmp_path / "joints.csv")


@pytest.mark.parametrize(
    ("photo", "row", "said"),
    [
        ("me.png", "her.png", "joints.csv: its joints are those of her.png, and .* me"),
        ("me.png", "there/me.png", ""),
        ("me.png", "me.jpg", ""),  # It was converted.
        ("me.png", "dancer", ""),  # The name of a file of joints, not of a photo.
        (None, "her.png", ""),
    ],
)
def test_joints_of_another_photo_are_used_and_said(tmp_path, recwarn, photo, row, said):
    given = make_photo()
    if photo:
        Image.fromarray(given).save(given := tmp_path / photo)
    keypoint_files.write_csv(tmp_path / "joints.csv", {row: figure(12)})
    source = read(given, tmp_path / "joints.csv")
    np.testing.assert_array_equal(source.pose, figure(12))
    (words,) = [str(warning.message) for warning in recwarn] or [""]
    assert re.search(said, words) and bool(said) == bool(words)


def test_an_unknown_fit_is_named():
    with pytest.raises(ValueError, match=r"fit=zoom must be one of auto, stretch"):
        read(make_photo(), fit="zoom")


def test_a_drawing_is_pasted_where_it_was_taken():
    whole = make_photo(100, 200)
    joints = figure(60, left=100, top=20)
    source = read(whole, joints)
    got = source.pasted(np.zeros((*SIZE, 3), np.uint8), source.pose)
    box = np.zeros(whole.shape[:2], bool)
    box[11:89, 82:122] = True
    assert not got[30:40, 101:104].any()  # Between neck and hips.
    np.testing.assert_array_equal(got[~box], whole[~box])
    assert read(whole, joints).photo.size == (200, 100)


def test_the_background_stays_the_photos_own():
    """A person that moves to the right in front of a ramp, drawn before grey."""
    size = (128, 64)
    ramp = np.arange(600, dtype=np.float32)[None, :, None] / 4 + np.zeros((400, 1, 3))
    photo = Image.fromarray(np.uint8(ramp))
    joints = figure(200, left=300, top=100)
    source = source_photo.read_source(photo, joints, size, NoFinder())
    target = source.pose.copy()
    target[:, 0] += 12 * target[:, 2]
    generated = np.full((*size, 3), 128, np.uint8)
    got = source.pasted(generated, target).astype(int)
    mask = paste_back.body(target, *size)
    assert mask.max() == 1 and mask[0, 0] == 0
    # The middle of its torso is the model's, with a soft edge to the photo's own.
    x, y = (target[1, :2] + target[8, :2]) / 2
    left, top, _, bottom = source.frame.source
    scale = (bottom - top) / size[0]
    row, column = round(top + y * scale), round(left + x * scale)
    assert (got[row, column] == 128).all()
    across = got[row, :, 0]
    assert np.abs(np.diff(across)).max() < 128 / 4
    # Neither a grey rectangle nor the former person: the ramp goes on.
    far = np.abs(np.arange(600) - column) > 30 * scale
    assert np.abs(across - ramp[0, :, 0])[far].max() < 12
    corner = slice(round(left) + 3, round(left) + 23)
    want = ramp[0, corner, 0].astype(int)
    np.testing.assert_allclose(got[round(top) + 3, corner, 0], want, atol=1)


def test_without_joints_the_border_is_soft(monkeypatch):
    # Nobody is looked for where it is of no use: compiling that takes seconds.
    monkeypatch.delattr(paste_back, "body")
    photo = make_photo(64, 48) // 2
    source = source_photo.read_source(photo, None, (64, 48), NoFinder(), "stretch")
    generated = np.full((64, 48, 3), 255, np.uint8)
    # The whole photo was taken: there is no border within it.
    assert (source.pasted(generated, figure()) == 255).all()
    middle = crop.Frame(crop.Box(100, 100, 148, 164), crop.Box(0, 0, 48, 64))
    black = Image.new("RGB", (300, 300))
    got = paste_back.blend(black, photo, middle, generated, None, figure())
    assert (got[130, 110:140] == 255).all() and not got[:100].any()
    assert 0 < got[130, 100, 0] < 128 and not got[130, :100].any()


def test_a_drawing_of_a_higher_resolution_is_pasted_whole():
    source = read(make_photo(100, 200), figure(60, left=100, top=20))
    halves = np.zeros((2 * HEIGHT, 2 * WIDTH, 3), np.uint8)
    halves[HEIGHT // 2 :] = 255
    got = source.pasted(halves, source.pose)
    # A quarter down from row 11 of 78, between neck and hips.
    assert got[23:28, 102].max() < 10 and got[33:47, 102].min() > 245
