"""The demo's server: what programs and the page get from it."""

import base64
import concurrent.futures
import io
import json

import numpy as np
import pytest
from PIL import Image

from experiments.config import Config
from experiments.demo import demo, model_queue
from pg2_jax import pose, visualize
from pg2_jax.estimators import person_finder
from pg2_jax.inference import pose_library
from tests.experiments.demo import demo_server
from tests.experiments.demo.demo_server import (
    POSE,
    ask,
    encoded,
    nobody,
    photo,
    post,
    request,
)
from tests.pg2_jax.inference import stand_in


@pytest.fixture(scope="module")
def port(demo_queue):
    """A demo with 3 places to wait and room for many requests."""
    config = Config(mode="demo", workdir="unused", max_upload_mb=1)
    people = demo.example_people(demo_queue, "")
    with demo_server.serving(demo_queue, people, config) as port:
        yield port


def test_programs_get_what_the_model_generates(port, demo_queue):
    status, answer = post(port, request())
    generated = demo_queue.model.batch(photo()[None], POSE[None])
    assert status == 200 and set(answer) == {"coarse", "refined", "warning"}
    assert answer["warning"] is None
    for name in ("coarse", "refined"):
        image = demo_server.decoded(answer[name])
        np.testing.assert_array_equal(image, getattr(generated, name)[0])


def test_the_joints_of_the_source_reach_the_model(plus_queue):
    """Those of the request, of a finder, or none; in pictures and in sequences."""
    source, config = POSE[::-1].copy(), Config(mode="demo", workdir="unused")

    def generated(joints):
        poses = joints if joints is None else joints[None].astype(np.float32)
        return plus_queue.model.batch(
            photo()[None], POSE[None], source_poses=poses
        ).coarse[0]

    given = {"source_keypoints": source.tolist()}
    seeing = model_queue.ModelQueue(plus_queue.model, 0, stand_in.Finder(source))
    missing = {"source_keypoints": np.zeros((18, 3)).tolist()}
    for queue, changes, joints in (
        (plus_queue, given, source),
        (plus_queue, {}, None),
        (plus_queue, missing, None),
        (seeing, {}, source),
        (seeing, missing, source),
    ):
        with demo_server.serving(queue, {"a": nobody()}, config) as port:
            status, answer = post(port, request(**changes))
            assert status == 200 and answer["refined"] is None
            assert ("is not known" in answer["warning"]) == (joints is None)
            got = demo_server.decoded(answer["coarse"])
            np.testing.assert_array_equal(got, generated(joints))
            wanted = {"image": encoded(photo()), "sequence": "walk", **changes}
            _, sequence = post(port, wanted, "/api/sequence")
            assert sequence["warning"] == answer["warning"]
            walk = plus_queue.fit_poses(
                np.stack(list(pose_library.read("walk").values())), joints
            )
            person = model_queue.Person(photo(), joints)
            want = plus_queue.generate(person, walk[0]).coarse[0]
            first = demo_server.decoded(sequence["frames"][0]["coarse"])
            np.testing.assert_array_equal(first, want)


def test_programs_are_warned_as_the_library_warns(plus_queue, recwarn, monkeypatch):
    monkeypatch.setattr(person_finder, "_installed", lambda: None)
    config, fallen = Config(mode="demo", workdir="unused"), POSE[:, [1, 0, 2]]
    requests = [
        {"image": encoded(photo())},
        {"image": encoded(photo(32, 40))},
        {"image": encoded(photo(32, 40)), "source_keypoints": fallen.tolist()},
    ]
    with demo_server.serving(plus_queue, {"a": nobody()}, config) as port:
        answers = [post(port, request(**changes))[1] for changes in requests]
    plain, wide, turned = (answer["warning"] for answer in answers)
    plus_queue.model(photo(), POSE, fit="stretch")
    (said,) = [str(warning.message) for warning in recwarn]
    words = "here the person's joints are is not known, so that the model cannot move"
    assert words in said and plain.startswith(f"image: W{words}")
    assert plain.endswith(" Send the person's joints as source_keypoints.")
    assert wide == plain.replace("image: ", "image: Its middle is used. ")
    assert turned.startswith("image: The person lies") and "source" not in turned


