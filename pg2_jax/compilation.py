"""What the compiler is told about the machine at hand."""

import functools

import jax

# Convolutions by Eigen instead of YNN, which computes those of 32 and more input
# channels on one core: two cores take half the time for a convolution, and a fifth to a
# half for its gradient by the kernel.
_ON_CPU = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}


@functools.cache
def options() -> dict[str, str]:
    """The `compiler_options` of `jax.jit` for programs that convolve; none but on a
    CPU, and none where this version of XLA does not know them."""
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda: 0, compiler_options=_ON_CPU).lower().compile()
    except jax.errors.JaxRuntimeError:  # No such compile option.
        return {}
    return _ON_CPU
