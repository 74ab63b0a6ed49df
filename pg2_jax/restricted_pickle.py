"""Pickles of strangers: the part that every reader of them shares.

A pickle is a program, and `pickle.load` runs what a stranger wrote. A reader built on
`Unpickler` names the instructions that it carries out; every other one is refused
before it is, and no object is ever made by name.
"""

import io
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

Dispatch = dict[int, Callable[[Any], None]]


class RefusedError(Exception):
    """The pickle holds more than its reader knows."""


class Unpickler(pickle._Unpickler):
    """Runs a few instructions; a subclass says which, what they call and change.

    It is the one in Python: in the one in C, one instruction can ask for gigabytes.

    Attributes:
        keys: types that the keys of a dict may have. Any other key could be nested so
            deeply that hashing it ends the program.
    """

    stack: list[Any]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]
    keys: ClassVar[tuple[type, ...]] = (str, int)

    def __init__(self, content: io.BytesIO, encoding: str = "ASCII") -> None:
        """Takes the file, and how texts of Python 2 are encoded."""
        super().__init__(content, encoding=encoding)

    def call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """What a call gives, of something that `find_class` has returned."""
        raise NotImplementedError

    def change(self, target: Any, state: Any) -> None:
        """Gives a thing the state that the pickle has for it."""
        raise NotImplementedError

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        if not isinstance(arguments, tuple):
            raise RefusedError("it calls something without arguments")
        self.stack[-1] = self.call(self.stack[-1], arguments)

    def _build(self) -> None:
        state = self.stack.pop()
        self.change(self.stack[-1], state)

    def _set_items(self, items: list[Any]) -> None:
        target, keys = self.stack[-1], items[::2]
        if type(target) is not dict or not all(type(key) in self.keys for key in keys):
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


# In place of the stock ones, which make objects or trust the file.
_REPLACED: Dispatch = {
    pickle.REDUCE[0]: Unpickler._reduce,
    pickle.BUILD[0]: Unpickler._build,
    pickle.SETITEM[0]: Unpickler._set_item,
    pickle.SETITEMS[0]: Unpickler._set_marked,
    pickle.DICT[0]: Unpickler._dict,
    pickle.BYTEARRAY8[0]: Unpickler._bytearray,
}


def dispatch(names: str, makes: str) -> Dispatch:
    """The `dispatch` of a subclass.

    Args:
        names: instructions to carry out, as the module pickle names them.
        makes: what they make, for the message about any other.
    """
    table = {code: _refuse(code, makes) for code in range(256)}
    for code in (getattr(pickle, name)[0] for name in names.split()):
        table[code] = _REPLACED.get(code, pickle._Unpickler.dispatch[code])
    return table


def _refuse(code: int, makes: str) -> Callable[[Any], None]:
    def refuse(self: Any) -> None:
        raise RefusedError(f"instruction {bytes([code])!r} makes more than {makes}")

    return refuse
