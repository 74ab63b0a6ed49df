"""The poses that come with the program: single ones and sequences.

Made by `python -m data_prep.synthetic.poses`, which says what the files hold.
"""

import json
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent / "poses"
NAMES = ("catalogue", "walk", "turn", "wave")
# Sets whose poses are no sequence.
SINGLE = ("catalogue",)


def read(name: str) -> dict[str, np.ndarray]:
    """The poses of a set.

    Args:
        name: one of `NAMES`: "catalogue" holds single poses, the others are sequences,
            in order, that begin again after their end.

    Returns:
        Name of the pose -> float32 [18, 3] = (x, y, visible) of a figure of height 1;
        `pose_tools.fit_to_body` and `fit_to_image` bring them into an image.

    Raises:
        ValueError: there is no such set.
    """
    if name not in NAMES:
        raise ValueError(
            f"There is no set of poses {name!r}; there are {', '.join(NAMES)}."
        )
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {
        key: np.array(points, np.float32) for key, points in content["poses"].items()
    }
