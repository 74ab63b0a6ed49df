"""Modules that are imported when a test first uses them, not when tests are collected:
tensorflow takes a process ten seconds, also one that runs none of its tests."""

import importlib
from typing import Any


class Late:
    """`Late("tensorflow").io` is `tensorflow.io`; for reading, not for patching."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pytest looks for marks of its own.
            raise AttributeError(name)
        return getattr(importlib.import_module(self._name), name)


tf = Late("tensorflow")
tfds = Late("tensorflow_datasets")
