"""Small functions of jax, translated and run by ONNX Runtime."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from pg2_jax import layers  # noqa: E402
from pg2_jax.onnx_program import graph, translate  # noqa: E402
from pg2_jax.pg2plus import guides  # noqa: E402
from pg2_jax.pose import MIRRORED  # noqa: E402
from tests.pg2_jax.pg2plus import people  # noqa: E402

BATCH = 3
PLACES = np.array([2, 0, 3])


def inputs():
    rng = np.random.default_rng(0)
    image = rng.normal(0, 2, (BATCH, 5, 4, 3)).astype(np.float32)
    image[0, 0, 0] = np.inf, np.nan, -np.inf
    index = rng.integers(0, 20, (BATCH, 7, 1)).astype(np.int32)
    return {"image": image, "index": index}


def run(function, stored="float32", given=None):
    """What ONNX Runtime and jax make of the inputs, an image and another, and the
    model, whose batch is open."""
    given = given or inputs()
    (batch,) = jax.export.symbolic_shape("batch")
    shapes = {
        name: jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype)
        for name, x in given.items()
    }
    written = graph.Graph(jnp.dtype(stored))

    def named(image, index):
        return {"result": function(image, index)}

    outputs = translate.write(written, named, shapes)
    model = written.model(outputs, {"made": "here"})
    onnx.checker.check_model(model, full_check=True)
    session = runtime.InferenceSession(model.SerializeToString())
    got = session.run(None, {x.name: given[x.name] for x in session.get_inputs()})
    return got[0], np.asarray(function(*map(jnp.asarray, given.values()))), model


def convolved(x, stride, size=3):
    rng = np.random.default_rng(1)
    kernel = rng.normal(size=(size, size, 3, 2)).astype(np.float32)
    names = ("NHWC", "HWIO", "NHWC")
    finite = jnp.where(jnp.isfinite(x), x, 0.0)
    return jax.lax.conv_general_dilated(
        finite, kernel, (stride, stride), "SAME", dimension_numbers=names
    )


def pooled(x):
    size = (1, 2, 2, 1)
    total, count = (
        jax.lax.reduce_window(y, 0.0, jax.lax.add, size, size, "SAME")
        for y in (x, jnp.ones_like(x))
    )
    return total / count


FUNCTIONS = {
    "arithmetic": lambda x, i: (
        jnp.sqrt(jnp.abs(x[:, 1:] - 3.0) / 2.0) * -(x[:, 1:] ** 2)
    ),
    "relu": lambda x, i: jax.nn.relu(x[:, 1:]) + jnp.maximum(-1.0, x[:, 1:]),
    "a sigmoid": lambda x, i: jax.nn.sigmoid(3.0 * x),
    "relu of a GPU": lambda x, i: layers._relu_by_result(x[:, 1:]),
    "comparisons": lambda x, i: (x > 0.5) & (x <= 2) | (i[..., None] == 4)[:, :5, :1],
    "opposites": lambda x, i: ~(x > 0.5),
    "a mask": lambda x, i: jnp.where(jnp.isfinite(x), jnp.clip(x, -1, 1), 7.0),
    "halves to the even": lambda x, i: jnp.round(i / 2.0) + jnp.trunc(-i / 4.0),
    "bytes": lambda x, i: jnp.clip(jnp.round(x[:, 2:] * 90), 0, 255).astype(jnp.uint8),
    "one place": lambda x, i: x[:, 2, ..., 1] + x[:, -1, :, 0],
    "a slice": lambda x, i: x[:, 1:4, ::1, 2:],
    "places": lambda x, i: jnp.take(x, PLACES, axis=2, mode="clip"),
    "a table": lambda x, i: jnp.take_along_axis(
        x.reshape(x.shape[0], 20, 3), i, axis=1, mode="promise_in_bounds"
    ),
    "replaced": lambda x, i: x.at[..., 1].set(x[..., 0] * 2),
    "the last replaced": lambda x, i: x.at[..., 2].set(5.0),
    "stacked": lambda x, i: jnp.stack([x[..., 0], x[..., 1]], axis=1)[:, 1],
    "stacked in front": lambda x, i: jnp.stack([x, 2 * x])[1],
    "split": lambda x, i: jnp.concatenate(jnp.split(x, [1], axis=-1)[::-1], axis=-1),
    "padded": lambda x, i: jnp.pad(x, ((0, 0), (0, 0), (1, 2), (0, 0))),
    "sums": lambda x, i: x[:, 1:].sum(axis=(1, 3)) + x[:, 1:].max(axis=(1, 3)),
    "products": lambda x, i: jnp.prod(x[:, 1:], axis=-1, keepdims=True),
    "all of them": lambda x, i: jnp.isfinite(x).all(axis=-1),
    "any of them": lambda x, i: (x > 0.5).any(axis=-1),
    "repeated": lambda x, i: jnp.concatenate(
        [x, jnp.broadcast_to(x[:, 1:2, 1:2, :1], (x.shape[0], 5, 4, 2))], axis=-1
    ),
    "a constant for each": lambda x, i: jnp.concatenate(
        [x, jnp.broadcast_to(np.float32([1, 2]), (x.shape[0], 5, 4, 2))], axis=-1
    ),
    "enlarged": lambda x, i: jnp.broadcast_to(
        x[:, :, None, :, None, :], (x.shape[0], 5, 2, 4, 2, 3)
    ).reshape(x.shape[0], 10, 8, 3),
    "convolved": lambda x, i: convolved(x, 1),
    "halved": lambda x, i: convolved(x, 2),
    "a pixel": lambda x, i: convolved(x, 1, size=1),
    "means": lambda x, i: pooled(x[:, 1:]),
    "largest": lambda x, i: nn.max_pool(x[:, 1:], (3, 3), padding="SAME"),
    "a matrix": lambda x, i: jnp.einsum(
        "Hh,bhwc->bHwc", np.arange(8, dtype=np.float32).reshape(2, 4), x[:, 1:]
    ),
    "shares": lambda x, i: jax.nn.softmax(x[:, 1:]) + jnp.log(jnp.exp(x[:, 1:])),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_is_what_jax_gives(name):
    got, want, model = run(FUNCTIONS[name])
    assert got.dtype == want.dtype and got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    (output,) = model.graph.output
    assert output.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_the_guide_of_pg2plus_is_what_jax_gives():
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, (2, people.HEIGHT, people.WIDTH, 3)).astype(np.float32)
    standing = np.stack([people.person(), people.TO_THE_LEFT])

    def guide(image, index):
        size = people.HEIGHT, people.WIDTH
        return guides.guide(image, index, index[:, MIRRORED], *size)

    got, want, _ = run(guide, given={"image": image, "index": standing})
    assert got.shape == (2, people.HEIGHT, people.WIDTH, guides.CHANNELS + 2)
    assert np.mean(np.abs(got - want) > 1e-4) < 1e-3  # pixels at the edge of a disc


def test_constants_that_lose_nothing_are_stored_small():
    weights = np.arange(300, dtype=np.float32).reshape(100, 3)
    third = np.full((100, 3), 1 / 3, np.float32)

    def function(image, index):
        return jnp.stack([image[:, 0] @ weights.T, image[:, 0] @ third.T])[0]

    got, want, model = run(function, stored="float16")
    np.testing.assert_allclose(got, want, rtol=1e-6)
    kinds = {x.name: x.data_type for x in model.graph.initializer}
    assert sorted(kinds.values())[-1] == onnx.TensorProto.FLOAT16


def test_what_has_no_rule_is_named():
    with pytest.raises(NotImplementedError, match="no rule for the operation cos of"):
        run(lambda x, i: jnp.cos(x))
    with pytest.raises(NotImplementedError, match="no rule for integer_pow with"):
        run(lambda x, i: x**3)
    with pytest.raises(NotImplementedError, match=r"array has the size 2[*]batch"):
        run(lambda x, i: jnp.concatenate([x, x]))
