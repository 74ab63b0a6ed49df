"""pairs.csv: what is written is read again, and other files are refused."""

import re

import numpy as np
import pytest

from experiments.evaluate import pairs_csv

NAMES = [("a,b.jpg", 'c "d".jpg'), ("", "ünï.png")]
SCORES = {
    "copy of source": {
        "l1": np.array([0.1, 1 / 3], np.float32),
        "psnr": np.array([np.inf, np.nan], np.float32),
    },
    "coarse": {
        "l1": np.array([1e-30, -2.5], np.float32),
        "psnr": np.array([20.25, 16777216], np.float32),
    },
}


def test_scores_survive_a_round_trip(tmp_path):
    path = tmp_path / pairs_csv.FILE
    pairs_csv.write(path, NAMES, SCORES)
    found = pairs_csv.read(path)
    assert found.names == NAMES
    assert list(found.scores) == list(SCORES)
    for kind, by_name in SCORES.items():
        assert list(found.scores[kind]) == list(by_name)
        for name, values in by_name.items():
            got = found.scores[kind][name].astype(np.float32)
            np.testing.assert_array_equal(got, values)


def test_the_file_is_a_plain_table(tmp_path):
    path = tmp_path / pairs_csv.FILE
    pairs_csv.write(path, [("a.jpg", "b.jpg")], {"refined": {"l1": np.array([1.5])}})
    assert path.read_text() == "source,target,kind,l1\na.jpg,b.jpg,refined,1.5\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "pairs.csv:1: must begin with source,target,kind and metrics"),
        ("source,target,kind\n", "pairs.csv:1: must begin with"),
        ("from,to\na,b\n", "pairs.csv:1: must begin with"),
        ("source,target,kind,l1\n", "pairs.csv holds no pairs"),
        ("source,target,kind,l1\na,b,x,1\na,c,x,one\n", r"pairs.csv:3: could not conv"),
        ("source,target,kind,l1\na,b,x\n", "pairs.csv:2: 3 columns, expected 4"),
        ("source,target,kind,l1\na\n", "pairs.csv:2: not enough values"),
        (
            "source,target,kind,l1\na,b,x,1\na,c,y,1\n",
            "pairs.csv: y has other pairs than x",
        ),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / pairs_csv.FILE
    path.write_text(text)
    with pytest.raises(ValueError, match=f"{re.escape(str(tmp_path))}/{message}"):
        pairs_csv.read(path)
