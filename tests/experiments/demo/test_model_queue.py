"""What the demo does for its visitors, without a server."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from experiments.demo import model_queue, server
from pg2_jax.inference import pose_transfer
from pg2_jax.keypoints import keypoint_files
from pg2_jax.photos import crop
from tests.experiments.demo.demo_server import POSE, decoded, encoded, photo, png
from tests.pg2_jax.inference import stand_in
from tests.pg2_jax.pg2plus import people


def queue_that_sees(demo_queue, *people):
    return model_queue.ModelQueue(demo_queue.model, 0, stand_in.Finder(*people))


def test_the_queue_has_an_end(demo_queue):
    queue = model_queue.ModelQueue(demo_queue.model, 1, None)
    with (
        queue.place(),
        queue.place(),
        pytest.raises(model_queue.Busy, match="Try again"),
        queue.place(),
    ):
        pass
    with queue.place(), queue.place():
        pass


@pytest.mark.parametrize(
    ("size", "source"),
    [
        ((48, 32), (16, 0, 32, 32)),
        ((100, 100), (25, 0, 75, 100)),
        ((100, 400), (0, 100, 100, 300)),
    ],
)
def test_without_an_estimator_the_middle_is_used(demo_queue, size, source):
    given = Image.fromarray(photo(size[1], size[0]))
    wanted = given.resize((16, 32), Image.Resampling.LANCZOS, box=source)
    fitted = demo_queue.fit_photo(png(given), "a.png")
    np.testing.assert_array_equal(fitted.image, wanted)
    words = f"The photo has {size[0]} x {size[1]} pixels. Its middle is used."
    assert fitted.note == words and fitted.keypoints is None


def test_the_person_in_a_photo_is_found(demo_queue):
    """Cropped as the photos of a data set are; a photo of the model's shape is not."""
    person = stand_in.figure(60, left=70, top=20)
    given = Image.fromarray(photo(100, 120))
    frame = crop.frame("crop", (100, 120), (32, 16), person)
    fitted = queue_that_sees(demo_queue, person).fit_photo(png(given), "a.png")
    np.testing.assert_array_equal(fitted.image, crop.apply(given, frame, (32, 16)))
    assert fitted.note == (
        "The photo has 120 x 100 pixels; the part around the person is used."
    )
    moved, _ = crop.move_keypoints(person, (100, 120), frame, (32, 16))
    np.testing.assert_array_equal(fitted.keypoints, moved)
    told = demo_queue.fit_photo(png(given), "a.png", person.tolist())
    np.testing.assert_array_equal(told.image, fitted.image)
    np.testing.assert_array_equal(told.keypoints, moved)
    narrow = given.resize((51, 100))
    whole = queue_that_sees(demo_queue).fit_photo(png(narrow), "a")
    assert whole.note == "The photo has 51 x 100 pixels." and whole.keypoints is None
    np.testing.assert_array_equal(
        whole.image, narrow.resize((16, 32), Image.Resampling.LANCZOS)
    )


def test_a_model_that_needs_joints_looks_for_them_in_every_photo(plus_queue):
    person = stand_in.figure(20)
    content = png(photo(64, 32))
    words = "The photo has 32 x 64 pixels."
    fitted = queue_that_sees(plus_queue, person * [2, 2, 1]).fit_photo(content, "a")
    assert fitted.note == words
    np.testing.assert_allclose(fitted.keypoints, person)
    told = queue_that_sees(plus_queue).fit_photo(content, "a", person * [2, 2, 1])
    np.testing.assert_allclose(told.keypoints, person)
    with pytest.raises(ValueError, match="a: no person was found"):
        queue_that_sees(plus_queue).fit_photo(content, "a")
    unknown = plus_queue.fit_photo(content, "a")
    assert unknown.keypoints is None
    assert unknown.warning.startswith("Where the person's joints are is not known, so")
    assert unknown.note == f"{words} {unknown.warning}"
    # The middle of a photo of another shape, too.
    wide = plus_queue.fit_photo(png(photo(48, 40)), "a")
    assert wide.warning == f"Its middle is used. {unknown.warning}"
    assert wide.note == f"The photo has 40 x 48 pixels. {wide.warning}"
    assert not fitted.warning and not told.warning


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ([], "a.png: no person was found"),
        ([stand_in.figure(60), stand_in.figure(59)], "a.png: 2 people were found"),
        ([stand_in.figure(4)], "a.png: too little of a person is known"),
    ],
)
def test_photos_of_nobody_or_of_several_are_refused(demo_queue, people, words):
    queue = queue_that_sees(demo_queue, *people)
    with pytest.raises(ValueError, match=words):
        queue.fit_photo(png(photo(100, 120)), "a.png")


