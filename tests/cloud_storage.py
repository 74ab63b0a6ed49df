"""Cloud storage without a network: stand-ins for the file systems that epath uses.

Where there is no tensorflow, epath reads gs:// and s3:// by fsspec and the package of
the storage; `Buckets` takes the place of these packages. With tensorflow it asks that;
its ram:// takes the place of gs://, which is in its library beside it.
"""

import pathlib

import fsspec
from etils.epath import backend, gpath, register
from fsspec.implementations.local import LocalFileSystem

from pg2_jax.input_pipeline import cloud_files
from tests.late import tf


class Buckets(LocalFileSystem):
    """Each bucket is a folder below `root`; objects need no folders."""

    root = ""

    def __init__(self, **options):
        super().__init__(auto_mkdir=True)

    @classmethod
    def _strip_protocol(cls, path):
        for scheme in ("gs://", "s3://"):
            if str(path).startswith(scheme):
                return f"{cls.root}/{str(path).removeprefix(scheme)}".rstrip("/")
        return super()._strip_protocol(path)


def without_tensorflow(monkeypatch, root: pathlib.Path) -> None:
    """Puts the buckets into a folder."""
    monkeypatch.setattr(gpath, "_is_tf_installed", lambda: False)
    monkeypatch.setattr(Buckets, "root", str(root))
    systems = {"gcs": Buckets(), "s3": Buckets(), "file": fsspec.filesystem("file")}
    monkeypatch.setattr(
        backend.fsspec_backend, "_get_filesystem", systems.__getitem__, raising=False
    )


def of_tensorflow(monkeypatch) -> None:
    """Makes ram:// the address of a cloud storage, which lives as long as the
    process."""
    monkeypatch.setattr(gpath, "_URI_PREFIXES", (*gpath._URI_PREFIXES, "ram://"))
    monkeypatch.setattr(gpath, "_URI_SCHEMES", gpath._URI_SCHEMES | {"ram"})
    monkeypatch.setitem(gpath._URI_MAP_ROOT, "ram://", "/ram/")
    monkeypatch.setitem(gpath._PREFIX_TO_BACKEND, "ram", backend.tf_backend)
    monkeypatch.setitem(register._URI_PREFIXES_TO_CLS, "ram://", gpath.PosixGPath)
    monkeypatch.setattr(cloud_files, "SCHEMES", (*cloud_files.SCHEMES, "ram://"))


def copy_to_tensorflow(folder: pathlib.Path, address: str) -> None:
    """Copies a folder to a ram:// address, once."""
    if tf.io.gfile.exists(address):
        return
    tf.io.gfile.makedirs(address)
    for file in folder.iterdir():
        tf.io.gfile.copy(str(file), f"{address}/{file.name}")
