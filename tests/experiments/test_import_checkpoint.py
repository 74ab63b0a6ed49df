"""The authors' weights run here: networks, losses, gradients and training.

The numbers were computed with the authors' released TensorFlow code. Those of the
128x64 model are in every clone (authors_market.py), those of the 256x256 model are not.
"""

import dataclasses
import pathlib
import shutil

import flax.traverse_util
import jax
import numpy as np
import pytest

from experiments import config as config_lib
from experiments import import_checkpoint as importer
from experiments.train import training_steps
from pg2_jax import generation, losses, pose, train_state, train_step
from pg2_jax import inputs as inputs_lib
from pg2_jax.checkpoint import restore
from tests.experiments import authors_market

MODELS = ("market", pytest.param("deepfashion", marks=pytest.mark.slow))
NAMES = {"target": "target", "generated": "G2", "source": "condition", "coarse": "G1"}


class Golden:
    """One model of the authors, in our arrays."""

    suffix = "_s3"  # of images, stored on every third row and column

    def __init__(self, data, trajectory, prefix):
        self.data = data
        self.trajectory = trajectory
        self.prefix = prefix
        self.variables = importer.read_variables(self.prefix)
        self.architecture = importer.architecture_of(self.variables, self.prefix)
        config = config_lib.Config(
            mode="import_checkpoint",
            workdir="w",
            tf1_checkpoint=self.prefix,
            flip=False,
        )
        self.config = importer.released_config(config, self.architecture)

    def stored(self, image):
        return image[:, ::3, ::3]

    def state(self, learning_rate=2e-5):
        return importer.state_of(self.variables, self.architecture, learning_rate)

    def objective(self, learning_rate=2e-5):
        objective = training_steps.objective(self.config, stage_steps=0)
        optimizer = train_state.make_optimizer(learning_rate)
        return dataclasses.replace(
            objective, optimizer=optimizer, discriminator_optimizer=optimizer
        )

    @property
    def batch(self):
        rows_columns = self.data["keypoints_target"]
        visible = ~np.isnan(rows_columns[..., :1])
        keypoints = np.nan_to_num(rows_columns[..., ::-1])
        keypoints = np.concatenate([keypoints, visible], -1).astype(np.float32)
        return inputs_lib.Batch(
            source_image=self.data["x_uint8"],
            target_image=self.data["x_target_uint8"],
            source_keypoints=keypoints,
            target_keypoints=keypoints,
        )


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """The 128x64 model, before any update, and without Adam's slots."""
    prefix = str(tmp_path_factory.mktemp("market") / "model.ckpt-0")
    data = authors_market.load()
    authors_market.write_checkpoint(authors_market.variables(data), prefix)
    return Golden(data, data, prefix)


@pytest.fixture(scope="module")
def deepfashion(golden):
    """The 256x256 model, after three updates of each network."""
    return Golden(
        np.load(golden / "deepfashion.npz"),
        np.load(golden / "trajectory_deepfashion.npz"),
        str(golden / "tf1_deepfashion" / "model.ckpt-0"),
    )


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def drawn(model):
    """Inputs, images and logits of the stored batch."""
    architecture, objective = model.architecture, model.objective()

    @jax.jit
    def draw(state, batch):
        inputs = inputs_lib.prepare(batch, architecture)
        coarse = generation.generate_coarse(
            state.coarse.params, inputs["source"], inputs["pose"], architecture
        )
        refined = generation.generate_refined(
            state.refine.params, coarse, inputs["source"], inputs["pose"], architecture
        )
        logits = train_step.judge(
            state.discriminator.params, coarse, refined, inputs, architecture, objective
        )
        return inputs, coarse, refined - coarse, refined, logits

    return draw(model.state(), model.batch)


@pytest.fixture(scope="module")
def compiled_steps(model):
    """Both steps with the learning rate as an argument: one compilation for all."""

    def compiled(step):
        return jax.jit(
            lambda state, batch, rate: step(
                state,
                batch,
                architecture=model.architecture,
                objective=model.objective(rate),
            )
        )

    return compiled(train_step.coarse_step), compiled(train_step.adversarial_step)


def test_the_copy_in_every_clone_is_that_of_the_authors(golden):
    copy, want = authors_market.load(), authors_market.reduced(golden)
    want["G2_s3"] = np.load(golden / "market.npz")["G2"][:, ::3, ::3]
    assert set(copy) == set(want)
    for name, value in want.items():
        np.testing.assert_array_equal(copy[name], value, err_msg=name)
    saved = importer.read_variables(str(golden / "tf1_market" / "model.ckpt-0"))
    for name, value in authors_market.variables(copy).items():
        np.testing.assert_array_equal(value, saved[name], err_msg=name)


