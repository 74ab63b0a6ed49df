"""The authors' weights run here: networks, losses, gradients and training.

The numbers were computed with the authors' released TensorFlow code.
"""

import dataclasses
import os
import shutil

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import config as config_lib
from experiments import import_checkpoint as importer
from experiments import train
from pg2_jax import checkpoint, losses, pose, train_state, train_step

MODELS = ("market", "deepfashion")
NAMES = {"target": "target", "refined": "G2", "source": "condition", "coarse": "G1"}


class Golden:
    """One model of the authors, in our arrays."""

    def __init__(self, folder, name):
        self.data = np.load(folder / f"{name}.npz")
        self.trajectory = np.load(folder / f"trajectory_{name}.npz")
        self.prefix = str(folder / f"tf1_{name}" / "model.ckpt-0")
        self.variables = importer.read_variables(self.prefix)
        self.architecture = importer.architecture_of(self.variables, self.prefix)
        config = config_lib.Config(
            mode="import_checkpoint",
            workdir="w",
            tf1_checkpoint=self.prefix,
            flip=False,
        )
        self.config = importer.released_config(config, self.architecture)
        stride = slice(None, None, 3 if name == "deepfashion" else 1)
        self.stored = lambda image: image[:, stride, stride]
        self.suffix = "_s3" if name == "deepfashion" else ""

    def state(self, learning_rate=2e-5):
        return importer.state_of(self.variables, self.architecture, learning_rate)

    def objective(self, learning_rate=2e-5):
        objective = train._objective(self.config, stage_steps=0)
        optimizer = train_state.make_optimizer(learning_rate)
        return dataclasses.replace(objective, optimizer=optimizer)

    @property
    def batch(self):
        rows_columns = self.data["keypoints_target"]
        visible = ~np.isnan(rows_columns[..., :1])
        keypoints = np.nan_to_num(rows_columns[..., ::-1])
        keypoints = np.concatenate([keypoints, visible], -1).astype(np.float32)
        return train_step.Batch(
            source_image=self.data["x_uint8"],
            target_image=self.data["x_target_uint8"],
            source_keypoints=keypoints,
            target_keypoints=keypoints,
        )


@pytest.fixture(scope="module", params=MODELS)
def model(golden, request):
    return Golden(golden, request.param)


@pytest.fixture(scope="module")
def drawn(model):
    """Inputs, images and logits of the stored batch."""
    architecture, objective = model.architecture, model.objective()

    @jax.jit
    def draw(state, batch):
        inputs = train_step.prepare(batch, architecture)
        coarse = train_step.draw_coarse(
            state.coarse.params, inputs["source"], inputs["pose"], architecture
        )
        difference = train_step.draw_difference(
            state.refine.params, coarse, inputs["source"], architecture
        )
        refined = coarse + difference
        logits = train_step.judge(
            state.critic.params, coarse, refined, inputs, architecture, objective
        )
        return inputs, coarse, difference, refined, logits

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
    assert set(logits) >= {"target", "refined", "source"}
    for kind, values in logits.items():
        want = model.data[f"D_logits_{NAMES[kind]}"]
        np.testing.assert_allclose(values, want, atol=1e-4, err_msg=kind)


def test_losses_equal_the_authors(model, drawn):
    inputs, coarse, _, refined, logits = drawn
    objective = model.objective()
    got = {
        "g_loss1": losses.l1(coarse, inputs["target"], inputs["mask"]).mean(),
        "L1Loss2": losses.l1(refined, inputs["target"], inputs["mask"]).mean(),
        "g_loss2": train_step.refine_losses(logits, refined, inputs, objective)[0],
        "d_loss": train_step.critic_losses(logits, model.architecture)[0],
    }
    for name, value in got.items():
        np.testing.assert_allclose(value, model.data[name], rtol=1e-5, err_msg=name)


