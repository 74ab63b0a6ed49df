"""What each operation of jax is in ONNX.

A rule takes the graph, the inputs, the shapes of the results and the operation's
parameters, and returns the results. It covers the forms of an operation that the
networks of this project use; another form is a NotImplementedError.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax import lax

from pg2_jax.onnx_program.graph import BATCH, Graph, Shape, Value

Results = Value | list[Value]
Rule = Callable[[Graph, Sequence[Value], Sequence[Shape], dict[str, Any]], Results]


def _require(holds: bool, operation: str, parameters: dict[str, Any]) -> None:
    if not holds:
        raise NotImplementedError(f"ONNX: no rule for {operation} with {parameters}.")


def _common(inputs: Sequence[Value]) -> Shape:
    """The shape that ONNX broadcasts the inputs to."""
    rank = max(len(x.shape) for x in inputs)
    filled = [(1,) * (rank - len(x.shape)) + x.shape for x in inputs]
    return tuple(
        next((size for size in sizes if size != 1), 1)
        for sizes in zip(*filled, strict=True)
    )


def _elementwise(op: str, **only: Any) -> Rule:
    """Of an operation that has those parameters, others are refused."""

    def rule(graph, inputs, _shapes, parameters):
        _require(all(parameters[key] == only[key] for key in only), op, parameters)
        return graph.node(op, inputs, _common(inputs))

    return rule


def _max(graph, inputs, _shapes, _parameters):
    for x, other in (inputs, inputs[::-1]):
        floating = other.array is not None and other.array.dtype == np.float32
        if floating and other.array.size == 1 and not other.array.any():
            return graph.node("Relu", [x], x.shape)
    return graph.node("Max", inputs, _common(inputs))


def _select(graph, inputs, _shapes, parameters):
    _require(len(inputs) == 3, "select_n", parameters)
    where, no, yes = inputs
    return graph.node("Where", [where, yes, no], _common(inputs))


def _square(graph, inputs, _shapes, parameters):
    _require(parameters["y"] == 2, "integer_pow", parameters)
    return graph.node("Mul", [inputs[0], inputs[0]], inputs[0].shape)


def _is_finite(graph, inputs, _shapes, _parameters):
    shape = inputs[0].shape
    kinds = [graph.node(op, inputs, shape) for op in ("IsInf", "IsNaN")]
    return graph.node("Not", [graph.node("Or", kinds, shape)], shape)


def _broadcast_in_dim(graph, inputs, _shapes, parameters):
    """New axes of size 1; ONNX repeats them where it must."""
    (x, *_), kept = inputs, parameters["broadcast_dimensions"]
    new = [axis for axis in range(len(parameters["shape"])) if axis not in kept]
    if x.array is not None:
        array = np.expand_dims(x.array, new)
        return Value(array.shape, array=array)
    return _unsqueezed(graph, x, new)


def _unsqueezed(graph: Graph, x: Value, axes: Sequence[int]) -> Value:
    """With new axes of size 1, numbered in the result from the first to the last."""
    if not axes:
        return x
    shape = list(x.shape)
    for axis in axes:
        shape.insert(axis, 1)
    return graph.node("Unsqueeze", [x, np.array(axes, np.int64)], tuple(shape))


def _reshape(graph, inputs, shapes, _parameters):
    (shape,) = shapes
    sizes = [-1 if size == BATCH else size for size in shape]
    return graph.node("Reshape", [inputs[0], np.array(sizes, np.int64)], shape)


def _stack(graph, inputs, shapes, parameters):
    axis = parameters["axis"]
    parts = [_unsqueezed(graph, x, [axis]) for x in inputs]
    return graph.node("Concat", parts, shapes[0], axis=axis)


def _split(graph, inputs, _shapes, parameters):
    (x,), axes, sizes = inputs, [parameters["axis"]], parameters["sizes"]
    begins = np.cumsum([0, *sizes[:-1]])
    pairs = zip(begins, sizes, strict=True)
    return [_sliced(graph, x, axes, [begin], [size]) for begin, size in pairs]


def _sliced(
    graph: Graph, x: Value, axes: Sequence[int], begins: Sequence[int], sizes: Any
) -> Value:
    shape = list(x.shape)
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = int(size)
    if tuple(shape) == x.shape:
        return x
    ends = np.add(begins, sizes)
    places = [np.array(part, np.int64) for part in (begins, ends, axes)]
    return graph.node("Slice", [x, *places], tuple(shape))


def _pad(graph, inputs, shapes, parameters):
    low, high, inner = zip(*parameters["padding_config"], strict=True)
    _require(min(*low, *high) >= 0 and not any(inner), "pad", parameters)
    pads = np.array([*low, *high], np.int64)
    return graph.node("Pad", [inputs[0], pads, inputs[1]], shapes[0])


def _gather(graph, inputs, shapes, parameters):
    data, places = inputs
    numbers = parameters["dimension_numbers"]
    mapped, collapsed = numbers.start_index_map, numbers.collapsed_slice_dims
    if places.array is None:
        # One row of a table for each place, of each example its own.
        known = numbers.operand_batching_dims == (0,) and mapped == collapsed == (1,)
        _require(known and len(data.shape) == 3, "gather", parameters)
        rows = [data, graph.cast(places, np.int64)]
        return graph.node("GatherND", rows, shapes[0], batch_dims=1)
    _require(not numbers.operand_batching_dims, "gather", parameters)
    if places.array.ndim == 1:  # a slice
        sizes = [parameters["slice_sizes"][axis] for axis in mapped]
        part = _sliced(graph, data, mapped, places.array, sizes)
        if not collapsed:
            return part
        return graph.node("Squeeze", [part, np.array(collapsed, np.int64)], shapes[0])
    (axis,) = mapped
    offsets = tuple(i for i in range(len(data.shape)) if i != axis)
    usual = collapsed == mapped and numbers.offset_dims == offsets
    _require(usual and places.array.ndim == 2, "gather", parameters)
    rows = [data, places.array[:, 0].astype(np.int64)]
    return graph.node("Gather", rows, shapes[0], axis=axis)


def _scatter(graph, inputs, shapes, parameters):
    """One place of an axis is replaced."""
    data, place, update = inputs
    numbers, (shape,) = parameters["dimension_numbers"], shapes
    mapped = numbers.scatter_dims_to_operand_dims
    one = numbers.inserted_window_dims == mapped and len(mapped) == 1
    _require(one and place.array is not None, "scatter", parameters)
    (axis,), (index,) = mapped, place.array.tolist()
    after = shape[axis] - index - 1
    parts = [_unsqueezed(graph, update, [axis])]
    if index > 0:
        parts.insert(0, _sliced(graph, data, [axis], [0], [index]))
    if after > 0:
        parts.append(_sliced(graph, data, [axis], [index + 1], [after]))
    return graph.node("Concat", parts, shape, axis=axis)


def _reduce(op: str, *, of_truth: bool = False) -> Rule:
    def rule(graph, inputs, shapes, parameters):
        x = graph.cast(inputs[0], np.int32) if of_truth else inputs[0]
        axes = np.array(parameters["axes"], np.int64)
        reduced = graph.node(op, [x, axes], shapes[0], keepdims=0)
        return graph.cast(reduced, np.bool_) if of_truth else reduced

    return rule


_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


def _spatial(graph, op, inputs, shape, padding, **how):
    """An operation on [B, H, W, C], which ONNX has for [B, C, H, W]."""
    x, *others = inputs
    pads = [int(side) for sides in zip(*padding, strict=True) for side in sides]
    moved = [graph.transposed(x, _TO_NCHW), *others]
    inner = tuple(shape[axis] for axis in _TO_NCHW)
    return graph.transposed(graph.node(op, moved, inner, pads=pads, **how), _TO_NHWC)


def _pool(op: str, **how: int) -> Rule:
    def rule(graph, inputs, shapes, parameters):
        window, strides = parameters["window_dimensions"], parameters["window_strides"]
        dilated = {*parameters["base_dilation"], *parameters["window_dilation"]} != {1}
        spatial = len(window) == 4 and window[0] == window[3] == 1
        _require(not dilated and spatial, "reduce_window", parameters)
        padding = parameters["padding"][1:3]
        sizes = {"kernel_shape": window[1:3], "strides": strides[1:3]}
        return _spatial(graph, op, inputs[:1], shapes[0], padding, **sizes, **how)

    return rule


def _pool_sum(graph, inputs, shapes, parameters):
    means = _pool("AveragePool", count_include_pad=1)
    mean = means(graph, inputs, shapes, parameters)
    pixels = np.array(np.prod(parameters["window_dimensions"]), np.float32)
    return graph.node("Mul", [mean, pixels], mean.shape)


def _convolution(graph, inputs, shapes, parameters):
    x, kernel = inputs
    numbers = parameters["dimension_numbers"]
    undilated = {*parameters["lhs_dilation"], *parameters["rhs_dilation"]} == {1}
    plain = parameters["feature_group_count"] == parameters["batch_group_count"] == 1
    layout = numbers.lhs_spec == numbers.out_spec == _TO_NCHW
    _require(undilated and plain and layout, "conv_general_dilated", parameters)
    given = x, graph.transposed(kernel, numbers.rhs_spec)
    how = {"strides": parameters["window_strides"]}
    return _spatial(graph, "Conv", given, shapes[0], parameters["padding"], **how)


def _product(graph, inputs, shapes, parameters):
    (mine, theirs), batched = parameters["dimension_numbers"]
    left, right = inputs
    usual = len(mine) == len(theirs) == 1 and batched == ((), ())
    _require(usual and len(right.shape) == 2, "dot_general", parameters)
    free = [axis for axis in range(len(left.shape)) if axis != mine[0]]
    rows = graph.transposed(left, [*free, mine[0]])
    columns = graph.transposed(right, [theirs[0], 1 - theirs[0]])
    return graph.node("MatMul", [rows, columns], shapes[0])


_SIMPLE = {
    **{"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "min": "Min"},
    **{"neg": "Neg", "abs": "Abs", "sqrt": "Sqrt", "exp": "Exp", "log": "Log"},
    **{"floor": "Floor", "ceil": "Ceil", "and": "And", "or": "Or", "not": "Not"},
    **{"eq": "Equal", "pow": "Pow", "logistic": "Sigmoid"},
    **{"lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual"},
}
_ELEMENTWISE: dict[str, Rule] = {
    **{name: _elementwise(op) for name, op in _SIMPLE.items()},
    "max": _max,
    "select_n": _select,
    "convert_element_type": lambda graph, inputs, _, how: graph.cast(
        inputs[0], how["new_dtype"]
    ),
    "integer_pow": _square,
    "round": _elementwise("Round", rounding_method=lax.RoundingMethod.TO_NEAREST_EVEN),
    "is_finite": _is_finite,
    "stop_gradient": lambda _graph, inputs, *_: inputs[0],
}
RULES: dict[str, Rule] = {
    **_ELEMENTWISE,
    "broadcast_in_dim": _broadcast_in_dim,
    "reshape": _reshape,
    "transpose": lambda graph, inputs, _, how: graph.transposed(
        inputs[0], how["permutation"]
    ),
    "concatenate": lambda graph, inputs, shapes, how: graph.node(
        "Concat", inputs, shapes[0], axis=how["dimension"]
    ),
    "stack": _stack,
    "split": _split,
    "optimization_barrier": lambda graph, inputs, _shapes, _how: list(inputs),
    "pad": _pad,
    "gather": _gather,
    "scatter": _scatter,
    "reduce_and": _reduce("ReduceMin", of_truth=True),
    "reduce_or": _reduce("ReduceMax", of_truth=True),
    "reduce_sum": _reduce("ReduceSum"),
    "reduce_max": _reduce("ReduceMax"),
    "reduce_prod": _reduce("ReduceProd"),
    "reduce_window_max": _pool("MaxPool"),
    "reduce_window_sum": _pool_sum,
    "conv_general_dilated": _convolution,
    "dot_general": _product,
}
# Rules that take inputs which are yet to be repeated.
BROADCASTING = {*_ELEMENTWISE, "broadcast_in_dim"}
# Rules that make constants of constants.
OF_CONSTANTS = {"broadcast_in_dim"}
