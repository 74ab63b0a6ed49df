"""Names of pairs in one word: how files of results are called, and what that means.

Written as SOURCE__TARGET. Read are also the names that other programs give:
SOURCE___TARGET (PATN) and SOURCE_2_TARGET (GFLA), each perhaps with _vis at its end,
and a target's name with something before or after it.
"""

import collections
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_SEPARATOR = re.compile(r"(?=(___|__|_2_))")
# What stands behind a pair: of PATN's and GFLA's pictures, and of a pair's repetition.
_END = re.compile(r"(_vis|__\d+)$")


def key(source: str, target: str) -> str:
    """Names a pair in one word, as --save_images names its files. Both names lose their
    suffix, their slashes become underscores; either may be empty."""
    names = (pathlib.PurePosixPath(name) for name in (source, target) if name)
    return "__".join(str(name.with_suffix("")).replace("/", "_") for name in names)


class Named(NamedTuple):
    """What the name of a file says."""

    photo: str  # the target, as it was handed in
    source: str  # how the name calls the source, empty where it names none


class Photos:
    """Photos by names with or without suffix and folder; what two share names none."""

    def __init__(self, names: Iterable[str]):
        exact = {name: name for name in names}
        photos = collections.defaultdict(set)
        for name in exact:
            path = pathlib.PurePosixPath(name)
            # As files may write it.
            for form in (str(path), str(path.with_suffix("")), path.name, path.stem):
                photos[form.replace("/", "_")].add(name)
        unique = {form: min(own) for form, own in photos.items() if len(own) == 1}
        self._names = unique | exact

    def find(self, file: str) -> Named | None:
        """The photo of a file's name, or a pair's target; None if none or two fit."""
        stem = pathlib.PurePath(file).stem
        for text in (pathlib.PurePath(file).name, stem):
            if text in self._names:
                return Named(self._names[text], "")
        whole, shortened = self._of_pair(stem), self._of_pair(_END.sub("", stem))
        if whole and shortened and whole.photo != shortened.photo:
            return None
        return whole or shortened

    def find_inside(self, file: str) -> Named | None:
        """The only photo whose name stands somewhere within a file's, between signs
        that are neither letters nor digits; of a pair that of the target."""
        stem = pathlib.PurePath(file).stem
        ends = [place.end(1) for place in _SEPARATOR.finditer(stem)]
        for text in (stem[ends[-1] :] if ends else stem, stem):
            inside = {part for part in _parts(text) if part in self._names}
            longest = {x for x in inside if not any(x in y and x != y for y in inside)}
            if len(photos := {self._names[part] for part in longest}) == 1:
                return Named(photos.pop(), "")
        return None

    def _of_pair(self, text: str) -> Named | None:
        for place in _SEPARATOR.finditer(text):
            target = text[place.end(1) :]
            if target in self._names and place.start():
                return Named(self._names[target], text[: place.start()])
        return None


def _parts(text: str) -> Iterator[str]:
    """All parts of a text that begin and end where a word does."""
    words = [word.span() for word in re.finditer(r"[^\W_]+", text)]
    for i, (start, _) in enumerate(words):
        yield from (text[start:end] for _, end in words[i:])