def test_other_random_numbers_than_the_authors_are_named(monkeypatch):
    monkeypatch.setattr(authors_market, "SEED", 124)
    with pytest.raises(ValueError, match="Pose_AE/G/Conv/weights has norm and sum"):
        authors_market.variables(authors_market.load())


def test_inputs_equal_the_authors(model, drawn):
    inputs = drawn[0]
    np.testing.assert_array_equal(inputs["pose"], model.data["pose_target"])
    np.testing.assert_array_equal(inputs["mask"], model.data["mask_target"])
    want = (model.data["x_uint8"] - 127.5) / 127.5
    np.testing.assert_allclose(inputs["source"], want, atol=1e-6)


def test_images_and_logits_equal_the_authors(model, drawn):
    _, coarse, difference, refined, logits = drawn
    for name, image in (("G1", coarse), ("DiffMap", difference), ("G2", refined)):
        want = model.data[name + model.suffix]
        np.testing.assert_allclose(model.stored(image), want, atol=1e-5, err_msg=name)
    assert set(logits) >= {"target", "generated", "source"}
    for kind, values in logits.items():
        want = model.data[f"D_logits_{NAMES[kind]}"]
        np.testing.assert_allclose(values, want, atol=1e-4, err_msg=kind)


def test_losses_equal_the_authors(model, drawn):
    inputs, coarse, _, refined, logits = drawn
    objective = model.objective()
    target, mask = inputs["target"], inputs["mask"]
    got = {
        "g_loss1": losses.l1(coarse, target, mask).mean(),
        "L1Loss2": losses.l1(refined, target, mask).mean(),
        "g_loss2": train_step.generator_losses(logits, refined, inputs, objective)[0],
        "d_loss": train_step.discriminator_losses(logits, model.architecture)[0],
    }
    for name, image in (("PoseMaskLoss1", coarse), ("PoseMaskLoss2", refined)):
        plain = losses.l1(image, target, jax.numpy.zeros_like(mask))
        on_body = losses.l1(image, target, mask) - plain
        got[name] = on_body.mean()
    for name, value in got.items():
        np.testing.assert_allclose(value, model.data[name], rtol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def gradients(model, compiled_steps):
    """Those of each player on the stored batch: what Adam's first moment, which
    remembers half, takes in at steps that move nothing."""
    before = model.state()
    stages = [step(before, model.batch, 0.0)[0] for step in compiled_steps]
    after = {
        "coarse": stages[0].coarse,
        "refine": stages[1].refine,
        "discriminator": stages[1].discriminator,
    }

    def first_moment(player):
        return player.opt_state[0].mu

    return {
        name: jax.tree.map(
            lambda new, old: 2 * new - old,
            first_moment(player),
            first_moment(getattr(before, name)),
        )
        for name, player in after.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("player", "loss"),
    [("coarse", "g_loss1"), ("refine", "g_loss2"), ("discriminator", "d_loss")],
)
def test_gradients_equal_the_authors(model, gradients, player, loss):
    flat = flax.traverse_util.flatten_dict(gradients[player])
    ours = importer.variable_names(model.architecture)
    got = {ours[(player, *p)]: np.linalg.norm(g) for p, g in flat.items()}
    names = model.data[f"grad_{loss}_names"].tolist()
    want = dict(zip(names, model.data[f"grad_{loss}_norms"], strict=True))
    assert set(got) == set(want)
    compared = [n for n in want if not is_bias_before_norm(n)]
    np.testing.assert_allclose(
        [got[n] for n in compared], [want[n] for n in compared], rtol=5e-3
    )


def is_bias_before_norm(name):
    """Their true gradient is zero; what is stored is rounding noise."""
    return name.endswith(".Biases") and not name.startswith("Discriminator.1/")


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "tolerance"), [("2e-5", 1e-4), ("1e-4", 2e-3)])
def test_training_follows_the_authors(model, compiled_steps, rate, tolerance):
    """Stage I, then alternating updates, Adam's memory included, at every step."""
    state = model.state(float(rate))
    coarse_step, adversarial_step = compiled_steps
    want = {
        name: model.trajectory[f"lr{rate}_{key}"]
        for name, key in (
            ("coarse/loss", "stage1_g_loss1"),
            ("refine/loss", "stage2_g_loss2_before_g"),
            ("discriminator/loss", "stage2_d_loss_before_d"),
        )
    }
    steps = len(want["discriminator/loss"])
    got = {name: [] for name in want}
    for step in range(2 * steps):
        take_step = coarse_step if step < steps else adversarial_step
        state, metrics = take_step(state, model.batch, float(rate))
        for name in got.keys() & metrics.keys():
            got[name].append(metrics[name])
    for name, values in got.items():
        np.testing.assert_allclose(values, want[name][:steps], rtol=tolerance)


