"""The CPU's convolutions are those of XLA: values, gradients, devices."""

import functools
import importlib.metadata

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from pg2_jax import cpu_convolution, sharding

# [B, H, W, C] of the input, then size, stride and channels of the output.
WINOGRAD = [
    ((4, 16, 8, 256), 3, 1, 256),
    ((1, 25, 21, 256), 3, 1, 257),
    ((9, 13, 11, 257), 3, 1, 256),
]
PRODUCT = [
    ((2, 8, 6, 32), 3, 1, 3),
    ((2, 9, 7, 33), 5, 1, 4),
    ((2, 7, 5, 40), 1, 1, 1),
    ((2, 7, 6, 32), 4, 1, 2),
]
PLAIN = [
    ((4, 16, 8, 255), 3, 1, 260),
    ((1, 16, 8, 256), 3, 1, 256),
    ((2, 8, 6, 31), 3, 1, 3),
    ((2, 8, 6, 32), 3, 2, 3),
    ((2, 8, 6, 3), 5, 2, 1),
]


def arrays(shape, size, stride, features):
    rng = np.random.default_rng(0)
    out = (shape[0], *(-(-n // stride) for n in shape[1:3]), features)
    shapes = shape, (size, size, shape[3], features), out
    return [rng.normal(size=s).astype(np.float32) for s in shapes]


def value_and_gradients(convolve):
    def run(x, kernel, dy):
        y, pull = jax.vjp(convolve, x, kernel)
        return y, *pull(dy)

    return run


def ours(x, kernel, stride):
    return cpu_convolution.convolve(x, kernel, (stride, stride), "SAME")


def assert_close(found, want):
    for name, a, b in zip(("y", "by x", "by kernel"), found, want, strict=True):
        scale = np.abs(b).max()
        np.testing.assert_allclose(a / scale, b / scale, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("shape", "size", "stride", "features"), WINOGRAD + PRODUCT + PLAIN
)
def test_values_and_gradients_are_those_of_lax(shape, size, stride, features):
    inputs = arrays(shape, size, stride, features)

    def plain(x, kernel):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (stride, stride),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    run = value_and_gradients(functools.partial(ours, stride=stride))
    assert_close(jax.jit(run)(*inputs), value_and_gradients(plain)(*inputs))


@pytest.mark.parametrize(("cases", "left"), [(WINOGRAD, 0), (PRODUCT, 2), (PLAIN, 3)])
def test_the_form_is_chosen_by_the_width(cases, left):
    """Of a convolution and its two gradients so many are XLA's own on a CPU, and all on
    a GPU."""
    for case in cases:
        inputs = arrays(*case)
        run = value_and_gradients(functools.partial(ours, stride=case[2]))
        trace = jax.jit(run).trace(*inputs)
        text = trace.lower(lowering_platforms=("cpu",)).as_text()
        assert text.count("stablehlo.convolution") == left, case
        text = trace.lower(lowering_platforms=("cuda",)).as_text()
        assert text.count("stablehlo.convolution") == 3, case
        assert "dot_general" not in text


def test_winograd_rounds_no_worse_than_the_definition():
    """Both beside float64, over as many terms as the networks' widest layer has."""
    shape, features = (1, 16, 32, 512), 64
    x, kernel, _ = arrays(shape, 3, 1, features)
    padded = np.pad(x.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    exact = sum(
        padded[:, i : i + 16, j : j + 32] @ kernel[i, j].astype(np.float64)
        for i in range(3)
        for j in range(3)
    )
    found = jax.jit(functools.partial(ours, stride=1))(x, kernel)
    assert np.abs(found - exact).max() < 2e-6 * np.abs(exact).max()


@pytest.mark.slow
def test_devices_exchange_nothing_but_the_kernels_gradient():
    mesh = Mesh(np.array(jax.devices()[:2]), ("data",))
    whole, split = sharding.replicated(mesh), sharding.batched(mesh)
    for case in (*WINOGRAD[:1], *PRODUCT):
        stride = case[2]
        inputs = arrays(*case)
        run = value_and_gradients(functools.partial(ours, stride=stride))
        compiled = (
            jax.jit(
                run,
                in_shardings=(split, whole, split),
                out_shardings=(split, split, whole),
            )
            .lower(*inputs)
            .compile()
        )
        text = compiled.as_text()
        assert "all-reduce" in text
        for moving in ("all-to-all", "collective-permute", "all-gather"):
            assert moving not in text, case
        assert_close(compiled(*inputs), run(*inputs))


def test_half_precision_is_left_to_the_compiler():
    x, kernel, dy = (jnp.asarray(a, jnp.bfloat16) for a in arrays(*WINOGRAD[0]))
    found = value_and_gradients(functools.partial(ours, stride=1))(x, kernel, dy)
    want = value_and_gradients(functools.partial(cpu_convolution._plain, stride=1))
    for a, b in zip(found, want(x, kernel, dy), strict=True):
        assert a.dtype == jnp.bfloat16
        np.testing.assert_array_equal(a.astype(np.float32), b.astype(np.float32))


def test_the_compiler_is_told_nothing_that_it_does_not_know(monkeypatch):
    options = cpu_convolution.compiler_options.__wrapped__
    monkeypatch.setattr(cpu_convolution, "_BY_EIGEN", {"xla_cpu_of_another_time": "1"})
    assert options() == {}
    known = {"xla_backend_optimization_level": 0}
    monkeypatch.setattr(cpu_convolution, "_BY_EIGEN", known)
    assert options() == known
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert options() == {}


@pytest.mark.skipif(
    not importlib.metadata.version("jaxlib").startswith("0.10."),
    reason="the name of the option is that of jaxlib 0.10",
)
def test_this_version_of_the_compiler_knows_the_option():
    assert cpu_convolution.compiler_options() == cpu_convolution._BY_EIGEN
