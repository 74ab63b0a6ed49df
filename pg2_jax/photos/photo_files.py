"""One photo from disk, checked, as the bytes that the records store.

An 8-bit RGB JPEG or PNG of the right size is stored byte for byte. Anything else is
either converted by one of these rules, or refused:

- grey, palette and CMYK become RGB (Pillow's conversion; embedded colour profiles are
  ignored);
- transparency is composited on white;
- an EXIF orientation is applied: keypoints are those of the photo as a viewer shows it;
- another size is refused, or brought to the wanted one by a rule of `crop`;
- sides below 8 pixels and more than 64 million pixels are refused;
- 16 bits a channel are refused: nothing tells which part of the range is used;
- of an animation, or of several pages, the first one is taken;
- what does not decode to its last pixel is refused.

A reframed photo is stored as JPEG (quality 95, full colour resolution), any other
converted one as PNG, which loses nothing.
"""

import importlib.util
import io
import os
import pathlib
import warnings
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, features

from pg2_jax import errors, files
from pg2_jax.keypoints.base import content_of
from pg2_jax.photos import crop

# What Pillow may try: its other decoders are for files that are not photos.
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "AVIF")
_HEIF = (".heic", ".heif")
_NO_HEIF = "pip install pillow-heif, or save it as JPEG"
_OTHERS = (".jxl", ".jp2", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw")
# Endings of photos that are not read here -> what to do about it.
UNREAD = dict.fromkeys(_OTHERS, "save it as JPEG or PNG")
if not importlib.util.find_spec("pillow_heif"):
    UNREAD |= dict.fromkeys(_HEIF, _NO_HEIF)
if not features.check("avif"):
    UNREAD[".avif"] = "this Pillow reads no AVIF; save it as JPEG"
_ALL_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff"),
    *(".gif", ".avif", *_HEIF),
)
SUFFIXES = tuple(suffix for suffix in _ALL_SUFFIXES if suffix not in UNREAD)
FIRST_OF = "the first of"  # How the note on an animation begins.
# More is a decompression bomb: a small file that decodes to gigabytes.
MAX_PIXELS = 64_000_000
MAX_BYTES = 512 * 2**20
# Nobody can be made out in less; a line of pixels is a damaged file, not a photo.
MIN_SIDE = 8

_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_TOO_MANY_BITS = "more than 8 bits a channel; save it with 8 bits"
_ORIENTATION_TAG = 0x0112
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
_PNG_END = b"IEND\xaeB`\x82"
# Offset in the file: Pillow reduces 16-bit RGB to 8 bits without a word.
_PNG_BIT_DEPTH = 24


class Upright(NamedTuple):
    """A photo as a viewer shows it."""

    image: Image.Image  # 8-bit RGB
    content: bytes  # of the file
    notes: tuple[str, ...]  # what was converted; empty when the file holds this image
    reduction: int = 1  # the file's sides are as many times as long, see `decode`


class StoredPhoto(NamedTuple):
    encoded: bytes  # an 8-bit RGB JPEG or PNG
    original_size: tuple[int, int]  # (height, width) upright, before reframing
    frame: crop.Frame  # which part of it is stored, and where
    note: str  # what was converted, in words; empty for a byte-for-byte copy


def is_photo(name: files.PathLike) -> bool:
    """Whether a name ends as those of the photos that are read."""
    return pathlib.PurePath(name).suffix.lower() in SUFFIXES


def unread(name: str) -> str:
    """What to do about a photo that is not read, by its suffix; empty for others."""
    return UNREAD.get(f".{name.rpartition('.')[2].lower()}", "")


def load(path: files.PathLike, *, large: bool = False) -> Upright:
    """Reads one photo and decodes it to the last pixel, to prove that it is whole; a
    ValueError names one that is refused and the reason. For `large` see `decode`."""
    content = content_of(path, "a photo", MAX_BYTES)
    if not content:
        raise ValueError(f"{path}: the file is empty (0 bytes)")
    return decode(content, path, large=large)


def decode(
    content: bytes, name: files.PathLike, longest: int = 0, *, large: bool = False
) -> Upright:
    """Decodes a photo that is in memory, as `load` does one on the disk. With `longest`
    a JPEG is decoded at a half, a quarter or an eighth of its size, if its longer side
    still has so many pixels, and may have as many times more. With `large` this is done
    to a JPEG that has more pixels than are read, alone."""
    is_heif = content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS
    reads_heif = is_heif and bool(importlib.util.find_spec("pillow_heif"))
    try:
        with warnings.catch_warnings():
            # The number of pixels is checked here, and damaged EXIF is no news.
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(content), formats=_formats(reads_heif))
            reduction = _reduce(image, longest, large)
            _check_header(image, content)
            if image.format == "PNG":
                # Pillow's decoder reads over wrong checksums and a missing end.
                Image.open(io.BytesIO(content)).verify()
                if _PNG_END not in content:
                    raise ValueError("truncated PNG file: its end is missing")
            image.load()
            upright = _upright(image)
            return Upright(_rgb(upright), content, _notes(image, upright), reduction)
    except Image.UnidentifiedImageError as error:
        what = f"not a photo in a format that is read ({', '.join(FORMATS)})"
        if reads_heif:
            what = "cannot be read: no whole HEIC file"
        elif is_heif:
            what = f"HEIC is not read: {_NO_HEIF}"
        raise ValueError(f"{name}: {what}") from error
    except Exception as error:
        # On damaged files Pillow's decoders raise nearly anything.
        reason = str(error) or type(error).__name__
        raise ValueError(f"{name}: cannot be read: {reason}") from error


