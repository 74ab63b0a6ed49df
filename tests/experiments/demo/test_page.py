"""The demo's page in a browser, as visitors use it."""

import base64
import contextlib
import itertools
import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("selenium", reason="the page is tested in a browser")

from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from experiments.config import Config
from experiments.demo import demo, model_queue
from tests.conftest import console_errors
from tests.experiments.demo import demo_server
from tests.experiments.demo.visitor import Visitor
from tests.pg2_jax.inference import stand_in

WRIST = 4  # the right one


@pytest.fixture(scope="module")
def address(demo_queue):
    config = Config(mode="demo", workdir="unused", max_upload_mb=1)
    people = demo.example_people(demo_queue, "")
    with demo_server.serving(demo_queue, people, config) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def visitor(chromium, address):
    console_errors(chromium)
    visitor = Visitor(chromium, address)
    yield visitor
    errors = console_errors(chromium)
    assert [e for e in errors if not visitor.expects or visitor.expects not in e] == []


def test_a_dragged_joint_moves_and_the_picture_changes(visitor):
    x, y = visitor.place(WRIST)
    box = visitor.one("#pose svg").rect
    pixel = box["width"] / 16
    with visitor.sees_another_picture():
        ActionChains(visitor.browser).move_to_element(
            visitor.joint(WRIST)
        ).click_and_hold().move_by_offset(
            round(2 * pixel), round(-10 * pixel)
        ).perform()
    ActionChains(visitor.browser).release().perform()
    assert visitor.place(WRIST) == pytest.approx([x + 2, y - 10], abs=0.2)
    visitor.wait(lambda: visitor.note("Pose").startswith("Right wrist: "))
    assert visitor.note("Result").startswith("Generated in ")
    with visitor.sees_another_picture():
        visitor.one("#pose .undo").click()
    assert visitor.place(WRIST) == pytest.approx([x, y], abs=0.01)


def test_the_keyboard_moves_hides_and_shows(visitor):
    x, y = visitor.place(WRIST)
    wrist = visitor.joint(WRIST)
    with visitor.sees_another_picture():
        wrist.send_keys(Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_RIGHT)
    assert visitor.place(WRIST) == pytest.approx([x + 1, y - 2], abs=0.01)
    words = f"{round(x + 1)} right, {round(y - 2)} down"
    assert wrist.get_attribute("aria-label") == f"Right wrist, {words}"
    assert visitor.note("Pose") == f"Right wrist: {words}."
    with visitor.sees_another_picture():
        wrist.send_keys("h")
    assert not wrist.is_displayed() and visitor.note("Pose") == "Right wrist is hidden."
    show = visitor.browser.switch_to.active_element
    assert show.text == "Show right wrist"
    with visitor.sees_another_picture():
        show.send_keys(Keys.ENTER)
    assert wrist.is_displayed() and visitor.place(WRIST) == pytest.approx(
        [x + 1, y - 2]
    )
    assert visitor.browser.switch_to.active_element == wrist


def test_a_pose_without_joints_is_explained(visitor):
    visitor.expects = "status of 400"
    for joint in range(18):
        if visitor.joint(joint).is_displayed():
            visitor.joint(joint).send_keys(Keys.DELETE)
    visitor.wait(lambda: "no visible point" in visitor.note("Result"))
    assert len(visitor.all(".hidden-joints button:not([hidden])")) == 18


def test_a_full_queue_is_explained(visitor, demo_queue):
    visitor.expects = "status of 503"
    with contextlib.ExitStack() as places:
        for _ in range(4):
            places.enter_context(demo_queue.place())
        visitor.one('button[aria-label="Arms up"]').click()
        visitor.wait(lambda: visitor.note("Result").startswith("Too many requests"))
        words = "Too many requests are waiting. Try again in a moment."
        assert visitor.note("Result") == words
    with visitor.sees_another_picture():
        visitor.one('button[aria-label="Back"]').click()


def test_photos_are_taken_or_refused_with_a_reason(visitor, tmp_path):
    visitor.expects = "status of 400"
    photo = tmp_path / "me.png"
    pixels = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(photo)
    with visitor.sees_another_picture():
        visitor.file_input("Person").send_keys(str(photo))
    assert visitor.note("Person") == "The photo has 40 x 40 pixels. Its middle is used."
    shown = visitor.one(".photo").get_attribute("src").partition(",")[2]
    assert demo_server.decoded(shown).shape == (32, 16, 3)
    huge = demo_server.huge_png(10_000, 10_000)
    for name, content, words in (
        ("notes.txt", b"hello", "notes.txt: not a photo in a format"),
        ("huge.png", huge, "huge.png: cannot be read: 10000 x 10000 pixels, at most"),
        ("empty.jpg", b"", "empty.jpg: not a photo"),
        ("large.jpg", bytes(2**20 + 1), "large.jpg is larger than 1 MB."),
    ):
        (tmp_path / name).write_bytes(content)
        visitor.file_input("Person").send_keys(str(tmp_path / name))
        visitor.wait(lambda words=words: words in visitor.note("Person"))
    assert visitor.one(".photo").get_attribute("src").partition(",")[2] == shown


