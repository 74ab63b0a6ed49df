"""Sizes of the networks, and properties that a wrong layer would break."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import layers, models, train_state
from pg2_jax.architecture import Architecture

RELEASED = {
    "refine_decoder": "constant",
    "discriminator_input": "triplet",
    "heat_map_range": "minus_one_one",
}


def parameter_counts(architecture):
    optimizer = train_state.make_optimizer(1e-3)
    state = jax.eval_shape(lambda: train_state.create(architecture, optimizer, 0))
    return [
        sum(x.size for x in jax.tree.leaves(player.params))
        for player in (state.coarse, state.refine, state.discriminator)
    ]


@pytest.mark.parametrize(
    ("size", "base_channels", "want"),
    [
        ((128, 64), 128, [70_795_075, 6_058_883, 4_324_737]),
        ((256, 256), 128, [122_103_235, 12_696_067, 10_896_257]),
        ((128, 64), 64, [18_104_259, 1_518_019, 4_324_737]),
        ((256, 256), 64, [31_458_051, 3_177_731, 10_896_257]),
    ],
)
def test_parameter_counts_of_the_released_networks(size, base_channels, want):
    architecture = Architecture(
        image_height=size[0],
        image_width=size[1],
        base_channels=base_channels,
        refine_full_skip=size[0] == 256,
        **RELEASED,
    )
    assert parameter_counts(architecture) == want


def conv_parameters(inputs, outputs, side=3):
    return side * side * inputs * outputs + outputs


def test_parameter_counts_of_the_paper_form():
    """G2's symmetric decoder and D's pairs, counted by hand for widths 4 and 8."""
    architecture = Architecture(
        image_height=64, image_width=32, base_channels=4, discriminator_channels=4
    )
    encoder = [(6, 4), (4, 4), (4, 4), (4, 4), (4, 8), (8, 8)]
    decoder = [(16, 8), (8, 8), (12, 4), (4, 4), (4, 3)]
    refine = sum(conv_parameters(*pair) for pair in encoder + decoder)
    discriminator = sum(
        conv_parameters(*pair, side=5) for pair in [(6, 4), (4, 8), (8, 16)]
    )
    norms, logit = 2 * (8 + 16), 8 * 4 * 16 + 1
    _, got_refine, got_discriminator = parameter_counts(architecture)
    assert got_refine == refine
    assert got_discriminator == discriminator + norms + logit


@pytest.mark.parametrize(
    "size", [(32, 16), (64, 64), (96, 48), (256, 176), (512, 352), (100, 37)]
)
def test_every_network_accepts_any_size(size):
    architecture = Architecture(
        image_height=size[0],
        image_width=size[1],
        base_channels=2,
        bottleneck_size=2,
        discriminator_channels=2,
    )
    coarse = models.CoarseGenerator(architecture)
    refine = models.RefinementGenerator(architecture)
    image, pose = jnp.zeros((2, *size, 3)), jnp.zeros((2, *size, 18))
    key = jax.random.key(0)
    drawn = jax.eval_shape(coarse.init_with_output, key, image, pose)[0]
    assert drawn.shape == (2, *size, 3)
    drawn = jax.eval_shape(refine.init_with_output, key, image, image)[0]
    assert drawn.shape == (2, *size, 3)
    discriminator = models.Discriminator(architecture)
    logits = jax.eval_shape(discriminator.init_with_output, key, image)[0]
    assert logits.shape == (2,)


@pytest.mark.parametrize(
    ("size", "rule"),
    [
        ((16, 16), "height must be at least 32"),
    ],
)
def test_other_sizes_are_refused(size, rule):
    with pytest.raises(ValueError, match=rule):
        Architecture(image_height=size[0], image_width=size[1])


def initial(network, *arrays):
    """Its first weights, compiled: eagerly each operation is compiled for itself."""
    return jax.jit(network.init)(jax.random.key(0), *arrays)["params"]


def test_initial_weights_have_the_authors_ranges():
    architecture = Architecture(
        image_height=32, image_width=16, discriminator_channels=8
    )
    network = models.Discriminator(architecture)
    params = initial(network, jnp.zeros((1, 32, 16, 3)))
    kernel = np.asarray(params["conv1"]["kernel"])
    assert 0.033 < np.abs(kernel).max() <= 0.02 * 3**0.5
    assert abs(kernel.std() - 0.02) < 1e-3
    block = layers.ConvBlock(features=8, precision="float32")
    params = initial(block, jnp.zeros((1, 8, 8, 8)))
    bound = (6 / (9 * 8 + 9 * 8)) ** 0.5
    assert 0.95 * bound < np.abs(params["conv0"]["kernel"]).max() <= bound
    assert not np.any(params["conv0"]["bias"])


def test_batch_norm_uses_the_statistics_of_the_batch():
    x = np.random.default_rng(0).normal(3.0, 2.0, (4, 3, 2, 5)).astype(np.float32)
    norm = layers.BatchNorm()
    params = {"scale": jnp.full(5, 2.0), "offset": jnp.full(5, 1.0)}
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    want = 2 * (x - mean) / np.sqrt(variance + 1e-5) + 1
    got = norm.apply({"params": params}, x)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_upsample_repeats_pixels():
    x = np.arange(2 * 2 * 3 * 1).reshape(2, 2, 3, 1)
    want = x.repeat(2, axis=1).repeat(2, axis=2)
    for height, width in ((4, 6), (3, 6), (4, 5), (3, 5)):
        like = jnp.zeros((2, height, width, 7))
        np.testing.assert_array_equal(
            layers.upsample(jnp.array(x), like), want[:, :height, :width]
        )


def test_a_1x1_convolution_commutes_with_upsampling():
    """Why G1 may narrow before it enlarges, where the paper enlarges first."""
    rng = np.random.default_rng(1)
    x = jnp.array(rng.normal(size=(1, 4, 4, 6)), jnp.float32)
    conv = models.nn.Conv(3, (1, 1))
    params = conv.init(jax.random.key(2), x)
    like = jnp.zeros((1, 8, 8, 1))
    before = layers.upsample(jax.nn.relu(conv.apply(params, x)), like)
    after = jax.nn.relu(conv.apply(params, layers.upsample(x, like)))
    np.testing.assert_allclose(before, after, atol=1e-6)


def small(**changes):
    return Architecture(
        image_height=32,
        image_width=16,
        base_channels=4,
        bottleneck_size=5,
        discriminator_channels=4,
        **changes,
    )


def coarse_parameters(**changes):
    optimizer = train_state.make_optimizer(1e-3)
    architecture = small(stages="coarse", **changes)
    state = jax.eval_shape(lambda: train_state.create(architecture, optimizer, 0))
    assert state.refine is None and state.discriminator is None
    return sum(x.size for x in jax.tree.leaves(state.coarse.params))


def test_parameter_counts_of_the_pose_embeddings():
    """At 32x16 with widths 4, 8, 12 the code meets 8x4x4 values at the bottleneck."""
    heat_map = coarse_parameters()
    without_pose = heat_map - 9 * 18 * 4
    feature_into_decoder = 5 * (8 * 4 * 4)
    layers = (54 * 5 + 5) + (5 * 5 + 5)
    assert (
        coarse_parameters(pose_embedding="coordinate")
        == without_pose + layers + feature_into_decoder
    )
    blocks = [(18, 4), (4, 4), (4, 4), (4, 8), (8, 8), (8, 8), (8, 12), (12, 12)]
    encoder = sum(conv_parameters(*pair) for pair in [*blocks, (12, 12)])
    to_code = 8 * 4 * 12 * 5 + 5
    assert (
        coarse_parameters(pose_embedding="encoder")
        == without_pose + encoder + to_code + feature_into_decoder
    )
    assert coarse_parameters(pose_embedding="view") == without_pose + 3 * (8 * 4 * 4)


def test_parameter_counts_of_the_reviewers_ablations():
    assert coarse_parameters(coarse_block="plain") == coarse_parameters()
    refine = models.RefinementGenerator(small())
    inputs = [jnp.zeros((1, 32, 16, channels)) for channels in (3, 18)]
    shapes = jax.eval_shape(refine.init, jax.random.key(0), *inputs)
    assert coarse_parameters(coarse_network="refinement") == sum(
        x.size for x in jax.tree.leaves(shapes)
    )


def test_a_plain_block_is_a_residual_block_without_the_identity():
    x = jnp.array(np.random.default_rng(2).normal(size=(1, 4, 4, 6)), jnp.float32)
    plain = layers.ConvBlock(6, "float32")
    params = initial(plain, x)
    residual = jax.jit(layers.ResidualBlock(6, "float32").apply)
    got = residual({"params": {"convolutions": params}}, x)
    want = x + jax.jit(plain.apply)({"params": params}, x)
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"coarse_network": "refinement", "pose_embedding": "encoder"},
            "pose_embedding=encoder joins .* coarse_network=refinement",
        ),
        (
            {"refine_sees_pose": True, "pose_embedding": "view"},
            "refine_sees_pose=True gives G2 the heat maps.* pose_embedding=view",
        ),
        (
            {"coarse_network": "part_transfer", "pose_embedding": "view"},
            "pose_embedding=view joins .* coarse_network=part_transfer",
        ),
        (
            {"discriminator": "patch", "stages": "one_network"},
            "^discriminator=patch needs coarse_network=part_transfer and stages=one_ne",
        ),
        (
            {"discriminator": "patch", "coarse_network": "part_transfer"},
            "^discriminator=patch needs coarse_network=part_transfer and stages=one_ne",
        ),
        (
            {"stages": "one-network"},
            "stages=one-network must be one of two_stage, one_stage, coarse, one_net",
        ),
        (
            {"pose_embedding": "coordinates"},
            "pose_embedding=coordinates must be one of heatmap, coordinate, ",
        ),
    ],
)
def test_variants_that_exclude_each_other(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)
