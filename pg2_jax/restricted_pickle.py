"""Pickles of strangers: plain containers, texts, numbers and arrays, nothing else.

A pickle is a program, and `pickle.load` runs what a stranger wrote. Here it can call
the names of an allow-list alone, and these only put data together.
"""

import io
import pickle
import re
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

# Module and name -> what stands for it.
Names = Mapping[tuple[str, str], Any]


class RefusedError(Exception):
    """The pickle holds more than its reader knows."""


class Unpickler(pickle._Unpickler):
    """Calls the names that it is given; `holds` says for messages what these make. It
    is the one in Python: in the one in C, one instruction can ask for gigabytes."""

    stack: list[Any]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    def __init__(
        self, content: io.BytesIO, names: Names, holds: str, encoding: str = "ASCII"
    ) -> None:
        """`encoding` is that of the texts of Python 2."""
        super().__init__(content, encoding=encoding)
        self._names, self._holds = names, holds

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name; nothing is imported."""
        if (module, name) not in self._names:
            what = f"{module[:60]}.{name[:60]}"
            raise RefusedError(f"it holds {what}; only {self._holds} are read")
        return self._names[module, name]

    def _build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, np.ndarray):
            _fill(target, *state)
        elif isinstance(target, _Dtype):
            target.code = _text(state[1]) + target.code.lstrip("<>=|")
        elif type(target) is not dict:  # torch gives one the versions of its modules.
            raise RefusedError(f"it changes a {type(target).__name__}")

    def _set_items(self, items: list[Any]) -> None:
        target, keys = self.stack[-1], items[::2]
        # Another key could be nested so deeply that hashing it ends the program.
        if type(target) is not dict or {type(key) for key in keys} - {str, bytes, int}:
            raise RefusedError("a dict has keys other than names and numbers")
        target.update(zip(keys, items[1::2], strict=True))

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def _dict(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self._set_items(items)

    def _bytearray(self) -> None:
        # The stock one makes room for what is announced before it reads what is there.
        self.stack.append(self.read(int.from_bytes(self.read(8), "little")))

    def _refuse(self) -> None:
        raise RefusedError(f"it makes more than {self._holds}")

    # Where the stock instructions trust the file or make objects.
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **pickle._Unpickler.dispatch,
        pickle.BUILD[0]: _build,
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: lambda self: self._set_items(self.pop_mark()),
        pickle.DICT[0]: _dict,
        pickle.BYTEARRAY8[0]: _bytearray,
        pickle.EMPTY_SET[0]: _refuse,
        pickle.FROZENSET[0]: _refuse,
    }


def load(content: bytes) -> Any:
    """Reads nested dicts, lists and tuples of texts (bytes, if of Python 2), numbers
    and numpy arrays. What is damaged, or holds anything else, is a ValueError."""
    holds = "plain containers, numbers and numpy arrays"
    try:
        return Unpickler(io.BytesIO(content), _NUMPY, holds, encoding="bytes").load()
    except RefusedError as error:
        raise ValueError(str(error)) from error
    except Exception as error:
        # A damaged pickle makes the machine do nearly anything wrong.
        reason = f"{type(error).__name__}: {repr(str(error))[:80]}"
        raise ValueError(f"not a whole pickle: {reason}") from error


class _Dtype:
    """A type of numbers, whose byte order a pickle tells afterwards."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = _text(code)


def _fill(
    array: np.ndarray, _: Any, shape: Any, dtype: Any, fortran: Any, data: Any
) -> None:
    """Gives an array of a pickle, which is made empty, its shape and numbers."""
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | str):
        raise RefusedError("an array without numbers")
    if type(shape) is not tuple or not all(type(size) is int for size in shape):
        raise RefusedError(f"an array of the shape {reprlib.repr(shape)[:80]}")
    if not re.fullmatch(r"[<>=|]?(b1|[iu][1248]|f[248])", dtype.code):
        raise RefusedError(f"an array of {dtype.code[:60]!r} is no array of numbers")
    # Python 2's bytes come as text where a pickle of Python 3 spells them so.
    content = data.encode("latin-1") if isinstance(data, str) else data
    flat = np.frombuffer(content, dtype.code)
    shape = flat.reshape(shape).shape  # An error unless the bytes fill it.
    state: Any = (1, shape, flat.dtype, bool(fortran), content)
    array.__setstate__(state)


def _array(*_: Any) -> np.ndarray:
    return np.empty(0)


def _from_buffer(
    data: Any, dtype: Any, shape: Any, order: Any, axes: Any = None
) -> np.ndarray:
    array = _array()
    _fill(array, 1, shape, dtype, _text(order) == "F", data)
    return array if axes is None else array.transpose(axes)


def _scalar(dtype: Any, data: Any) -> Any:
    return _from_buffer(data, dtype, (), "C").item()


def _encoded(text: Any, encoding: Any) -> bytes:
    if _text(encoding) not in ("latin1", "latin-1"):
        raise RefusedError("it holds bytes of an unknown encoding")
    return _text(text).encode("latin-1")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise RefusedError(f"{type(value).__name__} in place of a text")
    return value


_NUMPY = {
    ("numpy", "ndarray"): _array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encoded,
}
for _core in ("numpy.core", "numpy._core"):  # Before numpy 2, and since.
    _NUMPY[f"{_core}.multiarray", "_reconstruct"] = _array
    _NUMPY[f"{_core}.multiarray", "scalar"] = _scalar
    _NUMPY[f"{_core}.numeric", "_frombuffer"] = _from_buffer