def test_a_person_of_a_group_is_chosen(chromium, demo_queue, tmp_path):
    """Two of like size are refused until one is chosen; an example ends it."""
    people = [stand_in.figure(60, left=x, top=20) for x in (70, 10)]
    finder = stand_in.Finder(*people)
    queue = model_queue.ModelQueue(demo_queue.model, 3, finder)
    config = Config(mode="demo", workdir="unused")
    photo = tmp_path / "group.png"
    Image.fromarray(demo_server.photo(100, 120)).save(photo)
    with demo_server.serving(queue, demo.example_people(queue, ""), config) as port:
        visitor = Visitor(chromium, f"http://127.0.0.1:{port}/")
        who = visitor.one(".who")
        assert not who.is_displayed()
        visitor.file_input("Person").send_keys(str(photo))
        visitor.wait(lambda: "2 people were found" in visitor.note("Person"))
        choice = Select(visitor.one(".who select"))
        said = [option.text for option in choice.options]
        assert said == ["the largest", "1", "2"] and who.is_displayed()
        for number in (2, 1):
            with visitor.sees_another_picture():
                choice.select_by_value(str(number))
            shown = visitor.one(".photo").get_attribute("src").partition(",")[2]
            wanted = queue.fit_photo(photo.read_bytes(), "a", None, number)
            np.testing.assert_array_equal(demo_server.decoded(shown), wanted.image)
            assert who.is_displayed()
        with visitor.sees_another_picture():
            visitor.all("#person .strip button")[0].click()
        assert not who.is_displayed()
        console_errors(chromium)


def test_poses_are_picked_mirrored_saved_and_uploaded(visitor, tmp_path):
    visitor.expects = "status of 400"
    with visitor.sees_another_picture():
        visitor.one('button[aria-label="Arms up"]').click()
    right, left = visitor.place(4), visitor.place(7)
    with visitor.sees_another_picture():
        visitor.one("#pose .mirror").click()
    assert visitor.place(4) == pytest.approx([15 - left[0], left[1]], abs=0.01)
    assert visitor.place(7) == pytest.approx([15 - right[0], right[1]], abs=0.01)
    saved = visitor.one(".save").get_attribute("href")
    content = json.loads(
        visitor.browser.execute_script(
            "return decodeURIComponent(arguments[0])", saved.partition(",")[2]
        )
    )
    points = np.reshape(content["people"][0]["pose_keypoints_2d"], (18, 3))
    assert points[4, :2].tolist() == pytest.approx(visitor.place(4), abs=0.01)
    points[4] = 0
    content["people"][0]["pose_keypoints_2d"] = points.ravel().tolist()
    (tmp_path / "mine.json").write_text(json.dumps(content))
    with visitor.sees_another_picture():
        visitor.file_input("Pose").send_keys(str(tmp_path / "mine.json"))
    assert visitor.note("Pose") == "mine.json was read."
    assert not visitor.joint(4).is_displayed()
    (tmp_path / "bad.json").write_text('{"people": 3}')
    visitor.file_input("Pose").send_keys(str(tmp_path / "bad.json"))
    visitor.wait(lambda: "bad.json: holds no person" in visitor.note("Pose"))
    assert visitor.place(7) == pytest.approx([15 - right[0], right[1]], abs=0.01)


def test_a_sequence_plays_and_stops(visitor):
    visitor.one(".primary").click()
    visitor.wait(lambda: visitor.note("Result") == "Walk: 8 pictures.")
    shown = visitor.place(WRIST)
    with visitor.sees_another_picture():
        visitor.wait(lambda: visitor.place(WRIST) != shown)  # The skeleton walks, too.
    visitor.one(".pause").click()
    assert visitor.one(".pause").text == "Play"
    animation = visitor.one(".animation").get_attribute("href")
    content = base64.b64decode(animation.partition(",")[2])
    assert content.startswith(b"GIF89a")
    still = visitor.one(".refined a")
    assert still.get_attribute("download") == "refined.png"
    assert still.get_attribute("href") == visitor.picture()
    with visitor.sees_another_picture():
        visitor.all('section[aria-label="Person"] .strip button')[1].click()
    assert not visitor.one(".player").is_displayed()
    assert visitor.one(".photo").get_attribute("alt").endswith("Synthetic person 2")


