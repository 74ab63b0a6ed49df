"""The pairs of PG2's own program, against its loops written out."""

import random

import numpy as np
import pytest

from data_prep.pairs import pg2_protocol
from pg2_jax.keypoints import keypoint_files
from tests.data_prep.small_sources import build, pair_names, random_pose, read_records


def _as_the_authors_wrote_it(names, identity, posed, limit, monkeypatch_step):
    """Their `_get_train_all_pn_pairs` and main loop, pair by pair of photos."""
    generator = random.Random(0)

    def shuffle(items):  # Python 2's.
        for i in reversed(range(1, len(items))):
            j = int(generator.random() * (i + 1))
            items[i], items[j] = items[j], items[i]

    positive, negative = [], []
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            if identity(names[i]) == identity(names[j]):
                positive.append([names[i], names[j]])
                positive.append([names[j], names[i]])
            elif j % monkeypatch_step == 0:
                negative.append([names[i], names[j]])
    shuffle(negative)
    shuffle(positive)
    written = []
    for source, target in positive:
        if source in posed and target in posed:
            written.append((source, target))
            if len(written) == limit:
                break
    return written


@pytest.mark.parametrize(("limit", "step"), [(None, 2000), (40, 7), (None, 3)])
def test_pairs_are_those_of_the_authors_program(monkeypatch, limit, step):
    monkeypatch.setattr(pg2_protocol, "_NEGATIVE_STEP", step)
    rng = np.random.default_rng(0)
    names = [f"{rng.integers(1, 9):04d}_c1_{i:03d}.jpg" for i in range(60)]
    posed = {name for name in names if rng.random() < 0.8}
    expected = _as_the_authors_wrote_it(
        sorted(names), lambda name: name[0:4], posed, limit, step
    )
    junk = ["-1_c1_0.jpg", "-1_c1_1.jpg", "0000_c1_0.jpg", "0000_c1_1.jpg"]
    found = pg2_protocol.list_pairs(
        [*junk, *names], {*posed, *junk}, "market1501", limit=limit
    )
    assert found == expected and len(found) > 30


def test_photos_without_a_pose_decide_the_order_too():
    names = [f"0001_c1_{i}.jpg" for i in range(6)]
    alone = pg2_protocol.list_pairs(names, names, "market1501", limit=None)
    more = [*names, "0002_c1_0.jpg", "0002_c1_1.jpg"]
    among = pg2_protocol.list_pairs(more, names, "market1501", limit=None)
    assert sorted(alone) == sorted(among) and alone != among and len(alone) == 30


def test_market1501_has_12800_test_pairs_at_most(market, tmp_path):
    rng = np.random.default_rng(0)
    file = market / "market-annotation-test.csv"
    poses = keypoint_files.read(file)
    # Shoulders and hips are not needed; a point is.
    poses["0003_c1_0.jpg"] = random_pose(rng, 2, 5, 8, 11)
    poses["0004_c1_0.jpg"] = np.zeros((18, 3), np.float32)
    keypoint_files.write_csv(file, poses)
    summary = build(market, tmp_path / "out", pair_protocol="pg2")
    assert summary.splits["test"].pairs == 2
    assert summary.splits["test"].unused == {"no point is there": 1}
    names = sorted(path.name for path in (market / "bounding_box_test").iterdir())
    posed = set(names) - {"0004_c1_0.jpg"}
    assert pair_names(read_records(tmp_path / "out", "test")) == (
        _as_the_authors_wrote_it(names, lambda n: n[0:4], posed, 12_800, 2000)
    )
    metadata = (tmp_path / "out" / "metadata.json").read_text()
    assert "the program of PG2's authors, seed 0; at most 12800" in metadata
