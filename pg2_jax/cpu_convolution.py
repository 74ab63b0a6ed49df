"""Convolutions that a CPU computes otherwise than XLA does.

3x3 ones of many channels go by Winograd's minimal filtering F(2x2, 3x3) (Lavin and
Gray, "Fast Algorithms for Convolutional Neural Networks", 2016), which needs 16
multiplications where the definition has 36 and rounds no worse (F(4x4, 3x3) was tried:
it rounds ten times worse, 1.5e-5 of the largest value, and is quicker only in the
middle of the U-Net). Where an image is made of many channels, the gradient by the
kernel is one matrix product. All others are XLA's own, and so are all in bfloat16, and
on other platforms that a program is compiled for on a CPU's machine. The numbers are
those of `lax.conv_general_dilated` up to rounding.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")
# Below so many channels, or tiles of 2x2 pixels, transforming costs more than it saves.
_WINOGRAD_CHANNELS = 256
_WINOGRAD_TILES = 128
# So many tiles at once: what is made of them stays in the processor's cache.
_TILES_AT_ONCE = 1024
# So few channels made of so many: an image, or logits.
_FEW, _MANY = 4, 32
# XLA's own by Eigen instead of YNN, which computes those of 32 and more channels on one
# core: two take half the time, and a fifth to a half for the gradient by the kernel.
_BY_EIGEN = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"
}


@functools.cache
def compiler_options() -> dict[str, str]:
    """What `jax.jit` is to tell the compiler of programs that convolve; nothing but on
    a CPU, and nothing where this version of XLA does not know it."""
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda: 0, compiler_options=_BY_EIGEN).lower().compile()
    except jax.errors.JaxRuntimeError:  # No such compile option.
        return {}
    return _BY_EIGEN


@functools.cache
def jitted(function: Callable[..., Any], *static: str) -> jax.stages.Wrapped:
    """A function that convolves as a program, one for all calls; the arguments of the
    `static` names are no arrays."""
    options = compiler_options()
    return jax.jit(function, static_argnames=static, compiler_options=options)


def convolve(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Any, **_: Any
) -> jax.Array:
    """[B, H, W, C], [K, K, C, D] -> [B, H / stride, W / stride, D], sizes rounded up.
    For `nn.Conv(conv_general_dilated=convolve)`; strides are twice the same number, the
    padding is "SAME". It has no forward-mode derivative (`jax.jvp`): its gradients are
    written by hand, which jax allows in reverse mode alone."""
    assert padding == "SAME" and strides[0] == strides[1], (padding, strides)
    trained = isinstance(x.shape[0], int)  # Not exported for any number of images.
    ours = trained and _gradient_by_kernel(x.shape, kernel.shape, strides[0])
    if ours and x.dtype == jnp.float32:
        return _by_platform(x, kernel, strides[0])
    return _plain(x, kernel, strides[0])


def _plain(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=_DIMENSIONS
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _by_platform(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    plain = functools.partial(_plain, stride=stride)
    cpu = _winograd if _is_winograd(x.shape, kernel.shape, stride) else plain
    return lax.platform_dependent(x, kernel, cpu=cpu, default=plain)


def _gradients(stride: int, inputs: tuple[jax.Array, jax.Array], dy: jax.Array):

    def plain(x, kernel, dy):
        return jax.vjp(functools.partial(_plain, stride=stride), x, kernel)[1](dy)

    def cpu(x, kernel, dy):
        by_kernel = _gradient_by_kernel(x.shape, kernel.shape, stride)
        assert by_kernel
        if _is_winograd(x.shape, kernel.shape, stride):
            by_input = _winograd(dy, kernel[::-1, ::-1].swapaxes(2, 3))
        else:
            transposed = jax.linear_transpose(lambda x: _plain(x, kernel, stride), x)
            (by_input,) = transposed(dy)
        return by_input, by_kernel(x, dy)

    return lax.platform_dependent(*inputs, dy, cpu=cpu, default=plain)


_by_platform.defvjp(
    lambda x, kernel, stride: (_by_platform(x, kernel, stride), (x, kernel)), _gradients
)


def _gradient_by_kernel(
    x: tuple[int, ...], kernel: tuple[int, ...], stride: int
) -> Callable[..., jax.Array] | None:
    """What computes the gradient by the kernel faster than XLA, if anything does."""
    if _is_winograd(x, kernel, stride):
        return _winograd_by_kernel
    if stride == 1 and kernel[2] >= _MANY and kernel[3] <= _FEW:
        return functools.partial(_product_by_kernel, size=kernel[0])
    return None


def _product_by_kernel(x: jax.Array, dy: jax.Array, *, size: int) -> jax.Array:
    """The gradient by the kernel, of stride 1, as one product: of the few channels of
    dy, shifted to where the kernel sees x from, and x."""
    product = _contract(x, shifted(dy, size))
    return product.reshape(-1, size, size, dy.shape[3]).transpose(1, 2, 0, 3)


def shifted(dy: jax.Array, size: int) -> jax.Array:
    """[B, H, W, D] -> [B, H, W, K * K * D]: of each pixel what its neighbours are, from
    where each place of the kernel sees it, and zeros outside."""
    before, after = size // 2, (size - 1) // 2
    padded = jnp.pad(dy, ((0, 0), (before, after), (before, after), (0, 0)))
    height, width = dy.shape[1:3]
    seen = [
        padded[:, i : i + height, j : j + width]
        for i in reversed(range(size))
        for j in reversed(range(size))
    ]
    return jnp.concatenate(seen, axis=-1)


def _contract(a: jax.Array, b: jax.Array) -> jax.Array:
    """[..., M], [..., N] -> [M, N], summed over all that is before."""
    before = tuple(range(a.ndim - 1))
    return lax.dot_general(a, b, ((before, before), ((), ())))


def _is_winograd(x: tuple[int, ...], kernel: tuple[int, ...], stride: int) -> bool:
    tiles = x[0] * x[1] * x[2] // 4
    return (
        stride == 1
        and kernel[0] == 3
        and min(kernel[2:]) >= _WINOGRAD_CHANNELS
        and tiles >= _WINOGRAD_TILES
    )


def _winograd(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The 3x3 convolution of stride 1, a band of rows at a time."""
    batch, height, width, _ = x.shape
    weights = _transform(_KERNEL, kernel)
    padded, rows, bands = _bands(x)
    shape = (batch, rows, padded.shape[2] - 2, kernel.shape[3])

    def fill(band: jax.Array, y: jax.Array) -> jax.Array:
        seen = lax.dynamic_slice_in_dim(padded, band * rows, rows + 2, axis=1)
        tiles = _transform(_INPUT, _tiles(seen, 4))
        products = [v @ w for v, w in zip(tiles, weights, strict=True)]
        part = _untile(_transform(_OUTPUT, _square(products)), shape)
        return lax.dynamic_update_slice_in_dim(y, part, band * rows, axis=1)

    y = jnp.zeros((batch, bands * rows, *shape[2:]), x.dtype)
    return _over(bands, fill, y)[:, :height, :width]


