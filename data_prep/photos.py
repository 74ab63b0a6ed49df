"""One photo from disk, checked, as the bytes that the records store.
 An 8-bit RGB JPEG or PNG of the right size is stored byte for byte. Anything else is
either converted by one of these rules, or refused:

- grey, palette and CMYK become RGB (Pillow's conversion; embedded colour profiles are
  ignored);
- transparency is composited on white;
- an EXIF orientation is applied: keypoints are those of the photo as a viewer shows it;
- another size is refused, or with `resize` resampled (Lanczos);
- 16 bits a channel are refused: nothing tells which part of the range is used;
- what does not decode to its last pixel is refused.
 A resized photo is stored as JPEG (quality 95, full colour resolution), any other
converted one as PNG, which loses nothing.
"""

import io
import os
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

# What Pillow may try: its other decoders are for files that are not photos.
FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
# More is a decompression bomb: a small file that decodes to gigabytes.
MAX_PIXELS = 64_000_000

_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_ORIENTATION_TAG = 0x0112
_PNG_END = b"IEND\xaeB`\x82"
_PNG_BIT_DEPTH = (
    24  # Offset in the file: Pillow reduces 16-bit RGB to 8 bits without a word.
)


class Upright(NamedTuple):
    """A photo as a viewer shows it.

    Attributes:
        image: 8-bit RGB.
        content: bytes of the file.
        notes: what was converted; empty when the file holds just this image.
    """

    image: Image.Image
    content: bytes
    notes: tuple[str, ...]


class Photo(NamedTuple):
    """A photo ready to be stored.

    Attributes:
        encoded: bytes of an 8-bit RGB JPEG or PNG.
        original_size: (height, width) of the upright photo before resizing.
        note: what was converted, empty when the bytes are those of the file.
    """

    encoded: bytes
    original_size: tuple[int, int]
    note: str


def load(path: str | os.PathLike[str]) -> Upright:
    """Reads one photo and decodes it to the last pixel, to prove that it is whole.

    Args:
        path: the file.

    Returns:
        The upright photo in RGB.

    Raises:
        ValueError: the photo is refused; names the file and the reason.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read()
    if not content:
        raise ValueError(f"{path}: the file is empty (0 bytes)")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        _check_header(image, content)
        if image.format == "PNG":
            _check_png(content)
        image.load()
        upright = _upright(image)
    except Image.UnidentifiedImageError as error:
        raise ValueError(
            f"{path}: not a photo in a format that is read ({', '.join(FORMATS)})"
        ) from error
    except Exception as error:
        # On damaged files Pillow's decoders raise nearly anything: OSError,
        # SyntaxError, struct.error, ...
        raise ValueError(f"{path}: cannot be read: {error}") from error
    notes = [] if image.format in ("JPEG", "PNG") else [f"{image.format} re-encoded"]
    if upright is not image:
        notes.append("EXIF orientation applied")
    if upright.mode != "RGB" or upright.has_transparency_data:
        notes.append(f"{upright.mode} to RGB")
        upright = _to_rgb(upright)
    return Upright(upright, content, tuple(notes))


def read(
    path: str | os.PathLike[str], height: int, width: int, *, resize: bool
) -> Photo:
    """Reads one photo as it is to be stored.

    Args:
        path: the file.
        height: wanted height in pixels.
        width: wanted width in pixels.
        resize: whether a photo of another size is resampled instead of refused.

    Returns:
        The photo, as height x width.

    Raises:
        ValueError: the photo is refused; names the file and the reason.
        OSError: the file cannot be read.
    """
    upright = load(path)
    try:
        return _fit(
            upright.image, upright.content, (height, width), resize, [*upright.notes]
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _stretch(original_size: tuple[int, int], size: tuple[int, int]) -> str:
    """Says so when a photo changes its shape by more than a twentieth."""
    shape = (original_size[0] * size[1]) / (original_size[1] * size[0])
    return "" if 1 / 1.05 <= shape <= 1.05 else ", stretched to another shape"


def fit_keypoints(
    keypoints: np.ndarray, original_size: tuple[int, int], size: tuple[int, int]
) -> tuple[np.ndarray, int]:
    """Moves keypoints from a photo to what is stored of it.

    A point outside the photo counts as missing. The others are scaled like the photo,
    and clipped to the centres of its last row and column (a move of less than one
    pixel).

    Args:
        keypoints: float32 [18, 3] = (x, y, visible) in pixels of the upright photo.
        original_size: (height, width) of the upright photo.
        size: (height, width) as stored.

    Returns:
        float32 [18, 3] with x in [0, width - 1] and y in [0, height - 1]; the number of
        points outside.
    """
    x, y, visible = keypoints.T
    (rows, columns), (height, width) = original_size, size
    inside = (visible > 0) & (x < columns) & (y < rows)
    x = np.minimum(x * (width / columns), width - 1)
    y = np.minimum(y * (height / rows), height - 1)
    fitted = np.where(inside[:, None], np.stack([x, y, visible], axis=1), 0).astype(
        np.float32
    )
    return fitted, int((visible > 0).sum() - inside.sum())


def _check_header(image: Image.Image, content: bytes) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(
            f"{image.width} x {image.height} pixels, at most {MAX_PIXELS:,} are read"
        )
    sixteen_bit_png = image.format == "PNG" and content[_PNG_BIT_DEPTH] == 16
    if image.mode not in _EIGHT_BIT_MODES or sixteen_bit_png:
        raise ValueError("more than 8 bits a channel; save it with 8 bits")
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise ValueError("an animation; save the wanted frame as a photo")


def _check_png(content: bytes) -> None:
    # Pillow's decoder reads over wrong checksums and a missing end, where tensorflow's
    # refuses.
    Image.open(io.BytesIO(content)).verify()
    if _PNG_END not in content:
        raise ValueError("truncated PNG file: its end is missing")


def _upright(image: Image.Image) -> Image.Image:
    if image.getexif().get(_ORIENTATION_TAG, 1) == 1:
        return image
    return ImageOps.exif_transpose(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _fit(
    image: Image.Image,
    content: bytes,
    size: tuple[int, int],
    resize: bool,
    notes: list[str],
) -> Photo:
    original_size = (image.height, image.width)
    resized = original_size != size
    if resized and not resize:
        raise ValueError(
            f"the photo is {image.height}x{image.width}, expected --image_size="
            f"{size[0]}x{size[1]} (height x width); --resize converts"
        )
    if resized:
        notes = [*notes, "resized" + _stretch(original_size, size)]
        image = image.resize((size[1], size[0]), Image.Resampling.LANCZOS)
    encoded = _encode(image, lossless=not resized) if notes else content
    return Photo(encoded, original_size, ", ".join(notes))


def _encode(image: Image.Image, *, lossless: bool) -> bytes:
    buffer = io.BytesIO()
    if lossless:
        image.save(buffer, "PNG")
    else:
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()
