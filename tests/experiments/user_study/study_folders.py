"""Folders of images from which the tests make user studies."""

import numpy as np
from PIL import Image

from experiments.config import Config


def write_folders(folder, count):
    """Photos as JPEG and drawings as PNG: smooth and noisy, so that files of one kind
    are far smaller unless the study sees to it."""
    rng = np.random.default_rng(0)
    for role in ("generated", "target"):
        (folder / role).mkdir()
    for i in range(count):
        noise = Image.fromarray(rng.integers(0, 256, (32, 16, 3), np.uint8))
        exif = Image.Exif()
        exif[0x010F] = "Camera"
        noise.save(folder / "target" / f"person{i}.jpg", quality=60, exif=exif)
        flat = np.full((32, 16, 3), 5 * i, np.uint8)
        Image.fromarray(flat).save(folder / "generated" / f"person{i}.png")


def make_config(folder, **changes):
    """A study of 3 real and 3 generated images, 2 for practice."""
    return Config(
        **{
            "mode": "user_study",
            "generated_dir": str(folder / "generated"),
            "target_dir": str(folder / "target"),
            "output": str(folder / "study"),
            "study_images": 3,
            "study_practice": 2,
            **changes,
        }
    )
