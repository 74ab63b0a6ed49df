"""--mode=evaluate on two folders of images, any method's."""

import hashlib
import importlib.metadata
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from experiments.config import Config
from experiments.evaluate import (
    evaluate,
    extracted_scores,
    inception_scores,
    pairs_csv,
)
from pg2_jax import pose
from pg2_jax.estimators import base, registry
from pg2_jax.keypoints import keypoint_files, openpose_json
from pg2_jax.metrics import pixel, ssim, suite
from tests.pg2_jax.keypoints import matlab_files

ROOT = pathlib.Path(__file__).parents[3]
SIZE = (32, 16)
COUNT = 5


@pytest.fixture
def folders(tmp_path):
    """Five pairs under equal names, the targets' poses, and an empty workdir."""
    rng = np.random.default_rng(0)
    poses = {}
    for role in ("generated", "target"):
        (tmp_path / role).mkdir()
        for i in range(COUNT):
            image = Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8))
            image.save(tmp_path / role / f"p{i}.png")
    for i in range(COUNT):
        keypoints = np.ones((18, 3), np.float32)
        keypoints[:, :2] = rng.integers(1, 15, (18, 2)) * (1, 2)
        poses[f"p{i}.jpg"] = keypoints
    keypoint_files.write_csv(tmp_path / "poses.csv", poses)
    return tmp_path


def make_config(folders, **changes):
    return Config(
        **{
            "mode": "evaluate",
            "generated_dir": str(folders / "generated"),
            "target_dir": str(folders / "target"),
            "workdir": str(folders / "work"),
            "batch_size": 4,
            "progress": False,
            **changes,
        }
    )


def read_report(folders):
    return json.loads((folders / "work" / "metrics.json").read_text())


def read_images(folders, role):
    paths = sorted((folders / role).glob("*.png"))
    return np.stack([np.asarray(Image.open(path)) for path in paths])


def test_folders_are_scored_like_arrays(folders, capsys):
    evaluate.evaluate(make_config(folders, annotations=str(folders / "poses.csv")))
    report = read_report(folders)
    generated, target = (read_images(folders, r) for r in ("generated", "target"))
    poses = np.stack(list(keypoint_files.read(folders / "poses.csv").values()))
    mask = pose.body_mask(poses, *SIZE)
    bodies = [pixel.body_on_black(image, mask) for image in (generated, target)]
    for name, want in {
        "ssim_pg2": ssim.ssim_pg2(generated, target),
        "ssim_gauss": ssim.ssim_gauss(generated, target),
        "masked_ssim_gauss": ssim.ssim_gauss(*bodies),
        "masked_l2": pixel.l2(*bodies),
        "body_l1": pixel.body_l1(generated, target, mask),
        "body_gradient": pixel.body_gradient(generated, target, mask),
    }.items():
        found = report["metrics"]["generated"][name]
        want = np.asarray(want, np.float64)
        assert found["pairs"] == COUNT
        np.testing.assert_allclose(found["mean"], want.mean(), rtol=1e-5)
        np.testing.assert_allclose(found["std"], want.std(), rtol=1e-4)
        assert found["interval_95"][0] < found["mean"] < found["interval_95"][1]
    assert report["match"].startswith("name: files of one name")
    assert report["not_computed"]["source_masked_ssim_pg2"].startswith("needs the key")
    not_here = {*extracted_scores.METRICS, *inception_scores.METRICS}
    assert set(report["not_computed"]) >= not_here
    computed = report["metrics"]["generated"]
    assert set(computed) | set(report["not_computed"]) == {*suite.METRICS, *not_here}
    shown = " ".join(capsys.readouterr().out.split())
    assert "matched by name" in shown and "first p0.png and p0.png" in shown
    assert f"{computed['ssim_pg2']['mean']:.3f}" in shown


