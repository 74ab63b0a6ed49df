"""Where programs may write: checked before the work."""

import os

import pytest

from data_prep import command_line


def test_a_folder_is_refused_that_cannot_be_made(tmp_path, monkeypatch):
    command_line.check_folder("--output", tmp_path / "new" / "inside")
    file = tmp_path / "file"
    file.touch()
    for path in (file, file / "inside"):
        with pytest.raises(ValueError, match=f"^--output={path}: {file} is a file, "):
            command_line.check_folder("--output", path)
    with pytest.raises(ValueError, match=f"^--output={tmp_path} already holds file; "):
        command_line.check_folder("--output", tmp_path)
    command_line.check_folder("--output", tmp_path, empty=False)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ValueError, match=f"no permission to write into {tmp_path}; "):
        command_line.check_folder("--output", tmp_path / "new" / "inside")
