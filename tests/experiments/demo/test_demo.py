"""The demo's server: what programs get from it, and what it does not let in."""

import base64
import concurrent.futures
import dataclasses
import json
import os
import pathlib

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the page needs the extra demo")

from gradio import utils as gradio_utils

from experiments.config import Config
from experiments.demo import demo, demo_app, demo_studio
from pg2_jax import pose, visualize
from pg2_jax.estimators import person_finder, registry, weights
from pg2_jax.photos import crop
from tests.experiments.demo import demo_server
from tests.experiments.demo.demo_server import ask, encoded, post
from tests.pg2_jax.inference import stand_in

POSE = np.stack([np.linspace(2, 13, 18), np.linspace(1, 30, 18), np.ones(18)], axis=1)


@pytest.fixture(scope="module")
def port(demo_studio_of_tests):
    """A demo with 3 places in its queue and room for many requests."""
    studio = demo_studio_of_tests
    config = Config(mode="demo", workdir="unused", max_upload_mb=1)
    people = demo_studio.examples(studio, "")
    with demo_server.serving(studio, people, config) as port:
        yield port


def photo(height=32, width=16):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def request(**changes):
    return {"image": encoded(photo()), "keypoints": POSE.tolist(), **changes}


def test_programs_get_what_the_model_draws(port, demo_studio_of_tests):
    status, answer = post(port, request())
    drawn = demo_studio_of_tests.model.batch(photo()[None], POSE[None])
    assert status == 200 and set(answer) == {"coarse", "refined"}
    for name in ("coarse", "refined"):
        image = demo_server.decoded(answer[name])
        np.testing.assert_array_equal(image, getattr(drawn, name)[0])


def test_health_names_the_model(port):
    status, body = ask(port, "GET", "/healthz")
    wanted = {"status": "ok", "step": 4, "height": 32, "width": 16}
    assert (status, json.loads(body)) == (200, wanted)


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"image": "no base64!"}, 400, "image: expected a file in base64"),
        ({"image": encoded(photo(4, 4))}, 400, "each side must be 8 at least"),
        ({"image": base64.b64encode(b"text").decode()}, 400, "image: not a photo in a"),
        ({"keypoints": POSE[:17].tolist()}, 400, "expected 18 rows of three numbers"),
        ({"keypoints": [[1, 2]] * 18}, 400, "expected 18 rows of three numbers"),
        ({"keypoints": [[1, 2, 3], [4]]}, 400, "expected 18 rows of three numbers"),
        ({"keypoints": (POSE * np.nan).tolist()}, 400, "expected 18 rows"),
        ({"keypoints": [[0, 0, 0]] * 18}, 400, "no visible point inside"),
        ({"keypoints": "a pose"}, 422, "keypoints: Input should be a valid list"),
        ({"image": None}, 422, "image: Input should be a valid string"),
    ],
)
def test_mistakes_are_explained(port, changes, status, words):
    answered, answer = post(port, request(**changes))
    assert answered == status and words in answer["error"]


def test_a_huge_photo_is_refused_before_it_is_decoded(port, monkeypatch):
    image = base64.b64encode(demo_server.huge_png(10_000, 10_000)).decode()
    wanted = request(image=image)
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("decoded"))
    status, answer = post(port, wanted)
    assert status == 400 and "10000 x 10000 pixels, at most" in answer["error"]


def test_bodies_are_limited_with_and_without_a_length(port):
    status, answer = post(port, request(image="A" * 4_000_000))
    assert status == 413 and "larger than 2.3 MB" in answer["error"]
    pieces = (b"A" * 100_000 for _ in range(40))
    status, body = ask(port, "POST", "/api/draw", pieces)
    assert status == 413 and b"larger than 2.3 MB" in body


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/file=/etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1/",
        "/static/../../../../../../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/assets//etc/passwd",
        "/gradio_api/upload",
        "/gradio_api/component_server",
        "/monitoring",
        "/docs",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_file_is_within_reach(port, path, method):
    status, body = ask(port, method, path)
    assert status == 404 and b"root:" not in body


def test_the_queue_takes_and_gives_no_file(port, tmp_path):
    secret = tmp_path / f"secret_{os.getpid()}.png"
    Image.fromarray(photo()).save(secret)
    file = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    held = {"photo": file, "name": file, "keypoints": [file]}
    event = {"session_hash": "abc", "event_data": None, "trigger_id": None}
    for index in range(5):
        for upload in (file, {"name": file, "content": file}, {"name": "a"}):
            data = [{**held, "upload": upload}] * 2
            sent = {
                **event,
                "fn_index": index,
                "data": data[: 1 if index in (2, 3) else 2],
            }
            post(port, sent, "/gradio_api/queue/join")
    status, body = ask(port, "GET", "/gradio_api/queue/data?session_hash=abc")
    assert status == 200 and b"process_completed" in body
    assert b"data:image/png;base64" not in body and b"/file=" not in body
    copies = pathlib.Path(gradio_utils.get_upload_folder())
    assert list(copies.rglob(secret.name)) == []