def test_keypoints_of_the_generated_images_give_pckh(folders):
    poses = keypoint_files.read(folders / "poses.csv")
    drawn = {f"{pathlib.Path(n).stem}.png": p.copy() for n, p in poses.items()}
    drawn["p2.png"][3, :2] += 30  # One miss of 18 in one of five images.
    drawn["p4.png"][:] = 0
    keypoint_files.write_csv(folders / "drawn.csv", drawn)
    flags = {"annotations": "poses.csv", "generated_annotations": "drawn.csv"}
    evaluate.evaluate(
        make_config(folders, **{k: str(folders / name) for k, name in flags.items()})
    )
    found = read_report(folders)["metrics"]["generated"]["pckh"]
    assert found["mean"] == pytest.approx(1 - (1 + 18) / (5 * 18))
    assert found["extractor"] == f"annotations of {folders / 'drawn.csv'}"
    pairs = pairs_csv.read(folders / "work" / "pairs.csv")
    np.testing.assert_allclose(
        pairs.scores["generated"]["pckh"], [1, 1, 17 / 18, 1, 0], rtol=1e-6
    )
    del drawn["p1.png"]
    keypoint_files.write_csv(folders / "drawn.csv", drawn)
    message = (
        "--generated_annotations=.* lacks 1 of 5 images of --generated_dir: p1.png"
    )
    with pytest.raises(ValueError, match=message):
        evaluate.evaluate(
            make_config(folders, **{k: str(folders / n) for k, n in flags.items()})
        )


def test_an_estimator_gives_pckh(folders, monkeypatch):
    """Of the people who are sure enough, the largest counts."""
    poses = list(keypoint_files.read(folders / "poses.csv").values())
    seen = iter(poses)

    class Estimator:
        def __call__(self, image):
            assert image.shape == (*SIZE, 3)
            right = next(seen, poses[-1])
            small = right.copy()
            small[:, :2] /= 8
            people = [(small, 0.9), (right, 0.4), (right * 9, 0.1)]
            return [base.Person(*person) for person in people]

        def close(self):
            closed.append(True)

    closed = []
    model = folders / "model.task"
    model.write_bytes(b"weights")
    monkeypatch.setattr(registry, "check_installed", lambda name: None)
    monkeypatch.setattr(registry, "open_estimator", lambda settings: Estimator())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.2.3")
    flags = {"annotations": str(folders / "poses.csv"), "estimator": "mediapipe"}
    evaluate.evaluate(make_config(folders, model=str(model), **flags))
    found = read_report(folders)["metrics"]["generated"]["pckh"]
    assert found["mean"] == 1 and closed == [True]
    assert (found["extractor"], found["weights"]) == ("mediapipe 1.2.3", "model.task")
    assert found["weights_sha256"] == hashlib.sha256(b"weights").hexdigest()


def test_black_masks_and_few_images_are_said(folders, capsys):
    """No joint in any target: the bodies are black, and nothing fails."""
    poses = keypoint_files.read(folders / "poses.csv")
    blank = {name: keypoints * 0 for name, keypoints in poses.items()}
    keypoint_files.write_csv(folders / "poses.csv", blank)
    evaluate.evaluate(make_config(folders, annotations=str(folders / "poses.csv")))
    found = read_report(folders)["metrics"]["generated"]
    assert found["masked_l1"]["mean"] == 0
    assert found["masked_ssim_pg2"]["mean"] == 1
    for name, why in {
        "body_l1": "the mask is empty",
        "body_gradient": "the target's body is flat, or the mask is empty",
        "masked_ssim_gauss": "the generated image has a single value",
        "masked_psnr": "both images are equal",
    }.items():
        record = found[name]
        assert (record["pairs"], record["pairs_left_out"]) == (0, COUNT)
        assert (record["mean"], record["std"], record["interval_95"]) == (None,) * 3
        assert why in record["left_out_because"]
    assert "body_l1 of generated: 5 of 5 pairs" in " ".join(
        capsys.readouterr().out.split()
    )


def test_without_annotations_the_masked_metrics_are_listed_as_missing(folders):
    evaluate.evaluate(make_config(folders))
    report = read_report(folders)
    assert "masked_ssim_pg2" not in report["metrics"]["generated"]
    needs = "needs the keypoints of the target images"
    assert report["not_computed"]["masked_ssim_pg2"] == needs


