"""Whether the device computes what a CPU does: images, logits, losses and gradients of
the paper's networks, from random weights and a random batch.

In full float32 the bounds are those of the tests that hold the networks to the
authors' numbers. TF32 rounds to 10 bits of precision and bfloat16 to 7; their bounds
were chosen to tell rounding from a mistake.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmark import jax_peer
from experiments.benchmark.accelerator.report import Report
from experiments.config import Config
from experiments.train import training_steps
from pg2_jax import generation, inputs, losses, train_step

_BATCH = 2
# By what is compared: how, and the bound in full float32, TF32 and bfloat16.
_BOUNDS = {
    "heat maps and mask": ("absolute", (0.0, 0.0, 0.0)),
    "image of G1": ("absolute", (1e-5, 5e-3, 5e-2)),
    "image of G2": ("absolute", (1e-5, 5e-3, 5e-2)),
    "logits of D": ("absolute", (1e-4, 5e-3, 5e-2)),
    "losses": ("relative", (1e-5, 1e-3, 1e-2)),
    "gradients of G1": ("norms", (5e-3, 5e-2, 2e-1)),
    "gradients of G2": ("norms", (5e-3, 5e-2, 2e-1)),
    "gradients of D": ("norms", (5e-3, 5e-2, 2e-1)),
}
_PRECISIONS = ("float32_highest", "float32", "bfloat16")


def measure(report: Report) -> None:
    """Compares the default device with a CPU in each precision."""
    size = report.settings.scale, report.settings.image_size, _BATCH
    config = jax_peer.config(*size)
    players = training_steps.first_state(config).players
    params = {name: player.params for name, player in players.items()}
    given = jax.device_get((params, jax_peer.random_batch(config)))
    cpu, device = jax.devices("cpu")[0], jax.devices()[0]
    wanted = _numbers(given, config, cpu)
    for place, precision in enumerate(_PRECISIONS):
        config = jax_peer.config(*size, precision)
        title = jax_peer.precision(config)
        highest = "highest" if precision == "float32_highest" else None
        with report.attempt(title), jax.default_matmul_precision(highest):
            found = _numbers(given, config, device)
            for name, (how, bounds) in _BOUNDS.items():
                largest = difference(found[name], wanted[name], how)
                values = jax.tree.leaves(wanted[name])
                row = {
                    "precision": title,
                    "of": name,
                    "measured": how,
                    "largest value": max(float(np.abs(x).max()) for x in values),
                    "difference": largest,
                    "bound": bounds[place],
                    "within": largest <= bounds[place],
                }
                table = f"Largest difference from {cpu.device_kind}, batch of {_BATCH}"
                report.row(table, row)


def difference(found: Any, wanted: Any, how: str) -> float:
    """The largest difference of two trees: absolute, relative, or of arrays' norms."""
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
    largest = 0.0
    for one, other in pairs:
        mine, its = (np.asarray(x, np.float64) for x in (one, other))
        if how == "norms":
            mine, its = (np.asarray(np.linalg.norm(x)) for x in (mine, its))
        apart = np.abs(mine - its)
        if how != "absolute":
            with np.errstate(divide="ignore", invalid="ignore"):
                # Two zeros are equal.
                apart = np.where(apart == 0, 0, apart / np.abs(its))
        # What is not a number is infinitely far away.
        largest = max(largest, float(np.where(np.isnan(apart), np.inf, apart).max()))
    return largest


def _numbers(given: Any, config: Config, device: jax.Device) -> dict[str, Any]:
    """What `_BOUNDS` names, computed on a device, as numpy."""
    program = jax.jit(functools.partial(_compute, config=config))
    return jax.device_get(program(*jax.device_put(given, device)))


def _compute(params: dict[str, Any], batch: Any, config: Config) -> dict[str, Any]:
    architecture = training_steps.architecture_of(config)
    objective = training_steps.objective(config, config.coarse_steps)
    seen = inputs.prepare(batch, architecture)
    source, pose, target = seen["source"], seen["pose"], seen["target"]

    def by_l1(own: Any) -> tuple[jax.Array, jax.Array]:
        image = generation.generate_coarse(own, source, pose, architecture)
        return losses.l1(image, target, seen["mask"]).mean(), image

    def against_d(own: Any) -> tuple[jax.Array, jax.Array]:
        image = generation.generate_refined(own, coarse, source, pose, architecture)
        given = (coarse, image, seen, architecture, objective)
        logits = train_step.judge(params["D"], *given)
        return train_step.generator_losses(logits, image, seen, objective)[0], image

    def of_d(own: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
        given = (coarse, refined, seen, architecture, objective)
        logits = train_step.judge(own, *given)
        return train_step.discriminator_losses(logits, architecture)[0], logits

    gradient = functools.partial(jax.value_and_grad, has_aux=True)
    (loss_of_g1, coarse), gradient_of_g1 = gradient(by_l1)(params["G1"])
    (loss_of_g2, refined), gradient_of_g2 = gradient(against_d)(params["G2"])
    (loss_of_d, logits), gradient_of_d = gradient(of_d)(params["D"])
    return {
        "heat maps and mask": (pose, seen["mask"]),
        "image of G1": coarse,
        "image of G2": refined,
        "logits of D": logits,
        "losses": jnp.stack([loss_of_g1, loss_of_g2, loss_of_d]),
        "gradients of G1": gradient_of_g1,
        "gradients of G2": gradient_of_g2,
        "gradients of D": _without_noise(gradient_of_d),
    }


def _without_noise(gradient: dict[str, Any]) -> dict[str, Any]:
    """The gradient of D without biases before a batch norm, whose gradient is zero."""
    normed = {name.replace("norm", "conv") for name in gradient if "norm" in name}
    return {
        name: {k: v for k, v in layer.items() if k != "bias" or name not in normed}
        for name, layer in gradient.items()
    }
