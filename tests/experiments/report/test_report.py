"""The report of runs: what is on the page, and how it behaves in a browser."""

import base64
import io
import json
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from experiments.config import Config
from experiments.evaluate import evaluate, pairs_csv
from experiments.report import data_pairs, evaluated_run, report
from experiments.train import history
from pg2_jax.input_pipeline import pair_reader
from tests.conftest import console_errors
from tests.experiments import untrained_run
from tests.experiments.tiny_run import make_config

EVIL = "<b><script>alert(1)"


@pytest.fixture(scope="module")
def folder(pair_dataset, tmp_path_factory):
    """Three scored runs: two of untrained networks, and the images of one of them."""
    folder = tmp_path_factory.mktemp("runs")
    for seed, name in enumerate(("first", "second")):
        untrained_run.write(make_config(pair_dataset, folder / name, seed=seed))
        evaluate.evaluate(
            make_config(
                pair_dataset, folder / name, mode="evaluate", save_images=not seed
            )
        )
    history.begin(str(folder / "first"), 0)
    for step in range(10, 60, 10):
        row = {"coarse/loss": 1 / step, "images_per_second": 9, "seconds": 65}
        history.add(str(folder / "first"), step, row)
    images = folder / "first" / "images"
    evaluate.evaluate(
        Config(
            mode="evaluate",
            workdir=str(folder / "images"),
            generated_dir=str(images / "refined"),
            target_dir=str(images / "target"),
            progress=False,
        )
    )
    return folder


@pytest.fixture(scope="module")
def page_file(folder):
    """The report of the three."""
    return make_report(folder, f"{EVIL}={folder}/first,{folder}/second,{folder}/images")


def make_report(folder, workdirs, output="report", **changes):
    output = folder / output
    changes = {"report_pairs": 5, **changes}
    report.report(
        Config(mode="report", workdirs=workdirs, output=str(output), **changes)
    )
    return output / "index.html"


@pytest.fixture
def page(chromium, page_file):
    """The report in a browser, freshly loaded, in a window of a desktop."""
    show(chromium, page_file, 1280)
    return chromium


def show(browser, file, width, **media):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": f"prefers-{k}", "value": v} for k, v in media.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(file.as_uri())
    browser.execute_script("try { localStorage.clear() } catch {}")
    browser.get(file.as_uri())


def shown_pairs(page):
    return page.execute_script(
        "return [...document.querySelectorAll('#pairs .pair')].filter("
        "p => p.checkVisibility()).map(p => p.querySelector('.names').textContent)"
    )


def choose(page, name, value):
    page.execute_script(
        "const f = document.getElementById('filters').elements[arguments[0]];"
        "f.value = arguments[1]; f.dispatchEvent(new Event('input', {bubbles: true}))",
        name,
        value,
    )


def press(page, key):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(page).send_keys(key).perform()


def zoomed(page):
    return page.execute_script(
        "const z = document.getElementById('zoom');"
        "return z.open ? z.querySelector('.names').textContent : null"
    )


def test_the_page_loads_without_errors(page):
    console_errors(page)
    page.refresh()
    assert console_errors(page) == []
    assert page.title.startswith(f"{EVIL}, second, images")
    assert page.execute_script(
        "return [...document.images].every(i => i.alt && i.src.startsWith('data:'))"
    )


def test_nothing_is_loaded_from_elsewhere(page_file):
    html = page_file.read_text()
    assert not re.search(r"(src|href)=\"(?!data:|#)", html)
    assert "default-src &#39;none&#39;; img-src data:" in html
    assert html.count("<script") == 1 and EVIL not in html


def test_every_section_has_content(page):
    empty = page.execute_script(
        "return [...document.querySelectorAll('main section')].filter("
        "s => s.querySelector('.absent')).map(s => s.id)"
    )
    assert empty == []


