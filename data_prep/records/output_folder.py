"""The output folder appears whole or not at all, and replaces nothing of others."""

import contextlib
import errno
import json
import os
import pathlib
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator

from data_prep import command_line
from pg2_jax import files
from pg2_jax.input_pipeline import cloud_files
from pg2_jax.input_pipeline.description import INFO

# The name of every data set, which prefixes its shards.
DATASET_NAME = "pose_pairs"
PICTURE = "pairs.png"
SKIPPED = "skipped.txt"
# The file or the disk is full, or the user's share of it is.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Written and removed, to see whether that is possible.
_PROBE = "pg2_jax-probe"
_OUR_FILES = (INFO, "features.json", "metadata.json", PICTURE, SKIPPED)


def check(folder: pathlib.Path, *, overwrite: bool) -> None:
    """Raises a ValueError unless a data set can be written there without a loss; with
    `overwrite` one that this program wrote may be replaced."""
    if not _is_ours(folder):
        check_empty(folder)
    elif not overwrite:
        raise ValueError(
            f"--output_dir={folder} already holds a data set written by this program; "
            "choose another folder, or --overwrite to replace it"
        )


def check_empty(folder: pathlib.Path) -> None:
    """Raises a ValueError if it is a file, cannot be written, or holds anything but
    what `staging` and the system put there."""
    command_line.check_folder("--output_dir", folder, empty=False)
    command_line.check_empty("--output_dir", folder, content(folder))


def check_cloud(address: str, *, overwrite: bool) -> None:
    """`check` for an address in cloud storage, where nothing is replaced."""
    if overwrite:
        raise ValueError(
            f"--overwrite is not for --output_dir={address}: remove what is there, or "
            "choose another folder"
        )
    folder = cloud_files.path_of(address)
    with cloud_files.named_errors("output_dir", address):
        there = [*folder.iterdir()] if folder.exists() else []
    # A folder that was made in the web page of a storage lists itself, an empty file.
    names = {path.name for path in there if path != folder}
    command_line.check_empty("--output_dir", address, sorted(names - {_PROBE}))
    with cloud_files.named_errors("output_dir", address):
        probe = folder / _PROBE
        probe.write_bytes(b"")
        # Some may write there, but remove nothing.
        with contextlib.suppress(Exception):
            probe.unlink()


def publish_in_cloud(built: pathlib.Path, address: str) -> None:
    """Copies a finished data set to its address, dataset_info.json last."""
    for file in sorted(built.iterdir(), key=lambda file: (file.name == INFO, file)):
        cloud_files.put(file, f"{address.rstrip('/')}/{file.name}", "output_dir")


def content(folder: pathlib.Path) -> list[str]:
    """What a folder holds, sorted, without what `staging` and the system put there."""
    passed_over = [f".{folder.name}.incomplete-", f".{folder.name}.lock"]
    if files.is_mount_point(folder):
        passed_over.append("lost+found")
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    return [name for name in names if not name.startswith(tuple(passed_over))]


def _is_ours(folder: pathlib.Path) -> bool:
    others = set(content(folder)).difference(_OUR_FILES)
    if not all(name.startswith(f"{DATASET_NAME}-") for name in others):
        return False
    try:
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
        return info["name"] == DATASET_NAME
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextlib.contextmanager
def staging(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a temporary folder beside `folder`, or inside if that is a mount point, and
    removes it in any case. What a killed process left is removed first; a second
    process is refused."""
    parent = folder if files.is_mount_point(folder) else folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    # A process number means something on one computer only, a disk may be shared.
    prefix = f".{folder.name}.incomplete-{socket.gethostname()}-"
    # On a disk without locks the last rename decides, see `publish`.
    with files.locked(parent / f".{folder.name}.lock", f"--output_dir={folder}"):
        for path in parent.iterdir():
            match = re.fullmatch(rf"{re.escape(prefix)}(\d{{1,9}})-\w+", path.name)
            if match and not _is_alive(int(match[1])):
                shutil.rmtree(path, ignore_errors=True)
        with files.temporary_folder(parent, f"{prefix}{os.getpid()}-") as temporary:
            try:
                yield temporary
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                raise OSError(
                    f"--output_dir={folder}: no space to write it: {error.strerror} "
                    "(nothing of it was kept, and what was there before is "
                    "unchanged)"
                ) from error


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # It runs, as another user.
    return True


def publish(
    built: pathlib.Path,
    folder: pathlib.Path,
    stage: pathlib.Path,
    *,
    overwrite: bool = False,
) -> None:
    """Renames a finished data set, below the `stage` of `staging`, to its place; with
    `overwrite` what is there moves to `stage` and goes with it. In a mount point its
    files are renamed, dataset_info.json last, which makes it a data set. A ValueError
    where the place was filled meanwhile, which no lock here stops."""
    replaced = pathlib.Path(tempfile.mkdtemp(prefix="replaced-", dir=stage))
    if files.is_mount_point(folder):
        there = content(folder)
        if there and not overwrite:
            raise _written_meanwhile(folder)
        names = sorted(os.listdir(built), key=lambda name: (name == INFO, name))
        moves = [(folder / name, replaced / name) for name in there]
        moves += [(built / name, folder / name) for name in names]
    else:
        is_replaced = overwrite and folder.exists()
        moves = [(folder, replaced / folder.name)] if is_replaced else []
        # Takes the place of nothing but an empty folder.
        moves.append((built, folder))
    try:
        files.rename_all(moves)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        raise _written_meanwhile(folder) from error


def _written_meanwhile(folder: pathlib.Path) -> ValueError:
    return ValueError(
        f"--output_dir={folder} has been written by another process meanwhile; it is "
        "as that process left it, and what this one made is discarded"
    )