def test_an_imported_run_is_a_run(model, tmp_path):
    config = dataclasses.replace(model.config, workdir=str(tmp_path))
    importer.import_checkpoint(config)
    generators = restore.restore_generators(str(tmp_path))
    state = model.state()
    assert generators.step == int(state.step)
    assert generators.architecture == model.architecture
    for tree, want in (
        (generators.coarse, state.coarse.params),
        (generators.refine, state.refine.params),
    ):
        jax.tree.map(np.testing.assert_array_equal, tree, want)
    with pytest.raises(ValueError, match="already holds a run"):
        importer.import_checkpoint(config)


def test_adam_slots_go_to_their_weights(market):
    slots = {f"{n}/Adam": 2 * value for n, value in market.variables.items()}
    slots |= {f"{n}/Adam_1": value**2 for n, value in market.variables.items()}
    counts = {"beta2_power": 3, "beta2_power_1": 2, "beta2_power_2": 2}
    powers = {name: np.float32(0.999) ** (n + 1) for name, n in counts.items()}
    variables = market.variables | slots | powers
    architecture = importer.architecture_of(variables, "model.ckpt-0")
    state = importer.state_of(variables, architecture, 2e-5)
    for player, updates in (
        (state.coarse, 3),
        (state.refine, 2),
        (state.discriminator, 2),
    ):
        adam = player.opt_state[0]
        assert int(adam.count) == updates
        for moment, want in ((adam.mu, lambda w: 2 * w), (adam.nu, lambda w: w**2)):
            wanted = jax.tree.map(want, player.params)
            jax.tree.map(np.testing.assert_array_equal, moment, wanted)
    assert int(state.step) == 5


def test_updates_are_read_from_the_beta_powers(deepfashion):
    state = deepfashion.state()
    assert int(state.coarse.opt_state[0].count) == 3
    assert int(state.discriminator.opt_state[0].count) == 3
    assert int(state.step) == 6


@pytest.mark.parametrize("updates", [0, 1, 22_000, 38_000, 58_000])
def test_updates_of_long_runs(updates):
    """TensorFlow multiplies in float32, so the power drifts from the true one."""
    power = np.float32(0.999)
    for _ in range(updates):
        power *= np.float32(0.999)
    assert importer._updates({"beta2_power_1": power}, 1) == updates


def test_another_width_than_the_flags_say_is_refused(market):
    config = dataclasses.replace(market.config, base_channels=32)
    with pytest.raises(
        ValueError, match=r"--base_channels=32 disagrees .* which has 8"
    ):
        importer.released_config(config, market.architecture)


def test_unknown_and_missing_variables_are_listed(market):
    variables = dict(market.variables)
    del variables["UAEnoFC/G/Conv_3/biases"]
    variables["Extra/weights"] = np.zeros(1)
    variables |= {"step": np.int32(0), "Discriminator.BN2.moving_mean": np.zeros(16)}
    with pytest.raises(ValueError) as error:
        importer.architecture_of(variables, "model.ckpt-0")
    assert str(error.value).splitlines()[1:] == [
        "  missing: UAEnoFC/G/Conv_3/biases",
        "  unknown: Extra/weights",
    ]


def test_a_checkpoint_of_something_else_is_named():
    with pytest.raises(ValueError, match=r"not of the released code: 'Pose_AE/G/Conv"):
        importer.architecture_of({"dense/kernel": np.zeros((2, 2))}, "model.ckpt-0")


def test_a_missing_or_truncated_checkpoint_is_named(market, tmp_path):
    with pytest.raises(ValueError, match=r"there is no .*nothing.index; give the path"):
        importer.read_variables(str(tmp_path / "nothing"))
    shutil.copytree(pathlib.Path(market.prefix).parent, tmp_path, dirs_exist_ok=True)
    data = tmp_path / "model.ckpt-0.data-00000-of-00001"
    with open(data, "r+b") as file:
        file.truncate(1000)
    with pytest.raises(ValueError, match=r"model\.ckpt-0 cannot be read"):
        importer.read_variables(str(tmp_path / "model.ckpt-0"))


def test_heat_maps_of_the_stored_poses_are_those_of_pose(market):
    """The stored poses reach the networks through our own rendering."""
    maps = pose.heat_maps(market.batch["target_keypoints"], 128, 64)
    np.testing.assert_array_equal(2 * maps - 1, market.data["pose_target"])
