"""Takes pictures of synthetic people and tells where their joints are."""

import collections
import dataclasses
import pathlib

import numpy as np
from PIL import Image, ImageFilter

from data_prep.synthetic import body, figure, looks, paint, render, scene

# Depth in metres by which a surface may lie in front of a joint without hiding it, by
# what it belongs to; any other surface hides it from about the thickness of a limb on.
_TRUNK = {"torso": 0.25, "head": 0.25, "bag": 0.3}
_LEGS = {"r_leg": 0.25, "l_leg": 0.25}
_DEPTHS = {
    "nose": {"head": 0.03},
    "eye": {"head": 0.02},
    "ear": {"head": 0.055},
    "neck": _TRUNK,
    "shoulder": _TRUNK,
    "hip": {"torso": 0.25, **_LEGS, "skirt": 0.3, "bag": 0.3},
    "knee": {"skirt": 0.3},
    "ankle": {"skirt": 0.3},
    "elbow": {},
    "wrist": {},
}
_OTHER_DEPTH = 0.07
_SHEET_ROWS, _SHEET_COLUMNS = 10, 12


@dataclasses.dataclass(frozen=True)
class Photo:
    """A picture and its annotation."""

    image: np.ndarray  # [height, width, 3] uint8
    # [18, 3] float32 (x, y, visible) in whole pixels; (0, 0, 0) if not visible.
    keypoints: np.ndarray
    quality: int  # of the camera's JPEG


def photograph(
    seed: int, identity: int, index: int, height: int, width: int
) -> tuple[str, Photo]:
    """Picture `index` of person `identity`, and its name as in Market-1501.

    The person depends on (seed, identity) alone and the picture on the index in
    addition, so that neither the order nor the number of the pictures matters.
    """
    person = np.random.default_rng(np.random.SeedSequence([seed, identity, 0]))
    look = looks.sample_look(person)
    # Steps of the golden ratio spread any number of views evenly around a person.
    turns = person.random() + index * 0.618034
    number = (int(person.integers(scene.CAMERAS)) + index) % 6
    rng = np.random.default_rng(np.random.SeedSequence([seed, identity, index + 1]))
    # People are seen more often from the front and from behind than from the side.
    yaw = 2 * np.pi * turns + rng.normal(0, 0.15)
    pose = body.sample_pose(rng, yaw - 0.2 * np.sin(2 * yaw))
    camera = scene.camera(seed, number, height)
    photo = take_photo(look, pose, camera, rng, height, width)
    frame = 25 * index + int(rng.integers(25))
    sequence = 1 + index // scene.CAMERAS
    return f"{identity:04d}_c{number + 1}s{sequence}_{frame:06d}_00.jpg", photo


def take_photo(
    look: looks.Look,
    pose: body.Pose,
    camera: scene.Camera,
    rng: np.random.Generator,
    height: int,
    width: int,
) -> Photo:
    """Renders a person in front of the camera's place.

    A keypoint is visible if it lies inside the picture and no other body part is
    in front of it, see `_DEPTHS`. The joint's own and the adjoining limb never hide it.
    Joints lie inside the body: torso, skirt, hair and bags hide shoulders, hips and
    neck only if they are clearly in front.
    """
    skeleton = _see(body.build_skeleton(look, pose), camera, rng)
    view = _frame(skeleton, rng, height, width)
    parts = figure.build_parts(look, skeleton)
    factor = 2 if height >= 96 else 3
    surface = render.raycast(parts, view.enlarged(factor))
    phase = rng.uniform(0, 2 * np.pi, 3).astype(np.float32)
    fine = paint.paint(surface, parts, look, camera.light, phase)
    # The mean over squares of factor x factor pixels.
    person = fine.reshape(height, factor, width, factor, 4).sum(1).sum(2)
    person *= np.float32(1 / factor**2)
    place = scene.background(camera, rng, height, width)
    place *= _ground_shadow(skeleton, camera, view)[..., None]
    picture = person[..., :3] + place * (1 - person[..., 3:])
    keypoints = _find_keypoints(skeleton, parts, surface, factor)
    return Photo(_develop(picture, camera, rng), keypoints, camera.quality)


def _see(
    skeleton: body.Skeleton, camera: scene.Camera, rng: np.random.Generator
) -> body.Skeleton:
    """Camera coordinates: tilt and roll, then perspective of the joints."""
    pitch = camera.pitch + rng.normal(0, 0.03)
    roll = rng.normal(0, 0.02)
    turn = body.rotation(2, roll) @ body.rotation(0, pitch)
    distance = camera.distance * rng.uniform(0.8, 1.2)
    turned = {name: turn @ point for name, point in skeleton.joints.items()}
    return body.Skeleton(
        joints={
            name: point * (distance / (distance - point[2]))
            for name, point in turned.items()
        },
        frames={name: turn @ frame for name, frame in skeleton.frames.items()},
    )


