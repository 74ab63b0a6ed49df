"""--mode=generate: one photo and one pose in, one PNG out."""

import io
import os
import pathlib

import numpy as np
from PIL import Image

from data_prep import annotations, photos
from experiments.config import Config, parse_size
from pg2_jax import inference

# A photo of another shape would be squeezed, and the person with it.
_MOST_DISTORTION = 1.1


def generate(config: Config) -> None:
    """Draws the person of --source_image in the pose of --pose into --output.

    Args:
        config: names the workdir, the photo, the pose and the output.

    Raises:
        ValueError: an unreadable photo or pose, or a photo of another shape.
    """
    output = pathlib.Path(config.output).expanduser()
    if output.suffix.lower() != ".png":
        raise ValueError(f"--output={config.output} must end in .png.")
    if not output.parent.is_dir():
        raise ValueError(f"--output={config.output}: no folder {output.parent}.")
    step = None if config.checkpoint_step < 0 else config.checkpoint_step
    keypoints = read_pose(config)
    model = inference.PoseTransfer.restore(config.workdir, step)
    size = (model.architecture.image_height, model.architecture.image_width)
    config = config.with_size(*size)
    photo = read_photo(config.source_image, *size)
    pose_height, pose_width = parse_size(
        "pose_size", config.pose_size or "x".join(map(str, size))
    )
    scale = (size[1] / pose_width, size[0] / pose_height, 1.0)
    result = model(photo, keypoints * np.array(scale, np.float32))
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    Image.fromarray(result.refined[0]).save(temporary, "PNG")
    os.replace(temporary, output)
    print(
        f"Wrote {output}: {config.source_image} in the pose of {config.pose}, drawn "
        f"by step {model.step} of {config.workdir}"
    )


def read_photo(path: str, height: int, width: int) -> np.ndarray:
    """Reads a photo of any size whose shape fits; returns uint8 [height, width, 3].

    Raises:
        ValueError: unreadable, or more than 10 % away from the model's shape.
    """
    if not pathlib.Path(path).is_file():
        raise ValueError(f"--source_image={path}: there is no such file.")
    photo = photos.read(path, height, width, resize=True)
    distortion = photo.scale_x / photo.scale_y
    if not 1 / _MOST_DISTORTION <= distortion <= _MOST_DISTORTION:
        rows, columns = photo.original_size
        raise ValueError(
            f"--source_image={path} is {columns} wide and {rows} high; the model draws "
            f"{width} x {height}. Crop the photo to that shape, with the person "
            "filling its height."
        )
    return np.asarray(Image.open(io.BytesIO(photo.encoded)).convert("RGB"))


def read_pose(config: Config) -> np.ndarray:
    """Reads --pose, and of a csv the row --pose_name; [18, 3] (x, y, visible).

    Raises:
        ValueError: no such file or row, or no visible point.
    """
    if not pathlib.Path(config.pose).is_file():
        raise ValueError(f"--pose={config.pose}: there is no such file.")
    poses = annotations.read(config.pose)
    name = config.pose_name or next(iter(poses))
    if len(poses) > 1 and not config.pose_name:
        raise ValueError(
            f"--pose={config.pose} holds {len(poses)} poses; choose one with "
            f"--pose_name, such as --pose_name={name}."
        )
    if name not in poses:
        raise ValueError(f"--pose_name={name} is not in --pose={config.pose}.")
    if not poses[name][:, 2].any():
        raise ValueError(f"--pose={config.pose}: {name} has no visible keypoint.")
    return poses[name]
