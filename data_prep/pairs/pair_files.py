"""Pair lists in the forms that pose transfer projects share."""

import csv
import io
import itertools
import os
from collections.abc import Collection, Iterable, Iterator

from data_prep.pairs.identity import identity_of
from data_prep.pairs.pair_list import Pair
from data_prep.sources.photo_names import PhotoNames
from data_prep.sources.split import collecting
from pg2_jax import files
from pg2_jax.keypoints.base import content_of, shown

_HEADER = ("from", "to")


def read(
    path: files.PathLike, names: Collection[str], dataset: str, problems: list[str]
) -> list[Pair]:
    """Reads a pair list in file order, with photos as `names` spells them. It is a csv
    with the header `from,to`, or a text file of NTED, which has the suffix .txt, no
    header and lines `target,source`, in which more sources may follow. `names` are the
    photos that have keypoints. Bad rows are left out, and go to `problems`."""
    known = PhotoNames(names, dataset)
    first_line: dict[Pair, int] = {}
    line = 0
    for line, row in _rows(path):
        with collecting(problems, f"{path}:{line}"):
            pair = _parse_row(row, known, dataset)
            if pair in first_line:
                raise ValueError(
                    f"{','.join(pair)!r} is already in line {first_line[pair]}; pairs "
                    "may not repeat"
                )
            first_line[pair] = line
    if not line:
        raise ValueError(f"{path}: holds no pairs")
    return list(first_line)


def _rows(path: files.PathLike) -> Iterator[tuple[int, list[str]]]:
    try:
        text = content_of(path, "pairs").decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""))
        if os.fspath(path).lower().endswith(".txt"):
            for row in filter(None, rows):
                sources = row[1:] or [""]
                yield from ((rows.line_num, [name, row[0]]) for name in sources)
            return
        header = next(rows, [])
        if tuple(field.strip() for field in header) != _HEADER:
            raise ValueError(
                f"{path}:1: the header is {shown(','.join(header))}, expected 'from,to'"
            )
        for row in filter(None, rows):
            yield rows.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not a csv file in UTF-8: {error}") from error


def _parse_row(row: list[str], known: PhotoNames, dataset: str) -> Pair:
    if len(row) != 2:
        what = f"{shown(','.join(row))} has {len(row)} fields"
        raise ValueError(f"{what}, expected two: from,to")
    names = [name.strip() for name in row]
    for name in names:
        if not known.knows(name):
            raise ValueError(f"{shown(name)} has no keypoints in the annotation file")
    source, target = map(known.find, names)
    if source == target:
        raise ValueError(f"{source!r} is paired with itself, expected two photos")
    people = identity_of(source, dataset), identity_of(target, dataset)
    if people[0] != people[1]:
        raise ValueError(
            f"{source!r} shows {people[0]!r} and {target!r} shows {people[1]!r}; a "
            "pair shows one person"
        )
    return source, target


def write_csv(path: files.PathLike, pairs: Iterable[Pair]) -> None:
    """Writes a pair list in the published form."""
    files.write_csv(path, itertools.chain([_HEADER], pairs))