def test_a_pose_larger_than_the_image_is_scaled_into_it(demo_queue):
    large = POSE * [100, 100, 1]
    for points, wanted in ((POSE, POSE), (large, demo_queue.fit_poses(large[None])[0])):
        values = np.ravel(points).tolist()
        content = json.dumps({"people": [{"pose_keypoints_2d": values}]}).encode()
        read, note = demo_queue.read_pose(content, "a.json")
        assert note == ""
        np.testing.assert_allclose(read, wanted, rtol=1e-6)
    assert wanted[:, 0].min() >= 0 and wanted[:, 1].max() <= 31


def test_a_photo_gives_its_pose_where_an_estimator_is_installed(demo_queue):
    person = stand_in.figure(60, left=70, top=20)
    content = png(photo(100, 120))
    read, _ = queue_that_sees(demo_queue, person).read_pose(content, "a.png")
    np.testing.assert_array_equal(read, demo_queue.fit_poses(person[None])[0])
    with pytest.raises(ValueError, match=r"^a.png: no person was found"):
        queue_that_sees(demo_queue).read_pose(content, "a.png")
    words = r"^a.png: .* ending in .json, .csv, .txt, .* would need a pose estimator"
    with pytest.raises(ValueError, match=words):
        demo_queue.read_pose(content, "a.png")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("pose.pickle", b"cos\nsystem\n", r"^pose.pickle: a pose is a file ending in"),
        ("pose.json", b"{", r"^pose.json:"),
        ("pose.json", b'{"people": 3}', "pose.json: holds no person"),
        ("../../pose.txt", b"hello", r"^pose.txt: not a known format"),
        ("pose.csv", b"", r"^pose.csv"),
        ("pose.json", b"\xff\xfe", r"^pose.json"),
        ("pose.txt", b"\x80\x04N.", r"^pose.txt"),  # a pickle
    ],
)
def test_bad_poses_are_named_by_the_visitors_name(demo_queue, name, content, words):
    with pytest.raises(ValueError, match=words) as raised:
        demo_queue.read_pose(content, name)
    assert "/tmp" not in str(raised.value)


def test_it_is_said_which_pose_of_several_was_taken(demo_queue, tmp_path):
    """The first that shows anybody."""
    poses = {"a.png": POSE * 0, "b.png": POSE, "c.png": POSE[::-1]}
    keypoint_files.write_csv(tmp_path / "poses.csv", poses)
    content = (tmp_path / "poses.csv").read_bytes()
    read, note = demo_queue.read_pose(content, "poses.csv")
    np.testing.assert_allclose(read, POSE, rtol=1e-6)
    assert note == "Took b.png, the first of 3."


def test_a_large_photo_is_decoded_smaller(demo_queue, monkeypatch):
    """Its keypoints are those of the photo as it is."""
    monkeypatch.setattr(model_queue, "_LONGEST", 60)
    person, file = stand_in.figure(60, left=70, top=20), io.BytesIO()
    Image.fromarray(photo(100, 120)).save(file, "JPEG")
    fitted = demo_queue.fit_photo(file.getvalue(), "a.jpg", person)
    assert "60 x 50 pixels at 1/2 of its size" in fitted.note
    frame = crop.frame("crop", (50, 60), (32, 16), person / [2, 2, 1])
    moved, _ = crop.move_keypoints(person / [2, 2, 1], (50, 60), frame, (32, 16))
    np.testing.assert_allclose(fitted.keypoints, moved, rtol=1e-5)
    assert person[1].tolist() == [72, 20, 1]