def test_the_page_is_told_the_joints_of_examples_and_uploads(plus_queue):
    queue = model_queue.ModelQueue(plus_queue.model, 0, stand_in.Finder(POSE))
    people = demo.example_people(queue, "")
    config = Config(mode="demo", workdir="unused")
    with demo_server.serving(queue, people, config) as port:
        setup = json.loads(ask(port, "GET", "/setup.json")[1])
        known = [each["source_keypoints"] for each in setup["people"]]
        wanted = [person.keypoints.tolist() for person in people.values()]
        assert known == wanted and setup["first_image"] == "generated"
        (first, *_), person = setup["people"], next(iter(people.values()))
        poses = queue.catalogue(person.keypoints).values()
        np.testing.assert_allclose(
            list(first["poses"].values()), np.stack(list(poses)), atol=0.005
        )
        _, answer = post(port, demo_server.png(photo()), "/api/photo?name=a.png")
        np.testing.assert_allclose(answer["source_keypoints"], POSE, rtol=1e-6)


def test_an_image_may_be_a_data_url_or_wrapped(port):
    plain = encoded(photo())
    wrapped = "\r\n".join(plain[i : i + 76] for i in range(0, len(plain), 76))
    answers = [
        post(port, request(image=image))
        for image in (plain, f"{wrapped}\n", f"data:image/png;base64,{plain}")
    ]
    assert [status for status, _ in answers] == [200] * 3
    assert answers[1:] == answers[:1] * 2
    status, answer = post(port, request(image="data:image/png,abc"))
    assert status == 400 and "the data URL must be of base64" in answer["error"]


def test_pictures_to_keep_are_enlarged(port):
    _, small = post(port, request())
    _, large = post(port, request(scale=4))
    for name in ("coarse", "refined"):
        want = visualize.resized(demo_server.decoded(small[name]), 4 * 32)
        np.testing.assert_array_equal(demo_server.decoded(large[name]), want)
    wanted = {"image": encoded(photo()), "sequence": "walk", "scale": 4}
    _, answer = post(port, wanted, "/api/sequence")
    animation = Image.open(io.BytesIO(base64.b64decode(answer["animation"])))
    assert animation.size == (64, 128)
    status, answer = post(port, request(scale=9))
    assert status == 422 and answer["error"].startswith("scale: ")


def test_health_names_the_model(port):
    status, body = ask(port, "GET", "/healthz")
    wanted = {"status": "ok", "step": 4, "height": 32, "width": 16}
    assert (status, json.loads(body)) == (200, wanted)


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"image": "no base64!"}, 400, "image: expected a file in base64"),
        ({"image": encoded(photo(4, 4))}, 400, "each side must be at least 8"),
        ({"image": base64.b64encode(b"text").decode()}, 400, "image: not a photo in a"),
        ({"keypoints": POSE[:17].tolist()}, 400, "expected 18 rows of three numbers"),
        ({"keypoints": [[1, 2]] * 18}, 400, "expected 18 rows of three numbers"),
        ({"keypoints": [[1, 2, 3], [4]]}, 400, "expected 18 rows of three numbers"),
        ({"keypoints": (POSE * np.nan).tolist()}, 400, "expected 18 rows"),
        ({"keypoints": [[0, 0, 0]] * 18}, 400, "no visible point inside"),
        (
            {"source_keypoints": [[1, 2]] * 18},
            400,
            "source_keypoints: expected 18 rows",
        ),
        (
            {"source_keypoints": (POSE + 90).tolist()},
            400,
            "no point lies inside the photo",
        ),
        (
            {"source_keypoints": 3},
            422,
            "source_keypoints: Input should be a valid list",
        ),
        ({"keypoints": "a pose"}, 422, "keypoints: Input should be a valid list"),
        ({"image": None}, 422, "image: Input should be a valid string"),
    ],
)
def test_mistakes_are_explained(port, changes, status, words):
    answered, answer = post(port, request(**changes))
    assert answered == status and words in answer["error"]


def test_what_is_not_there_is_explained(port):
    status, body = ask(port, "GET", "/api/draw")
    assert status == 405
    assert json.loads(body) == {"error": "/api/draw takes POST, not GET."}
    status, body = ask(port, "POST", "/page/page.js")
    assert status == 405
    assert json.loads(body) == {"error": "/page/page.js takes GET, HEAD, not POST."}
    status, body = ask(port, "GET", "/nothing")
    assert (status, json.loads(body)) == (404, {"error": "Not Found"})


