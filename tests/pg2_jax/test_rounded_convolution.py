"""A GPU's last convolution beside XLA's own, on numbers rounded to bfloat16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import layers, models
from pg2_jax.architecture import Architecture


def plain(x, kernel):
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=numbers, precision="highest"
    )


def ours(x, kernel):
    return layers.rounded_convolution(x, kernel, (1, 1), "SAME")


def value_and_gradients(convolve, x, kernel, dy):
    y, pull_back = jax.vjp(convolve, x, kernel)
    return y, *pull_back(dy)


def arrays(size):
    rng = np.random.default_rng(0)
    shapes = (2, 6, 5, 32), (size, size, 32, 3), (2, 6, 5, 3)
    return [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]


def errors(found, want):
    """The largest, as parts of the largest value, of y and both gradients."""
    pairs = zip(found, want, strict=True)
    return [float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_of_rounded_numbers_it_is_the_convolution(size):
    given = [x.astype(jnp.bfloat16).astype(jnp.float32) for x in arrays(size)]
    run = jax.jit(value_and_gradients, static_argnums=0)
    found, want = run(ours, *given), value_and_gradients(plain, *given)
    assert [x.dtype for x in found] == [jnp.float32] * 3
    y, by_input, by_kernel = errors(found, want)
    assert max(y, by_kernel) < 1e-6
    # What goes on to the layers before is bfloat16 there.
    assert by_input < 2**-8


def test_of_others_it_is_within_their_rounding():
    given = arrays(3)
    found, want = (value_and_gradients(f, *given) for f in (ours, plain))
    assert min(errors(found, want)) > 1e-4 and max(errors(found, want)) < 2**-7


def network(precision):
    """G2 with weights, an image, and the gradient of what it makes of it."""
    architecture = Architecture(
        image_height=32, image_width=16, base_channels=8, precision=precision
    )
    refine = models.RefinementGenerator(architecture)
    rng = np.random.default_rng(1)
    image = jnp.asarray(rng.uniform(-1, 1, (2, 32, 16, 3)), jnp.float32)
    params = refine.init(jax.random.key(0), image, image)["params"]

    def loss(params):
        y = refine.apply({"params": params}, image, image)
        return jnp.sum(y**2), y

    return jax.jit(jax.grad(loss, has_aux=True)), params


@pytest.mark.parametrize(
    ("backend", "precision", "products"),
    [
        ("cpu", "bfloat16", 0),
        ("gpu", "float32", 0),
        ("gpu", "bfloat16", 3),
        ("tpu", "bfloat16", 0),
    ],
)
def test_networks_use_it_in_bfloat16_on_a_gpu(
    monkeypatch, backend, precision, products
):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    gradient, params = network(precision)
    text = gradient.trace(params).lower(lowering_platforms=("cuda",)).as_text()
    assert text.count("dot_general") == products


def test_a_network_learns_the_same_with_it(monkeypatch):
    gradient, params = network("bfloat16")
    want, plain_image = gradient(params)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    gradient, _ = network("bfloat16")
    found, image = gradient(params)
    assert image.dtype == jnp.float32
    np.testing.assert_allclose(image, plain_image, atol=2**-8)
    assert np.abs(image - plain_image).max() > 0
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(want), strict=True):
        assert a.dtype == jnp.float32
        assert np.linalg.norm(a - b) < 0.02 * np.linalg.norm(b)
