"""--mode=generate: photos and poses in, pictures or an animation out."""

import collections
import pathlib
import re
import warnings
from typing import cast

from data_prep.sources import photo_list
from experiments import results
from experiments.config import Config
from experiments.config_compatibility import check_networks
from pg2_jax import errors, files
from pg2_jax.checkpoint import restore
from pg2_jax.estimators import person_finder
from pg2_jax.inference import animation, pose_transfer, result, target_pose

_PICTURES = (".png", ".jpg", ".jpeg")
# Arguments of the library that are flags here.
_FLAGS = re.compile(
    r"(?<![-\w])(pose_(?:name|size|fit|model)|source_pose|paste_back)(?=[= ),])"
)


def generate(config: Config) -> None:
    """Draws the people of --source_image in the poses into --output.

    Args:
        config: names the model, the photos, the poses and the output.

    Raises:
        ValueError: an unreadable photo or pose, or an output that cannot be written.
    """
    output = pathlib.Path(config.output)
    _check_output(output)
    finder = person_finder.PersonFinder(config.pose_model)
    photos = _photos(config.source_image)
    model = pose_transfer.PoseTransfer.restore(
        config.workdir,
        config.wanted_checkpoint,
        cast(restore.Weights, config.weights),
        config.drawing_precision,
        finder=finder,
    )
    check_networks(model.config, config)
    config = config.with_size(*model.image_size)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", UserWarning)
        try:
            people = _draw(config, model, finder, photos)
        except ValueError as error:
            raise ValueError(_with_flags(str(error), config)) from error
    for text in _grouped([str(note.message) for note in notes], photos):
        print(f"note: {_with_flags(text, config)}")
    _write(people, output, config)
    count = sum(len(results) for results in people.values())
    poses = config.poses or f"{config.pose} {config.pose_name}".rstrip()
    print(
        f"Wrote {output}: {config.source_image} in {poses}, {count} drawn by step "
        f"{model.step} of {config.workdir}"
    )


def _check_output(output: pathlib.Path) -> None:
    suffix = output.suffix.lower()
    if suffix in animation.SUFFIXES:
        animation.check_suffix(output)
    elif suffix not in (*_PICTURES, ""):
        raise ValueError(
            f"--output={output} must end in {', '.join(_PICTURES)} for a picture, "
            f"{', '.join(animation.SUFFIXES)} for an animation, or have no suffix for "
            "a folder of pictures."
        )
    if not suffix and output.is_dir():
        if any(output.iterdir()):
            raise ValueError(f"--output={output}: this folder is not empty.")
        return
    results.check_folder("output", output)


def _draw(
    config: Config,
    model: pose_transfer.PoseTransfer,
    finder: person_finder.PersonFinder,
    photos: dict[str, str],
) -> dict[str, result.Results]:
    """Draws everybody; by the names of the photos."""
    given = config.poses or config.pose
    poses = target_pose.read_poses(given, config.pose_name, finder)
    if config.pose and len(poses.poses) > 1:
        raise ValueError(
            f"{config.pose} holds {len(poses.poses)} poses; choose one with pose_name, "
            f"such as pose_name={next(iter(poses.poses))}, or draw all with --poses."
        )
    joints = None
    if config.source_pose:
        joints = target_pose.annotated(config.source_pose)
    size = config.pose_size and files.parse_size("pose_size", config.pose_size)
    return {
        name: model.sequence(
            path,
            poses,
            source_pose=joints,
            pose_size=size or None,
            pose_fit=config.pose_fit,
            mirror=config.mirror,
            between=config.between,
            fit=config.photo_fit,
            paste_back=config.paste_back,
        )
        for name, path in photos.items()
    }


def _photos(source: str) -> dict[str, str]:
    """The photos of --source_image: name -> path."""
    if not pathlib.Path(source).exists():
        raise ValueError(f"--source_image={source}: there is no such file or folder.")
    if not pathlib.Path(source).is_dir():
        return {pathlib.Path(source).name: source}
    try:
        listing = photo_list.find(source)
    except errors.ArgumentError as error:
        raise ValueError(f"--source_image={error.value}{error.rule}") from error
    if listing.problems:
        raise ValueError("--source_image: " + "\n".join(listing.problems))
    return {name: str(listing.folder / name) for name in listing.names}


def _grouped(notes: list[str], photos: dict[str, str]) -> list[str]:
    """What is said of several photos once, with their number."""
    first: dict[str, str] = {}
    count = collections.Counter[str]()
    for text in dict.fromkeys(notes):
        kind = text
        for path in photos.values():
            kind = kind.replace(path, "")
        kind = re.sub(r"\d+", "", kind)
        first.setdefault(kind, text)
        count[kind] += 1
    return [
        f"{text} The same goes for {count[kind] - 1} other photos."
        if count[kind] > 1
        else text
        for kind, text in first.items()
    ]


def _write(
    people: dict[str, result.Results], output: pathlib.Path, config: Config
) -> None:
    everybody, suffix = list(people.values()), output.suffix.lower()
    if not suffix:
        _write_folder(people, output, config)
    elif len(everybody) == len(everybody[0]) == 1 and suffix in _PICTURES:
        everybody[0][0].save(output, skeleton=config.skeleton)
    else:
        result.save(
            everybody,
            output,
            per_second=config.frames_per_second,
            skeleton=config.skeleton,
        )


def _write_folder(
    people: dict[str, result.Results], folder: pathlib.Path, config: Config
) -> None:
    """Writes <photo>/<pose>.png for everybody, or <pose>.png for one person."""
    with files.replacing_folder(folder) as temporary:
        for photo, drawn in people.items():
            here = temporary if len(people) == 1 else temporary / photo
            for name, one in zip(drawn.names, drawn, strict=True):
                path = here / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                one.save(path, skeleton=config.skeleton)


def _with_flags(message: str, config: Config) -> str:
    """A message of the library in the words of the command line."""
    for flag in ("source_image", "source_pose", "poses", "pose"):
        value = getattr(config, flag)
        if value and message.startswith(value):
            message = f"--{flag}={message}"
            break
    return _FLAGS.sub(r"--\1", message)
