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
    """The poses of a set by name, float32 [18, 3] = (x, y, visible) of a figure of
    height 1, for `retarget`; of "catalogue" single ones, of others a sequence, in
    order, that begins again after its end. An unknown set is a ValueError."""
    if name not in NAMES:
        known = ", ".join(NAMES)
        raise ValueError(f"There is no set of poses {name!r}; there are {known}.")
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {key: np.array(x, np.float32) for key, x in content["poses"].items()}
