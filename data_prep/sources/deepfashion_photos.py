"""DeepFashion's photos, and the keypoints in them: three sizes on one canvas.

A photo is the 256x256 one with white borders (low-res), its 176 columns from 40 to 215,
which is what later papers use, or the 1101x750 one (high-res), which is resampled to
256x176 (bicubic) and has those borders added. All are brought on one canvas of 256x256.
A record holds the canvas' central columns: all for 256x256, the field's crop for
256x176, and for 256x192, which G1 can halve as often as it needs to, eight columns of
border on each side. Other heights are resampled from there (bicubic). GFLA instead
stretches high-res photos to 256x256; here nobody is stretched. What is not copied byte
for byte is stored as PNG.
"""

import io
import pathlib

import numpy as np
from PIL import Image

from pg2_jax import errors
from pg2_jax.photos import crop, photo_files

CANVAS = 256
CROP_WIDTH = 176
_BORDER = (CANVAS - CROP_WIDTH) // 2
LOW_RES, CROP, HIGH_RES = (CANVAS, CANVAS), (CANVAS, CROP_WIDTH), (1101, 750)
DEFAULT_SIZE = "256x256"


def read_photo(
    path: pathlib.Path, keypoints: np.ndarray, size: tuple[int, int]
) -> tuple[bytes, str, np.ndarray, int]:
    """Reads one photo, with keypoints float32 [18, 3] in pixels of the canvas, as a
    record of (height, width) holds it: JPEG or PNG bytes; what was done to it;
    keypoints in pixels of what is stored; the number of points outside it."""
    upright = photo_files.load(path)
    original = (upright.image.height, upright.image.width)
    window = min(CANVAS, round(CANVAS * size[1] / size[0]))
    left = (CANVAS - window) // 2
    fitted, outside = _move(keypoints, left, window, size)
    if original == size and size in (LOW_RES, CROP) and not upright.notes:
        return upright.content, "", fitted, outside
    with errors.said_of(path):
        canvas = _on_canvas(upright.image)
    image = canvas.crop((left, 0, left + window, CANVAS))
    if image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    fit = f"{original[0]}x{original[1]} brought to {size[0]}x{size[1]}"
    note = ", ".join([*upright.notes, *[fit] * (original != size)])
    return buffer.getvalue(), note, fitted, outside


def _move(
    keypoints: np.ndarray, left: int, window: int, size: tuple[int, int]
) -> tuple[np.ndarray, int]:
    """Moves keypoints from the canvas to its columns from `left`, at another size."""
    moved = keypoints - np.array([left, 0, 0], np.float32) * keypoints[:, 2:]
    moved[moved[:, 0] < 0] = 0
    part = crop.frame("stretch", (CANVAS, window), size)
    fitted, _ = crop.move_keypoints(moved, (CANVAS, window), part, size)
    return fitted, int((keypoints[:, 2] > 0).sum() - (fitted[:, 2] > 0).sum())


def to_canvas(keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Moves keypoints to the canvas from a photo of (height, width) = `LOW_RES`, `CROP`
    or `HIGH_RES`; a missing point stays (0, 0, 0)."""
    if size == LOW_RES:
        return keypoints
    scale = np.array([CROP_WIDTH / size[1], CANVAS / size[0], 1], np.float32)
    moved = keypoints * scale + np.array([_BORDER, 0, 0], np.float32)
    return np.where(keypoints[:, 2:] > 0, moved, 0).astype(np.float32)


def _on_canvas(image: Image.Image) -> Image.Image:
    size = (image.height, image.width)
    if size == LOW_RES:
        return image
    if size != CROP:
        shape = (image.height * HIGH_RES[1]) / (image.width * HIGH_RES[0])
        if image.height < CANVAS or not 1 / 1.02 <= shape <= 1.02:
            raise ValueError(
                f"the photo is {size[0]}x{size[1]} (height x width); DeepFashion's are "
                "256x256, 256x176 or 1101x750"
            )
        image = image.resize((CROP_WIDTH, CANVAS), Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (CANVAS, CANVAS), "white")
    canvas.paste(image, (_BORDER, 0))
    return canvas
