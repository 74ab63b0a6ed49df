"""Takes pictures of synthetic people and tells where their joints are."""

import collections
import dataclasses
import functools
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data_prep.synthetic import figure, paint, person, render

CAMERAS = 6
# Colours of wall and ground at each camera.
_PLACES = np.array(
    (
        ((0.72, 0.69, 0.63), (0.62, 0.60, 0.57)),
        ((0.55, 0.62, 0.66), (0.42, 0.43, 0.45)),
        ((0.66, 0.68, 0.70), (0.50, 0.58, 0.36)),
        ((0.80, 0.78, 0.74), (0.70, 0.62, 0.52)),
        ((0.56, 0.36, 0.30), (0.55, 0.53, 0.52)),
        ((0.52, 0.60, 0.47), (0.66, 0.58, 0.45)),
    )
)
_LAWN, _BRICKS = 2, 4  # cameras
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
    "elbow": {},
    "wrist": {},
}
_OTHER_DEPTH = 0.07
_SHEET_ROWS, _SHEET_COLUMNS = 10, 12


@dataclasses.dataclass(frozen=True)
class Camera:
    """One camera and the place it looks at."""

    backdrop: Image.Image  # the empty place; the wall meets the ground half way down
    light: paint.Light
    pitch: float  # radians the camera looks down
    distance: float  # metres to the person
    blur: float  # standard deviation in pixels of a 128-pixel picture
    noise: float  # standard deviation in grey levels
    quality: int  # of JPEG


@dataclasses.dataclass(frozen=True)
class Photo:
    """A picture and its annotation."""

    image: np.ndarray  # [height, width, 3] uint8
    # [18, 3] float32 (x, y, visible) in whole pixels; (0, 0, 0) if not visible.
    keypoints: np.ndarray
    quality: int  # of the camera's JPEG


def photograph(
    seed: int,
    identity: int,
    index: int,
    height: int,
    width: int,
    same_scene: bool = False,
) -> tuple[str, Photo]:
    """Picture `index` of person `identity`, and its name as in Market-1501.

    The person depends on (seed, identity) alone and the picture on the index in
    addition, so that neither the order nor the number of the pictures matters. In the
    same scene, one camera shows the same background in all pictures of a person.
    """
    traits = np.random.default_rng(np.random.SeedSequence([seed, identity, 0]))
    look = person.sample_look(traits)
    # Steps of the golden ratio spread any number of views evenly around a person.
    turns = traits.random() + index * 0.618034
    first = int(traits.integers(CAMERAS))
    number = first if same_scene else (first + index) % CAMERAS
    rng = np.random.default_rng(np.random.SeedSequence([seed, identity, index + 1]))
    # People are seen more often from the front and from behind than from the side.
    yaw = 2 * np.pi * turns + rng.normal(0, 0.15)
    pose = person.sample_pose(rng, yaw - 0.2 * np.sin(2 * yaw))
    camera = get_camera(seed, number, height)
    scene = traits if same_scene else rng
    place = background(camera, scene, height, width)
    photo = take_photo(look, pose, camera, place, rng)
    frame = 25 * index + int(rng.integers(25))
    sequence = 1 + index // CAMERAS
    return f"{identity:04d}_c{number + 1}s{sequence}_{frame:06d}_00.jpg", photo


def take_photo(
    look: person.Look,
    pose: person.Pose,
    camera: Camera,
    place: np.ndarray,
    rng: np.random.Generator,
) -> Photo:
    """Renders a person in front of a place, [height, width, 3] float32 in [0, 1].

    A keypoint is visible if it lies inside the picture and no other body part is
    in front of it, see `_DEPTHS`. The joint's own and the adjoining limb never hide it.
    Joints lie inside the body: torso, skirt, hair and bags hide shoulders, hips and
    neck only if they are clearly in front.
    """
    height, width, _ = place.shape
    skeleton = _see(figure.build_skeleton(look, pose), camera, rng)
    view = _frame(skeleton, rng, height, width)
    parts = figure.build_parts(look, skeleton)
    factor = 2 if height >= 96 else 3
    surface = render.raycast(parts, view.enlarged(factor))
    phase = rng.uniform(0, 2 * np.pi, 3).astype(np.float32)
    fine = paint.paint(surface, parts, look, camera.light, phase)
    # The mean over squares of factor x factor pixels.
    body = fine.reshape(height, factor, width, factor, 4).sum(1).sum(2)
    body *= np.float32(1 / factor**2)
    ground = place * paint.ground_shadow(skeleton, camera.light, view)[..., None]
    picture = body[..., :3] + ground * (1 - body[..., 3:])
    keypoints = _find_keypoints(skeleton, parts, surface, factor)
    return Photo(_develop(picture, camera, rng), keypoints, camera.quality)


