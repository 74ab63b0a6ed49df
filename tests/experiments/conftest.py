"""What tests of the programs leave out where it is not what they look at."""

from collections.abc import Iterator

import jax
import pytest

from experiments.train import training_steps
from pg2_jax import sharding
from pg2_jax.input_pipeline import reader_choice
from tests.pg2_jax import drawn_state


@pytest.fixture(scope="module", autouse=True)
def reader() -> Iterator[None]:
    """Where neither a flag nor the run says how to read, it is from memory: importing
    tensorflow takes each process ten seconds of a processor, and every reader of it
    builds a program for two more. In a file with another `reader` it is as for users.
    """
    choose = reader_choice.choose

    def without_tensorflow(reader: str, begun_with: str = "auto") -> str:
        nothing_said = reader == begun_with == "auto"
        return choose("memory" if nothing_said else reader, begun_with)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader_choice, "choose", without_tensorflow)
        yield


@pytest.fixture(scope="module", autouse=True)
def first_weights() -> Iterator[None]:
    """A run's first weights are drawn by numpy, in the place of a program that takes
    three seconds to compile for each architecture. In a file with another
    `first_weights` they are those of the seed, as processes of their own draw them."""

    def first_state(config):
        shapes = training_steps.state_shapes(config)
        state = drawn_state.like(shapes, seed=config.seed)
        return jax.device_put(state, sharding.replicated(sharding.data_mesh()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_steps, "first_state", first_state)
        yield