def test_suffixes_do_not_matter_and_other_files_are_remarked(folders, capsys):
    for path in (folders / "target").iterdir():
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()
    (folders / "target" / "notes.txt").write_text("")
    evaluate.evaluate(make_config(folders))
    shown = " ".join(capsys.readouterr().out.split())
    assert "--target_dir: not images, ignored: notes.txt" in shown
    assert read_report(folders)["pairs"] == COUNT


def test_files_match_by_order_when_asked(folders):
    evaluate.evaluate(make_config(folders))
    by_name = read_report(folders)
    for path in sorted((folders / "generated").iterdir()):
        path.rename(path.with_name(f"fake_{path.name}"))
    evaluate.evaluate(make_config(folders, match="order"))
    report = read_report(folders)
    assert report["metrics"] == by_name["metrics"]
    assert report["first_pair"] == ["fake_p0.png", "p0.png"]
    assert report["match"].startswith("order: the first file of both folders")


def save(folder, names):
    """Files of one shade each: the i-th has the value 10 i."""
    folder.mkdir()
    for name, i in names.items():
        Image.new("RGB", SIZE[::-1], (10 * i,) * 3).save(folder / name)


# Sorted by name, the first ends in the third target.
NAMES_OF_PAIRS = [
    *("a{i}___t{j}.png", "a{i}__t{j}.png", "a{i}_2_t{j}.png", "a{i}_2_t{j}_vis.png"),
    *("a{i}.jpg___t{j}.jpg_vis.png", "a{i}-t{j}-fake.png", "{i}__out_t{j}.png"),
]


@pytest.mark.parametrize("form", NAMES_OF_PAIRS)
def test_names_of_pairs_tell_their_target(tmp_path, form, capsys):
    targets = {f"t{i}.png": i for i in (1, 2, 3)}
    if ".jpg" in form:
        targets = {f"t{i}.jpg.png": i for i in (1, 2, 3)}
    save(tmp_path / "target", targets)
    turned = {form.format(i=i, j=j): j for i, j in ((1, 3), (2, 1), (3, 2))}
    save(tmp_path / "generated", turned)
    evaluate.evaluate(make_config(tmp_path))
    report = read_report(tmp_path)
    assert report["metrics"]["generated"]["l1"]["mean"] == 0
    assert report["first_pair"] == [next(iter(turned)), list(targets)[2]]
    capsys.readouterr()
    evaluate.evaluate(make_config(tmp_path, match="order"))
    assert read_report(tmp_path)["metrics"]["generated"]["l1"]["mean"] == 40 / 3
    shown = " ".join(capsys.readouterr().out.split())
    first, second, third = zip(sorted(turned), targets, strict=True)
    words = [f"{mine} with {theirs}" for mine, theirs in (first, second, third)]
    assert f"--match=order scores {', '.join(words)} WARNING" in shown
    assert "order and the names of 3 of 3 files disagree" in shown


def test_several_images_of_a_target_and_targets_of_none(tmp_path, capsys):
    save(tmp_path / "target", {f"t{i}.jpg": i for i in range(4)})
    generated = {"t0__t1.png": 1, "t2__t1.png": 1, "t1__t2.png": 2}
    save(tmp_path / "generated", generated)
    evaluate.evaluate(make_config(tmp_path))
    assert read_report(tmp_path)["metrics"]["generated"]["l1"]["mean"] < 3  # JPEG
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "2 of 4 images are not targets of --generated_dir and are not used: t0" in shown
    )
    names = pairs_csv.read(tmp_path / "work" / pairs_csv.FILE).names
    assert names == [("t0", "t1.jpg"), ("t1", "t2.jpg"), ("t2", "t1.jpg")]


def test_one_name_in_many_files_is_a_coincidence(tmp_path):
    save(tmp_path / "target", {"1.png": 1, "2.png": 2})
    save(tmp_path / "generated", {"step_1_a.png": 1, "step_1_b.png": 2})
    with pytest.raises(ValueError, match="2 of 2 files have no partner"):
        evaluate.evaluate(make_config(tmp_path))