def _see(
    skeleton: figure.Skeleton, camera: Camera, rng: np.random.Generator
) -> figure.Skeleton:
    """Camera coordinates: tilt and roll, then perspective of the joints."""
    pitch = camera.pitch + rng.normal(0, 0.03)
    roll = rng.normal(0, 0.02)
    turn = figure.rotation(2, roll) @ figure.rotation(0, pitch)
    distance = camera.distance * rng.uniform(0.8, 1.2)
    joints = {}
    for name, point in skeleton.joints.items():
        turned = turn @ point
        joints[name] = turned * (distance / (distance - turned[2]))
    frames = {name: turn @ frame for name, frame in skeleton.frames.items()}
    return figure.Skeleton(joints, frames)


def _frame(
    skeleton: figure.Skeleton, rng: np.random.Generator, height: int, width: int
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


def _develop(
    picture: np.ndarray, camera: Camera, rng: np.random.Generator
) -> np.ndarray:
    """Blur and sensor noise; [H, W, 3] float in [0, 1] -> uint8."""
    values = np.clip(255 * picture, 0, 255).astype(np.uint8)
    blur = camera.blur * rng.uniform(0.5, 1.5) * len(picture) / 128
    if blur > 0.2:
        values = Image.fromarray(values).filter(ImageFilter.GaussianBlur(blur))
    noise = rng.standard_normal(picture.shape, np.float32) * np.float32(camera.noise)
    return np.clip(np.asarray(values, np.float32) + noise, 0, 255).astype(np.uint8)


def _find_keypoints(
    skeleton: figure.Skeleton,
    parts: list[render.Part],
    surface: render.Surface,
    factor: int,
) -> np.ndarray:
    """The keypoints of a `Photo`; the raster of the surface is `factor` times finer."""
    keypoints = np.zeros((len(figure.KEYPOINTS), 3), np.float32)
    for index, name in enumerate(figure.KEYPOINTS):
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


@functools.lru_cache(maxsize=CAMERAS)
def get_camera(seed: int, index: int, height: int) -> Camera:
    """Camera `index` (0 to 5) of the world `seed`, for pictures of `height` pixels."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0, index]))
    angle = rng.uniform(-0.9, 0.9)
    direction = np.array((np.sin(angle), rng.uniform(0.5, 0.9), np.cos(angle)))
    warm = rng.uniform(-0.05, 0.05)
    light = paint.Light(
        direction=direction / np.linalg.norm(direction),
        colour=np.array((1 + warm, 1.0, 1 - warm)) * rng.uniform(0.94, 1.06),
        ambient=float(rng.uniform(0.52, 0.68)),
    )
    return Camera(
        backdrop=_backdrop(rng, index, height),
        light=light,
        pitch=float(rng.uniform(0.0, 0.22)),
        distance=float(rng.uniform(4.0, 9.0)),
        blur=float(rng.uniform(0.0, 0.6)),
        noise=float(rng.uniform(0.5, 4.0)),
        quality=int(rng.integers(82, 95)),
    )


def background(
    view: Camera, rng: np.random.Generator, height: int, width: int
) -> np.ndarray:
    """A random part of the camera's view, [height, width, 3] float32, 0..1."""
    zoom = rng.uniform(0.8, 1.2)
    tall, wide = zoom * height, zoom * width
    left = rng.uniform(0, view.backdrop.width - wide)
    # The wall meets the ground behind the person's legs.
    top = view.backdrop.height // 2 - tall * rng.uniform(0.45, 0.75)
    box = left, top, left + wide, top + tall
    crop = view.backdrop.resize((width, height), Image.Resampling.BILINEAR, box=box)
    return np.asarray(crop, np.float32) * np.float32(rng.uniform(0.95, 1.05) / 255)


def _backdrop(rng: np.random.Generator, index: int, height: int) -> Image.Image:
    """A place eight pictures wide and two high."""
    wall, ground = _PLACES[index]
    rows = np.linspace(0, 1, 2 * height)[:, None, None]
    shading = np.where(
        rows < 0.5, wall * (0.8 + 0.5 * rows), ground * (0.7 + 0.4 * rows)
    )
    values = shading * (1 + 0.2 * _cloudiness(rng, height, height // 4))
    values *= 1 + 0.1 * _cloudiness(rng, height, max(2, height // 16))
    picture = Image.fromarray((255 * np.clip(values, 0, 1)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    if index != _LAWN:
        _draw_paving(draw, height, ground * rng.uniform(0.65, 0.85))
    if index == _BRICKS:
        _draw_bricks(draw, height, wall * 1.25)
    else:
        _draw_windows(draw, rng, height, wall)
    _draw_things(draw, rng, height)
    return picture.filter(ImageFilter.GaussianBlur(height / 128))


def _cloudiness(rng: np.random.Generator, height: int, cell: int) -> np.ndarray:
    """Smooth noise in [-1, 1] for a backdrop, with blobs of `cell` pixels."""
    tall, wide = 2 * height, 8 * height
    coarse = rng.integers(0, 256, (tall // cell + 2, wide // cell + 2), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((wide, tall), Image.Resampling.BICUBIC)
    return np.asarray(smooth, np.float32)[..., None] / 127.5 - 1


def _draw_paving(draw, height, colour) -> None:
    """Rows that come closer towards the horizon, and slanted joints."""
    line = {"fill": _rgb(colour), "width": max(1, height // 100)}
    for step in range(1, 9):
        row = height + height * (step / 8) ** 1.7
        draw.line((0, row, 8 * height, row), **line)
    for step in range(-4, 44):
        top = step * 0.2 * height
        draw.line((top, height, top + 0.35 * height, 2 * height), **line)


def _draw_bricks(draw, height, colour) -> None:
    for row in range(40):
        y = height - row * 0.05 * height
        draw.line((0, y, 8 * height, y), fill=_rgb(colour))
        for column in range(80):
            x = (column + 0.5 * (row % 2)) * 0.1 * height
            draw.line((x, y, x, y - 0.05 * height), fill=_rgb(colour))


def _draw_windows(draw, rng, height, wall) -> None:
    pitch = rng.uniform(0.4, 0.8) * height
    glass = _rgb(wall * rng.uniform(0.4, 1.3) * (0.9, 1.0, 1.1))
    for column in range(int(8 * height / pitch) + 1):
        x, wide = column * pitch, rng.uniform(0.3, 0.7) * pitch
        low = height - rng.uniform(0.0, 0.35) * height
        box = x, low - 0.6 * height, x + wide, low
        draw.rectangle(box, fill=glass, outline=_rgb(wall * 0.6))


def _draw_things(draw, rng, height) -> None:
    """Parked blocks, poles, bushes and far-away people along the wall."""
    for _ in range(26):
        x = rng.uniform(0, 8 * height)
        foot = height + rng.uniform(0.0, 0.25) * height
        colour = _rgb(rng.uniform(0.15, 0.85) + rng.normal(0, 0.07, 3))
        kind = rng.integers(4)
        if kind == 0:  # a pole
            wide, tall = 0.03 * height, rng.uniform(0.6, 1.2) * height
        elif kind == 1:  # a car or a bench
            wide, tall = rng.uniform(0.4, 0.9) * height, rng.uniform(0.1, 0.3) * height
        else:
            wide, tall = rng.uniform(0.08, 0.2) * height, rng.uniform(0.2, 0.5) * height
        box = (x, foot - tall, x + wide, foot)
        if kind == 3:
            draw.ellipse(box, fill=colour)
        else:
            draw.rounded_rectangle(box, 0.03 * height, fill=colour)


def _rgb(colour: np.ndarray) -> tuple[int, ...]:
    return tuple(int(255 * channel) for channel in np.clip(colour, 0, 1))
