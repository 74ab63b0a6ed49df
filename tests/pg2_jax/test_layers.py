"""The ReLU whose gradient reads its result; other layers are in `test_models`."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import layers

DTYPES = [jnp.float32, jnp.bfloat16]


def values(dtype):
    """Random ones, and those at which a derivative could be chosen otherwise."""
    edges = [0.0, -0.0, 1e-30, -1e-30, np.inf, -np.inf, np.nan]
    drawn = np.random.default_rng(0).normal(size=1000)
    return jnp.asarray(np.concatenate([edges, drawn]), dtype)


def value_and_gradient(relu, x, dy):
    y, pull_back = jax.vjp(relu, x)
    return y, *pull_back(dy)


def assert_same(found, want):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(want), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.astype(np.float32), b.astype(np.float32))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", ["cpu", "gpu", "tpu"])
def test_relu_and_its_gradient_are_those_of_flax(monkeypatch, backend, dtype):
    x, dy = values(dtype), values(dtype)[::-1]
    want = jax.jit(value_and_gradient, static_argnums=0)(nn.relu, x, dy)
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    found = jax.jit(value_and_gradient, static_argnums=0)(layers.relu, x, dy)
    assert_same(found, want)
    by_hand = np.where(np.array(x, np.float32) > 0, np.array(dy, np.float32), 0)
    np.testing.assert_array_equal(np.array(found[1], np.float32), by_hand)


@pytest.mark.parametrize(("backend", "barriers"), [("cpu", 0), ("gpu", 1), ("tpu", 0)])
def test_relu_differs_in_gradients_on_a_gpu_alone(monkeypatch, backend, barriers):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    x = values(jnp.float32)
    drawn = jax.jit(lambda x: layers.relu(x)).lower(x).as_text()
    assert "optimization_barrier" not in drawn
    trained = jax.jit(lambda x: jax.vjp(layers.relu, x)[1](x)).lower(x).as_text()
    assert trained.count("optimization_barrier") == barriers


@pytest.mark.parametrize("kind", [layers.ResidualBlock, nn.remat(layers.ResidualBlock)])
def test_a_block_learns_the_same_on_a_gpu(monkeypatch, kind):
    x = jnp.asarray(np.random.default_rng(1).normal(size=(2, 6, 5, 4)), jnp.float32)
    block = kind(4, "float32")
    params = block.init(jax.random.key(0), x)

    def gradients():
        # A new function each time: jax keeps what it traced of an old one.
        loss = jax.grad(lambda params, x: jnp.sum(block.apply(params, x) ** 2), (0, 1))
        return jax.jit(loss)(params, x)

    want = gradients()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    found = gradients()
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
