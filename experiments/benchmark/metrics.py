"""How fast pairs are scored, beside the usual loop over scikit-image.

Both compute the same numbers of the same pairs on the same machine: ssim_pg2 and
ssim_gauss of the whole image and of the body on black, and L1. The loop is what the
field's programs do, one pair after the other in one process. They take turns after
every few pairs, because the speed of a machine changes while others use it.
"""

import pathlib
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from experiments.benchmark.report import Goal, Report, Series
from pg2_jax import pose
from pg2_jax.metrics import suite

_PAIRS = 12_000
HEIGHT, WIDTH = 128, 64
# The arrays of so many pairs fit a core's cache.
_BATCH_SIZE = 8
_PER_TURN = 60 * _BATCH_SIZE
NAMES = ("ssim_pg2", "ssim_gauss", "masked_ssim_pg2", "masked_ssim_gauss", "l1")
_GAUSS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}

# Generated and target [N, H, W, 3] uint8, mask [N, H, W, 1] uint8 -> [N] by name.
_Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
_Program = Callable[..., dict[str, np.ndarray]]


def measure(folder: pathlib.Path, *, scale: float, repeats: int) -> Report:
    """Scores random pairs with scikit-image and with pg2_jax, in turns.

    Args:
        folder: not used, all is in memory.
        scale: 1 for 12,000 pairs, in proportion for others; the same 480 again and
            again.
        repeats: how often each is measured.

    Returns:
        Rates, their ratio, and the largest difference of a score.

    Raises:
        ValueError: scikit-image is not installed.
    """
    pairs = draw_pairs(_PER_TURN)
    programs: dict[str, _Program] = {
        "pg2_jax": score,
        "scikit-image loop": _scikit_image(),
    }
    # The first turn pays for compiling.
    scores = [program(*pairs) for program in programs.values()]
    difference = max(float(abs(scores[0][n] - scores[1][n]).max()) for n in NAMES)
    turns = max(1, round(scale * _PAIRS / _PER_TURN))
    wall: dict[str, list[float]] = {name: [] for name in programs}
    cpu: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(repeats):
        seconds = _take_turns(programs, pairs, turns)
        for name, (elapsed, used) in seconds.items():
            wall[name].append(turns * len(pairs[0]) / elapsed)
            cpu[name].append(turns * len(pairs[0]) / used)
    ours, loop = (Series(name, rates, "pairs/s") for name, rates in wall.items())
    per_cpu = [Series(name, rates, "pairs/s") for name, rates in cpu.items()]
    ratio = ours.over(loop, "pg2_jax / scikit-image loop")
    series = [ours, loop, ratio, per_cpu[0].over(per_cpu[1], "the same by CPU time")]
    goal = Goal("10 times as fast as the loop", ratio.median, 10, at_most=False)
    facts = {
        "pairs": turns * len(pairs[0]),
        "metrics": ", ".join(NAMES),
        "largest difference": difference,
    }
    return Report(series, [goal], facts)


def draw_pairs(count: int) -> _Pairs:
    """Random targets, generated images near them, and body masks of random poses."""
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (count, HEIGHT // 8, WIDTH // 8, 3))
    target = patches.repeat(8, axis=1).repeat(8, axis=2)
    target = np.clip(target + rng.normal(0, 12, target.shape), 0, 255)
    generated = np.clip(target + rng.normal(0, 25, target.shape), 0, 255)
    keypoints = np.ones((count, 18, 3), np.float32)
    keypoints[..., :2] = rng.uniform(0, 1, (count, 18, 2)) * (WIDTH, HEIGHT)
    mask = np.asarray(pose.body_mask(jnp.asarray(keypoints), HEIGHT, WIDTH))
    return generated.astype(np.uint8), target.astype(np.uint8), mask.astype(np.uint8)


def score(
    generated: np.ndarray, target: np.ndarray, mask: np.ndarray
) -> dict[str, np.ndarray]:
    """All of `NAMES` with pg2_jax, in batches of one compiled function."""
    parts = []
    for first in range(0, len(target), _BATCH_SIZE):
        here = slice(first, first + _BATCH_SIZE)
        # Asynchronous: the next batch is sent while this one is scored.
        parts.append(_score_batch(generated[here], target[here], mask[here]))
    found = jax.device_get(parts)
    return {name: np.concatenate([part[name] for part in found]) for name in NAMES}


@jax.jit
def _score_batch(
    generated: jax.Array, target: jax.Array, mask: jax.Array
) -> dict[str, jax.Array]:
    return suite.compute(generated, target, {suite.TARGET: mask}, NAMES)


def _scikit_image() -> _Program:
    """The usual loop.

    Raises:
        ValueError: scikit-image is not installed.
    """
    try:
        from skimage import metrics
    except ImportError as error:
        raise ValueError(
            "--what=metrics compares with scikit-image: pip install scikit-image"
        ) from error

    def ssim_pg2(generated: np.ndarray, target: np.ndarray) -> float:
        return metrics.structural_similarity(
            target, generated, channel_axis=2, data_range=255
        )

    def ssim_gauss(generated: np.ndarray, target: np.ndarray) -> float:
        data_range = float(generated.max()) - float(generated.min())
        return metrics.structural_similarity(
            target, generated, channel_axis=2, data_range=data_range, **_GAUSS
        )

    def loop(
        generated: np.ndarray, target: np.ndarray, mask: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The scores [N] by metric, one pair after the other."""
        rows = []
        for g, t, m in zip(generated, target, mask, strict=True):
            bodies = g * m, t * m
            whole = ssim_pg2(g, t), ssim_gauss(g, t)
            l1 = np.abs(g.astype(np.float64) - t).mean()
            rows.append((*whole, ssim_pg2(*bodies), ssim_gauss(*bodies), l1))
        return dict(zip(NAMES, np.array(rows).T, strict=True))

    return loop


def _take_turns(
    programs: dict[str, _Program], pairs: _Pairs, turns: int
) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds of each program over all its turns."""
    seconds = {name: (0.0, 0.0) for name in programs}
    for _ in tqdm(range(turns), desc="scoring", unit="turn"):
        for name, program in programs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            program(*pairs)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            seconds[name] = seconds[name][0] + wall, seconds[name][1] + cpu
    return seconds
