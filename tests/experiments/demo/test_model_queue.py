"""What the demo does for its visitors, without a server."""

import json

import numpy as np
import pytest
from PIL import Image

from experiments.demo import model_queue
from pg2_jax.photos import crop
from tests.experiments.demo.demo_server import POSE, photo, png
from tests.pg2_jax.inference import stand_in


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
    words = f"The photo has {size[0]} x {size[1]} pixels; its middle is used."
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
    assert unknown.note.startswith(
        f"{words} Where the person's joints are is not known;"
    )
    # The middle of a photo of another shape, too.
    wide = plus_queue.fit_photo(png(photo(48, 40)), "a")
    assert "its middle is used. Where the person's joints are" in wide.note


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
        read = demo_queue.read_pose(content, "a.json")
        np.testing.assert_allclose(read, wanted, rtol=1e-6)
    assert wanted[:, 0].min() >= 0 and wanted[:, 1].max() <= 31


def test_a_photo_gives_its_pose_where_an_estimator_is_installed(demo_queue):
    person = stand_in.figure(60, left=70, top=20)
    content = png(photo(100, 120))
    read = queue_that_sees(demo_queue, person).read_pose(content, "a.png")
    np.testing.assert_array_equal(read, demo_queue.fit_poses(person[None])[0])
    with pytest.raises(ValueError, match=r"^a.png: no person was found"):
        queue_that_sees(demo_queue).read_pose(content, "a.png")
    with pytest.raises(ValueError, match=r"^a.png: .* ending in .json, .csv, .txt, "):
        demo_queue.read_pose(content, "a.png")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("pose.pickle", b"cos\nsystem\n", r"^pose.pickle: a pose is a file ending in"),
        ("pose.json", b"{", r"^pose.json:"),
        ("pose.json", b'{"people": 3}', "pose.json: holds no person"),
        ("../../pose.txt", b"hello", r"^pose.txt: no format"),
        ("pose.csv", b"", r"^pose.csv"),
        ("pose.json", b"\xff\xfe", r"^pose.json"),
        ("pose.txt", b"\x80\x04N.", r"^pose.txt"),  # a pickle
    ],
)
def test_bad_poses_are_named_by_the_visitors_name(demo_queue, name, content, words):
    with pytest.raises(ValueError, match=words) as raised:
        demo_queue.read_pose(content, name)
    assert "/tmp" not in str(raised.value)
