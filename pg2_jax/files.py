"""Files that appear whole or not at all, and sizes as people write them."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Gives a temporary path beside `path`, which replaces it at the end.

    A kill or an error leaves the old file, or none, but never a half. The suffix stays,
    because some writers choose the format by it.

    Args:
        path: the file to write; its folder must exist.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def parse_range(flag: str, text: str) -> tuple[int, int]:
    """Reads "A:B" as (A, B).

    Args:
        flag: for the message, without dashes.
        text: such as "100:110".

    Raises:
        ValueError: the text is something else; names the flag, the value and the rule.
    """
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text)
    if not match:
        raise ValueError(f"--{flag} must be A:B, such as 100:110; got {text!r}.")
    return int(match[1]), int(match[2])


def parse_size(flag: str, text: str) -> tuple[int, int]:
    """Reads "HEIGHTxWIDTH" as (height, width) in pixels.

    Args:
        flag: for the message, without dashes.
        text: such as "128x64".

    Raises:
        ValueError: the text is something else; names the flag, the value and the rule.
    """
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text)
    if not match or not (int(match[1]) and int(match[2])):
        raise ValueError(
            f"--{flag} must be HEIGHTxWIDTH in pixels, such as 128x64; got {text!r}."
        )
    return int(match[1]), int(match[2])
