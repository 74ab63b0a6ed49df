"""Writes files as MATLAB's version 7.3 does: HDF5 behind a header of text."""

import io

import h5py
import numpy as np

_HEADER = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"


def dumps(table, name="pp", **options):
    """A file with one variable; its shape is as MATLAB counts it."""
    content = io.BytesIO()
    with h5py.File(content, "w", userblock_size=512) as file:
        file.create_dataset(name, data=np.transpose(table), **options)
        file[name].attrs["MATLAB_class"] = np.bytes_("double")
    return _HEADER + content.getvalue()[len(_HEADER) :]
