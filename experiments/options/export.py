"""The model as one file."""

import dataclasses
import functools

from experiments.options.option import option

_option = functools.partial(option, group="Export", may_change=True, modes=("export",))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """The model as one file."""

    format: str = _option(
        "safetensors",
        "export: safetensors, the weights with their config; or jax_export, the "
        "compiled model with its weights, which jax alone runs on CPU, CUDA and TPU.",
        ("safetensors", "jax_export"),
    )
    dtype: str = _option(
        "float32",
        "export: the type of the stored weights. Images are drawn in float32 all the "
        "same.",
        ("float32", "float16", "bfloat16"),
    )