def read(
    path: files.PathLike,
    height: int,
    width: int,
    *,
    fit: str = "none",
    keypoints: np.ndarray | None = None,
    margin: float = crop.MARGIN,
) -> StoredPhoto:
    """Reads one photo as it is to be stored, of that height and width by one of
    `crop.RULES`; for keypoints and margin see `crop.frame`."""
    upright = load(path)
    size, original_size = (height, width), (upright.image.height, upright.image.width)
    with errors.said_of(path):
        frame = crop.frame(fit, original_size, size, keypoints, margin)
    words = crop.describe(frame, original_size, size)
    image = crop.apply(upright.image, frame, size) if words else upright.image
    notes = [*upright.notes, words] if words else upright.notes
    encoded = upright.content
    if notes:
        buffer = io.BytesIO()
        # The quality is for JPEG alone, like the resolution of its colours.
        image.save(buffer, "JPEG" if words else "PNG", quality=95, subsampling=0)
        encoded = buffer.getvalue()
    return StoredPhoto(encoded, original_size, frame, ", ".join(notes))


def to_photo(image: Any) -> tuple[Image.Image, str, int]:
    """The photo of a path, a Pillow image or an array: grey [H, W] or [H, W, 1], RGB
    [H, W, 3] or RGBA [H, W, 4], uint8, or floats in [0, 1], or, where one is negative,
    in [-1, 1]. Gives it upright in RGB, its name for messages, and how many times as
    long the sides of its file are: a JPEG of more pixels than are read is reduced."""
    if isinstance(image, str | os.PathLike):
        path = pathlib.Path(image).expanduser()
        if not path.exists():
            raise ValueError(f"{image}: there is no such file.")
        upright = load(path, large=True)
        for note in upright.notes:
            if note.startswith(FIRST_OF):
                errors.warn(f"{image}: {note} is taken.")
        if upright.reduction > 1:
            size = f"1/{upright.reduction} of its size"
            errors.warn(f"{image} is so large that it was read at {size}.")
        return upright.image, os.fspath(image), upright.reduction
    name = "the photo"
    if isinstance(image, Image.Image):
        name = getattr(image, "filename", "") or name
    else:
        image = Image.fromarray(to_uint8(np.asarray(image)))
    if image.mode not in _EIGHT_BIT_MODES:
        raise ValueError(f"{name}: {_TOO_MANY_BITS}")
    try:
        return _rgb(_upright(image)), name, 1
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{name}: cannot be read: {error}") from error


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """A photo by the rule of `to_photo` as uint8 [H, W, 3] or [H, W, 4]."""
    shape = pixels.shape
    if len(shape) == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or not pixels.size:
        raise ValueError(
            f"A photo is an array [height, width] or [height, width, 1, 3 or 4]; got "
            f"{list(shape)}."
        )
    if np.issubdtype(pixels.dtype, np.floating):
        low, high = float(pixels.min()), float(pixels.max())
        if not (low >= -1 and high <= 1):  # Not a number is neither.
            raise ValueError(
                "A photo of floats is in 0 .. 1 or in -1 .. 1; this one is in "
                f"{low:g} .. {high:g}. Convert 0 .. 255 with astype('uint8')."
            )
        scaled = (pixels + 1) / 2 if low < 0 else pixels
        pixels = np.round(scaled * 255).astype(np.uint8)
    if pixels.dtype != np.uint8:
        known = "uint8, or floats in 0 .. 1 or -1 .. 1"
        raise ValueError(f"A photo is {known}; got {pixels.dtype}.")
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def _formats(reads_heif: bool) -> tuple[str, ...]:
    """What Pillow may try; it learns HEIC when the first one comes."""
    if not reads_heif:
        return FORMATS
    import pillow_heif  # type: ignore[import-not-found,unused-ignore]

    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def _reduce(image: Image.Image, longest: int, large: bool) -> int:
    """Has a JPEG that is not progressive decoded smaller; returns by how much."""
    width, height = image.size
    if large:
        shares = [n for n in (1, 2, 4, 8) if width * height <= MAX_PIXELS * n**2]
        longest = max(image.size) // shares[0] if shares and shares[0] > 1 else 0
    if not longest or image.format != "JPEG" or "progressive" in image.info:
        return 1
    share = longest / max(width, height)
    image.draft(None, (round(width * share), round(height * share)))
    return round(max(width, height) / max(image.size))


def _check_header(image: Image.Image, content: bytes) -> None:
    pixels = f"{image.width} x {image.height} pixels"
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{pixels}, at most {MAX_PIXELS:,} are read")
    if min(image.size) < MIN_SIDE:
        raise ValueError(f"{pixels}, each side must be at least {MIN_SIDE}")
    sixteen_bit_png = image.format == "PNG" and content[_PNG_BIT_DEPTH] == 16
    if image.mode not in _EIGHT_BIT_MODES or sixteen_bit_png:
        raise ValueError(_TOO_MANY_BITS)


def _upright(image: Image.Image) -> Image.Image:
    if image.getexif().get(_ORIENTATION_TAG, 1) == 1:
        return image
    return ImageOps.exif_transpose(image)


def _notes(image: Image.Image, upright: Image.Image) -> tuple[str, ...]:
    notes = [] if image.format in ("JPEG", "PNG") else [f"{image.format} re-encoded"]
    count = getattr(image, "n_frames", 1)
    # A camera's MPO is a JPEG with a preview behind it.
    if count > 1 and image.format != "MPO":
        notes.append(f"{FIRST_OF} {count} frames")
    if upright is not image:
        notes.append("EXIF orientation applied")
    if upright.mode != "RGB" or upright.has_transparency_data:
        notes.append(f"{upright.mode} to RGB")
    return tuple(notes)


def _rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")
