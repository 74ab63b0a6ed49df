"""The page of a user study, played from the first picture to the saved answers."""

import io
import json
import time

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from experiments.user_study import make, scores
from tests.conftest import console_errors
from tests.experiments.user_study.study_folders import make_config, write_folders

SECONDS = 0.05
IMAGES, PRACTICE = 6, 3
# What the page draws, and when its answers are asked for; both are its own calls.
SPY = """
const draw = CanvasRenderingContext2D.prototype.drawImage;
window.drawn = [];
CanvasRenderingContext2D.prototype.drawImage = function (...given) {
  draw.apply(this, given);
  const { width, height } = this.canvas;
  window.drawn.push([height, width, ...this.getImageData(0, 0, width, height).data]);
};
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Six real and six generated images, three for practice."""
    folder = tmp_path_factory.mktemp("study")
    write_folders(folder, 2 * IMAGES)
    config = make_config(
        folder, study_images=IMAGES, study_practice=PRACTICE, study_seconds=SECONDS
    )
    make.user_study(config)
    return folder


@pytest.fixture
def page(chromium, study, tmp_path):
    """The page before its first picture; downloads go to tmp_path."""
    console_errors(chromium)
    chromium.get(f"file://{study}/study/page/index.html?rater=ann-1")
    chromium.execute_script(SPY)
    allowed = {"behavior": "allow", "downloadPath": str(tmp_path)}
    chromium.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)
    yield chromium
    assert console_errors(chromium) == []
    # So that leaving is not asked about.
    chromium.execute_script("unsaved = false")
    chromium.get("about:blank")


def wait_for(page, condition):
    """Waits until a condition in JavaScript holds."""
    WebDriverWait(page, 20, poll_frequency=0.02).until(
        lambda driver: driver.execute_script(f"return Boolean({condition})")
    )


def press(page, *keys):
    page.switch_to.active_element.send_keys(*keys)


def begin(page):
    wait_for(page, "!document.getElementById('begin').disabled")
    page.find_element(By.ID, "begin").click()


def pass_practice(page, answer):
    """Answers the practice pictures, goes on, and waits for the next question."""
    for number in range(PRACTICE):
        wait_for(page, f"takeAnswer && trials.length === {number}")
        answer(number)
    wait_for(page, "!document.getElementById('pause').hidden")
    page.find_element(By.ID, "go-on").click()
    wait_for(page, f"takeAnswer && trials.length === {PRACTICE}")


def read_key(study):
    return json.loads((study / "study" / "key.json").read_text())


def downloaded(folder):
    """The one file that the page saved, when it is whole."""
    deadline = time.monotonic() + 20
    while not (found := list(folder.glob("answers-*.json"))):
        assert time.monotonic() < deadline, "nothing was downloaded"
        time.sleep(0.05)
    return found[0]


def test_a_whole_study_by_keys_and_buttons(page, study, tmp_path):
    text = page.find_element(By.ID, "start").text
    assert "12 pictures" in text and "0.05 seconds" in text and "first 3 are" in text
    begin(page)
    status = page.find_element(By.ID, "status")
    buttons = [page.find_element(By.ID, name) for name in ("real", "generated")]
    # The empty stage before the first picture takes no answer.
    press(page, "f")
    wait_for(page, "takeAnswer")
    assert status.text == "Practice 1 of 3"
    ways = [
        lambda: press(page, "f", "f", "j"),  # Only the first of them counts.
        lambda: press(page, Keys.ARROW_RIGHT),
        lambda: press(page, "J"),
        buttons[0].click,
        lambda: press(page, Keys.ARROW_LEFT),
        buttons[1].click,
    ]
    words = ["real", "generated", "generated", "real", "real", "generated"]
    pass_practice(page, lambda number: ways[number]())
    assert status.text == "Picture 1 of 9"
    for number in range(PRACTICE, 2 * IMAGES):
        wait_for(page, f"takeAnswer && trials.length === {number}")
        assert all(button.is_enabled() for button in buttons)
        ways[number % 6]()
    wait_for(page, "!document.getElementById('end').hidden")
    page.find_element(By.ID, "save").click()
    path = downloaded(tmp_path)
    key = read_key(study)
    assert path.name == f"answers-{key['study']}-ann-1.json"
    content = json.loads(path.read_text())
    assert (content["study"], content["rater"]) == (key["study"], "ann-1")
    assert [t["answer"] for t in content["trials"]] == words * 2
    assert not any(trial["interrupted"] for trial in content["trials"])
    # A picture stays until the frame nearest to the wanted time.
    assert min(t["shown_ms"] for t in content["trials"]) >= 1000 * SECONDS - 3
    check_drawn(page, study, key)
    check_scores(study, path, key, words * 2)