def test_twenty_visitors_at_once_are_served_or_told_to_wait(port):
    with concurrent.futures.ThreadPoolExecutor(20) as threads:
        asked = [threads.submit(post, port, request()) for _ in range(20)]
        health = [ask(port, "GET", "/healthz")[0] for _ in range(5)]
        answers = [each.result() for each in asked]
    assert health == [200] * 5
    served = [answer for status, answer in answers if status == 200]
    busy = [answer["error"] for status, answer in answers if status == 503]
    assert len(served) + len(busy) == 20 and len(served) >= 4
    assert all(answer == served[0] for answer in served)
    assert all("Try again" in words for words in busy)


def test_the_queue_has_an_end(demo_studio_of_tests):
    studio = demo_studio.Studio(demo_studio_of_tests.model, 1, None)
    with (
        studio.place(),
        studio.place(),
        pytest.raises(demo_studio.Busy, match="Try again"),
        studio.place(),
    ):
        pass
    with studio.place(), studio.place():
        pass


def test_an_address_that_asks_too_often_is_put_off(demo_studio_of_tests):
    studio = demo_studio_of_tests
    config = Config(mode="demo", workdir="unused", requests_per_minute=3)
    with demo_server.serving(studio, {"a": photo()}, config) as port:
        statuses = [post(port, request())[0] for _ in range(3)]
        status, answer = post(port, request())
        assert statuses == [200] * 3
        assert status == 429 and "Too many requests" in answer["error"]
        assert ask(port, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    ("original", "source"),
    [
        ((32, 16), (0, 0, 16, 32)),
        ((100, 100), (25, 0, 75, 100)),
        ((400, 100), (0, 100, 100, 300)),
    ],
)
def test_the_middle_of_a_photo_of_another_shape_is_used(original, source):
    frame = demo_studio.middle(original, (32, 16))
    assert frame.source == source and frame.target == (0, 0, 16, 32)


def studio_that_sees(model, *people):
    return demo_studio.Studio(model, 0, stand_in.Finder(*people))


def test_the_person_in_a_photo_is_found(demo_studio_of_tests):
    """Cropped as the photos of a data set are; a photo of the model's shape is not."""
    model, person = demo_studio_of_tests.model, stand_in.figure(60, left=70, top=20)
    studio = studio_that_sees(model, person)
    given = Image.fromarray(photo(100, 120))
    frame = crop.frame("crop", (100, 120), (32, 16), person)
    fitted, said = studio.fit_photo(png(given), "a.png")
    np.testing.assert_array_equal(fitted, crop.apply(given, frame, (32, 16)))
    assert said == (
        "The photo has 120 x 100 pixels; the part around the person is used."
    )
    whole, said = studio_that_sees(model).fit_photo(png(given.resize((51, 100))), "a")
    assert said == "The photo has 51 x 100 pixels." and whole.shape == (32, 16, 3)


def test_without_an_estimator_the_middle_is_used(demo_studio_of_tests):
    studio = demo_studio_of_tests
    given = np.zeros((32, 48, 3), np.uint8)
    given[:, 16:32] = photo()
    fitted, said = studio.fit_photo(png(Image.fromarray(given)), "a.png")
    np.testing.assert_array_equal(fitted, photo())
    assert said == "The photo has 48 x 32 pixels; its middle is used."


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ([], "a.png: no person was found"),
        ([stand_in.figure(60), stand_in.figure(59)], "a.png: 2 people were found"),
        ([stand_in.figure(4)], "a.png: too little of a person is known"),
    ],
)
def test_photos_of_nobody_or_of_several_are_refused(
    demo_studio_of_tests, people, words
):
    studio = studio_that_sees(demo_studio_of_tests.model, *people)
    with pytest.raises(ValueError, match=words):
        studio.fit_photo(png(Image.fromarray(photo(100, 120))), "a.png")


def test_programs_hear_that_nobody_is_seen(demo_studio_of_tests):
    studio = studio_that_sees(demo_studio_of_tests.model)
    config = Config(mode="demo", workdir="unused")
    wide = request(image=encoded(photo(100, 120)))
    with demo_server.serving(studio, {"a": photo()}, config) as port:
        assert post(port, request())[0] == 200
        status, answer = post(port, wide)
        assert status == 400
        assert answer["error"].startswith("image: no person was found in this photo")
        # Keypoints are checked before anybody is looked for.
        status, answer = post(port, {**wide, "keypoints": []})
        assert status == 400 and answer["error"].startswith("keypoints: ")