def _frame(
    skeleton: body.Skeleton, rng: np.random.Generator, height: int, width: int
) -> render.Viewport:
    """Chooses the crop as a person detector would: not always exactly."""
    points = np.array(list(skeleton.joints.values()))
    low = points.min(0) - np.array((0.1, 0.07, 0))
    high = points.max(0) + np.array((0.1, 0.03, 0))
    scale = height * rng.uniform(0.87, 0.97) / (high[1] - low[1])
    # Stretched arms may leave a narrow picture rather than shrink the person.
    scale = min(scale, max(0.85 * scale, width / (high[0] - low[0])))
    if rng.random() < 0.1:
        scale *= rng.uniform(1.0, 1.2)
    middle = 0.5 * (0.5 * (low + high) + skeleton.joints["pelvis"])
    centre_y = 0.5 * (low[1] + high[1])
    return render.Viewport(
        height=height,
        width=width,
        scale=scale,
        x0=(width - 1) / 2 - scale * middle[0] + width * rng.normal(0, 0.03),
        y0=(height - 1) / 2 + scale * centre_y + height * rng.normal(0, 0.015),
    )


def _ground_shadow(
    skeleton: body.Skeleton, camera: scene.Camera, view: render.Viewport
) -> np.ndarray:
    """[height, width] factor below 1 around the feet and away from the light."""
    toes, ankles = (
        np.array([skeleton.joints[f"{side}_{name}"] for side in "rl"])
        for name in ("toe", "ankle")
    )
    ground = min(toes[:, 1].min(), ankles[:, 1].min() - 0.06)
    feet = view.project((toes + ankles) / 2)[:, 0]
    away = -camera.light.direction[0] * 0.35 * view.scale
    row = view.y0 - view.scale * (ground - 0.02)
    # Three spots: at the right foot, at the left one, and the body's.
    columns = np.array([*feet, feet.mean() + away])
    wide, high, strength = np.array([[0.11, 0.03, 0.5]] * 2 + [[0.4, 0.05, 0.3]]).T
    x, y = np.arange(view.width)[:, None], np.arange(view.height)[:, None]
    across = np.exp(-(((x - columns) / (wide * view.scale)) ** 2))
    down = strength * np.exp(-(((y - row) / (high * view.scale)) ** 2))
    return (1 - (down[:, None] * across).max(-1)).astype(np.float32)


def _develop(
    picture: np.ndarray, camera: scene.Camera, rng: np.random.Generator
) -> np.ndarray:
    """Blur and sensor noise; [H, W, 3] float in [0, 1] -> uint8."""
    values = np.clip(255 * picture, 0, 255).astype(np.uint8)
    blur = camera.blur * rng.uniform(0.5, 1.5) * len(picture) / 128
    if blur > 0.2:
        values = Image.fromarray(values).filter(ImageFilter.GaussianBlur(blur))
    noise = rng.standard_normal(picture.shape, np.float32) * np.float32(camera.noise)
    return np.clip(np.asarray(values, np.float32) + noise, 0, 255).astype(np.uint8)


def _find_keypoints(
    skeleton: body.Skeleton,
    parts: list[figure.Part],
    surface: render.Surface,
    factor: int,
) -> np.ndarray:
    """The keypoints of a `Photo`; the raster of the surface is `factor` times finer."""
    keypoints = np.zeros((len(body.KEYPOINTS), 3), np.float32)
    for index, name in enumerate(body.KEYPOINTS):
        position = skeleton.joints[name]
        column, row = np.round(surface.view.project(position)).astype(int)
        if not (0 <= row < surface.view.height and 0 <= column < surface.view.width):
            continue
        owner = surface.owner[row, column]
        group = parts[owner].bone.group if owner >= 0 else "none"
        side, _, joint = name.rpartition("_")
        limb = "arm" if joint in ("shoulder", "elbow", "wrist") else "leg"
        own = group == f"{side}_{limb}" and joint not in ("eye", "ear")
        front = surface.depth[row, column] - position[2]
        if own or front <= _DEPTHS[joint].get(group, _OTHER_DEPTH):
            keypoints[index] = column // factor, row // factor, 1
    return keypoints


def write_contact_sheet(folder: pathlib.Path) -> None:
    """Writes contact_sheet.jpg into a data set with pictures in `bounding_box_*`: some
    people as rows, their pictures as columns."""
    people = collections.defaultdict(list)
    for path in sorted(folder.glob("bounding_box_*/*.jpg")):
        people[path.name[:4]].append(path)
    # Evenly chosen, so that persons of both splits are on the sheet.
    chosen = np.linspace(0, len(people) - 1, min(len(people), _SHEET_ROWS)).astype(int)
    rows = []
    for paths in [list(people.values())[index] for index in chosen]:
        by_frame = sorted(paths, key=lambda path: path.name.split("_")[2])
        photos = [np.asarray(Image.open(path)) for path in by_frame[:_SHEET_COLUMNS]]
        gap = ((0, 2), (0, 2), (0, 0))
        rows.append(np.hstack([np.pad(photo, gap) for photo in photos]))
    sheet = Image.fromarray(np.vstack(rows))
    sheet.save(folder / "contact_sheet.jpg", quality=92)
