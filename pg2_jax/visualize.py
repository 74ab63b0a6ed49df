"""Pictures for people: skeletons, masks, and labelled grids. NumPy and Pillow only."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pg2_jax import pose

# Right limbs are warm and left limbs cool, to be told apart.
_RIGHT, _LEFT, _MIDDLE = (255, 140, 0), (0, 150, 255), (230, 230, 60)
_GAP = 4  # pixels between the tiles of a grid
_LABEL_HEIGHT = 18  # pixels
# Tiles beside each other that are still well seen.
_IN_A_ROW = 8
_SCREEN = 16 / 9  # width by height


def joint_color(joint: int) -> tuple[int, int, int]:
    """The RGB colour of a joint, by its side of the body."""
    side = pose.JOINTS[joint].partition("_")[0]
    return {"right": _RIGHT, "left": _LEFT}.get(side, _MIDDLE)


def limb_color(a: int, b: int) -> tuple[int, int, int]:
    """The RGB colour of the limb between two joints: that of the outer one."""
    return joint_color(a if pose.JOINTS[b] in ("nose", "neck") else b)


def screen_scale(height: int) -> int:
    """The enlargement at which a picture of so many pixels is well seen."""
    return max(1, 256 // height)


def draw_skeleton(
    image: np.ndarray,
    keypoints: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    scale: int = 1,
) -> np.ndarray:
    """Draws a pose [18, 3] over a photo [H, W, 3] uint8, enlarged by the scale. Right
    limbs are orange, left ones blue; a mask [H, W] in {0, 1} is tinted where 1."""
    if mask is not None:
        body = np.asarray(mask).reshape(*image.shape[:2], 1) > 0
        image = np.where(body, 0.6 * image + 0.4 * np.array([60, 220, 90]), image)
    height, width = image.shape[:2]
    # Drawn at three times the size and reduced, because Pillow's lines are jagged.
    factor = 3 * scale
    canvas = Image.fromarray(np.asarray(image, np.uint8)).resize(
        (width * factor, height * factor), Image.Resampling.BICUBIC
    )
    thickness = max(factor, round(factor * height / 96))
    draw = ImageDraw.Draw(canvas)
    points = [tuple((xy + 0.5) * factor) for xy in np.asarray(keypoints)[:, :2]]
    visible = np.asarray(keypoints)[:, 2] > 0
    for a, b in pose.SKELETON:
        if visible[a] and visible[b]:
            draw.line([points[a], points[b]], fill=limb_color(a, b), width=thickness)
    for joint in np.flatnonzero(visible).tolist():
        draw.circle(points[joint], thickness, fill=joint_color(joint))
    size = (width * scale, height * scale)
    return np.asarray(canvas.resize(size, Image.Resampling.LANCZOS))


def grid(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[str] = (),
    row_titles: Sequence[str] = (),
    *,
    scale: int = 1,
) -> Image.Image:
    """Lays [H, W, 3] uint8 pictures out in rows, with titles of columns and rows. The
    smallest are enlarged by the scale, pixels kept as squares; others, such as a scaled
    skeleton, are brought to the same size."""
    smallest = min(np.shape(picture)[:2] for row in rows for picture in row)
    height, width = (scale * side for side in smallest)
    header = _LABEL_HEIGHT if titles else 0
    margin = _LABEL_HEIGHT if any(row_titles) else 0
    columns = max(len(row) for row in rows)
    size = (columns * (width + _GAP) + _GAP, len(rows) * (height + _GAP) + _GAP)
    sheet = Image.new("RGB", (size[0] + margin, size[1] + header), "white")
    for j, title in enumerate(titles):
        _draw_title(sheet, title, margin + j * (width + _GAP) + _GAP, width)
    for i, row in enumerate(rows):
        top = header + i * (height + _GAP) + _GAP
        if margin:
            label = Image.new("RGB", (height, _LABEL_HEIGHT), "white")
            _draw_title(label, row_titles[i], 0, height)
            sheet.paste(label.transpose(Image.Transpose.ROTATE_90), (0, top))
        for j, picture in enumerate(row):
            tile = Image.fromarray(np.asarray(picture, np.uint8))
            small = tile.height * scale <= height
            rule = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
            left = margin + j * (width + _GAP) + _GAP
            sheet.paste(tile.resize((width, height), rule), (left, top))
    return sheet


def titled(picture: np.ndarray, title: str) -> np.ndarray:
    """The picture [H, W, 3] uint8 under a line with a title, [H + 18, W, 3]."""
    width = picture.shape[1]
    header = Image.new("RGB", (width, _LABEL_HEIGHT), "white")
    _draw_title(header, title, 0, width)
    return np.concatenate([np.asarray(header), picture])


def resized(picture: np.ndarray, height: int) -> np.ndarray:
    """The picture [H, W, 3] uint8 brought to a height by Lanczos."""
    if len(picture) == height:
        return picture
    size = max(1, round(picture.shape[1] * height / len(picture))), height
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def columns(count: int, tile: tuple[int, int]) -> int:
    """How many of `count` tiles of (width, height) stand beside each other in a sheet
    whose rows begin with one more: equally many in each, in the fewest rows of at most
    eight, or of more where the sheet is no wider than a screen."""
    for rows in range(1, count):
        beside = -(-count // rows)
        wide = (1 + beside) * tile[0] > _SCREEN * rows * tile[1]
        if beside < _IN_A_ROW or not wide:
            return beside
    return 1


def in_rows(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures side by side, eight in a row."""
    starts = range(0, len(tiles), _IN_A_ROW)
    return stacked([side_by_side(tiles[i : i + _IN_A_ROW]) for i in starts])


def stacked(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures one below the other, each on white to the width of the widest."""
    width = max(picture.shape[1] for picture in pictures)
    return np.concatenate([_on_white(x, len(x), width) for x in pictures])


def side_by_side(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures side by side, each on white to the height of the largest."""
    height = max(map(len, pictures))
    return np.hstack([_on_white(x, height, x.shape[1]) for x in pictures])


def _on_white(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    free = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, free, constant_values=255)


def _draw_title(sheet: Image.Image, title: str, left: int, width: int) -> None:
    """Writes a column's title, smaller and then in two lines where it is narrow, and of
    a name that is still too long the beginning."""
    draw = ImageDraw.Draw(sheet)
    words = title.split(" ")
    half = len(words) // 2
    halves = f"{' '.join(words[:half])}\n{' '.join(words[half:])}"
    for text, size in ((title, 13), (title, 11), (title, 9), (halves, 8)):
        font = ImageFont.load_default(size)
        if draw.textbbox((0, 0), text, font=font)[2] <= width:
            break
    while text != "…" and draw.textbbox((0, 0), text, font=font)[2] > width:
        text = f"{text.rstrip('…')[:-1]}…"
    middle = (left + width // 2, _LABEL_HEIGHT // 2)
    draw.text(middle, text.strip(), "black", font, "mm", spacing=0, align="center")