def check_drawn(page, study, key):
    """The page drew every image of the key, pixel by pixel, in its order."""
    drawn = page.execute_script("return window.drawn")
    assert len(drawn) == 2 * IMAGES
    for (height, width, *values), trial in zip(drawn, key["trials"], strict=True):
        generated, target = trial["pair"]
        name = (
            f"target/{target}" if trial["kind"] == "real" else f"generated/{generated}"
        )
        with Image.open(io.BytesIO((study / name).read_bytes())) as image:
            wanted = np.asarray(image.convert("RGBA"))
        found = np.array(values).reshape(height, width, 4)
        np.testing.assert_array_equal(found, wanted)


def check_scores(study, path, key, words):
    """The rates of these answers, counted here from the key."""
    config = make_config(
        study,
        generated_dir="",
        target_dir="",
        study_images=55,
        study_practice=10,
        answers=str(path),
    )
    found = scores.score(config)
    for name, kind in (("R2G", "real"), ("G2R", "generated")):
        said = [
            word
            for word, trial in zip(words, key["trials"], strict=True)
            if trial["kind"] == kind
        ][[t["kind"] for t in key["trials"][:PRACTICE]].count(kind) :]
        confused = sum(word != kind for word in said)
        assert (found[name]["confused"], found[name]["shown"]) == (confused, len(said))


def test_a_trial_out_of_sight_is_flagged(page):
    begin(page)

    def answer(number):
        if number == 1:
            page.execute_script(
                "Object.defineProperty(document, 'hidden',"
                " { value: true, configurable: true });"
                "document.dispatchEvent(new Event('visibilitychange'));"
                "delete document.hidden;"
            )
        press(page, "f")

    pass_practice(page, answer)
    flags = page.execute_script("return trials.map((trial) => trial.interrupted)")
    assert flags == [False, True, False]


def test_leaving_in_the_middle_is_asked_about(page):
    def asked():
        return page.execute_script(
            "const event = new Event('beforeunload', { cancelable: true });"
            "window.dispatchEvent(event); return event.defaultPrevented;"
        )

    assert not asked()
    begin(page)
    wait_for(page, "takeAnswer")
    assert asked()


def test_everything_has_a_name_and_fits_a_phone(page):
    """What a screen reader says, and no sideways scrolling at 360 pixels."""
    size = {"width": 360, "height": 640, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        begin(page)
        wait_for(page, "takeAnswer")
        assert page.switch_to.active_element.get_attribute("id") == "trial"
        names = {
            name: page.find_element(By.ID, name).accessible_name
            for name in ("picture", "progress", "answers", "real")
        }
        assert names["picture"] == "The picture to judge"
        assert names["progress"] == "Pictures answered"
        assert names["answers"] == "What was the picture?"
        assert names["real"].startswith("Real photo")
        wide, high = page.execute_script(
            "const { right, bottom } = document.getElementById('answers')"
            ".getBoundingClientRect();"
            "return [Math.max(right, document.documentElement.scrollWidth), bottom];"
        )
        assert wide <= 360 and high <= 640
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
