"""Takes pictures of synthetic people and tells where their joints are."""

import collections
import dataclasses
import functools
import pathlib

import numpy as np
from PIL import Image

from data_prep.synthetic import figure, person, render, scenes, shading, wardrobe

CAMERAS = 6
# Depth in metres by which a surface may lie in front of a joint without hiding it, by
# what it belongs to; any other surface hides it from about the thickness of a limb on.
_TRUNK = {"torso": 0.25, "head": 0.25, "bag": 0.3}
_PELVIS = {"torso": 0.25, "r_leg": 0.25, "l_leg": 0.25, "skirt": 0.3, "bag": 0.3}
_DEPTHS = {
    "nose": {"head": 0.03},
    "eye": {"head": 0.02},
    "ear": {"head": 0.055},
    "neck": _TRUNK,
    "shoulder": _TRUNK,
    "hip": _PELVIS,
    "knee": {"skirt": 0.3},
    "ankle": {"skirt": 0.3},
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
    # Down to where cloth hangs between the legs: 1 to the knees, 2 to the ankles, 0 if
    # there is none.
    hem: float
    # [height, width, 3] uint8, how much of each pixel shows each of `figure.CLASSES`.
    classes: np.ndarray


def photograph(
    seed: int,
    identity: int,
    index: int,
    height: int,
    width: int,
    same_scene: bool = False,
) -> tuple[str, Photo]:
    """Picture `index` of person `identity`, and its name as in Market-1501. The person
    depends on (seed, identity) alone and the picture on the index in addition, so that
    neither the order nor the number of the pictures matters. In the same scene, one
    camera shows the same background in all pictures of a person."""
    rng = np.random.default_rng([seed, identity, 0])
    look = person.sample_look(rng)
    # Steps of the golden ratio spread any number of views evenly around a person.
    turns = rng.random() + index * 0.618034
    first = int(rng.integers(CAMERAS))
    number = first if same_scene else (first + index) % CAMERAS
    scene = _scene(seed, identity, -1 if same_scene else index, height, width)
    rng = np.random.default_rng([seed, identity, index + 1])
    frame = 25 * index + int(rng.integers(25))
    # People are seen more often from the front and from behind than from the side.
    yaw = 2 * np.pi * turns + rng.normal(0, 0.15)
    pose = person.sample_pose(rng, yaw - 0.2 * np.sin(2 * yaw))
    photo = take_photo(look, pose, scene, rng)
    sequence = 1 + index // CAMERAS
    return f"{identity:04d}_c{number + 1}s{sequence}_{frame:06d}_00.jpg", photo


@functools.lru_cache(maxsize=1)  # A quarter of the time of pictures in one scene.
def _scene(
    seed: int, identity: int, place: int, height: int, width: int
) -> scenes.Scene:
    """The scene of a person's picture number `place`, or of all of them for -1."""
    # Other numbers than those of looks and poses.
    rng = np.random.default_rng([seed, identity, 2**20 + place])
    return scenes.make_scene(rng, height, width)


def take_photo(
    look: person.Look, pose: person.Pose, scene: scenes.Scene, rng: np.random.Generator
) -> Photo:
    """Renders a person in a scene. A keypoint is visible if it lies inside the picture
    and no other body part is in front of it, see `_DEPTHS`. The joint's own and the
    adjoining limb never hide it. Joints lie inside the body: torso, skirt, hair and
    bags hide shoulders, hips and neck only if they are clearly in front."""
    height, width, _ = scene.place.shape
    skeleton = _see(figure.build_skeleton(look, pose), scene)
    view = _frame(skeleton, scene, rng)
    parts = figure.build_parts(look, skeleton)
    factor = 1.5 if height >= 96 else 3
    surface = render.raycast(parts, view.enlarged(factor))
    fine = shading.paint(surface, parts, wardrobe.textures(look), scene.light, rng)
    box = 0, 0, factor * width, factor * height

    def small(raster: np.ndarray) -> Image.Image:
        image = Image.fromarray(raster)
        return image.resize((width, height), Image.Resampling.BILINEAR, box)

    body = small(fine)
    colour, cover = np.split(np.asarray(body, np.float32) / 255, (3,), axis=2)
    ground = scene.place * _ground_shadow(skeleton, scene.light, view)[..., None]
    keypoints = _find_keypoints(skeleton, parts, surface, view)
    image = scene.develop(ground + cover * (colour - ground), rng)
    hem, classes = _hem(look, skeleton), np.asarray(small(_classes(parts, surface)))
    return Photo(image, keypoints, scene.quality, hem, classes)


def _classes(parts: list[render.Part], surface: render.Surface) -> np.ndarray:
    """The classes of a `Photo`, on the raster of the surface."""
    shown = np.zeros((surface.owner.size, len(figure.CLASSES)), np.uint8)
    of_part = np.array([figure.class_of(part) for part in parts])
    shown[surface.pixel, of_part[surface.part]] = 255
    return shown.reshape(*surface.owner.shape, -1)


def _hem(look: person.Look, skeleton: figure.Skeleton) -> float:
    """The hem of a skirt, which hangs between the knees, for `Photo`."""
    pelvis, knees, ankles = (
        np.mean([skeleton.joints[name] for name in names], axis=0)
        for names in (("pelvis",), ("r_knee", "l_knee"), ("r_ankle", "l_ankle"))
    )
    upper, lower = (float(np.linalg.norm(x)) for x in (knees - pelvis, ankles - knees))
    length = look.skirt * look.size
    if length <= upper:
        return length / upper
    return 1 + min((length - upper) / lower, 1.0)


def _see(skeleton: figure.Skeleton, scene: scenes.Scene) -> figure.Skeleton:
    turn = figure.rotation(0, scene.pitch)
    joints = {}
    for name, point in skeleton.joints.items():
        turned = turn @ point
        joints[name] = turned * (scene.distance / (scene.distance - turned[2]))
    frames = {name: turn @ frame for name, frame in skeleton.frames.items()}
    return figure.Skeleton(joints, frames)


def _frame(
    skeleton: figure.Skeleton, scene: scenes.Scene, rng: np.random.Generator
) -> render.Viewport:
    """The crop of a person detector, not always exact; a zoom shows the upper part."""
    (height, width, _), zoom = scene.place.shape, scene.zoom
    points = np.array(list(skeleton.joints.values()))
    low = points.min(0) - np.array((0.1, 0.07, 0))
    high = points.max(0) + np.array((0.1, 0.03, 0))
    scale = height * rng.uniform(0.85, 0.98) / (high[1] - low[1])
    # Stretched arms may leave a narrow picture rather than shrink the person.
    scale = min(scale, max(0.85 * scale, width / (high[0] - low[0])))
    middle = 0.5 * (0.5 * (low + high) + skeleton.joints["pelvis"])
    centre_y = high[1] - 0.5 * (high[1] - low[1]) / zoom
    scale *= zoom
    return render.Viewport(
        height=height,
        width=width,
        scale=scale,
        x0=(width - 1) / 2 - scale * middle[0] + width * rng.normal(0, 0.04),
        y0=(height - 1) / 2 + scale * centre_y + height * rng.normal(0, 0.02),
    )


def _ground_shadow(
    skeleton: figure.Skeleton, light: shading.Light, view: render.Viewport
) -> np.ndarray:
    """[height, width] factor below 1 around the feet and away from the light."""
    toes, ankles = (
        np.array([skeleton.joints[f"{side}_{name}"] for side in "rl"])
        for name in ("toe", "ankle")
    )
    ground = min(toes[:, 1].min(), ankles[:, 1].min() - 0.06)
    feet = view.project((toes + ankles) / 2)[:, 0]
    away = -light.direction[0] * 0.35 * view.scale
    row = view.y0 - view.scale * (ground - 0.02)
    x, y = np.arange(view.width)[None], np.arange(view.height)[:, None]
    factor = np.ones((view.height, view.width), np.float32)
    # Three spots: at the right foot, at the left one, and the body's.
    for column, wide, high, strength in (
        (feet[0], 0.11, 0.03, 0.5),
        (feet[1], 0.11, 0.03, 0.5),
        (feet.mean() + away, 0.4, 0.05, 0.3),
    ):
        across = np.exp(-(((x - column) / (wide * view.scale)) ** 2))
        down = strength * np.exp(-(((y - row) / (high * view.scale)) ** 2))
        factor *= 1 - (down * across).astype(np.float32)
    return factor


def _find_keypoints(
    skeleton: figure.Skeleton,
    parts: list[render.Part],
    surface: render.Surface,
    view: render.Viewport,
) -> np.ndarray:
    """The keypoints of a `Photo`; the surface has a finer raster than the view."""
    keypoints = np.zeros((len(figure.KEYPOINTS), 3), np.float32)
    positions = np.array([skeleton.joints[name] for name in figure.KEYPOINTS])
    both = (each.project(positions) for each in (view, surface.view))
    coarse, fine = (np.round(places).astype(int) for places in both)
    for index, name in enumerate(figure.KEYPOINTS):
        (x, y), (column, row) = coarse[index], fine[index]
        if not (0 <= y < view.height and 0 <= x < view.width):
            continue
        owner = surface.owner[row, column]
        group = parts[owner].bone.group if owner >= 0 else "none"
        side, _, joint = name.rpartition("_")
        limb = "arm" if joint in ("shoulder", "elbow", "wrist") else "leg"
        own = group == f"{side}_{limb}" and joint not in ("eye", "ear")
        front = surface.depth[row, column] - positions[index, 2]
        if own or front <= _DEPTHS.get(joint, {}).get(group, _OTHER_DEPTH):
            keypoints[index] = x, y, 1
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
