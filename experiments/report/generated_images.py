"""The images that a run made of some pairs: generated anew, as evaluate does it, or
read from the folder that was scored."""

from collections.abc import Mapping

import numpy as np

from experiments.config import Config
from experiments.evaluate import folders, image_folder
from experiments.report.data_pairs import Photos
from experiments.report.evaluated_run import Run
from pg2_jax.inference import pose_transfer

Images = dict[str, dict[str, np.ndarray]]  # [H, W, 3] uint8 by pairs_csv.key and kind


def of_run(run: Run, photos: Mapping[str, Photos]) -> Images:
    """Generates pairs with the checkpoint that was scored."""
    if not photos:
        return {}
    # Before runs kept averages, there was nothing to say.
    weights = run.content.get("weights", "averaged")
    model = pose_transfer.PoseTransfer.restore(run.folder, run.content["step"], weights)
    generated = model.batch(
        np.stack([pair.source for pair in photos.values()]),
        np.stack([pair.keypoints for pair in photos.values()]),
    )
    by_kind = {k: x for k, x in generated._asdict().items() if x is not None}
    return {
        key: {kind: images[i] for kind, images in by_kind.items()}
        for i, key in enumerate(photos)
    }


def of_folder(
    run: Run, rows: Mapping[str, int]
) -> tuple[Images, dict[str, np.ndarray]]:
    """Reads generated images and their targets from the folders that were scored, by
    the rows of the pairs in their listing."""
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
    read = image_folder.read
    generated, targets = {}, {}
    for key, row in rows.items():
        generated[key] = {folders.KIND: read("generated_dir", pairs[row].generated)}
        targets[key] = read("target_dir", pairs[row].target)
    return generated, targets