def _winograd_by_kernel(x: jax.Array, dy: jax.Array) -> jax.Array:
    """The gradient of `_winograd` by the kernel: its transposed transforms."""
    padded, rows, bands = _bands(x)
    ends = bands * rows - dy.shape[1], padded.shape[2] - 2 - dy.shape[2]
    dy = jnp.pad(dy, ((0, 0), (0, ends[0]), (0, ends[1]), (0, 0)))

    def add(band: jax.Array, sums: list[jax.Array]) -> list[jax.Array]:
        seen = lax.dynamic_slice_in_dim(padded, band * rows, rows + 2, axis=1)
        made = lax.dynamic_slice_in_dim(dy, band * rows, rows, axis=1)
        inputs = _transform(_INPUT, _tiles(seen, 4))
        outputs = _transform(_transposed(_OUTPUT), _tiles(made, 2))
        pairs = zip(sums, inputs, outputs, strict=True)
        return [total + _contract(v, d) for total, v, d in pairs]

    zero = jnp.zeros((x.shape[3], dy.shape[3]), x.dtype)
    sums = _over(bands, add, [zero] * 16)
    gradient = _transform(_transposed(_KERNEL), _square(sums))
    return jnp.stack(gradient).reshape(3, 3, *zero.shape)


# Lavin and Gray, section 4.1: B^T, G and A^T.
_INPUT = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))
_KERNEL = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))
_OUTPUT = ((1, 1, 1, 0), (0, 1, -1, -1))

_Matrix = tuple[tuple[float, ...], ...]
# Rows and columns of arrays of one shape.
_Square = Sequence[Sequence[jax.Array]] | jax.Array


def _transform(matrix: _Matrix, parts: _Square) -> list[jax.Array]:
    """matrix @ parts @ matrix^T, row by row."""
    columns = list(zip(*parts, strict=True))
    rows = [[_combine(line, column) for column in columns] for line in matrix]
    return [_combine(line, row) for row in rows for line in matrix]


def _combine(factors: Sequence[float], terms: Sequence[jax.Array]) -> jax.Array:
    """The sum of factor * term, where most factors are 0 or 1."""
    pairs = zip(factors, terms, strict=True)
    kept = [term if factor == 1 else factor * term for factor, term in pairs if factor]
    return functools.reduce(jnp.add, kept)


def _transposed(matrix: _Matrix) -> _Matrix:
    return tuple(zip(*matrix, strict=True))


def _square(parts: Sequence[jax.Array]) -> list[Sequence[jax.Array]]:
    return [parts[i : i + 4] for i in range(0, 16, 4)]


def _bands(x: jax.Array) -> tuple[jax.Array, int, int]:
    """x with its borders of zeros, even in size; rows of a band, number of bands."""
    batch, height, width, _ = x.shape
    tall, wide = (height + 1) // 2, (width + 1) // 2
    bands = max(1, min(tall, batch * tall * wide // _TILES_AT_ONCE))
    rows = 2 * (-(-tall // bands))
    bands = -(-2 * tall // rows)
    below, right = bands * rows - height, 2 * wide - width
    padded = jnp.pad(x, ((0, 0), (1, 1 + below), (1, 1 + right), (0, 0)))
    return padded, rows, bands


def _tiles(x: jax.Array, size: int) -> list[list[jax.Array]]:
    """What stands at each place of the tiles, which are 2 apart: [tiles, C]."""
    height, width = (2 * ((n - size) // 2) + 1 for n in x.shape[1:3])
    return [
        [
            x[:, i : i + height : 2, j : j + width : 2].reshape(-1, x.shape[3])
            for j in range(size)
        ]
        for i in range(size)
    ]


def _untile(parts: Sequence[jax.Array], shape: tuple[int, ...]) -> jax.Array:
    """The image [B, H, W, C] of which each 2x2 pixels are a tile."""
    batch, height, width, channels = shape
    tiles = (batch, height // 2, 1, width // 2, 1, channels)
    at = [part.reshape(tiles) for part in parts]
    rows = [jnp.concatenate(at[i : i + 2], axis=4) for i in (0, 2)]
    return jnp.concatenate(rows, axis=2).reshape(shape)


def _over(bands: int, body: Callable[[Any, Any], Any], first: Any) -> Any:
    return body(0, first) if bands == 1 else lax.fori_loop(0, bands, body, first)
