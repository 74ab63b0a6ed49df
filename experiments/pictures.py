"""The picture of a run: source, target pose, target, coarse and refined, row by row."""

import pathlib

import jax
import numpy as np
from PIL import Image

from experiments import results
from experiments.config import Config
from pg2_jax import images, input_pipeline, models, train_state, visualize
from pg2_jax import train_step as steps

TITLES = ("source", "target pose", "target", "coarse", "refined")
_MOST_ROWS = 6


def compare(
    batch: steps.Batch, coarse: np.ndarray, refined: np.ndarray, rows: int
) -> Image.Image:
    """Lays out the first pairs of a batch with what was drawn for them.

    Args:
        batch: numpy.
        coarse: [B, H, W, 3] uint8, G1's images.
        refined: [B, H, W, 3] uint8, G2's images.
        rows: number of pairs.
    """
    scale = visualize.screen_scale(batch["source_image"].shape[1])
    pairs = [
        [
            batch["source_image"][i],
            pose_picture(batch["target_image"][i].shape, batch, i, scale),
            batch["target_image"][i],
            coarse[i],
            refined[i],
        ]
        for i in range(rows)
    ]
    # Two pairs side by side make a picture that fits a screen.
    blocks = 2 if rows > _MOST_ROWS else 1
    folded = [
        [picture for pair in pairs[i : i + blocks] for picture in pair]
        for i in range(0, rows, blocks)
    ]
    return visualize.grid(folded, TITLES * blocks, scale=scale)


def pose_picture(
    shape: tuple[int, ...], batch: steps.Batch, index: int, scale: int
) -> np.ndarray:
    """The target pose of one pair on black, enlarged."""
    black = np.zeros(shape, np.uint8)
    return visualize.draw_skeleton(black, batch["target_keypoints"][index], scale=scale)


class ProgressPictures:
    """Draws the same few test pairs again and again while training goes on."""

    def __init__(
        self,
        config: Config,
        architecture: models.Architecture,
        dataset: input_pipeline.PairDataset,
        rows: int = 6,
    ):
        self._folder = pathlib.Path(config.workdir).expanduser() / "pictures"
        self._rows = min(rows, dataset.count("test"))
        (first,) = dataset.test_batches(batch_size=self._rows, limit=self._rows)
        self._batch = first.batch
        self._draw = jax.jit(
            lambda c, r, photos, keypoints: steps.generate(
                c, r, photos, keypoints, architecture=architecture
            )
        )

    def draw(self, state: train_state.TrainState, step: int) -> np.ndarray:
        """Writes pictures/step_XXXXXX.png and returns it as [H, W, 3] uint8."""
        drawn = self._draw(
            state.coarse.params,
            state.refine.params,
            self._batch["source_image"],
            self._batch["target_keypoints"],
        )
        coarse, refined = (
            np.asarray(images.to_uint8(drawn[name])) for name in ("coarse", "refined")
        )
        picture = compare(self._batch, coarse, refined, self._rows)
        self._folder.mkdir(parents=True, exist_ok=True)
        results.write_picture(self._folder / f"step_{step:06d}.png", picture)
        return np.asarray(picture)
