"""Our steps and generation on one batch, as the benchmark runs them."""

import functools
from typing import Any

import jax
import numpy as np

from pg2_jax import generation, inputs, models, train_state, train_step

LEARNING_RATE, L1_WEIGHT = 2e-5, 10.0


class Ours:
    """Our compiled programs on one batch."""

    def __init__(self, architecture: models.Architecture, batch_size: int):
        """Draws weights and a batch."""
        self.architecture = architecture
        optimizer = train_state.make_optimizer(LEARNING_RATE)
        create = functools.partial(train_state.create, architecture, optimizer, 0)
        self.state = jax.jit(
            create, compiler_options={"xla_backend_optimization_level": 0}
        )()
        self.batch = jax.device_put(_draw_batch(architecture, batch_size))
        options: dict[str, Any] = {
            "architecture": architecture,
            "objective": train_step.Objective(
                optimizer=optimizer, seed=0, flip=False, l1_weight=L1_WEIGHT
            ),
        }
        self._coarse, self._adversarial = (
            jax.jit(functools.partial(step, **options), donate_argnums=0)
            for step in (train_step.coarse_step, train_step.adversarial_step)
        )
        self._draw = jax.jit(
            functools.partial(generation.generate, architecture=architecture)
        )

    def coarse_step(self) -> float:
        """Stage I; returns G1's loss."""
        self.state, metrics = self._coarse(self.state, self.batch)
        jax.block_until_ready(self.state)
        return float(metrics["coarse/loss"])

    def adversarial_step(self) -> float:
        """Stage II; returns G2's loss."""
        self.state, metrics = self._adversarial(self.state, self.batch)
        jax.block_until_ready(self.state)
        return float(metrics["refine/loss"])

    def generate(self) -> jax.Array:
        """G2's images [B, H, W, 3] uint8."""
        drawn = self._draw(
            self.state.coarse.params,
            self.state.refine.params,
            self.batch["source_image"],
            self.batch["target_keypoints"],
        )
        return jax.block_until_ready(drawn["refined"])


def _draw_batch(architecture: models.Architecture, batch_size: int) -> inputs.Batch:
    rng = np.random.default_rng(0)
    size = architecture.image_height, architecture.image_width
    photos = rng.integers(0, 256, (2, batch_size, *size, 3)).astype(np.uint8)
    keypoints = np.ones((batch_size, 18, 3), np.float32)
    keypoints[..., :2] = rng.uniform(0, 1, (batch_size, 18, 2)) * size[::-1]
    return inputs.Batch(
        source_image=photos[0],
        target_image=photos[1],
        source_keypoints=keypoints,
        target_keypoints=keypoints,
    )
