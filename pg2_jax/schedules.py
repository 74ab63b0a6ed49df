"""Learning rates over the updates of one stage."""

import optax


def learning_rate(
    peak: float,
    *,
    decay: str = "constant",
    stage_steps: int = 1,
    halve_every: int = 1,
    warmup_steps: int = 0,
) -> optax.ScalarOrSchedule:
    """The learning rate as a function of the finished updates of a stage.

    Args:
        peak: the rate after the warm-up.
        decay: constant (paper); cosine, falling to zero at the end of the stage; or
            halving, half as large again after every `halve_every` updates, which the
            released code computes and does not apply.
        stage_steps: updates of the stage, for the cosine.
        halve_every: updates until the rate is half as large.
        warmup_steps: updates over which the rate grows in equal steps, from
            peak / (warmup_steps + 1) at the first. The decay begins after them.

    Returns:
        A number where the rate never changes, else count of updates -> rate.
    """
    rate: optax.ScalarOrSchedule = peak
    if decay == "cosine":
        # Zero for what is left, should the warm-up fill the stage.
        left = max(1, stage_steps - warmup_steps)
        rate = optax.cosine_decay_schedule(peak, left)
    elif decay == "halving":
        rate = optax.exponential_decay(peak, halve_every, 0.5, staircase=True)
    if not warmup_steps:
        return rate
    after = rate if callable(rate) else optax.constant_schedule(rate)
    warmup = optax.linear_schedule(peak / (warmup_steps + 1), peak, warmup_steps)
    return optax.join_schedules([warmup, after], [warmup_steps])
