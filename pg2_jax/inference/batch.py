"""Arrays in, arrays out: any number of images, generated in chunks of one size."""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from pg2_jax import errors, generation, pose
from pg2_jax.checkpoint import restore
from pg2_jax.inference import exported_model, retarget

BATCH_SIZE = 8


class Generated(NamedTuple):
    """The images of a batch, uint8 [B, H, W, 3]: G1's, and G2's refined ones; None
    where the model is one network alone."""

    coarse: np.ndarray
    refined: np.ndarray | None

    @property
    def image(self) -> np.ndarray:
        """The refined images, or G1's where there is no G2."""
        return self.coarse if self.refined is None else self.refined


class BatchGenerator:
    """The generators of a model, compiled; see `PoseTransfer.batch`."""

    def __init__(self, model: restore.Generators | exported_model.Program):
        self._architecture = model.architecture
        if isinstance(model, exported_model.Program):
            self._generate = model.generate
        else:
            self._generate = functools.partial(
                generation.compiled_generate(),
                model.coarse,
                model.refine,
                architecture=model.architecture,
            )

    def __call__(
        self,
        images: np.ndarray,
        poses: np.ndarray,
        batch_size: int,
        source_poses: np.ndarray | None = None,
    ) -> Generated:
        """Generates; see `PoseTransfer.batch`."""
        images, poses = np.asarray(images), np.asarray(poses, np.float32)
        self._check(images, poses)
        sources = self._checked_sources(source_poses, len(images))
        if batch_size < 1:
            raise errors.ArgumentError("batch_size", batch_size, " must be 1 or more.")
        chunks = []
        for start in range(0, len(images), batch_size):
            here = slice(start, start + batch_size)
            count = len(images[here])
            # One alone is frequent, in a notebook or a web page, and worth compiling.
            padded = ((0, 0 if count == 1 else batch_size - count),)
            output = self._generate(
                np.pad(images[here], (*padded, (0, 0), (0, 0), (0, 0)), mode="edge"),
                np.pad(sources[here], (*padded, (0, 0), (0, 0)), mode="edge"),
                np.pad(poses[here], (*padded, (0, 0), (0, 0)), mode="edge"),
            )
            chunks.append({name: np.asarray(x)[:count] for name, x in output.items()})
        joined = {n: np.concatenate([c[n] for c in chunks]) for n in chunks[0]}
        return Generated(joined[self._architecture.first_image], joined.get("refined"))

    def _checked_sources(
        self, source_poses: np.ndarray | None, count: int
    ) -> np.ndarray:
        if source_poses is None:
            return np.zeros((count, 18, 3), np.float32)
        given = np.asarray(source_poses, np.float32)
        if given.shape != (count, 18, 3):
            raise ValueError(
                f"source_poses: expected [{count}, 18, 3], the keypoints of each "
                f"image, got {list(given.shape)}."
            )
        _require_finite(given, "source_poses")
        # Nobody may be seen; but who is seen is seen in the image.
        outside = (given[..., 2] > 0).any(axis=1) & ~self._reach_inside(given)
        self._require_inside(~outside, "source_poses")
        size = self._architecture.image_height, self._architecture.image_width
        return retarget.drop_outside(given, *size)[0]

    def _reach_inside(self, poses: np.ndarray) -> np.ndarray:
        """Which of the poses have a visible point inside the image, [N]."""
        size = self._architecture.image_height, self._architecture.image_width
        kept, _ = retarget.drop_outside(poses, *size)
        return np.asarray(kept[..., 2].any(axis=1))

    def _require_inside(self, inside: np.ndarray, place: str) -> None:
        if not inside.all():
            height = self._architecture.image_height
            raise ValueError(
                f"{place}: pose {int(np.argmin(inside))} has no visible point inside "
                f"{height}x{self._architecture.image_width} pixels; scale it to the "
                "model's image first."
            )

    def _check(self, images: np.ndarray, poses: np.ndarray) -> None:
        height = self._architecture.image_height
        width = self._architecture.image_width
        if images.shape[1:] != (height, width, 3) or images.dtype != np.uint8:
            raise ValueError(
                f"images: expected uint8 [N, {height}, {width}, 3], got {images.dtype} "
                f"{list(images.shape)}."
            )
        if poses.shape != (len(images), 18, 3) or not len(poses):
            raise ValueError(
                f"poses: expected [{len(images)}, 18, 3], one pose for each image and "
                f"one at least, got {list(poses.shape)}."
            )
        _require_finite(poses, "poses")
        self._require_inside(self._reach_inside(poses), "poses")
        if self._architecture.pose_embedding == "view":
            require_views(poses)


def _require_finite(poses: np.ndarray, place: str) -> None:
    finite = np.isfinite(poses).all(axis=(1, 2))
    if not finite.all():
        raise ValueError(
            f"{place}: pose {int(np.argmin(finite))} holds a number that is not "
            "finite; a missing point is (0, 0, 0)."
        )


def require_views(poses: np.ndarray, place: str = "poses") -> None:
    """Refuses poses [N, 18, 3] of which front, side and back cannot be told, for a
    model that sees nothing else; `place` says in the message where they are from."""
    unknown = np.asarray(pose.view(jnp.asarray(poses))) < 0
    if unknown.any():
        raise ValueError(
            f"{place}: pose {int(np.argmax(unknown))} lacks a shoulder or a hip, so "
            "that the view (front, side or back) cannot be told, which is all that "
            "this model sees of a pose."
        )
