"""The printed table and its notes."""

import numpy as np
import pytest

from experiments.evaluate import protocol, statistics, table

FACTS = protocol.Facts("128x64", "none", {"target": "a mask"})


def test_the_table_shows_everything_once(capsys):
    ssims, psnrs = np.array([0.25, 0.75]), np.array([20, np.inf])
    scores = {
        "coarse": {"ssim_pg2": ssims, "psnr": psnrs, "masked_l2": ssims},
        "refined": {"ssim_pg2": ssims, "psnr": psnrs * np.inf, "masked_l2": ssims},
    }
    missing = {
        "fid_tf": "needs a",
        "fid_torchvision": "needs a",
        "lpips": "needs b: pip install 'x[pose]'",
    }
    records = statistics.records(scores, FACTS)
    content = {"metrics": records, "not_computed": missing, "image_size": "[x]"}
    table.show("step 7", content, verbose=True)
    shown = capsys.readouterr().out
    assert "step 7 of [x]" in shown
    rows = [line for line in shown.splitlines() if line.startswith("│")]
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in rows]
    assert rows == [
        ["ssim_pg2 ↑", "0.500 (0.250)", "0.500 (0.250)"],
        ["psnr ↑", "20.00", "undefined"],
        ["masked_l2 ↓", "0.500 (0.250)", "0.500 (0.250)"],
    ]
    notes = " ".join(shown.split())
    assert "- ssim_pg2: SSIM of PG2's score.py: uniform 7x7 windows" in notes
    assert (
        "- masked_...: the same, with everything except the target's body black"
        in notes
    )
    assert "! psnr of refined: 2 of 2 pairs left out, both images are equal" in notes
    assert "x fid_tf, fid_torchvision: not computed: needs a" in notes
    assert "x lpips: not computed: needs b: pip install 'x[pose]'" in notes
    table.show("step 7", content)
    notes = " ".join(capsys.readouterr().out.split())
    assert "- 3 more metrics not computed; --verbose says what each needs" in notes
    assert "uniform 7x7" not in notes and "fid_tf" not in notes
    assert "! psnr of refined: 2 of 2 pairs left out" in notes


@pytest.mark.parametrize(
    ("ssim", "l1", "words"),
    [
        (0.7, 20.0, "are closer to the targets than the source is: "),
        (0.7, 30.0, "are partly closer to the targets than the source is: "),
        (0.5, 30.0, "are not closer to the targets than the source is: "),
    ],
)
def test_scores_in_words(ssim, l1, words):
    scores = {"copy": (0.6, 25.0), "coarse": (0.1, 1.0), "refined": (ssim, l1)}
    metrics = {
        kind: {"masked_ssim_pg2": {"mean": a}, "body_l1": {"mean": b}, "psnr": {}}
        for kind, (a, b) in scores.items()
    }
    assert table.in_words(metrics, "copy") == (
        f"The refined images {words}mask-SSIM {ssim:.3f} against 0.600 (higher is "
        f"better), L1 on the body {l1:.2f} against 25.00 (lower is better)."
    )
    # A mean over no pair is None.
    metrics["refined"]["body_l1"]["mean"] = None
    assert "L1" not in table.in_words(metrics, "copy")
    assert table.in_words({"copy": metrics["copy"]}, "copy") == ""


def show(scores):
    metrics = statistics.records(scores, FACTS)
    content = {"metrics": metrics, "not_computed": {}, "image_size": "128x64"}
    table.show("title", content)


def test_one_kind_is_shown_with_its_interval(capsys):
    scores = {"generated": {"l1": np.array([1.0, 3.0])}}
    show(scores)
    assert "1.00 to 3.00" in capsys.readouterr().out
    scores = {"generated": {"body_gradient": np.array([0.5, 1.0])}}
    show(scores)
    assert "body_gradient →1 │ 0.750 (0.250)" in capsys.readouterr().out
    scores = {"generated": {"l1": np.array([1.0])}}
    show(scores)
    shown = capsys.readouterr().out
    assert "generated: one pair has no deviation and no interval" in shown
