"""A data set of synthetic people, made without tensorflow."""

import pathlib

from data_prep import build_options, synthesize_people
from data_prep.pairs import identity, pair_choice
from data_prep.records import plain_writer
from data_prep.sources import readers, split
from experiments.benchmark.accelerator import plan

_LAYOUT = "market1501"
_TRAIN, _TEST, _PHOTOS = 60, 12, 10  # people of both splits, photos of each


def make(settings: plan.Settings, folder: pathlib.Path) -> str:
    """Renders people and writes their pairs as records; returns --data_dir."""
    photos, data = folder / "photos", folder / "data"
    height, width = settings.image_size
    synthesize_people.synthesize(
        synthesize_people.Options(
            output_dir=str(photos),
            train_identities=max(4, round(_TRAIN * settings.scale)),
            test_identities=max(2, round(_TEST * settings.scale)),
            images_per_identity=_PHOTOS,
            image_size=f"{height}x{width}",
            same_scene=True,
            workers=1 if settings.is_rehearsal else 0,
        )
    )
    problems: list[str] = []
    splits = readers.read(_LAYOUT, photos, build_options.Options(), problems)
    choice = pair_choice.PairChoice((), None, None, seed=0)
    lists = pair_choice.list_pairs(choice, splits, _LAYOUT, problems)
    if problems:
        raise ValueError(f"{photos}: {problems[0]}")
    pairs = {}
    for name, listed in lists.items():
        stored = {photo: _stored(splits[name], photo) for photo in listed.used()}
        pairs[name] = [(stored[source], stored[target]) for source, target in listed]
    data.mkdir()
    plain_writer.write(data, pairs, (height, width), {"dataset": "synthetic"})
    return str(data)


def _stored(source: split.Split, name: str) -> plain_writer.Photo:
    return plain_writer.Photo(
        name,
        identity.identity_of(name, _LAYOUT),
        source.path(name).read_bytes(),
        source.annotations[name],
    )
