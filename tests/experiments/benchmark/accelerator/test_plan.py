"""What each part is told, and how long it may take."""

import pytest

from experiments.benchmark.accelerator import plan, rates

FULL = plan.Settings(
    scale=1.0, image_size=(128, 64), repeats=3, folder="f", output="o", facts={}
)


def settings(folder="f", output="o", scale=0.06, facts=None):
    return plan.Settings(
        scale=scale,
        image_size=(32, 16),
        repeats=2,
        folder=str(folder),
        output=str(output),
        facts=facts or {},
    )


def test_what_a_part_leaves_goes_to_those_after_it():
    assert sum(share for _, share in plan.PARTS.values()) == pytest.approx(1)
    assert plan.limit("machine", 600) == pytest.approx(24)
    # Of all that is left, 0.16 of 0.96.
    assert plan.limit("equality", 480) == pytest.approx(80)
    assert plan.limit("training", 100) == pytest.approx(100)
    assert plan.limit("ceilings", 0) == 0


def test_the_full_work_is_the_papers():
    assert (FULL.batch_size, FULL.steps_per_call, FULL.scaled(128)) == (16, 20, 128)
    assert (FULL.large_size, FULL.large_batch_size) == ((256, 256), 8)
    assert not FULL.is_rehearsal and FULL.least_seconds == 0.5
    small = settings()
    assert (small.batch_size, small.steps_per_call, small.scaled(128)) == (2, 2, 8)
    assert (small.large_size, small.large_batch_size) == ((64, 64), 2)
    assert small.is_rehearsal


def test_settings_survive_json():
    stored = {**vars(FULL), "image_size": [128, 64]}
    assert plan.Settings.of(stored) == FULL


@pytest.mark.parametrize(
    ("run", "channels", "stages"),
    [("paper", 128, "two_stage"), ("pg2plus", 64, "one_network")],
)
def test_the_trainings_are_those_of_the_flagfiles(run, channels, stages):
    words = plan.flags(FULL, run, precision="float32", steps_per_call=20)
    config = plan.config(words)
    assert (config.base_channels, config.discriminator_channels) == (channels, 64)
    assert (config.stages, config.precision) == (stages, "float32")
    assert (config.image_size, config.batch_size) == ("128x64", 16)
    assert (config.coarse_steps, config.refine_steps) == (22_000, 14_000)
    assert (config.steps_per_call, config.picture_every) == (20, 0)


def test_a_projected_schedule():
    # 22,000 steps of 10 ms and 14,000 of 20: 500 s; half the pairs take twice as many.
    row = rates.schedule("Market-1501", (0.01, 0.02), 16, precision="TF32")
    assert row["minutes"] == pytest.approx(500 / 60) and row["reached"] is True
    assert (row["goal"], row["precision"]) == (10, "TF32")
    row = rates.schedule("Market-1501", (0.01, 0.02), 8)
    assert row["minutes"] == pytest.approx(1000 / 60) and row["reached"] is False
    row = rates.schedule("DeepFashion", (0.03, 0.06), 8)
    assert row["schedule"] == "DeepFashion, 30,000 + 20,000 steps of 8"
    assert row["minutes"] == pytest.approx(35) and row["goal"] == 60
