"""State dicts of torch models, from .pth and .safetensors files, without torch.

A .pth file holds a pickle, of which tensors by name are read and nothing else (see
`restricted_pickle`).
"""

import io
import math
import os
import pathlib
import struct
import zipfile
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import safetensors.numpy

from pg2_jax import restricted_pickle
from pg2_jax.restricted_pickle import RefusedError

_HOLDS = "tensors by name (save model.state_dict(), not the model)"
# The first pickle of a file that torch wrote before version 1.6.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Arrays by name, with the file's dtypes.

    Reads .safetensors, or what torch.save wrote of a state dict, in the zip form of
    today or in the form before torch 1.6. What is damaged, or holds more than tensors
    by name, is a ValueError.
    """
    path = pathlib.Path(path)
    try:
        if path.suffix == ".safetensors":
            return safetensors.numpy.load_file(path)
        return _read_torch(path.read_bytes())
    except OSError:
        raise
    except RefusedError as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:
        # Damaged files make these readers do nearly anything wrong.
        raise ValueError(
            f"{path} is no whole state dict: {type(error).__name__}: {str(error)[:200]}"
        ) from error


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype[Any]


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(restricted_pickle.Unpickler):
    """Knows the few names that torch's pickles of tensors mention."""

    def __init__(self, content: io.BytesIO) -> None:
        super().__init__(content, _NAMES, _HOLDS)
        self.storages: dict[str, _Storage] = {}

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage that a tensor refers to, by its key."""
        kind, dtype, key, _, _, *view = pid
        known = kind == "storage" and isinstance(dtype, np.dtype) and type(key) is str
        if not known or any(view):
            raise RefusedError("it refers to something that is no storage")
        self.storages[key] = _Storage(key, dtype)
        return self.storages[key]


def _read_torch(content: bytes) -> dict[str, np.ndarray]:
    is_zip = content[:4] == b"PK\x03\x04"
    tensors, storages = _read_zip(content) if is_zip else _read_legacy(content)
    if not isinstance(tensors, dict):
        raise RefusedError("it holds no state dict but something else")
    for name, tensor in tensors.items():
        if not isinstance(tensor, _Tensor):
            raise RefusedError(f"{name!r} is no tensor; give a plain state dict")
    return {
        str(name): _array(tensor, storages, str(name))
        for name, tensor in tensors.items()
    }


def _read_zip(content: bytes) -> tuple[Any, dict[str, bytes]]:
    """The pickle, and the bytes of the storages by key."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        (main,) = [name for name in names if name.endswith("/data.pkl")]
        folder = main.removesuffix("data.pkl")
        # torch never compresses; what does could unpack without end.
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
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


def _read_legacy(content: bytes) -> tuple[Any, dict[str, bytes]]:
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
        if type(key) is not str or key not in reader.storages:
            raise RefusedError(f"no tensor has the storage {key!r}")
        (count,) = struct.unpack("<q", file.read(8))
        storages[key] = file.read(max(count, 0) * reader.storages[key].dtype.itemsize)
    return tensors, storages


def _array(tensor: _Tensor, storages: dict[str, bytes], name: str) -> np.ndarray:
    """The numbers of a tensor, copied out of its storage."""
    storage, offset, shape, strides = tensor
    if storage.key not in storages:
        raise RefusedError(f"the numbers of {name} are missing")
    flat = np.frombuffer(storages[storage.key], storage.dtype)
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    # `as_strided` checks nothing.
    fits = min((offset, *shape, *strides)) >= 0 and math.prod(shape) <= len(flat)
    if not fits or (0 not in shape and last >= len(flat)):
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


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _empty_dict() -> dict[str, Any]:
    return {}


_NAMES = {
    ("collections", "OrderedDict"): _empty_dict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **{
        ("torch", f"{name}Storage"): np.dtype(dtype)
        for name, dtype in {
            "Double": np.float64,
            "Float": np.float32,
            "Half": np.float16,
            "BFloat16": ml_dtypes.bfloat16,
            "Long": np.int64,
            "Int": np.int32,
            "Short": np.int16,
            "Char": np.int8,
            "Byte": np.uint8,
            "Bool": np.bool_,
        }.items()
    },
}
