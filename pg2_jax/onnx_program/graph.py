"""An ONNX graph while it is written: its values, constants and nodes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper

# Read by ONNX Runtime 1.14 and later.
OPSET, _IR_VERSION = 18, 8
BATCH = "batch"
# Smaller constants are not worth a node that makes them float32.
_SMALL = 64

Shape = tuple[int | str, ...]


class Value(NamedTuple):
    """An array of the program, of a shape that broadcasts to the one in jax: what jax
    repeats by a node of its own stays 1 here, because ONNX repeats by itself."""

    shape: Shape  # a number, or `BATCH`
    name: str = ""  # in the graph; of a constant empty
    array: np.ndarray | None = None  # of a constant


class Graph:
    """Nodes in order, and the constants that they use."""

    def __init__(self, stored: np.dtype):
        """Constants that lose nothing by it are `stored` in that dtype."""
        self._stored = stored
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[Any, ...], onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._batch: Value | None = None

    def input(self, name: str, dtype: Any, shape: Shape) -> Value:
        """One more input of the model; the first dimension of the first is `BATCH`."""
        self._inputs.append(_described(name, dtype, shape))
        return Value(shape, name)

    def node(
        self, op: str, inputs: Sequence[Value | np.ndarray], shape: Shape, **how: Any
    ) -> Value:
        """The only result of a new node."""
        names = [self._name(x) for x in inputs]
        result = Value(shape, f"v{len(self._nodes)}")
        self._nodes.append(helper.make_node(op, names, [result.name], **how))
        return result

    def cast(self, x: Value, dtype: Any) -> Value:
        return self.node("Cast", [x], x.shape, to=_type(dtype))

    def transposed(self, x: Value, order: Sequence[int]) -> Value:
        """With its axes in another order."""
        shape = tuple(x.shape[axis] for axis in order)
        if x.array is not None:
            return Value(shape, array=x.array.transpose(order))
        if tuple(order) == tuple(range(len(order))):
            return x
        return self.node("Transpose", [x], shape, perm=list(order))

    def whole(self, x: Value, shape: Shape) -> Value:
        """Repeated to the shape that it has in jax."""
        if x.shape == shape:
            return x
        if x.array is not None and BATCH not in shape:
            repeated = np.broadcast_to(x.array, [int(size) for size in shape])
            return Value(shape, array=repeated)
        # A 1 keeps what the value has.
        size = (1,) * (len(shape) - len(x.shape)) + x.shape
        wanted = [1 if a == b else b for a, b in zip(size, shape, strict=True)]
        if BATCH not in wanted:
            return self.node("Expand", [x, np.array(wanted, np.int64)], shape)
        if self._batch is None:
            first = Value((), self._inputs[0].name)
            self._batch = self.node("Shape", [first], (1,), start=0, end=1)
        parts = [self._batch if n == BATCH else np.array([n], np.int64) for n in wanted]
        target = self.node("Concat", parts, (len(parts),), axis=0)
        return self.node("Expand", [x, target], shape)

    def output(self, x: Value, name: str) -> None:
        """Gives a value the name of an output."""
        self._nodes.append(helper.make_node("Identity", [self._name(x)], [name]))

    def model(
        self, outputs: Mapping[str, tuple[Any, Shape]], about: Mapping[str, str]
    ) -> onnx.ModelProto:
        """The model of some outputs, by name their dtype and shape."""
        needed, kept = set(outputs), []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        graph = helper.make_graph(
            kept[::-1],
            "pg2_jax",
            self._inputs,
            [_described(name, *how) for name, how in outputs.items()],
            [c for c in self._constants.values() if c.name in needed],
        )
        model = helper.make_model(
            graph,
            producer_name="pg2_jax",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
        )
        helper.set_model_props(model, dict(about))
        return model

    def _name(self, x: Value | np.ndarray) -> str:
        if isinstance(x, Value) and x.array is None:
            return x.name
        array = np.asarray(x.array if isinstance(x, Value) else x)
        stored, shape = array, array.shape
        if array.dtype == np.float32 != self._stored and array.size > _SMALL:
            small = array.astype(self._stored)
            if np.array_equal(small.astype(np.float32), array):
                stored = small
        key = (stored.dtype.name, shape, stored.tobytes())
        if key not in self._constants:
            name = f"c{len(self._constants)}"
            self._constants[key] = helper.make_tensor(
                name, _type(stored.dtype), shape, stored.tobytes(), raw=True
            )
        constant = Value(shape, self._constants[key].name)
        used = constant if stored is array else self.cast(constant, np.float32)
        return used.name


def _type(dtype: Any) -> int:
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def _described(name: str, dtype: Any, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, _type(dtype), shape)