def test_a_huge_photo_is_refused_before_it_is_decoded(port, monkeypatch):
    image = base64.b64encode(demo_server.huge_png(10_000, 10_000)).decode()
    wanted = request(image=image)
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("decoded"))
    status, answer = post(port, wanted)
    assert status == 400 and "10000 x 10000 pixels, at most" in answer["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/file=/etc/passwd",
        "/page/../../../../../../../../../../etc/passwd",
        "/page/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/page/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/page//etc/passwd",
        "/page/../server.py",
        "/page/%2e%2e/server.py",
        "/page/",
        "/docs",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_file_is_within_reach(port, path, method):
    status, body = ask(port, method, path)
    assert status == 404 if method == "GET" else status in (404, 405)
    assert b"root:" not in body and b"import" not in body


def test_the_page_is_served_and_loads_nothing_from_other_hosts(port):
    status, body = ask(port, "GET", "/")
    assert status == 200 and b'src="page/page.js"' in body
    for name in ("page.css", "page.js", "editor.js", "parts.js", "icon.svg"):
        assert ask(port, "GET", f"/page/{name}")[0] == 200


def test_uploaded_photos_and_poses_are_fitted(port):
    status, answer = post(port, demo_server.png(photo()), "/api/photo?name=a.png")
    assert status == 200 and answer["note"] == "The photo has 16 x 32 pixels."
    np.testing.assert_array_equal(demo_server.decoded(answer["picture"]), photo())
    values = np.ravel(POSE).tolist()
    content = json.dumps({"people": [{"pose_keypoints_2d": values}]}).encode()
    status, answer = post(port, content, "/api/pose?name=a.json")
    np.testing.assert_allclose(answer["keypoints"], POSE, rtol=1e-6)
    status, answer = post(port, b"text", "/api/photo?name=%2Fetc%2Fa.png")
    assert status == 400 and answer["error"].startswith("/etc/a.png: not a photo")
    status, answer = post(port, b"0" * (2**20 + 1), "/api/pose?name=a.csv")
    assert status == 413 and answer["error"] == "The file is larger than 1 MB."


def test_a_sequence_is_frames_and_a_gif(port, demo_queue):
    wanted = {"image": encoded(photo()), "sequence": "walk"}
    status, answer = post(port, wanted, "/api/sequence")
    assert status == 200 and len(answer["frames"]) == 8
    animation = Image.open(io.BytesIO(base64.b64decode(answer["animation"])))
    assert (animation.format, animation.n_frames, animation.size) == (
        "GIF",
        8,
        (16, 32),
    )
    assert animation.info["duration"] == 150
    assert np.shape(answer["keypoints"]) == (8, 18, 3)
    status, answer = post(port, {**wanted, "sequence": "../walk"}, "/api/sequence")
    assert status == 400 and "no set of poses '../walk'" in answer["error"]


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


def test_programs_hear_that_nobody_is_seen(demo_queue):
    queue = model_queue.ModelQueue(demo_queue.model, 0, stand_in.Finder())
    config = Config(mode="demo", workdir="unused")
    wide = request(image=encoded(photo(100, 120)))
    with demo_server.serving(queue, {"a": nobody()}, config) as port:
        assert post(port, request())[0] == 200
        status, answer = post(port, wide)
        assert status == 400
        assert answer["error"].startswith("image: no person was found in this photo")
        # Keypoints are checked before anybody is looked for.
        status, answer = post(port, {**wide, "keypoints": []})
        assert status == 400 and answer["error"].startswith("keypoints: ")


def test_the_page_hears_how_many_people_a_photo_shows(demo_queue):
    people = [stand_in.figure(60, left=x, top=20) for x in (70, 10)]
    queue = model_queue.ModelQueue(demo_queue.model, 3, stand_in.Finder(*people))
    config = Config(mode="demo", workdir="unused")
    content = demo_server.png(photo(100, 120))
    with demo_server.serving(queue, {"a": nobody()}, config) as port:
        status, answer = post(port, content, "/api/photo?name=a.png")
        assert status == 400 and answer["people"] == 2
        assert "2 people were found" in answer["error"]
        status, answer = post(port, content, "/api/photo?name=a.png&number=2")
        assert status == 200 and answer["people"] == 2
        wanted = queue.fit_photo(content, "a", None, 2).image
        np.testing.assert_array_equal(demo_server.decoded(answer["picture"]), wanted)
        for number, status in ((-1, 422), (3, 400)):
            path = f"/api/photo?name=a.png&number={number}"
            assert post(port, content, path)[0] == status


def test_the_editor_has_the_colours_of_the_pictures(port):
    setup = json.loads(ask(port, "GET", "/setup.json")[1])
    assert setup["limbs"][0] == [1, 2, "rgb(255, 140, 0)"]  # neck to right shoulder
    assert setup["joint_colors"][5] == "rgb(0, 150, 255)"  # left shoulder
    assert visualize.limb_color(0, 14) == visualize.joint_color(14)
    assert len(setup["limbs"]) == len(pose.SKELETON)
    assert setup["sequences"] == ["walk", "turn", "wave"]
    assert setup["first_pose"] in [each["name"] for each in setup["poses"]]
