"""--mode=generate: one photo and one pose in, one PNG out."""

import difflib
import io
import pathlib
from typing import cast

import jax.numpy as jnp
import numpy as np
from PIL import Image

from data_prep import annotations, photos
from experiments import results
from experiments.config import Config
from experiments.stored_config import check_networks
from pg2_jax import checkpoint, files, inference, pose

# A photo of another shape would be squeezed, and the person with it.
_MOST_DISTORTION = 1.1


def generate(config: Config) -> None:
    """Draws the person of --source_image in the pose of --pose into --output.

    Args:
        config: names the workdir, the photo, the pose and the output.

    Raises:
        ValueError: an unreadable photo or pose, or a photo of another shape.
    """
    output = pathlib.Path(config.output)
    if output.suffix.lower() != ".png":
        raise ValueError(f"--output={config.output} must end in .png.")
    if not output.parent.is_dir():
        raise ValueError(f"--output={config.output}: no folder {output.parent}.")
    weights = cast(checkpoint.Weights, config.weights)
    model = inference.PoseTransfer.restore(
        config.workdir, config.wanted_checkpoint, weights, config.drawing_precision
    )
    check_networks(model.config, config)
    size = (model.architecture.image_height, model.architecture.image_width)
    config = config.with_size(*size)
    keypoints = read_pose(config, size)
    sees_view = model.architecture.pose_embedding == "view"
    if sees_view and pose.view(jnp.asarray(keypoints)) < 0:
        raise ValueError(
            f"--pose={config.pose} {config.pose_name}".rstrip()
            + ": a shoulder or a hip is missing, so that the view (front, side or "
            "back) cannot be told, which is all that this model sees of a pose."
        )
    photo = read_photo(config.source_image, *size)
    result = model(photo, keypoints)
    results.write_picture(output, Image.fromarray(result.image[0]))
    print(
        f"Wrote {output}: {config.source_image} in the pose {config.pose} "
        f"{config.pose_name}".rstrip()
        + f", drawn by step {model.step} of {config.workdir}"
    )


def read_photo(path: str, height: int, width: int) -> np.ndarray:
    """Reads a photo of any size whose shape fits; returns uint8 [height, width, 3].

    Raises:
        ValueError: unreadable, or more than 10 % away from the model's shape.
    """
    if not pathlib.Path(path).is_file():
        raise ValueError(f"--source_image={path}: there is no such file.")
    try:
        photo = photos.read(path, height, width, fit="stretch")
    except ValueError as error:
        raise ValueError(f"--source_image={error}") from error
    rows, columns = photo.original_size
    distortion = (columns * height) / (rows * width)
    if not 1 / _MOST_DISTORTION <= distortion <= _MOST_DISTORTION:
        raise ValueError(
            f"--source_image={path} is {columns} wide and {rows} high; the model draws "
            f"{width} x {height}. Crop the photo to that shape, with the person "
            "filling its height."
        )
    return np.asarray(Image.open(io.BytesIO(photo.encoded)).convert("RGB"))


def read_pose(config: Config, size: tuple[int, int]) -> np.ndarray:
    """Reads --pose, and of a csv the row --pose_name, as the model takes it.

    Args:
        config: names the file; points are those of an image of --pose_size.
        size: (height, width) of the model.

    Returns:
        [18, 3] (x, y, visible) in pixels of the model; points outside the image count
        as missing, as in training.

    Raises:
        ValueError: no such file or row, or no point inside the image.
    """
    if not pathlib.Path(config.pose).exists():
        raise ValueError(f"--pose={config.pose}: there is no such file or folder.")
    poses = annotations.read(config.pose)
    name = config.pose_name or next(iter(poses))
    if len(poses) > 1 and not config.pose_name:
        raise ValueError(
            f"--pose={config.pose} holds {len(poses)} poses; choose one with "
            f"--pose_name, such as --pose_name={name}."
        )
    if name not in poses:
        close = difflib.get_close_matches(name, poses, n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        raise ValueError(f"--pose_name={name} is not in --pose={config.pose}.{hint}")
    pose_size = files.parse_size("pose_size", config.pose_size or config.image_size)
    fitted, outside = photos.fit_keypoints(poses[name], pose_size, size)
    where = f"{pose_size[0]}x{pose_size[1]}"
    if outside >= fitted[:, 2].sum():
        raise ValueError(
            f"--pose={config.pose}: {outside} points of {name} lie outside an image of "
            f"{where} and {int(fitted[:, 2].sum())} inside. Say with "
            "--pose_size=HEIGHTxWIDTH which image the pose was found in."
        )
    if outside:
        print(
            f"{config.pose}: {outside} points of {name} lie outside an image of "
            f"{where} and are left out; --pose_size says which image the pose is of."
        )
    return fitted
