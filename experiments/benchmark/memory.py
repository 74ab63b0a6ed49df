"""How much memory a training step takes, as the compiler plans it: nothing is run.

XLA knows before the first step what every array of a compiled program needs. So a step
that no memory here could hold is measured all the same. The plan is that of the backend
at hand: a GPU's differs in the scratch space of its convolutions.
"""

import functools
import itertools
import pathlib

import jax
from tqdm import tqdm

from experiments.benchmark.report import Report, Series
from experiments.train import training_steps
from pg2_jax import models, train_state, train_step

# (height, width), pairs per step.
_CASES = (((128, 64), 16), ((256, 176), 8), ((256, 256), 8), ((512, 352), 2))
_UNOPTIMIZED: dict[str, str | bool] = {"xla_backend_optimization_level": "0"}
_STAGES = {"stage I": train_step.coarse_step, "stage II": train_step.adversarial_step}


def measure(folder: pathlib.Path, *, scale: float, repeats: int) -> Report:
    """Compiles both stages of the paper's model, with and without --remat.

    Args:
        folder: not used.
        scale: of the networks' widths.
        repeats: not used: a plan is always the same.

    Returns:
        Bytes of one device that has the whole batch.
    """
    cases = list(itertools.product(_CASES, _STAGES, (False, True)))
    series = [
        Series(
            f"{size[0]}x{size[1]}, batch {batch_size}, {stage}{', remat' * remat}",
            [planned_bytes(size, batch_size, stage, scale, remat=remat) / 2**30],
            "GiB",
        )
        for (size, batch_size), stage, remat in tqdm(cases, desc="compiling")
    ]
    facts = {"backend": jax.default_backend(), "widths": scale}
    return Report(series, [], facts)


def planned_bytes(
    size: tuple[int, int],
    batch_size: int,
    stage: str,
    scale: float = 1.0,
    *,
    remat: bool = False,
    grad_accumulation: int = 1,
) -> int:
    """The most memory that a step takes: state, batch, and all between.

    Args:
        size: (height, width) of the images.
        batch_size: pairs on the device.
        stage: "stage I" or "stage II".
        scale: of the networks' widths.
        remat: as the flag.
        grad_accumulation: as the flag.
    """
    architecture = models.Architecture(
        image_height=size[0],
        image_width=size[1],
        base_channels=max(1, round(128 * scale)),
        discriminator_channels=max(1, round(64 * scale)),
        remat=remat,
    )
    optimizer = train_state.make_optimizer(2e-5)
    objective = train_step.Objective(
        optimizer=optimizer, seed=0, grad_accumulation=grad_accumulation
    )
    step = functools.partial(
        _STAGES[stage], architecture=architecture, objective=objective
    )
    create = functools.partial(train_state.create, architecture, optimizer, 0)
    photo = jax.ShapeDtypeStruct((batch_size, *size, 3), "uint8")
    points = jax.ShapeDtypeStruct((batch_size, 18, 3), "float32")
    batch = train_step.Batch(
        source_image=photo,
        target_image=photo,
        source_keypoints=points,
        target_keypoints=points,
    )
    lowered = jax.jit(step, donate_argnums=0).lower(jax.eval_shape(create), batch)
    # The level decides how fast the code runs, not what is kept.
    program = lowered.compile(_UNOPTIMIZED)
    return training_steps.planned_bytes(program) or 0
