"""Medians and ratios, printed and saved."""

import json

from experiments.benchmark.measurement import Measurement, Series


def test_medians_and_ratios():
    fast, slow = Series("fast", [2, 9, 4], "s"), Series("slow", [4, 9, 2], "s")
    assert fast.median == 4
    ratio = fast.over(slow, "fast / slow")
    assert (ratio.name, list(ratio.values), ratio.median) == (
        "fast / slow",
        [0.5, 1.0, 2.0],
        1.0,
    )


def test_what_was_measured_is_printed_and_saved_with_its_origin(tmp_path, capsys):
    measured = Measurement([Series("build", [4, 1, 1234], "s")], {"pairs": 7})
    measured.print()
    printed = capsys.readouterr().out
    assert "pairs: 7" in printed and "1,234" in printed
    measured.save(tmp_path / "b.json", {"what": "data"})
    saved = json.loads((tmp_path / "b.json").read_text())
    assert saved["series"] == [
        {"name": "build", "values": [4, 1, 1234], "unit": "s", "median": 4}
    ]
    assert saved["facts"] == {"pairs": 7}
    assert saved["hardware"]["cores"] >= 1 and saved["versions"]["numpy"]
    assert {"commit", "settings"} < set(saved)
