"""From a jaxpr to the nodes of a `Graph`."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core

from pg2_jax.onnx_program import rules
from pg2_jax.onnx_program.graph import BATCH, Graph, Shape, Value


def shape_of(aval: Any) -> Shape:
    """The shape of what jax has traced; its symbolic dimension is `BATCH`."""
    for size in aval.shape:
        if not isinstance(size, int) and str(size) != BATCH:
            raise NotImplementedError(f"ONNX: an array has the size {size}.")
    return tuple(size if isinstance(size, int) else BATCH for size in aval.shape)


def write(
    graph: Graph, function: Any, inputs: Mapping[str, jax.ShapeDtypeStruct]
) -> dict[str, tuple[Any, Shape]]:
    """Translates a function of arrays, the `inputs` in order, of which one dimension
    may be symbolic, that returns a dict of arrays, into a graph: dtype and shape of
    each output. A NotImplementedError for an operation that has no rule."""
    closed, results = jax.make_jaxpr(function, return_shape=True)(*inputs.values())
    values = [graph.input(n, x.dtype, shape_of(x)) for n, x in inputs.items()]
    outputs = dict(zip(sorted(results), _walk(graph, closed, values), strict=True))
    for name, value in outputs.items():
        graph.output(graph.whole(value, shape_of(results[name])), name)
    return {name: (x.dtype, shape_of(x)) for name, x in results.items()}


def _walk(
    graph: Graph, closed: core.ClosedJaxpr, arguments: Sequence[Value]
) -> list[Value]:
    jaxpr = closed.jaxpr
    known: dict[Any, Value] = {}

    def read(atom: Any) -> Value:
        if isinstance(atom, core.Literal):
            aval: Any = atom.aval
            return _constant(np.asarray(atom.val, aval.dtype))
        return known[atom]

    constants = [_constant(np.asarray(x)) for x in closed.consts]
    known.update(zip(jaxpr.constvars, constants, strict=True))
    known.update(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        results = _results(graph, equation, inputs)
        known.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _results(
    graph: Graph, equation: core.JaxprEqn, inputs: Sequence[Value]
) -> Sequence[Value]:
    name, parameters = equation.primitive.name, equation.params
    inner = parameters.get("jaxpr") or parameters.get("call_jaxpr")
    if inner is not None:
        return _walk(graph, inner, inputs)
    if name not in rules.OF_CONSTANTS and all(x.array is not None for x in inputs):
        return _computed(equation, inputs)
    if name not in rules.RULES:
        raise NotImplementedError(f"ONNX: no rule for the operation {name} of jax.")
    whole = inputs
    if name not in rules.BROADCASTING:
        pairs = zip(inputs, equation.invars, strict=True)
        whole = [graph.whole(x, shape_of(atom.aval)) for x, atom in pairs]
    shapes = [shape_of(variable.aval) for variable in equation.outvars]
    results = rules.RULES[name](graph, whole, shapes, parameters)
    return [results] if isinstance(results, Value) else results


def _computed(equation: core.JaxprEqn, inputs: Sequence[Value]) -> list[Value]:
    """What depends on no input of the model, by jax itself."""
    arrays = []
    for x, atom in zip(inputs, equation.invars, strict=True):
        # Once for all examples, and all else repeated as in jax.
        once = [1 if size == BATCH else int(size) for size in shape_of(atom.aval)]
        arrays.append(np.broadcast_to(np.asarray(x.array), once))
    results = equation.primitive.bind(*arrays, **equation.params)
    listed = results if equation.primitive.multiple_results else [results]
    return [_constant(np.asarray(x)) for x in listed]


def _constant(array: np.ndarray) -> Value:
    return Value(array.shape, array=array)