def gradient_norms(model, drawn, player):
    """Norm of the gradient of each of the authors' variables."""
    state, architecture, objective = (
        model.state(),
        model.architecture,
        model.objective(),
    )
    inputs, coarse, _, refined, _ = drawn

    def loss(params):
        if player == "coarse":
            image = train_step.draw_coarse(
                params, inputs["source"], inputs["pose"], architecture
            )
            return losses.l1(image, inputs["target"], inputs["mask"]).mean()
        critic, image = state.critic.params, refined
        if player == "refine":
            difference = train_step.draw_difference(
                params, coarse, inputs["source"], architecture
            )
            image = coarse + difference
        else:
            critic = params
        logits = train_step.judge(
            critic, coarse, image, inputs, architecture, objective
        )
        if player == "refine":
            return train_step.refine_losses(logits, image, inputs, objective)[0]
        return train_step.critic_losses(logits, architecture)[0]

    gradients = jax.jit(jax.grad(loss))(getattr(state, player).params)
    flat = flax.traverse_util.flatten_dict(gradients)
    names = importer.variable_names(architecture)
    return {names[(player, *p)]: float(jnp.linalg.norm(g)) for p, g in flat.items()}


@pytest.mark.parametrize(
    ("player", "loss"),
    [("coarse", "g_loss1"), ("refine", "g_loss2"), ("critic", "d_loss")],
)
def test_gradients_equal_the_authors(model, drawn, player, loss):
    got = gradient_norms(model, drawn, player)
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
            ("critic/loss", "stage2_d_loss_before_d"),
        )
    }
    steps = len(want["critic/loss"])
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
    generators = checkpoint.restore_generators(str(tmp_path))
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


def test_updates_are_read_from_the_beta_powers(golden):
    state = Golden(golden, "deepfashion").state()
    assert int(state.coarse.opt_state[0].count) == 3
    assert int(state.critic.opt_state[0].count) == 3
    assert int(state.step) == 6


@pytest.mark.parametrize("updates", [0, 1, 22_000, 38_000, 58_000])
def test_updates_of_long_runs(updates):
    """TensorFlow multiplies in float32, so the power drifts from the true one."""
    power = np.float32(0.999)
    for _ in range(updates):
        power *= np.float32(0.999)
    assert importer._updates({"beta2_power_1": power}, 1) == updates


def test_another_width_than_the_flags_say_is_refused(golden):
    model = Golden(golden, "market")
    config = dataclasses.replace(model.config, base_channels=32)
    with pytest.raises(
        ValueError, match=r"--base_channels=32 disagrees .* which has 8"
    ):
        importer.released_config(config, model.architecture)


def test_unknown_and_missing_variables_are_listed(golden):
    variables = dict(Golden(golden, "market").variables)
    del variables["UAEnoFC/G/Conv_3/biases"]
    variables["Extra/weights"] = np.zeros(1)
    with pytest.raises(ValueError) as error:
        importer.architecture_of(variables, "model.ckpt-0")
    assert "missing: UAEnoFC/G/Conv_3/biases\n" in str(error.value)
    assert "unknown: Extra/weights" in str(error.value)


def test_a_checkpoint_of_something_else_is_named(golden):
    with pytest.raises(ValueError, match=r"not of the released code: 'Pose_AE/G/Conv"):
        importer.architecture_of({"dense/kernel": np.zeros((2, 2))}, "model.ckpt-0")


def test_a_missing_or_truncated_checkpoint_is_named(golden, tmp_path):
    with pytest.raises(ValueError, match=r"there is no .*nothing.index; give the path"):
        importer.read_variables(str(tmp_path / "nothing"))
    source = golden / "tf1_market"
    for name in os.listdir(source):
        shutil.copy(source / name, tmp_path / name)
    data = tmp_path / "model.ckpt-0.data-00000-of-00001"
    data.chmod(0o644)
    with open(data, "r+b") as file:
        file.truncate(1000)
    with pytest.raises(ValueError, match=r"model\.ckpt-0 cannot be read"):
        importer.read_variables(str(tmp_path / "model.ckpt-0"))


def test_heat_maps_of_the_stored_poses_are_those_of_pose(golden):
    """The stored poses reach the networks through our own rendering."""
    model = Golden(golden, "market")
    maps = pose.heat_maps(model.batch["target_keypoints"], 128, 64)
    np.testing.assert_array_equal(2 * maps - 1, model.data["pose_target"])
