"""What several tests of the programs share."""

import jax
import pytest

from pg2_jax import train_state
from pg2_jax.checkpoint import restore
from pg2_jax.inference import pose_transfer
from tests.experiments.tiny_run import make_config


@pytest.fixture(scope="session")
def demo_studio_of_tests():
    """A demo's studio with a tiny model, untrained, and 3 places to wait."""
    from experiments.demo import demo_studio

    config = make_config("unused", "unused", image_size="32x16").to_json()
    architecture = restore.architecture_of(config)
    create = jax.jit(
        lambda: train_state.create(architecture, train_state.make_optimizer(0.0), 0)
    )
    state = create()
    weights = state.coarse.params, state.refine.params
    generators = restore.Generators(4, architecture, config, *weights)
    model = pose_transfer.PoseTransfer(generators)
    return demo_studio.Studio(model, max_waiting=3, finder=None)
