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


def in_chunks(
    model: restore.Generators | exported_model.Program,
    images: np.ndarray,
    poses: np.ndarray,
    source_poses: np.ndarray | None,
    batch_size: int,
) -> Generated:
    """See `PoseTransfer.batch`."""
    architecture = model.architecture
    size = architecture.size
    images, poses = np.asarray(images), np.asarray(poses, np.float32)
    if images.shape[1:] != (*size, 3) or images.dtype != np.uint8:
        raise ValueError(
            f"images: expected uint8 [N, {size[0]}, {size[1]}, 3], got "
            f"{images.dtype} {list(images.shape)}."
        )
    if not len(images):
        raise ValueError("images: there must be one at least.")
    _checked(poses, len(images), size, "poses")
    if architecture.pose_embedding == "view":
        require_views(poses)
    sources = np.zeros(poses.shape, np.float32)
    if source_poses is not None:
        sources = np.asarray(source_poses, np.float32)
        sources = _checked(sources, len(images), size, "source_poses", nobody=True)
    if batch_size < 1:
        raise errors.ArgumentError("batch_size", batch_size, " must be 1 or more.")
    if isinstance(model, exported_model.Program):
        draw = model.generate
    else:
        draw = functools.partial(
            generation.compiled_generate(),
            model.coarse,
            model.refine,
            architecture=architecture,
        )
    chunks = []
    for start in range(0, len(images), batch_size):
        count = min(batch_size, len(images) - start)
        # One alone is frequent, in a notebook or a web page, and worth compiling;
        # others are filled up with the last.
        rows = start + np.minimum(np.arange(1 if count == 1 else batch_size), count - 1)
        output = draw(images[rows], sources[rows], poses[rows])
        chunks.append({name: np.asarray(x)[:count] for name, x in output.items()})
    joined = {n: np.concatenate([c[n] for c in chunks]) for n in chunks[0]}
    return Generated(joined[architecture.first_image], joined.get("refined"))


def _checked(
    poses: np.ndarray,
    count: int,
    size: tuple[int, int],
    place: str,
    *,
    nobody: bool = False,
) -> np.ndarray:
    """Poses [count, 18, 3] without their points outside the image. A ValueError for
    other shapes or numbers, and a pose without a point, if not of `nobody`."""
    if poses.shape != (count, 18, 3):
        raise ValueError(
            f"{place}: expected [{count}, 18, 3], one pose for each image, got "
            f"{list(poses.shape)}."
        )
    finite = np.isfinite(poses).all(axis=(1, 2))
    if not finite.all():
        raise ValueError(
            f"{place}: pose {int(np.argmin(finite))} holds a number that is not "
            "finite; a missing point is (0, 0, 0)."
        )
    kept, _ = retarget.drop_outside(poses, *size)
    inside = kept[..., 2].any(axis=1)
    if nobody:
        inside |= ~(poses[..., 2] > 0).any(axis=1)
    if not inside.all():
        raise ValueError(
            f"{place}: pose {int(np.argmin(inside))} has no visible point inside "
            f"{size[0]}x{size[1]} pixels; scale it to the model's image first."
        )
    return kept


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
