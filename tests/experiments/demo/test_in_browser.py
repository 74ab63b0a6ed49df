"""The page without a server of ours, in a browser that runs the model."""

import base64
import contextlib
import functools
import http.server
import io
import itertools
import json
import threading

import jax
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("selenium", reason="the page is tested in a browser")

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from experiments.demo import (
    demo,
    model_queue,
    page_setup,
    static_page,
)
from pg2_jax.checkpoint import restore
from pg2_jax.inference import pose_library, pose_transfer
from pg2_jax.pose import JOINTS
from tests.conftest import console_errors
from tests.experiments.demo import demo_server
from tests.experiments.demo.visitor import Visitor
from tests.pg2_jax.pg2plus import people as small_people

NECK = 1
_LEVELS = 1.0  # of 255, between two pictures on average


@contextlib.contextmanager
def serving(folder):
    """Any web server; yields the address, and what is asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.requestline)

    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", asked
        server.shutdown()


@pytest.fixture(scope="module")
def without_model(plus_queue, tmp_path_factory):
    """The page of a stand-in that has no model file."""
    folder = tmp_path_factory.mktemp("page") / "page"
    people = demo.example_people(plus_queue, "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plus_queue.model, "export", lambda path, form: None)
        static_page.write(folder, plus_queue, people, [], 2**20)
    with serving(folder) as (address, _):
        yield address, folder


def test_a_missing_model_and_an_unreadable_photo_are_explained(
    chromium, without_model, tmp_path
):
    words = "The model file model.onnx is missing (404)."
    visitor = Visitor(chromium, without_model[0], begin=words)
    assert "error" in visitor.one("#result .note").get_attribute("class")
    for name, content, words in (
        ("a.jpg", b"text", "a.jpg: this browser cannot read it as a photo."),
        ("b.jpg", bytes(2**20 + 1), "b.jpg is larger than 1 MB."),
    ):
        (tmp_path / name).write_bytes(content)
        visitor.file_input("Person").send_keys(str(tmp_path / name))
        visitor.wait(lambda words=words: visitor.note("Person").startswith(words))
    for name, content in (("c.json", "{}"), ("d.json", '{"people": [{}]}')):
        (tmp_path / name).write_text(content)
        visitor.file_input("Pose").send_keys(str(tmp_path / name))
        words = f"{name}: holds no person of 18 joints as OpenPose writes it."
        visitor.wait(lambda words=words: visitor.note("Pose") == words)
    assert visitor.one('[data-only="browser"]').text == "Your own photo"
    assert not visitor.one('[data-only="server"]').is_displayed()
    console_errors(chromium)


def test_a_browser_without_webassembly_is_told(chromium, without_model):
    script = {"source": "delete window.WebAssembly"}
    added = chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
    words = "This browser has no WebAssembly, which the model needs."
    try:
        visitor = Visitor(chromium, without_model[0], begin=words)
        assert visitor.note("Result").startswith(words)
        assert visitor.picture() is None
    finally:
        chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    console_errors(chromium)


def test_a_model_that_cannot_be_run_is_explained(chromium, without_model):
    """There is no onnxruntime-web."""
    address, folder = without_model
    (folder / static_page.MODEL).write_text("model")
    try:
        words = "The model model.onnx cannot be run in this browser (Failed to fetch"
        visitor = Visitor(chromium, address, begin=words)
        assert visitor.note("Result").startswith(words)
        assert visitor.picture() is None
    finally:
        (folder / static_page.MODEL).unlink()
    console_errors(chromium)


def test_poses_that_the_model_cannot_see_are_refused(chromium, without_model):
    chromium.get(without_model[0])
    script = """const [setup, poses, done] = arguments;
    import('./page/in_browser.js').then(({ connect }) => Promise.all(poses.map(
      (keypoints) => connect(setup).draw({ keypoints }).catch((e) => e.message)
    ))).then(done);"""
    pose = demo_server.POSE.copy()
    pose[JOINTS.index("left_hip")] = 0
    poses = [np.zeros((18, 3)).tolist(), pose.tolist()]
    setup = {"size": [32, 16], "model": "model.onnx", "needs_view": True}
    empty, torso = chromium.execute_async_script(script, setup, poses)
    assert empty == "The pose has no visible joint. Show one at least."
    assert torso.startswith("The pose lacks a shoulder or a hip, so that the view")
    setup["needs_view"] = False
    _, missing = chromium.execute_async_script(script, setup, poses)
    assert missing == "The model file model.onnx is missing (404)."
    console_errors(chromium)


def test_a_page_opened_from_the_disk_says_how_to_open_it(chromium, without_model):
    chromium.get((without_model[1] / "index.html").as_uri())
    said = chromium.find_element(By.CSS_SELECTOR, ".about").text
    assert said.startswith("This page needs a web server. In its folder run: python -m")
    console_errors(chromium)


def test_an_animation_is_a_gif_of_few_colours(chromium, without_model):
    """Exactly where there are at most 256; any number of pixels and codes."""
    rng = np.random.default_rng(0)
    colors = 8 * rng.permutation(32)[:, None] + np.zeros(3, int)
    few = colors[rng.integers(0, 32, (2, 90, 70))]
    grey = np.full((1, 2, 3, 3), 9)
    many = rng.integers(0, 256, (1, 70, 70, 3))
    chromium.get(without_model[0])
    script = """const [frames, size, done] = arguments;
    import('./page/gif.js').then(({ gif }) => done(gif(frames, size, 150)));"""
    for frames, most in ((few, 0), (grey, 0), (many, 16)):
        opaque = np.concatenate([frames, np.full_like(frames[..., :1], 255)], axis=-1)
        given = opaque.reshape(len(frames), -1).tolist()
        text = chromium.execute_async_script(script, given, frames.shape[1:3])
        film = Image.open(io.BytesIO(base64.b64decode(text)))
        assert film.n_frames == len(frames) and film.info["loop"] == 0
        assert film.info["duration"] == 150
        for number, frame in enumerate(frames):
            film.seek(number)
            assert np.abs(np.asarray(film.convert("RGB")) - frame).mean() <= most
    console_errors(chromium)


def test_poses_are_fitted_as_the_server_fits_them(chromium, without_model, plus_queue):
    """To a body, to one without room for them, and to none; alone and as a sequence."""
    catalogue = list(pose_library.read("catalogue").values())
    walk = np.stack(list(pose_library.read("walk").values()))
    (body,) = plus_queue.fit_poses(catalogue[0][None])
    small = body * [0.6, 0.5, 1] + [1, 3, 0]
    blind = body.copy()
    blind[NECK] = 0
    chromium.get(without_model[0])
    script = """const [cases, size, margin, done] = arguments;
    import('./page/fitting.js').then(({ fitPoses }) => done(cases.map(
      ([poses, joints]) => fitPoses(poses, joints, size, margin))));"""
    bodies = (small, body * [1, 3, 1], blind, None)
    cases = [
        (np.asarray(poses), joints)
        for joints in bodies
        for poses in (*(pose[None] for pose in catalogue), walk)
    ]
    as_lists = [(p.tolist(), None if b is None else b.tolist()) for p, b in cases]
    size = list(plus_queue.size)
    got = chromium.execute_async_script(script, as_lists, size, model_queue.MARGIN)
    for (poses, joints), fitted in zip(cases, got, strict=True):
        want = plus_queue.fit_poses(poses, joints)
        np.testing.assert_allclose(fitted, want, atol=1e-4)
    console_errors(chromium)


@pytest.fixture(scope="module")
def plus():
    """A small pg2plus with weights drawn at random, behind a queue."""
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    rng = np.random.default_rng(5)
    weights = jax.tree.map(
        lambda x: rng.normal(0, 0.1, x.shape).astype(x.dtype),
        restore.weight_shapes(small_people.ARCHITECTURE),
    )
    arguments = {"refine": None, **weights}
    generators = restore.Generators(3, small_people.ARCHITECTURE, {}, **arguments)
    return model_queue.ModelQueue(pose_transfer.PoseTransfer(generators), 0, None)


@pytest.fixture(scope="module")
def served(plus, tmp_path_factory):
    """The page of that model; npm is asked for what it has fetched before."""
    folder = tmp_path_factory.mktemp("page") / "page"
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("npm_config_offline", "true")
        try:
            runtime = stack.enter_context(static_page.runtime(""))
        except ValueError as error:
            pytest.skip(f"{error} `npm cache add onnxruntime-web` fetches it, too.")
        people = demo.example_people(plus, "")
        static_page.write(folder, plus, people, runtime, 2**20)
    with serving(folder) as (address, asked):
        yield address, asked


def _distance(visitor, want):
    """Of the picture that is shown, on average; browsers write opaque pixels so."""
    got = demo_server.decoded(visitor.picture()).astype(int)
    assert got.shape == (*want.shape[:2], 4) and (got[..., 3] == 255).all()
    return np.abs(got[..., :3] - want).mean()


@pytest.mark.slow
def test_the_browser_generates_the_picture_that_python_generates(
    chromium, served, plus, tmp_path
):
    address, asked = served
    console_errors(chromium)
    visitor = Visitor(chromium, address, picture="coarse")
    people = demo.example_people(plus, "")
    wants = []
    for number in (1, 2):
        name = f"Synthetic person {number}"
        person = people[name]
        for pose in ("Back", "Arms up"):
            with visitor.sees_another_picture():
                visitor.one(f'button[aria-label="{name}"]').click()
                visitor.one(f'button[aria-label="{pose}"]').click()
            words = pose.lower().replace(" ", "_")
            keypoints = plus.catalogue(person.keypoints)[words].round(2)
            want = plus.generate(person, keypoints).coarse[0]
            visitor.wait(lambda want=want: _distance(visitor, want) < _LEVELS)
            wants.append(want.astype(int))
    apart = [np.abs(a - b).mean() for a, b in itertools.combinations(wants, 2)]
    assert min(apart) > 2 * _LEVELS
    # All was fetched; from here on nothing goes over the network.
    asked.clear()
    _place_own_photo(visitor, plus, tmp_path)
    _download(visitor, plus.size)
    visitor.one(".primary").click()
    visitor.wait(lambda: visitor.note("Result") == "Walk: 8 pictures.")
    _animation(visitor, plus.size)
    assert asked == [] and console_errors(chromium) == []


def _place_own_photo(visitor, plus, folder):
    """The photo is three times the model's size and wider: its right end is chosen, and
    a wrist is dragged; python generates from the same."""
    height, width = plus.size
    rows, columns = np.mgrid[:height, : 2 * width] / height
    waves = [np.sin(6 * rows * k + 5 * columns + k) for k in range(1, 4)]
    pixels = (127.5 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)
    path = folder / "me.png"
    Image.fromarray(pixels).resize(
        (6 * width, 3 * height), Image.Resampling.BICUBIC
    ).save(path)
    with visitor.sees_another_picture():
        visitor.file_input("Person").send_keys(str(path))
    assert visitor.note("Person").startswith("Move the photo until the person fills")
    with visitor.sees_another_picture():
        visitor.browser.execute_script(
            """const slider = document.querySelector('.across');
            slider.value = 1;
            slider.dispatchEvent(new Event('input'));"""
        )
    wrist = visitor.one('#person .joint[data-joint="4"]')
    with visitor.sees_another_picture():
        ActionChains(visitor.browser).drag_and_drop_by_offset(wrist, 30, -40).perform()
    joints = [
        [float(joint.get_attribute(name)) - 0.5 for name in ("cx", "cy")]
        for joint in visitor.browser.find_elements(By.CSS_SELECTOR, "#person .joint")
    ]
    keypoints = np.column_stack([joints, np.ones(18)]).round(2).astype(np.float32)
    person = model_queue.Person(pixels[:, width:], keypoints)
    saved = visitor.one(".save").get_attribute("href").partition(",")[2]
    script = "return decodeURIComponent(arguments[0])"
    content = json.loads(visitor.browser.execute_script(script, saved))
    pose = np.reshape(content["people"][0]["pose_keypoints_2d"], (18, 3))
    np.testing.assert_allclose(pose, plus.catalogue(keypoints)["arms_up"], atol=0.01)
    want = plus.generate(person, pose).coarse[0]
    nowhere = person._replace(keypoints=np.zeros((18, 3), np.float32))
    without = plus.generate(nowhere, pose).coarse[0].astype(int)
    assert np.abs(want - without).mean() > 10 * _LEVELS
    visitor.wait(lambda: _distance(visitor, want) < 3 * _LEVELS)


def _animation(visitor, size):
    """The GIF has the frames that are shown, four times as large, in 256 colours."""
    address = visitor.one(".animation").get_attribute("href")
    assert visitor.one(".animation").is_displayed()
    film = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    assert film.n_frames == 8 and film.info["duration"] == page_setup.FRAME_MS
    assert film.size == (4 * size[1], 4 * size[0]) and film.info["loop"] == 0
    visitor.one(".pause").click()
    shown = demo_server.decoded(visitor.picture())[..., :3].astype(int)
    apart = []
    for number in range(8):
        film.seek(number)
        apart.append(np.abs(np.asarray(film.convert("RGB")) - shown).mean())
    # The photo has all colours of the rainbow, more than a GIF.
    assert min(apart) < 6 * _LEVELS and len(set(apart)) == 8


def _download(visitor, size):
    """The file is larger, and as sharp as the browser can."""
    shown = demo_server.decoded(visitor.picture())
    visitor.browser.execute_script(
        """HTMLAnchorElement.prototype.click = function () { window.saved = this; };"""
    )
    visitor.one(".coarse a").click()
    visitor.wait(lambda: visitor.browser.execute_script("return window.saved?.href"))
    address, name = visitor.browser.execute_script(
        "return [window.saved.href, window.saved.download]"
    )
    large = Image.fromarray(demo_server.decoded(address))
    assert name == "generated.png" and large.size == (4 * size[1], 4 * size[0])
    small = np.asarray(large.resize(size[::-1], Image.Resampling.BOX), np.int16)
    assert np.abs(small - shown).mean() < 3 * _LEVELS