def test_a_phone_shows_skeleton_and_result_side_by_side(visitor):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    visitor.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        width = "return document.documentElement.scrollWidth"
        assert visitor.browser.execute_script(width) == 390
        scroll = "arguments[0].scrollIntoView({block: 'end'})"
        visitor.browser.execute_script(scroll, visitor.one("#pose svg"))
        box = "return arguments[0].getBoundingClientRect().toJSON()"
        skeleton, result, person = (
            visitor.browser.execute_script(box, visitor.one(selector))
            for selector in ("#pose svg", ".refined img", "#person .photo")
        )
        assert skeleton["right"] < result["left"] and result["right"] < 390
        assert result["top"] == skeleton["top"] > person["bottom"]
        assert skeleton["top"] >= 0 and skeleton["bottom"] <= 844
    finally:
        visitor.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_wide_screen_shows_person_skeleton_and_result_side_by_side(visitor):
    boxes = [
        visitor.one(selector).rect
        for selector in ("#person .photo", "#pose svg", ".coarse img", ".refined img")
    ]
    assert len({round(box["y"]) for box in boxes}) == 1
    for left, right in itertools.pairwise(boxes):
        assert left["x"] + left["width"] < right["x"]


def test_everything_has_a_name_for_screen_readers(visitor):
    unnamed = visitor.browser.execute_script(
        """const all = 'button, a, input, select, .joint, svg';
        return [...document.querySelectorAll(all)].filter((node) => !(
        node.getAttribute('aria-label') || node.textContent.trim()
        || node.closest('label'))).map((node) => node.outerHTML)"""
    )
    assert unnamed == []
    joints = visitor.all('.joint[tabindex="0"][role="button"]')
    assert len(joints) == 18
    places = visitor.all('.note[role="status"][aria-live="polite"]')
    assert len(places) == 3


def test_one_network_shows_one_picture_made_with_the_joints(chromium, plus_queue):
    """Of an example they are known; of an upload the page says that they would help."""
    config = Config(mode="demo", workdir="unused")
    people = demo.example_people(plus_queue, "")
    person = people["Synthetic person 2"]
    with demo_server.serving(plus_queue, people, config) as port:
        chromium.get(f"http://127.0.0.1:{port}/")

        def note(panel):
            selector = f'section[aria-label="{panel}"] .note'
            return chromium.find_element(By.CSS_SELECTOR, selector).text

        def picture():
            source = chromium.find_element(By.CSS_SELECTOR, ".coarse img")
            return source.get_attribute("src")

        wait = WebDriverWait(chromium, 20)
        wait.until(lambda _: note("Result").startswith("Generated in "))
        before = picture()
        second = 'button[aria-label="Synthetic person 2"]'
        chromium.find_element(By.CSS_SELECTOR, second).click()
        wait.until(lambda _: picture() != before)
        joints = plus_queue.catalogue(person.keypoints)["hands_on_hips"].round(2)
        want = plus_queue.generate(person, joints).coarse[0]
        got = demo_server.decoded(picture().partition(",")[2])
        np.testing.assert_array_equal(got, want)
        refined = chromium.find_element(By.CSS_SELECTOR, ".refined")
        caption = chromium.find_element(By.CSS_SELECTOR, ".coarse .name")
        assert not refined.is_displayed() and not caption.is_displayed()


def test_a_pose_that_rests_is_shown_at_the_resolution_of_the_photo(
    chromium, plus_queue, monkeypatch
):
    """The stand-in's large picture is the large photo, upside down."""
    person = demo.example_people(plus_queue, "")["Synthetic person 2"]
    large = person.image.repeat(2, axis=0).repeat(2, axis=1)
    asked = []

    def generate_large(given, keypoints):
        asked.append((given, keypoints))
        return given.large[::-1]

    monkeypatch.setattr(plus_queue, "generate_large", generate_large)
    monkeypatch.setattr(plus_queue.model, "keeps_resolution", True)
    people = {"someone": person._replace(large=large)}
    config = Config(mode="demo", workdir="unused")
    with demo_server.serving(plus_queue, people, config) as port:
        chromium.get(f"http://127.0.0.1:{port}/")

        def picture():
            selector = ".coarse img"
            source = chromium.find_element(By.CSS_SELECTOR, selector)
            text = (source.get_attribute("src") or "").partition(",")[2]
            return demo_server.decoded(text) if text else np.zeros((0, 0, 3))

        wait = WebDriverWait(chromium, 20)
        wait.until(lambda _: picture().shape == large.shape)
        np.testing.assert_array_equal(picture(), large[::-1])
        # It is what the button downloads, as it is.
        link = chromium.find_element(By.CSS_SELECTOR, ".coarse a")
        href = link.get_attribute("href").partition(",")[2]
        np.testing.assert_array_equal(demo_server.decoded(href), large[::-1])
    given, keypoints = asked[-1]
    np.testing.assert_array_equal(given.large, large)
    np.testing.assert_allclose(given.keypoints, person.keypoints, atol=1e-3)
    pose = plus_queue.catalogue(person.keypoints)["hands_on_hips"].round(2)
    np.testing.assert_allclose(keypoints, pose, atol=1e-3)
