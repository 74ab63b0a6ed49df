"""Test pairs: what their data set knows of them, and what runs made of them."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.config import Config
from experiments.evaluate import folders, image_folder, pair_names
from experiments.report.evaluated_run import Run
from pg2_jax import pose
from pg2_jax.inference import pose_transfer
from pg2_jax.input_pipeline import pair_reader

POSE_DIFFERENCE = (
    "The pose difference is the mean distance of the joints that both poses show. Both "
    "poses are centred at the middle of the shoulders and measured in lengths of their "
    "own torso (from there to the middle of the hips), so place and size of the person "
    "do not count. It needs both shoulders and both hips in both poses."
)
_SHOULDERS = [pose.JOINTS.index(f"{side}_shoulder") for side in ("right", "left")]
_HIPS = [pose.JOINTS.index(f"{side}_hip") for side in ("right", "left")]
# [H, W, 3] uint8 by `pair_names.key` and kind.
Images = dict[str, dict[str, np.ndarray]]
# A pair as the networks get it: what `inputs.Batch` holds, without the first axis.
Photos = dict[str, np.ndarray]


class Pair(NamedTuple):
    """What a data set knows of a test pair."""

    identity: str = ""  # of the person
    difference: float | None = None  # of the poses; None where undefined
    view: str = ""  # such as "front to back", empty where one of both is not known
    photos: Photos | None = None  # None where nobody asked for them


def read(dataset: pair_reader.PairDataset, wanted: Collection[str]) -> dict[str, Pair]:
    """All test pairs of a data set by `pair_names.key`, with photos where wanted."""
    pairs: dict[str, Pair] = {}
    for test in dataset.test_batches(batch_size=64):
        batch: dict[str, Any] = dict(test.batch)
        sides = batch["source_keypoints"], batch["target_keypoints"]
        differences = pose_difference(*sides)
        views = np.stack([pose.view(jnp.asarray(side)) for side in sides], axis=1)
        # The batch may be filled up.
        for i, names in enumerate(test.names):
            key, apart = pair_names.key(*names), float(differences[i])
            known = min(views[i]) >= 0
            view = " to ".join(pose.VIEWS[v] for v in views[i]) if known else ""
            photos = None
            if key in wanted:
                photos = {name: array[i].copy() for name, array in batch.items()}
            difference = apart if np.isfinite(apart) else None
            pairs.setdefault(key, Pair(test.identities[i], difference, view, photos))
    return pairs


def pose_difference(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`POSE_DIFFERENCE` of keypoints [N, 18, 3]: [N] float64, NaN where undefined."""
    visible = (source[..., 2] > 0) & (target[..., 2] > 0)
    apart = np.linalg.norm(_in_torsos(source) - _in_torsos(target), axis=-1)
    with np.errstate(invalid="ignore"):
        return np.where(visible, apart, 0.0).sum(axis=1) / visible.sum(axis=1)


def _in_torsos(keypoints: np.ndarray) -> np.ndarray:
    """[N, 18, 2] joints about the middle of the shoulders, in torso lengths."""
    points = keypoints[..., :2].astype(np.float64)
    middle = points[:, _SHOULDERS].mean(axis=1, keepdims=True)
    torso = points[:, _HIPS].mean(axis=1, keepdims=True) - middle
    length = np.linalg.norm(torso, axis=-1, keepdims=True)
    known = np.all(keypoints[:, None, _SHOULDERS + _HIPS, 2:] > 0, axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known & (length > 0), (points - middle) / length, np.nan)


def of_run(run: Run, photos: Mapping[str, Photos]) -> Images:
    """Generates pairs with the checkpoint that was scored."""
    if not photos:
        return {}
    # Before runs kept averages, there was nothing to say.
    weights = run.content.get("weights", "averaged")
    model = pose_transfer.PoseTransfer.restore(run.folder, run.content["step"], weights)
    given = jax.tree.map(lambda *arrays: np.stack(arrays), *photos.values())
    coarse, refined = model.batch(
        given["source_image"],
        given["target_keypoints"],
        source_poses=given["source_keypoints"],
    )
    images = {model.architecture.first_image: coarse}
    if refined is not None:
        images["refined"] = refined
    return {
        key: {kind: of_kind[i] for kind, of_kind in images.items()}
        for i, key in enumerate(photos)
    }


def of_folder(run: Run, rows: Mapping[str, int]) -> Images:
    """Reads targets and generated images from the folders that were scored, by rows."""
    content = run.content
    config = Config(
        mode="evaluate",
        workdir=str(run.folder),
        generated_dir=content["generated_dir"],
        target_dir=content["target_dir"],
        match=content["match"].partition(":")[0],
    )
    pairs = image_folder.pairs(config, [])
    if len(pairs) != content["pairs"]:
        raise ValueError(
            f"{config.generated_dir} holds {len(pairs):,} images, and "
            f"{content['pairs']:,} were scored"
        )
    return {
        key: {
            "target": image_folder.read("target_dir", pairs[row].target),
            folders.KIND: image_folder.read("generated_dir", pairs[row].generated),
        }
        for key, row in rows.items()
    }
