"""A reader of pickles that can hold data and nothing else.

It knows plain containers, texts, numbers and numpy arrays, which are assembled here,
from bytes of checked length (see `restricted_pickle`). Pickles of Python 2 are read,
too; their texts come as bytes.
"""

import dataclasses
import io
import re
from typing import Any, ClassVar

import numpy as np

from pg2_jax import restricted_pickle
from pg2_jax.keypoints.base import shown
from pg2_jax.restricted_pickle import RefusedError

# What builds dicts, lists, tuples, texts, numbers, and calls of the globals below.
_INSTRUCTIONS = (
    "MARK STOP POP POP_MARK DUP FLOAT INT BININT BININT1 LONG BININT2 NONE NEWTRUE "
    "NEWFALSE LONG1 LONG4 STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE "
    "SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 APPEND APPENDS "
    "GLOBAL STACK_GLOBAL EMPTY_DICT LIST EMPTY_LIST TUPLE EMPTY_TUPLE TUPLE1 TUPLE2 "
    "TUPLE3 BINFLOAT PROTO FRAME GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE "
    "REDUCE BUILD SETITEM SETITEMS DICT BYTEARRAY8"
)
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_GLOBALS = {
    **{(module, "_reconstruct"): "array" for module in _MULTIARRAY},
    **{(module, "scalar"): "scalar" for module in _MULTIARRAY},
    ("numpy.core.numeric", "_frombuffer"): "buffer",
    ("numpy._core.numeric", "_frombuffer"): "buffer",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
}
_DTYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248])")


def looks_like_pickle(content: bytes) -> bool:
    """Whether a file begins as the pickle of a dict does, in any protocol."""
    return bool(re.match(rb"\x80[\x02-\x05]|\(d|\}q|\}\(", content))


def load(content: bytes) -> Any:
    """Reads a pickle.

    Args:
        content: the file.

    Returns:
        dict, list, tuple, str, bytes, int, float, bool and None, nested, and things
        that `array_of` turns into arrays.

    Raises:
        ValueError: it is damaged, or holds anything else.
    """
    try:
        value = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except RefusedError as error:
        raise ValueError(str(error)) from error
    except Exception as error:
        # A damaged pickle makes the machine do nearly anything wrong.
        raise ValueError(
            f"not a whole pickle: {type(error).__name__}: {shown(str(error))}"
        ) from error
    return value


@dataclasses.dataclass(frozen=True)
class _Global:
    """One of the names that a pickle of arrays mentions."""

    kind: str


@dataclasses.dataclass
class _Dtype:
    code: str

    def build(self, state: Any) -> None:
        order = _text(state[1])
        if order not in ("<", ">", "=", "|"):
            raise RefusedError(f"an array has the byte order {shown(order)}")
        self.code = order + self.code.lstrip("<>=|")

    def numpy(self) -> np.dtype[Any]:
        if not _DTYPE.fullmatch(self.code):
            raise RefusedError(
                f"an array of type {shown(self.code)} is no array of numbers"
            )
        return np.dtype(self.code)


def _assemble(shape: Any, dtype: Any, data: Any, fortran: bool) -> np.ndarray:
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray | str):
        raise RefusedError("an array without numbers")
    if not isinstance(shape, tuple) or not all(type(size) is int for size in shape):
        raise RefusedError(f"an array of the shape {shown(shape)}")
    flat = np.frombuffer(_bytes(data), dtype.numpy())
    return flat.reshape(shape, order="F" if fortran else "C")


def _bytes(data: bytes | bytearray | str) -> bytes:
    # Python 2's bytes come as text where a pickle of Python 3 spells them so.
    return data.encode("latin-1") if isinstance(data, str) else bytes(data)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise RefusedError(f"{type(value).__name__} in place of a text")
    return value


@dataclasses.dataclass(eq=False)
class _Array:
    """Stands for an array: a pickle first makes it and later says what it holds."""

    content: np.ndarray | None = None

    def build(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        self.content = _assemble(shape, dtype, data, bool(fortran))


def array_of(value: Any) -> np.ndarray | None:
    """Returns the numpy array that stands in what `load` returned, None if it is
    something else."""
    return value.content if isinstance(value, _Array) else None


def _call(kind: str, arguments: tuple[Any, ...]) -> Any:
    if kind == "array":
        return _Array()
    if kind == "dtype":
        return _Dtype(_text(arguments[0]))
    if kind == "scalar":
        dtype, data = arguments
        return _assemble((), dtype, data, False).item()
    if kind == "buffer":
        data, dtype, shape, order = arguments
        return _Array(_assemble(shape, dtype, data, _text(order) == "F"))
    if kind == "encode" and _text(arguments[1]) in ("latin1", "latin-1"):
        return _text(arguments[0]).encode("latin-1")
    raise RefusedError(f"it calls {kind}")


class _Unpickler(restricted_pickle.Unpickler):
    """Knows the few names that numpy's pickles mention."""

    keys: ClassVar[tuple[type, ...]] = (str, bytes, int)
    dispatch: ClassVar[restricted_pickle.Dispatch] = restricted_pickle.dispatch(
        _INSTRUCTIONS, "plain containers, numbers and numpy arrays"
    )

    def find_class(self, module: Any, name: Any) -> _Global:
        """What stands for a name; makes nothing."""
        kind = _GLOBALS.get((_text(module), _text(name)))
        if kind is None:
            raise RefusedError(
                f"it holds {_text(module)[:60]}.{_text(name)[:60]}; only plain "
                "containers, numbers and numpy arrays are read"
            )
        return _Global(kind)

    def call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """A call, which must give an array or a part of one."""
        if not isinstance(function, _Global):
            raise RefusedError("it calls something that is no array")
        return _call(function.kind, arguments)

    def change(self, target: Any, state: Any) -> None:
        """Fills an array or completes its type."""
        if not isinstance(target, _Array | _Dtype):
            raise RefusedError(f"it changes a {type(target).__name__}")
        target.build(state)
