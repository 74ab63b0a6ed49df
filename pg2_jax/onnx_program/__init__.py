"""A traced jax function as an ONNX model: what jax calls a jaxpr, node by node."""
