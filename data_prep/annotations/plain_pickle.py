"""A reader of pickles that can hold data and nothing else.

A pickle is a program: `pickle.load` runs what a stranger wrote. This reader knows plain
containers, texts, numbers and numpy arrays. Every other instruction is refused before
it is carried out, no object is ever made by name, and arrays are assembled here, from
bytes of checked length. Pickles of Python 2 are read, too; their texts come as bytes.
"""

import dataclasses
import io
import pickle
import re
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from data_prep.annotations.entries import shown

# What builds dicts, lists, tuples, texts, numbers, and calls of the globals below.
_INSTRUCTIONS = (
    "MARK STOP POP POP_MARK DUP FLOAT INT BININT BININT1 LONG BININT2 NONE NEWTRUE "
    "NEWFALSE LONG1 LONG4 STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE "
    "SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 APPEND APPENDS "
    "GLOBAL STACK_GLOBAL EMPTY_DICT LIST EMPTY_LIST TUPLE EMPTY_TUPLE TUPLE1 TUPLE2 "
    "TUPLE3 BINFLOAT PROTO FRAME GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE"
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
        value = _Unpickler(io.BytesIO(content)).load()
    except RefusedError as error:
        raise ValueError(str(error)) from error
    except Exception as error:
        # A damaged pickle makes the machine do nearly anything wrong.
        raise ValueError(
            f"not a whole pickle: {type(error).__name__}: {shown(str(error))}"
        ) from error
    return value


class RefusedError(Exception):
    """The pickle holds more than data."""


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


_KEYS = (str, bytes, int)


def _refuse(code: int) -> Callable[[Any], None]:
    def refuse(self: Any) -> None:
        raise RefusedError(
            f"instruction {bytes([code])!r} makes more than plain containers, numbers "
            "and numpy arrays"
        )

    return refuse


def _codes(names: str) -> list[int]:
    return [getattr(pickle, name)[0] for name in names.split()]


class _Unpickler(pickle._Unpickler):
    """Runs the instructions above, with those that make objects replaced.

    It is the one in Python: in the one in C, one instruction can ask for gigabytes.
    """

    stack: list[Any]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, encoding="bytes")

    def find_class(self, module: Any, name: Any) -> _Global:
        kind = _GLOBALS.get((_text(module), _text(name)))
        if kind is None:
            raise RefusedError(
                f"it holds {_text(module)[:60]}.{_text(name)[:60]}; only plain "
                "containers, numbers and numpy arrays are read"
            )
        return _Global(kind)

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1]
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            raise RefusedError("it calls something that is no array")
        self.stack[-1] = _call(function.kind, arguments)

    def _build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Array | _Dtype):
            raise RefusedError(f"it changes a {type(self.stack[-1]).__name__}")
        self.stack[-1].build(state)

    def _set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        keys = items[::2]
        # Any other key could be nested so deeply that hashing it ends the program.
        if type(target) is not dict or not all(type(k) in _KEYS for k in keys):
            raise RefusedError("a dict has keys other than names and numbers")
        target.update(zip(keys, items[1::2], strict=True))

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def _set_marked(self) -> None:
        self._set_items(self.pop_mark())

    def _dict(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self._set_items(items)

    def _bytearray(self) -> None:
        # The stock one makes room for what is announced before it reads what is there.
        self.stack.append(self.read(int.from_bytes(self.read(8), "little")))

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **{code: _refuse(code) for code in range(256)},
        **{code: pickle._Unpickler.dispatch[code] for code in _codes(_INSTRUCTIONS)},
        pickle.REDUCE[0]: _reduce,
        pickle.BUILD[0]: _build,
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_marked,
        pickle.DICT[0]: _dict,
        pickle.BYTEARRAY8[0]: _bytearray,
    }