def test_saved_images_find_the_poses_of_their_targets(folders, tmp_path):
    """What --save_images writes is scored with the annotations of the data set."""
    poses = keypoint_files.read(folders / "poses.csv")
    poses["0001/p4.jpg"] = poses.pop("p4.jpg")
    keypoint_files.write_csv(folders / "poses.csv", poses)
    by_name, scores = make_config(folders, annotations=str(folders / "poses.csv")), []
    for role in ("generated", "target"):
        for i in range(COUNT):
            image = folders / role / f"p{i}.png"
            target = f"0001_p{i}__2" if i == 4 else f"p{i}"
            image.rename(image.with_name(f"s__{target}.png"))
    evaluate.evaluate(by_name)
    scores = read_report(folders)["metrics"]["generated"]["masked_l2"]
    generated, target = (read_images(folders, r) for r in ("generated", "target"))
    stacked = np.stack([poses["0001/p4.jpg"], *list(poses.values())[:4]])
    mask = pose.body_mask(stacked, *SIZE)
    bodies = [pixel.body_on_black(image, mask) for image in (generated, target)]
    want = np.asarray(pixel.l2(*bodies), np.float64).mean()
    np.testing.assert_allclose(scores["mean"], want, rtol=1e-5)


def test_one_pair_has_a_mean_and_no_deviation(folders, capsys):
    for role in ("generated", "target"):
        for path in (folders / role).glob("p[1-9].png"):
            path.unlink()
    evaluate.evaluate(make_config(folders))
    found = read_report(folders)["metrics"]["generated"]["l1"]
    generated, target = (read_images(folders, r) for r in ("generated", "target"))
    want = np.abs(generated.astype(float) - target).mean()
    assert found["mean"] == pytest.approx(want, rel=1e-6)
    assert (found["pairs"], found["std"], found["interval_95"]) == (1, None, None)
    shown = " ".join(capsys.readouterr().out.split())
    assert "one pair has no deviation and no interval" in shown


def openpose_folder(folders, poses):
    openpose_json.write_folder(folders / "poses", poses)
    return folders / "poses"


def matlab_file(folders, poses):
    for path in (folders / "target").iterdir():  # Its columns are photos *.jpg.
        path.rename(path.with_suffix(".jpg"))
    points = np.zeros((COUNT, 2, 14))
    points[:, :, 1:] = np.stack(list(poses.values()))[:, 1:14, :2].swapaxes(1, 2) + 1
    content = matlab_files.dumps(points.reshape(COUNT, 28).T)
    (folders / "poses.mat").write_bytes(content)
    return folders / "poses.mat"


@pytest.mark.parametrize("write", [openpose_folder, matlab_file])
def test_annotations_are_those_of_the_csv_in_any_format(folders, write):
    poses = keypoint_files.read(folders / "poses.csv")
    for keypoints in poses.values():
        keypoints[[0, *range(14, 18)]] = 0  # MATLAB's files have no faces.
    keypoint_files.write_csv(folders / "poses.csv", poses)
    scores = []
    for path in (folders / "poses.csv", write(folders, poses)):
        evaluate.evaluate(make_config(folders, annotations=str(path)))
        scores.append(read_report(folders)["metrics"]["generated"]["masked_l2"])
    assert scores[0] == scores[1] and scores[0]["pairs"] == COUNT


def test_keypoints_outside_their_image_count_as_missing(folders, capsys):
    poses = keypoint_files.read(folders / "poses.csv")
    poses["p1.jpg"][:, 0] += 100
    keypoint_files.write_csv(folders / "poses.csv", poses)
    evaluate.evaluate(make_config(folders, annotations=str(folders / "poses.csv")))
    found = read_report(folders)["metrics"]["generated"]["body_l1"]
    assert (found["pairs"], found["pairs_left_out"]) == (COUNT - 1, 1)
    assert found["left_out_because"] == "the mask is empty"
    shown = " ".join(capsys.readouterr().out.split())
    assert "18 keypoints outside their image count as missing" in shown
    assert "body_l1 of generated: 1 of 5 pairs left out, the mask is empty" in shown