def test_scores_on_the_page_are_those_of_the_evaluation(page, folder):
    content = json.loads((folder / "second" / "metrics.json").read_text())
    record = content["metrics"]["refined"]["l1"]
    cells = page.execute_script(
        "return [...document.querySelectorAll('#scores tbody tr')].find("
        "r => r.cells[0].textContent.startsWith('l1')).innerText.split(/\\s+/)"
    )
    assert f"{record['mean']:.2f}" in cells
    assert f"{record['interval_95'][1]:.2f}" in cells
    # Its images are those of the first run, so that nothing differs.
    assert "better in 0%" in page.page_source


def test_groups_of_pairs_are_the_best_and_worst(page, folder):
    scores = pairs_csv.read(folder / "first" / "pairs.csv")
    order = np.argsort(-scores.scores["refined"]["ssim_pg2"], kind="stable")
    names = [" → ".join(scores.names[row]) for row in order]
    size = min(20, len(names) // 3)
    choose(page, "group", "0-best")
    choose(page, "order", "score0 -1")
    assert shown_pairs(page) == names[:size]
    choose(page, "group", "0-worst")
    assert shown_pairs(page) == names[-size:]


def test_the_gallery_filters_by_words_and_pose(page):
    everything = shown_pairs(page)
    person = everything[0][:6]
    choose(page, "text", person)
    assert shown_pairs(page) == [n for n in everything if n.startswith(person)]
    choose(page, "text", "no such person")
    assert shown_pairs(page) == []
    choose(page, "text", "")
    parts = []
    for index in (1, 2, 3):
        value = page.execute_script(
            "return document.getElementById('filters').elements.difference.options"
            "[arguments[0]].value",
            index,
        )
        choose(page, "difference", value)
        parts += shown_pairs(page)
    assert sorted(parts) == sorted(everything)
    count = page.execute_script("return document.getElementById('count').textContent")
    assert count.endswith(f"of {len(everything)} pairs")


def test_pairs_are_enlarged_with_the_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    first, second, *_ = shown_pairs(page)
    page.execute_script("document.querySelector('#pairs button.shots').focus()")
    press(page, Keys.ENTER)
    assert zoomed(page) == first
    press(page, Keys.ARROW_RIGHT)
    assert zoomed(page) == second
    press(page, Keys.ARROW_LEFT)
    press(page, Keys.ARROW_LEFT)
    assert zoomed(page) == first
    press(page, Keys.ESCAPE)
    assert zoomed(page) is None
    focus = "return document.activeElement.closest('.pair')?.querySelector('.names')"
    assert page.execute_script(f"{focus}.textContent") == first


def test_people_can_be_sorted(page):
    sort = (
        "const t = document.querySelector('.sortable');"
        "t.tHead.rows[0].cells[arguments[0]].querySelector('button').click();"
        "return [...t.tBodies[0].rows].map(r => r.cells[arguments[0]].textContent)"
    )
    scores = [float(text) for text in page.execute_script(sort, 2)]
    assert scores == sorted(scores)
    assert page.execute_script(sort, 2) == [f"{x:.3f}" for x in scores[::-1]]
    # Numbers below zero, the smaller of which has more digits.
    for row, value in enumerate(("-0.062", "-0.0651")):
        page.execute_script(
            "const cell = document.querySelector('.sortable').tBodies[0]"
            ".rows[arguments[0]].cells[2];"
            "cell.dataset.value = cell.textContent = arguments[1];",
            row,
            value,
        )
    assert page.execute_script(sort, 2) == ["-0.0651", "-0.062"]


def test_a_phone_does_not_scroll_sideways(chromium, page_file):
    show(chromium, page_file, 360)
    width = "return document.documentElement.scrollWidth"
    assert chromium.execute_script(width) == 360


def brightness(page):
    color = page.execute_script(
        "return getComputedStyle(document.body).backgroundColor"
    )
    return sum(map(int, re.findall(r"\d+", color)[:3])) / 3


def test_dark_follows_the_system_and_the_switch(chromium, page_file):
    show(chromium, page_file, 1280)
    assert brightness(chromium) > 200
    show(chromium, page_file, 1280, **{"color-scheme": "dark"})
    assert brightness(chromium) < 60
    chromium.execute_script("document.getElementById('theme').click()")
    assert brightness(chromium) > 200


def test_the_report_draws_what_evaluate_drew(folder, pair_dataset):
    (run,) = evaluated_run.read_all(str(folder / "first"))
    data = data_pairs.read(pair_reader.PairDataset(pair_dataset), run.keys[:3])
    drawn = data_pairs.of_run(run, {key: data[key].photos for key in run.keys[:3]})
    assert [*drawn] == run.keys[:3]
    for key, images in drawn.items():
        for kind, image in images.items():
            saved = Image.open(folder / "first" / "images" / kind / f"{key}.png")
            # Over one device here and over two there, a value may round otherwise.
            np.testing.assert_allclose(image.astype(int), np.asarray(saved), atol=1)


def test_a_picture_is_the_image_but_for_its_compression(page_file):
    uri = re.search(r'img src="data:image/webp;base64,([^"]+)"', page_file.read_text())
    with Image.open(io.BytesIO(base64.b64decode(uri[1]))) as picture:
        assert (picture.format, picture.size) == ("WEBP", (16, 32))


def test_runs_of_other_data_are_shown_side_by_side_and_not_subtracted(
    folder, page_file, tmp_path
):
    other = tmp_path / "other"
    other.mkdir()
    content = json.loads((folder / "second" / "metrics.json").read_text())
    content["data"]["seed"] = 99
    (other / "metrics.json").write_text(json.dumps(content))
    scores = (folder / "second" / "pairs.csv").read_text()
    (other / "pairs.csv").write_text(scores)
    file = make_report(tmp_path, f"{folder}/first,{other}")
    html = file.read_text()
    assert "other is not compared with first: another data set" in html
    assert "is another data set than the one that was scored" in html
    assert f"{content['metrics']['refined']['l1']['mean']:.2f}" in html


def test_old_runs_without_scores_of_pairs_have_a_report(folder, tmp_path, capsys):
    metrics = (folder / "second" / "metrics.json").read_text()
    (tmp_path / "metrics.json").write_text(metrics)
    html = make_report(tmp_path, f"old={tmp_path}").read_text()
    assert "old has no pairs.csv; evaluate it again." in html
    assert html.count('class="absent"') == 7
    assert "old; 0 pairs in the gallery" in capsys.readouterr().out


def test_without_its_checkpoint_a_run_has_numbers_and_photos(folder, tmp_path, capsys):
    for name in ("metrics.json", "pairs.csv"):
        (tmp_path / name).write_bytes((folder / "second" / name).read_bytes())
    html = make_report(tmp_path, f"bare={tmp_path}").read_text()
    note = "bare: no generated images: "
    assert note in html and note in capsys.readouterr().out
    assert 'alt="Source photo of' in html and 'alt="refined image' not in html


@pytest.mark.slow
def test_a_report_replaces_a_report_and_nothing_else(folder, page_file, tmp_path):
    make_report(tmp_path, str(folder / "first"), report_pairs=0)
    make_report(tmp_path, str(folder / "first"), report_pairs=0)
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["index.html"]
    (tmp_path / "report" / "index.html").write_text("<p>My home page</p>")
    with pytest.raises(
        ValueError, match=r"index.html was not written by --mode=report"
    ):
        make_report(tmp_path, str(folder / "first"))
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"--output=.*file is a file, not a folder"):
        make_report(tmp_path, str(folder / "first"), output="file")


def test_an_unknown_metric_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match=r"--report_metric=lpips is not in .*ssim_pg2"):
        make_report(tmp_path, str(folder / "first"), report_metric="lpips")
    assert not pathlib.Path(tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"workdirs": ""}, "--workdirs is required with --mode=report"),
        ({"output": ""}, "--output is required with --mode=report"),
        ({"report_pairs": -1}, "--report_pairs=-1 must be at least 0"),
    ],
)
def test_flags_of_a_report(changes, message):
    flags = {"mode": "report", "workdirs": "a", "output": "b", "workdir": "c"}
    with pytest.raises(ValueError, match=message):
        Config(**{**flags, "data_dir": "d", **changes})
