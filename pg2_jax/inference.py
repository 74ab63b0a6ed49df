"""Drawing people in new poses with trained weights: for notebooks and programs."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pg2_jax import checkpoint, generation, models, pose


@dataclasses.dataclass(frozen=True)
class Result:
    """What the generators drew; arrays are uint8 [B, H, W, 3].

    Attributes:
        coarse: G1's image.
        refined: G2's image; None where the model is G1 alone.
    """

    coarse: np.ndarray
    refined: np.ndarray | None

    @property
    def image(self) -> np.ndarray:
        """The model's last word: the refined image, or G1's where there is no G2."""
        return self.coarse if self.refined is None else self.refined


class PoseTransfer:
    """Trained generators: photos and poses in, the same people in those poses out.

    Example:
        model = PoseTransfer.restore("runs/market1501")
        result = model(photo, keypoints)
        PIL.Image.fromarray(result.image[0])
    """

    def __init__(self, generators: checkpoint.Generators):
        """Takes restored weights; see `restore`."""
        self._generators = generators
        self._draw = jax.jit(
            functools.partial(generation.generate, architecture=generators.architecture)
        )

    @classmethod
    def restore(
        cls,
        workdir: str,
        step: checkpoint.Wanted = None,
        weights: checkpoint.Weights = "averaged",
        precision: str = "",
    ) -> "PoseTransfer":
        """Reads the weights of a run.

        Args:
            workdir: folder of the run.
            step: the checkpoint; "best" for the best, None for the newest.
            weights: the averages, where the run kept them, or the raw weights.
            precision: to draw in, "float32" or "bfloat16"; empty for the run's own.

        Raises:
            ValueError: there is no such checkpoint.
        """
        return cls(checkpoint.restore_generators(workdir, step, weights, precision))

    @property
    def architecture(self) -> models.Architecture:
        """Image size and networks."""
        return self._generators.architecture

    @property
    def config(self) -> dict[str, Any]:
        """Every setting of the run."""
        return self._generators.config

    @property
    def step(self) -> int:
        """Finished training steps."""
        return self._generators.step

    def __call__(self, photos: np.ndarray, keypoints: np.ndarray) -> Result:
        """Draws the people of the photos in the poses.

        Args:
            photos: uint8 [H, W, 3] or [B, H, W, 3], of the model's size.
            keypoints: float32 [18, 3] or [B, 18, 3], (x, y, visible) in pixels of an
                image of the model's size, OpenPose COCO-18 order.

        Returns:
            The coarse and the refined images, with a leading axis B.

        Raises:
            ValueError: wrong shape or type, or a pose without a point in the image.
        """
        photos, keypoints = np.asarray(photos), np.asarray(keypoints, np.float32)
        if photos.ndim == 3:
            photos = photos[None]
        if keypoints.ndim == 2:
            keypoints = keypoints[None]
        size = (self.architecture.image_height, self.architecture.image_width, 3)
        if photos.shape[1:] != size or photos.dtype != np.uint8:
            raise ValueError(
                f"photos: expected uint8 [B, {size[0]}, {size[1]}, 3], got "
                f"{photos.dtype} {list(photos.shape)}."
            )
        if keypoints.shape != (len(photos), 18, 3):
            raise ValueError(
                f"keypoints: expected [{len(photos)}, 18, 3], one pose for each photo, "
                f"got {list(keypoints.shape)}."
            )
        x, y, visible = np.moveaxis(keypoints, -1, 0)
        inside = (visible > 0) & (x >= 0) & (x < size[1]) & (y >= 0) & (y < size[0])
        if not inside.any(axis=1).all():
            raise ValueError(
                f"keypoints: pose {int(np.argmin(inside.any(axis=1)))} has no visible "
                f"point inside {size[0]}x{size[1]} pixels; scale it to the model's "
                "image first."
            )
        if self.architecture.pose_embedding == "view":
            _require_views(keypoints)
        weights = self._generators.coarse, self._generators.refine
        drawn = jax.device_get(self._draw(*weights, photos, keypoints))
        return Result(coarse=drawn["coarse"], refined=drawn.get("refined"))


def _require_views(keypoints: np.ndarray) -> None:
    unknown = np.asarray(pose.view(jnp.asarray(keypoints))) < 0
    if unknown.any():
        raise ValueError(
            f"keypoints: pose {int(np.argmax(unknown))} lacks a shoulder or a hip, so "
            "that the view (front, side or back) cannot be told, which is all that "
            "this model sees of a pose."
        )
