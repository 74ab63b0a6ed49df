"""Weights of torch models, from .safetensors and .pth, without torch.

A .pth file holds a pickle, of which names, numbers, plain containers and tensors are
read and everything else is refused (see `restricted_pickle`).
"""

import io
import json
import math
import os
import pathlib
import struct
import zipfile
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import ml_dtypes
import numpy as np

from pg2_jax import restricted_pickle
from pg2_jax.restricted_pickle import RefusedError

_SAFETENSORS = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
_STORAGES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}
_GLOBALS = {
    ("collections", "OrderedDict"): "dict",
    ("torch._utils", "_rebuild_tensor_v2"): "tensor",
    ("torch._utils", "_rebuild_parameter"): "parameter",
}
_INSTRUCTIONS = (
    "MARK STOP POP POP_MARK INT BININT BININT1 BININT2 LONG LONG1 LONG4 NONE NEWTRUE "
    "NEWFALSE BINFLOAT UNICODE BINUNICODE SHORT_BINUNICODE BINSTRING SHORT_BINSTRING "
    "APPEND APPENDS GLOBAL STACK_GLOBAL EMPTY_DICT EMPTY_LIST EMPTY_TUPLE TUPLE TUPLE1 "
    "TUPLE2 TUPLE3 PROTO FRAME GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE "
    "BINPERSID REDUCE BUILD SETITEM SETITEMS"
)
# The first pickle of a file that torch wrote before version 1.6.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads a state dict.

    Args:
        path: .safetensors, or what torch.save wrote of a state dict, in the zip form of
            today or in the form before torch 1.6.

    Returns:
        Arrays by name, with the file's dtypes.

    Raises:
        ValueError: it is damaged, or holds more than tensors by name.
        OSError: it cannot be read.
    """
    path = pathlib.Path(path)
    content = path.read_bytes()
    read_content = _read_safetensors if path.suffix == ".safetensors" else _read_torch
    try:
        return read_content(content)
    except RefusedError as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:
        # Damaged files make these readers do nearly anything wrong.
        raise ValueError(
            f"{path} is no whole state dict: {type(error).__name__}: {str(error)[:200]}"
        ) from error


def _read_safetensors(content: bytes) -> dict[str, np.ndarray]:
    """8 bytes with the length of a JSON header, the header, the numbers."""
    (length,) = struct.unpack_from("<Q", content)
    if length > len(content) - 8:
        raise RefusedError(
            f"the header should have {length:,} bytes, the file has {len(content):,}"
        )
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    data = memoryview(content)[8 + length :]
    found = {}
    for name, entry in header.items():
        if entry["dtype"] not in _SAFETENSORS:
            raise RefusedError(f"{name} has the unknown type {entry['dtype']}")
        begin, end = entry["data_offsets"]
        flat = _numbers(data[begin:end], _SAFETENSORS[entry["dtype"]], name)
        if math.prod(entry["shape"]) != len(flat):
            raise RefusedError(
                f"{name} of shape {entry['shape']} has {len(flat):,} numbers"
            )
        found[name] = flat.reshape(entry["shape"])
    return found


def _numbers(data: Any, dtype: Any, name: str) -> np.ndarray:
    """Little-endian bytes as numbers."""
    dtype = np.dtype(dtype)
    if len(data) % dtype.itemsize:
        raise RefusedError(f"{name} has {len(data):,} bytes, no multiple of its type")
    return np.frombuffer(data, dtype)


def _read_torch(content: bytes) -> dict[str, np.ndarray]:
    if content[:4] == b"PK\x03\x04":
        tensors, storages = _read_zip(content)
    else:
        tensors, storages = _read_legacy(content)
    if not isinstance(tensors, dict):
        raise RefusedError("it holds no state dict but something else")
    for name, tensor in tensors.items():
        if not isinstance(tensor, _Tensor):
            raise RefusedError(f"{name!r} is no tensor; give a plain state dict")
    return {
        str(name): _array(tensor, storages, str(name))
        for name, tensor in tensors.items()
    }


def _read_zip(content: bytes) -> tuple[Any, dict[str, Any]]:
    """The pickle, and the bytes of the storages by key."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        (main,) = [name for name in names if name.endswith("/data.pkl")]
        folder = main.removesuffix("data.pkl")
        for info in archive.infolist():
            # torch never compresses; what does could unpack without end.
            if info.compress_type != zipfile.ZIP_STORED:
                raise RefusedError("it is compressed, which torch does not do")
        if folder + "byteorder" in names:
            order = archive.read(folder + "byteorder")
            if order != b"little":
                raise RefusedError(f"its numbers are {order!r}-endian")
        tensors = _Unpickler(io.BytesIO(archive.read(main))).load()
        storages = {
            name.removeprefix(f"{folder}data/"): archive.read(name)
            for name in names
            if name.startswith(f"{folder}data/")
        }
    return tensors, storages


