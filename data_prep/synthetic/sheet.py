"""An overview of a procedural data set at a glance."""

import collections
import pathlib

import numpy as np
from PIL import Image

_ROWS, _COLUMNS = 10, 12


def write_contact_sheet(folder: pathlib.Path, height: int, width: int) -> None:
    """Writes contact_sheet.jpg: some persons as rows, their pictures as columns.

    Args:
        folder: a data set with pictures in `bounding_box_*`.
        height: of each picture, in pixels.
        width: of each picture, in pixels.
    """
    rows = collections.defaultdict(list)
    for path in sorted(folder.glob("bounding_box_*/*.jpg")):
        rows[path.name[:4]].append(path)
    # Evenly chosen, so that persons of both splits are on the sheet.
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).astype(int)
    table = [sorted(rows.values())[i] for i in chosen]
    columns = min(_COLUMNS, len(table[0]))
    sheet = Image.new("RGB", (columns * (width + 2), len(table) * (height + 2)))
    for row, paths in enumerate(table):
        by_frame = sorted(paths, key=lambda path: path.name.split("_")[2])
        for column, path in enumerate(by_frame[:columns]):
            with Image.open(path) as picture:
                sheet.paste(picture, (column * (width + 2), row * (height + 2)))
    sheet.save(folder / "contact_sheet.jpg", quality=92)