def test_the_estimator_is_opened_before_visitors_come(monkeypatch, capsys):
    config = Config(mode="demo", workdir="unused")
    monkeypatch.setattr(person_finder, "_installed", lambda: None)
    assert demo.open_finder(config) is None
    assert "note: photos of another shape are cut to their middle; to find" in (
        capsys.readouterr().out
    )
    opened = []
    monkeypatch.setattr(person_finder, "_installed", lambda: "mediapipe")
    monkeypatch.setattr(registry, "open_estimator", opened.append)
    named = dataclasses.replace(config, pose_model="/nowhere/model.task")
    with pytest.raises(ValueError, match=r"^--pose_model=/nowhere/model.task: there"):
        demo.open_finder(named)
    monkeypatch.setattr(weights, "locate", lambda name, model: model)
    assert demo.open_finder(named).is_installed()
    assert opened == [registry.Settings("mediapipe", "/nowhere/model.task")]


def png(image):
    return base64.b64decode(encoded(np.asarray(image)))


def test_a_pose_larger_than_the_image_is_scaled_into_it(demo_studio_of_tests):
    studio = demo_studio_of_tests
    large = POSE * [100, 100, 1]
    for points, wanted in ((POSE, POSE), (large, studio.fit_poses(large[None])[0])):
        values = np.ravel(points).tolist()
        content = json.dumps({"people": [{"pose_keypoints_2d": values}]}).encode()
        read = studio.read_pose(content, "a.json")
        np.testing.assert_allclose(read, wanted, rtol=1e-6)
    assert wanted[:, 0].min() >= 0 and wanted[:, 1].max() <= 31


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("pose.pickle", b"cos\nsystem\n", r"^pose.pickle: a pose is a file ending in"),
        ("pose.json", b"{", r"^pose.json:"),
        ("pose.json", b'{"people": 3}', "pose.json: holds no person"),
        ("../../pose.txt", b"hello", r"^pose.txt: no format"),
        ("pose.csv", b"", r"^pose.csv"),
        ("pose.json", b"\xff\xfe", r"^pose.json"),
    ],
)
def test_bad_poses_are_named_by_the_visitors_name(
    demo_studio_of_tests, name, content, words
):
    with pytest.raises(ValueError, match=words) as raised:
        demo_studio_of_tests.read_pose(content, name)
    assert "/tmp" not in str(raised.value)


def test_examples_of_a_folder(demo_studio_of_tests, tmp_path):
    studio, name = demo_studio_of_tests, "--examples_dir="
    with pytest.raises(ValueError, match=f"{name}.*no such folder"):
        demo_studio.examples(studio, str(tmp_path / "missing"))
    with pytest.raises(ValueError, match=f"{name}.*holds no photo"):
        demo_studio.examples(studio, str(tmp_path))
    for i in range(14):
        Image.fromarray(photo()).save(tmp_path / f"{i:02d}.png")
    (tmp_path / "notes.md").write_text("no photo")
    found = demo_studio.examples(studio, str(tmp_path))
    assert list(found) == [f"{i:02d}" for i in range(12)]
    np.testing.assert_array_equal(found["00"], photo())
    (tmp_path / "03.png").write_text("text")
    with pytest.raises(ValueError, match=f"{name}.*03.png: not a photo"):
        demo_studio.examples(studio, str(tmp_path))


def test_drawn_people_are_the_models_size(demo_studio_of_tests):
    people = demo_studio.examples(demo_studio_of_tests, "")
    assert list(people) == [f"Drawn person {i}" for i in range(1, 7)]
    assert {image.shape for image in people.values()} == {(32, 16, 3)}


def test_a_port_that_is_taken_is_named():
    with demo.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"--port={port}: .*in use"):
            demo.listen("127.0.0.1", port)
    with pytest.raises(OSError, match=r"--host=no\.such\.host\.invalid"):
        demo.listen("no.such.host.invalid", 0)


def test_the_editor_has_the_colours_of_the_pictures(demo_studio_of_tests):
    props = demo_app._pose_props(demo_studio_of_tests)
    assert props["limbs"][0] == [1, 2, "rgb(255, 140, 0)"]  # neck to right shoulder
    assert props["joint_colors"][5] == "rgb(0, 150, 255)"  # left shoulder
    assert visualize.limb_color(0, 14) == visualize.joint_color(14)
    assert len(props["limbs"]) == len(pose.SKELETON)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workdir": ""}, "--workdir is required with --mode=demo"),
        ({"port": 70_000}, "--port=70000 must be below 65536"),
        ({"requests_per_minute": 0}, "--requests_per_minute=0 must be at least 1"),
    ],
)
def test_bad_flags(changes, words):
    with pytest.raises(ValueError, match=words):
        Config(**{"mode": "demo", "workdir": "w", **changes})
