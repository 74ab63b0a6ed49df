"""State dicts of torch models, from .pth and .safetensors files, without torch. Of a
pickle tensors by name are read and nothing else; see `restricted_pickle`."""

import io
import math
import pathlib
import zipfile
from typing import Any

import ml_dtypes
import numpy as np
import safetensors.numpy

from pg2_jax import files, restricted_pickle
from pg2_jax.restricted_pickle import RefusedError

_HOLDS = "tensors by name (save model.state_dict(), not the model)"
# The first pickle of a file that torch wrote before version 1.6.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def read(path: files.PathLike) -> dict[str, np.ndarray]:
    """Arrays by name, with the file's dtypes, of .safetensors or of what torch.save
    wrote of a state dict, in the zip form of today or in that before torch 1.6. What is
    damaged, or holds more than tensors by name, is a ValueError."""
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


class _Unpickler(restricted_pickle.Unpickler):
    """Knows the few names that torch's pickles of tensors mention. Tensors are views of
    storages, arrays by their keys that are filled afterwards."""

    def __init__(self, file: io.BytesIO, most_bytes: int) -> None:
        super().__init__(file, _NAMES, _HOLDS)
        self.storages: dict[str, np.ndarray] = {}
        self._bytes_left = most_bytes

    def persistent_load(self, pid: Any) -> np.ndarray:
        """The array of a storage that the pickle names; called by pickle."""
        kind, dtype, key, _, count, *view = pid
        known = kind == "storage" and isinstance(dtype, np.dtype) and type(key) is str
        if not known or type(count) is not int or any(view):
            raise RefusedError("it refers to something that is no storage")
        if key not in self.storages:
            self._bytes_left -= count * dtype.itemsize
            if self._bytes_left < 0:
                raise RefusedError(f"it is too small for the numbers of storage {key}")
            self.storages[key] = np.zeros(count, dtype)
        return self.storages[key]


def _read_torch(content: bytes) -> dict[str, np.ndarray]:
    is_zip = content[:4] == b"PK\x03\x04"
    tensors = _read_zip(content) if is_zip else _read_legacy(content)
    if not isinstance(tensors, dict):
        raise RefusedError("it holds no state dict but something else")
    for name, tensor in tensors.items():
        if not isinstance(tensor, np.ndarray):
            raise RefusedError(f"{name!r} is no tensor; give a plain state dict")
    return {str(name): tensor for name, tensor in tensors.items()}


def _read_zip(content: bytes) -> Any:
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
        reader = _Unpickler(io.BytesIO(archive.read(main)), len(content))
        tensors = reader.load()
        for key, storage in reader.storages.items():
            if f"{folder}data/{key}" not in names:
                raise RefusedError(f"the numbers of storage {key} are missing")
            _fill(storage, key, archive.read(f"{folder}data/{key}"))
    return tensors


def _read_legacy(content: bytes) -> Any:
    """Five pickles (magic, version, machine, tensors, keys), then the storages."""
    file = io.BytesIO(content)
    if _Unpickler(file, 0).load() != _LEGACY_MAGIC:
        raise RefusedError("it is not a file of torch.save")
    for _ in range(2):
        _Unpickler(file, 0).load()
    reader = _Unpickler(file, len(content))
    tensors = reader.load()
    keys = _Unpickler(file, 0).load()
    if sorted(keys) != sorted(reader.storages):
        raise RefusedError("its storages are not those of its tensors")
    for key in keys:
        file.read(8)
        storage = reader.storages[key]
        _fill(storage, key, file.read(storage.nbytes))
    return tensors


def _fill(storage: np.ndarray, key: str, data: bytes) -> None:
    if len(data) != storage.nbytes:
        raise RefusedError(
            f"storage {key} has {len(data):,} bytes, needed are {storage.nbytes:,}"
        )
    storage[:] = np.frombuffer(data, storage.dtype)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> np.ndarray:
    sizes = (offset, *shape, *strides)
    if not isinstance(storage, np.ndarray) or not all(type(n) is int for n in sizes):
        raise RefusedError("it holds a tensor without numbers")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    # `as_strided` checks nothing.
    fits = storage.ndim == 1 and min(sizes) >= 0 and math.prod(shape) <= len(storage)
    if not fits or (0 not in shape and last >= len(storage)):
        numbers = f"the {len(storage):,} numbers there"
        raise RefusedError(
            f"a tensor of shape {tuple(shape)} needs more than {numbers}"
        )
    steps = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps)


_NAMES = {
    ("collections", "OrderedDict"): lambda: {},
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    **{
        ("torch", f"{name}Storage"): np.dtype(dtype)
        for name, dtype in (
            *[("Double", np.float64), ("Float", np.float32), ("Half", np.float16)],
            *[("Long", np.int64), ("Int", np.int32), ("Short", np.int16)],
            *[("Char", np.int8), ("Byte", np.uint8), ("Bool", np.bool_)],
            ("BFloat16", ml_dtypes.bfloat16),
        )
    },
}