def remove_a_target(folders):
    (folders / "target" / "p3.png").unlink()


def add_a_target(folders):
    Image.new("RGB", (16, 32)).save(folders / "target" / "p9.png")


def damage_an_image(folders):
    path = folders / "generated" / "p2.png"
    path.write_bytes(path.read_bytes()[:200])


def resize_a_target(folders):
    Image.new("RGB", (16, 30)).save(folders / "target" / "p4.png")


def empty_a_folder(folders):
    for path in (folders / "generated").iterdir():
        path.unlink()


def add_a_twin(folders):
    Image.new("RGB", (16, 32)).save(folders / "generated" / "p1.jpg")


def forget_a_pose(folders):
    poses = keypoint_files.read(folders / "poses.csv")
    del poses["p4.jpg"]
    keypoint_files.write_csv(folders / "poses.csv", poses)


def name_two_poses_alike(folders):
    poses = keypoint_files.read(folders / "poses.csv")
    poses["0001/p4.jpg"] = poses["p4.jpg"]
    keypoint_files.write_csv(folders / "poses.csv", poses)


def damage_the_poses(folders):
    path = folders / "poses.csv"
    path.write_text(path.read_text().replace("[", "(", 1))


def put_a_run_there(folders):
    (folders / "work" / "checkpoints").mkdir(parents=True)


@pytest.mark.parametrize(
    ("change", "flags", "message"),
    [
        (
            remove_a_target,
            {},
            r"1 of 5 files have no partner .* in --target_dir: p3.png",
        ),
        (
            add_a_target,
            {},
            r"1 of 6 files have no partner .* in --generated_dir: p9.png",
        ),
        (add_a_target, {"match": "order"}, "5 and 6 images; --match=order needs equal"),
        (damage_an_image, {}, r"--generated_dir: .*p2.png: cannot be read"),
        (resize_a_target, {}, r"--target_dir: .*p4.png is 30x16, the first .* 32x16"),
        (empty_a_folder, {}, r"--generated_dir=.* holds no images \(.jpg, "),
        (add_a_twin, {}, r"--generated_dir=.*: p1.jpg and p1.png have the same name"),
        (None, {"target_dir": "/nowhere"}, "--target_dir=/nowhere: there is no such"),
        (None, {"annotations": "no.csv"}, "--annotations=no.csv: there is no such fi"),
        (name_two_poses_alike, {"annotations": 1}, r"lacks 1 of 5 images .*: p4.png"),
        (forget_a_pose, {"annotations": 1}, r"lacks 1 of 5 images .*: p4.png"),
        (
            damage_the_poses,
            {"annotations": 1},
            r"--annotations: .*poses.csv:2: keypoints_y",
        ),
        (put_a_run_there, {}, r"--workdir=.*work holds a run, whose metrics.json"),
        (None, {"workdir": __file__}, r"--workdir=.*folders.py is a file, not a"),
        (None, {"batch_size": 3}, "^batch_size=3 must be a multiple"),
        (
            None,
            {"lpips": "/no/a.pth"},
            "lpips=/no/a.pth: /no/a.pth does not exist, or is not a file",
        ),
        (
            None,
            {"inception": "/no/a.pth"},
            "inception=/no/a.pth: /no/a.pth does not exist",
        ),
    ],
)
def test_what_cannot_be_scored_is_named(folders, change, flags, message):
    if change:
        change(folders)
    if flags.get("annotations") == 1:
        flags = {"annotations": str(folders / "poses.csv")}
    with pytest.raises(ValueError, match=message):
        evaluate.evaluate(make_config(folders, **flags))
    assert not (folders / "work" / "metrics.json").exists()


def test_a_mistake_is_one_line(folders):
    damage_an_image(folders)
    words = [f"--{role}_dir={folders / role}" for role in ("generated", "target")]
    command = [sys.executable, "-m", "experiments.main", "--mode=evaluate", *words]
    result = subprocess.run(
        [*command, f"--workdir={folders / 'work'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: --generated_dir: ") and "p2.png" in line