def test_one_of_several_people_is_chosen_by_number(demo_queue):
    people = [stand_in.figure(60, left=x, top=20) for x in (70, 10)]
    queue, content = queue_that_sees(demo_queue, *people), png(photo(100, 120))
    told = demo_queue.fit_photo(content, "a.png", people[0])
    chosen = queue.fit_photo(content, "a.png", None, 2)
    np.testing.assert_array_equal(chosen.image, told.image)
    with pytest.raises(ValueError, match=r"2 people were found, .* \(`person`\)"):
        queue.fit_photo(content, "a.png")


def test_what_the_model_can_do_is_one_line(demo_queue, plus_queue, monkeypatch):
    monkeypatch.setattr(demo_queue.model, "config", {})
    words = "blurred. Images of 32x16 pixels; training data not known."
    assert demo_queue.about().endswith(words)
    data = {"counts": {"train": {"images": 9531, "people": 1, "pairs": 5}}}
    config = {"data": data, "data_dir": "/home/me/people"}
    monkeypatch.setattr(plus_queue.model, "config", config)
    about = plus_queue.about()
    assert about.startswith("Keeps clothes and background. Hands, faces")
    assert about.endswith(" Trained on 9,531 images of 1 person, 32x16 pixels.")


def test_poses_take_the_size_and_place_of_the_body(demo_queue):
    body = stand_in.figure(20, left=6, top=8)
    fitted = demo_queue.fit_poses(body[None] * [3, 3, 1] + [5, 7, 0], body)
    np.testing.assert_allclose(fitted[0], body, atol=1e-4)
    # A pose that would leave the image is moved, and keeps its size.
    low = body + [0, 9, 0] * (body[:, 2:] > 0)
    (moved,) = demo_queue.fit_poses(body[None], low)
    seen = moved[:, 2] > 0
    assert moved[seen, 1].max() == pytest.approx(31, abs=1e-4)
    np.testing.assert_allclose(np.ptp(moved[seen], axis=0), np.ptp(body[seen], axis=0))
    # One larger than the image fills it; so do poses for a body without a torso.
    head = body * (np.arange(18) == 0)[:, None]
    want = demo_queue.fit_poses(body[None])
    for unfit in (body * [3, 3, 1], head):
        np.testing.assert_array_equal(demo_queue.fit_poses(body[None], unfit), want)


@pytest.mark.slow
def test_a_picture_may_have_the_resolution_of_the_photo():
    model = pose_transfer.PoseTransfer(people.generators(), finder=stand_in.NoFinder())
    queue = model_queue.ModelQueue(model, 0, None)
    given = photo(2 * people.HEIGHT, 2 * people.WIDTH)
    joints = people.person() * [2, 2, 1]
    content = png(Image.fromarray(given))
    shown = queue.fit_photo(content, "a.png", joints)
    np.testing.assert_array_equal(shown.large, given)
    moved = shown.large_keypoints
    np.testing.assert_allclose(moved, joints, atol=1e-4)
    options = {"source_pose": joints, "pose_fit": "none", "fit": "stretch"}
    want = model(given, people.WALKING, **options).large
    got = queue.generate_large(shown, people.WALKING)
    assert got.shape == given.shape
    assert np.abs(got.astype(int) - want).max() <= 1
    # What the page is told, and what a request for it is answered with.
    request = {"keypoints": people.WALKING.tolist(), "large": True}
    request |= {"image": encoded(given), "source_keypoints": joints.tolist()}
    answer = server._draw(queue, server.DrawRequest(**request))
    np.testing.assert_array_equal(decoded(answer.coarse), got)
    # Nothing is gained where the photo has no more pixels, or the joints are not known.
    small = png(Image.fromarray(given).resize((people.WIDTH, people.HEIGHT)))
    assert queue.fit_photo(small, "a.png", people.person()).large is None
    assert queue.fit_photo(content, "a.png").large is None