def _read_legacy(content: bytes) -> tuple[Any, dict[str, Any]]:
    """Five pickles (magic number, version, machine, tensors, keys), then each storage:
    its number of values and these."""
    file = io.BytesIO(content)
    if _Unpickler(file).load() != _LEGACY_MAGIC:
        raise RefusedError("it is not a file of torch.save")
    for _ in range(2):
        _Unpickler(file).load()
    reader = _Unpickler(file)
    tensors = reader.load()
    storages = {}
    for key in _Unpickler(file).load():
        storage = reader.storages.get(key)
        if storage is None:
            raise RefusedError(f"no tensor has the storage {key!r}")
        (count,) = struct.unpack("<q", file.read(8))
        storages[key] = file.read(max(count, 0) * np.dtype(storage.dtype).itemsize)
    return tensors, storages


class _Global(NamedTuple):
    """One of the names that a pickle of tensors mentions; a storage has a dtype."""

    kind: str
    dtype: Any = None


class _Storage(NamedTuple):
    key: str
    dtype: Any


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _array(tensor: _Tensor, storages: dict[str, Any], name: str) -> np.ndarray:
    """The numbers of a tensor, copied out of its storage."""
    storage, offset, shape, strides = tensor
    if storage.key not in storages:
        raise RefusedError(f"the numbers of {name} are missing")
    flat = _numbers(storages[storage.key], storage.dtype, name)
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    negative = min((offset, *shape, *strides)) < 0
    if (
        negative
        or math.prod(shape) > len(flat)
        or (0 not in shape and last >= len(flat))
    ):
        raise RefusedError(
            f"{name} of shape {shape} needs more than the {len(flat):,} numbers there"
        )
    steps = [step * flat.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps).copy()


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or not all(type(n) is int for n in numbers):
        raise RefusedError("it holds a tensor without numbers")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _call(kind: str, arguments: tuple[Any, ...]) -> Any:
    if kind == "dict":
        return _dict(*arguments)
    if kind == "tensor":
        return _tensor(*arguments)
    if kind == "parameter" and isinstance(arguments[0], _Tensor):
        return arguments[0]
    raise RefusedError(f"it calls {kind} with something else than tensors")


def _dict(items: Any = ()) -> dict[str, Any]:
    """A dict; Python 2 gives its entries as a list, as in lpips's own files."""
    for item in items:
        if not isinstance(item, list) or len(item) != 2 or type(item[0]) is not str:
            raise RefusedError("a dict has entries that are no names with values")
    return dict(items)


class _Unpickler(restricted_pickle.Unpickler):
    """Knows the few names that torch's pickles of tensors mention."""

    dispatch: ClassVar[restricted_pickle.Dispatch] = restricted_pickle.dispatch(
        _INSTRUCTIONS, "tensors by name"
    )

    def __init__(self, content: io.BytesIO) -> None:
        """Takes the file."""
        super().__init__(content)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: Any, name: Any) -> _Global:
        """What stands for a name; makes nothing."""
        if module == "torch" and name in _STORAGES:
            return _Global("storage", _STORAGES[name])
        if (module, name) not in _GLOBALS:
            raise RefusedError(
                f"it holds {str(module)[:60]}.{str(name)[:60]}; only tensors by name "
                "are read (save model.state_dict(), not the model)"
            )
        return _Global(_GLOBALS[module, name])

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage that a tensor refers to, by its key."""
        kind, storage, key, _, _, *view = pid
        if kind != "storage" or not isinstance(storage, _Global) or any(view):
            raise RefusedError("it refers to something that is no storage")
        self.storages[key] = _Storage(key, storage.dtype)
        return self.storages[key]

    def call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """A call, which must give a tensor or a dict."""
        if not isinstance(function, _Global):
            raise RefusedError("it calls something that is no tensor")
        return _call(function.kind, arguments)

    def change(self, target: Any, state: Any) -> None:
        """Lets a state dict have the versions of its modules, which nobody needs."""
        if type(target) is not dict:
            raise RefusedError(f"it changes a {type(target).__name__}")


def fitted(value: Any, shapes: Any, what: str, file: str, label: str = "") -> Any:
    """Weights as float32 on the device, if they are those of a network.

    Args:
        value: an array, or such by name, nested.
        shapes: what the network has there.
        what: begins the message where it has other weights.
        file: that they are from, which begins the message where they are damaged.
        label: of the weights in the network, for the messages.

    Raises:
        ValueError: other names or shapes, or a number that is not finite.
    """
    if isinstance(shapes, dict):
        if set(value) != set(shapes):
            raise ValueError(f"{what}: {label}has {sorted(value)}.")
        return {
            name: fitted(value[name], shape, what, file, f"{label}{name} ")
            for name, shape in shapes.items()
        }
    if tuple(value.shape) != shapes.shape:
        raise ValueError(
            f"{what}: {label}has the shape {value.shape}, needed is {shapes.shape}."
        )
    if not np.isfinite(value).all():
        raise ValueError(f"{file}: {label}holds NaN or infinite values.")
    return jnp.asarray(value, jnp.float32)
