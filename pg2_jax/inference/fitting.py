"""Poses brought into the model's image."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from pg2_jax import errors, pose
from pg2_jax.inference import retarget, source_photo
from pg2_jax.inference.target_pose import Poses
from pg2_jax.photos import crop

FITS = ("auto", "body", "image", "none")
# Images whose shapes differ by a larger share have different ones.
_SAME_SHAPE = 0.05


def fit_poses(
    poses: Poses,
    size: crop.Size,
    body: np.ndarray | None,
    fit: str,
    pose_size: crop.Size | None,
    *,
    mirror: bool = False,
) -> np.ndarray:
    """Brings poses into the model's image of (height, width) `size`: float32 [N, 18, 3]
    in its pixels; points outside are missing.

    The fit "body" gives them size and place of the source person, whose joints [18, 3]
    are `body`; "image" fits them as if a photo had been cropped to the pose; with
    "none" pixels are those of the model, or of an image of (height, width) `pose_size`,
    by default the one that their file names, which is brought into the middle; "auto"
    is body if `body` has a torso, else image for poses of photos and of the library,
    and none for others, and leaves out limbs that the photo does not show. A frame of a
    sequence without a joint in the image gets one between those around it. Most points
    outside an image that is a mere guess, or all of them, are a ValueError.
    """
    errors.check_choice("pose_fit", fit, FITS)
    stacked = np.stack(list(poses.poses.values()))
    stacked = source_photo.poses_as_shown(stacked, body, fit)
    sizes = [pose_size or poses.sizes.get(name) or size for name in poses.poses]
    if mirror:
        pairs = zip(jnp.asarray(stacked), sizes, strict=True)
        mirrored = [pose.flip_keypoints(points, width) for points, (_, width) in pairs]
        stacked = np.stack(mirrored)
    if fit == "auto":
        fit = "none" if poses.pixels else "image"
        if body is not None and retarget.has_torso(body[None]):
            fit = "body" if retarget.has_torso(stacked) else fit
    if fit == "none":
        return _complete(poses, _scaled(poses, stacked, size, sizes, pose_size), size)
    if fit == "body" and body is None:
        rule = " needs the joints of the source person (`source_pose`)."
        raise errors.ArgumentError("pose_fit", fit, rule)
    with errors.said_of(poses.place):
        if body is not None and fit == "body":
            stacked = retarget.fit_to_body(stacked, body)
        else:
            stacked = retarget.fit_to_image(stacked, *size, alone=poses.alone)
    return _complete(poses, _cut(poses, stacked, size), size)


def _scaled(
    poses: Poses,
    stacked: np.ndarray,
    size: crop.Size,
    sizes: Sequence[crop.Size],
    pose_size: crop.Size | None,
) -> list[np.ndarray]:
    """Poses of images of these sizes in the middle of the model's."""
    scaled, outside, inside = [], 0, 0
    for points, given in zip(stacked, sizes, strict=True):
        kept, left_out = retarget.drop_outside(points, *given)
        outside, inside = outside + left_out, inside + int(kept[:, 2].sum())
        scale = min(size[0] / given[0], size[1] / given[1])
        free = np.array(size[::-1]) - scale * np.array(given[::-1])
        moved = retarget.moved(kept, scale, free / 2)
        scaled.append(retarget.drop_outside(moved, *size)[0])
    height, width = sizes[0]
    name = f" {next(iter(poses.poses))}:" if len(scaled) == 1 else ""
    what = (
        f"{poses.place}:{name} {errors.counted(outside, 'point')} outside an image of "
        f"{height}x{width}"
    )
    # People leave the image that they are of; in another one the pose makes no sense.
    known = pose_size or all(name in poses.sizes for name in poses.poses)
    if outside and outside >= inside and not known:
        raise ValueError(
            f"{what}, {inside} inside. Say with `pose_size` which image the pose is "
            "of, or fit it to the image with `pose_fit=image`."
        )
    if outside:
        hint = "" if known else "; `pose_size` says which image the pose is of"
        errors.warn(f"{what}, left out{hint}.")
    if abs(width * size[0] / (height * size[1]) - 1) > _SAME_SHAPE:
        errors.warn(
            f"{poses.place}: the poses are of an image of {height}x{width}, which has "
            f"another shape than the model's {size[0]}x{size[1]}: they are scaled "
            "alike in both directions, and centred. `pose_fit=image` shows the body as "
            "large as it fits."
        )
    return scaled


def _cut(poses: Poses, stacked: np.ndarray, size: crop.Size) -> list[np.ndarray]:
    """Poses that have their place in the model's image, without what lies outside."""
    fitted, cut = [], []
    for name, points in zip(poses.poses, stacked, strict=True):
        kept, outside = retarget.drop_outside(points, *size)
        fitted.append(kept)
        if outside:
            cut.append(f"{name} ({errors.counted(outside, 'joint')})")
    if cut and any(points.any() for points in fitted):
        many = len(fitted) > 1
        what = (
            f"{len(cut)} of {len(fitted)} poses reach" if many else "the pose reaches"
        )
        errors.warn(
            f"{poses.place}: the body is so large in the image that {what} beyond it; "
            f"the joints outside are left out: {errors.few(cut)}. "
            "`pose_fit=image` shows whole poses."
        )
    return fitted


def _complete(
    poses: Poses, fitted: Sequence[np.ndarray], size: crop.Size
) -> np.ndarray:
    """The empty poses of a sequence are filled from those around them."""
    names, stacked = list(poses.poses), np.stack(fitted)
    empty = np.flatnonzero(~stacked[..., 2].any(axis=1)).tolist()
    if empty and (poses.alone or len(empty) == len(fitted)):
        raise ValueError(
            f"{poses.place}: {names[empty[0]]}: all joints lie outside the image of "
            f"{size[0]}x{size[1]}. `pose_fit=image` shows the whole pose."
        )
    if empty:
        errors.warn(
            f"{poses.place}: {len(empty)} of {len(names)} frames show no joint of the "
            "person in the image; each is held, or made between the frames around it: "
            f"{errors.few([names[i] for i in empty])}."
        )
        return retarget.fill_gaps(stacked)
    return stacked
