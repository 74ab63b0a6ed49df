"""Animations keep their time."""

import numpy as np
import pytest
from PIL import Image

from pg2_jax.inference import animation


def shown(path) -> list[int]:
    """Milliseconds of each frame, as a player reads them."""
    with Image.open(path) as file:
        durations = []
        for i in range(file.n_frames):
            file.seek(i)
            file.load()
            durations.append(int(file.info["duration"]))
        return durations


def frames(count: int) -> list[np.ndarray]:
    # Equal frames would be merged into one that lasts longer.
    return [np.full((4, 4, 3), 9 * i, np.uint8) for i in range(count)]


@pytest.mark.parametrize(
    ("per_second", "wanted"),
    [
        (8, [120, 130, 120, 130, 120, 130, 120, 130]),
        (30, [30, 40, 30, 30, 40, 30, 30, 40]),
        (50, [20] * 8),
    ],
)
def test_a_gif_spreads_what_it_rounds(per_second, wanted, tmp_path):
    path = tmp_path / "moving.gif"
    animation.write(path, frames(8), per_second)
    durations = shown(path)
    assert sum(durations) == sum(wanted) == round(800 / per_second) * 10
    assert sorted(durations) == sorted(wanted)


def test_webp_counts_in_milliseconds(tmp_path):
    path = tmp_path / "moving.webp"
    animation.write(path, frames(6), 60)
    assert sum(shown(path)) == 100


def test_more_than_a_gif_can_show_is_said(tmp_path):
    with pytest.warns(UserWarning, match="at most 50 frames a second, not 60"):
        animation.write(tmp_path / "fast.gif", frames(2), 60)
    # They end after 16.7 and 33.3 ms, to the next hundredth.
    assert shown(tmp_path / "fast.gif") == [20, 10]
