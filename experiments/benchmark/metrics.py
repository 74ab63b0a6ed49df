"""How fast pairs are scored, beside the usual loop over scikit-image, one pair after
the other in one process. Both compute the same, and take turns every few pairs."""

import functools
import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmark import measurement
from experiments.benchmark.measurement import Clocks, Measurement
from pg2_jax import pose
from pg2_jax.metrics import suite

_PAIRS = 12_000
HEIGHT, WIDTH = 128, 64
# The arrays of so many pairs fit a core's cache.
_BATCH_SIZE = 8
_PER_TURN = 60 * _BATCH_SIZE
NAMES = ("ssim_pg2", "ssim_gauss", "masked_ssim_pg2", "masked_ssim_gauss", "l1")
_GAUSS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}

# Generated and target [N, H, W, 3] uint8, mask [N, H, W, 1] uint8.
_Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


def measure(folder: pathlib.Path, *, scale: float, repeats: int) -> Measurement:
    """Scores random pairs, the same 480 again and again, in memory alone."""
    pairs = random_pairs(_PER_TURN)
    calls = {
        "pg2_jax": functools.partial(score, *pairs),
        "scikit-image loop": functools.partial(_scikit_image(), *pairs),
    }
    ours, loop = measurement.take_once(calls).values()
    difference = max(float(abs(ours[name] - loop[name]).max()) for name in NAMES)
    turns = max(1, round(scale * _PAIRS / _PER_TURN))
    times: dict[str, Clocks] = {name: ([], []) for name in calls}
    for _ in range(repeats):
        for name, (wall, cpu) in measurement.take_turns(calls, turns).items():
            times[name][0].append(sum(wall))
            times[name][1].append(sum(cpu))
    count = turns * _PER_TURN
    facts = {
        "pairs": count,
        "metrics": ", ".join(NAMES),
        "largest difference": difference,
    }
    return Measurement(measurement.compare(times, pairs=count), facts)


def random_pairs(count: int) -> _Pairs:
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
        bodies = {suite.TARGET: mask[here]}
        # Asynchronous: the next batch is sent while this one is scored.
        parts.append(_compute(generated[here], target[here], bodies, NAMES))
    scores = jax.device_get(parts)
    return {name: np.concatenate([part[name] for part in scores]) for name in NAMES}


_compute = jax.jit(suite.compute, static_argnums=3)


def _scikit_image() -> Callable[..., dict[str, np.ndarray]]:
    needed = "--what=metrics compares with scikit-image: pip install scikit-image"
    metrics = measurement.imported("skimage.metrics", needed)
    ssim = functools.partial(metrics.structural_similarity, channel_axis=2)

    def ssim_gauss(target: np.ndarray, generated: np.ndarray) -> float:
        data_range = float(generated.max()) - float(generated.min())
        return ssim(target, generated, data_range=data_range, **_GAUSS)

    def loop(
        generated: np.ndarray, target: np.ndarray, mask: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The scores [N] by metric, one pair after the other."""
        rows = []
        for g, t, m in zip(generated, target, mask, strict=True):
            bodies = t * m, g * m
            whole = ssim(t, g, data_range=255), ssim_gauss(t, g)
            body = ssim(*bodies, data_range=255), ssim_gauss(*bodies)
            rows.append((*whole, *body, np.abs(g.astype(np.float64) - t).mean()))
        return dict(zip(NAMES, np.array(rows).T, strict=True))

    return loop
