"""Random changes of training pairs, made on the device from (seed, step).

Source and target change alike, so that a pair stays a pair. The paper mirrors pairs;
the rest is for networks that shall work on other photos than those of their training.
"""

import dataclasses

import jax
import jax.numpy as jnp

from pg2_jax import inputs, pose, prng
from pg2_jax.inputs import Batch
from pg2_jax.pg2plus import sampling

_Range = tuple[float, float]
_HUE: _Range = (-0.6, 0.6)  # radians
_SATURATION: _Range = (0.5, 1.4)
_CONTRAST: _Range = (0.5, 1.3)
_GAIN: _Range = (0.85, 1.15)  # of each channel
_BRIGHTNESS: _Range = (-0.2, 0.2)  # of images in [-1, 1]
_ZOOM: _Range = (0.85, 1.15)
_ROTATION: _Range = (-0.12, 0.12)  # radians
_SHIFT: _Range = (-0.06, 0.06)  # shares of the size
_GREY = (0.299, 0.587, 0.114)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What is changed at random."""

    flip: bool = True  # mirrors pairs (paper, section 4.1)
    # Hue, saturation, contrast, brightness and tint of a pair.
    colour_augmentation: bool = False
    geometry_augmentation: bool = False  # zoom, rotation and shift of a pair
    # Share of pairs whose source's keypoints are hidden, to teach to do without.
    source_pose_dropout: float = 0.0
    # Standard deviation in pixels: estimated keypoints are never exact.
    keypoint_noise: float = 0.0


def augmented(batch: Batch, options: Augmentation, seed: int, step: jax.Array) -> Batch:
    """The batch of a step, all but `hide_source_poses`; a resumed run gets the same."""

    def key(stream: prng.Stream) -> jax.Array:
        return prng.key(seed, stream, step)

    if options.flip:
        batch = flip_at_random(batch, key(prng.Stream.FLIP))
    if options.geometry_augmentation:
        batch = move_at_random(batch, key(prng.Stream.GEOMETRY))
    if options.colour_augmentation:
        batch = recolour_at_random(batch, key(prng.Stream.COLOURS))
    if options.keypoint_noise:
        stream = key(prng.Stream.KEYPOINT_NOISE)
        batch = add_noise_to_keypoints(batch, options.keypoint_noise, stream)
    return batch


def flip_at_random(batch: Batch, key: jax.Array) -> Batch:
    """Mirrors each pair, both photos and both poses, with probability one half."""
    size, _, width, _ = batch["source_image"].shape
    flipped = jax.random.bernoulli(key, 0.5, (size,))
    mirrored = Batch(
        source_image=batch["source_image"][:, :, ::-1],
        target_image=batch["target_image"][:, :, ::-1],
        source_keypoints=pose.flip_keypoints(batch["source_keypoints"], width),
        target_keypoints=pose.flip_keypoints(batch["target_keypoints"], width),
    )

    def choose(mirror: jax.Array, same: jax.Array) -> jax.Array:
        return jnp.where(flipped.reshape(-1, *[1] * (same.ndim - 1)), mirror, same)

    return jax.tree.map(choose, mirrored, batch)


def recolour_at_random(batch: Batch, key: jax.Array) -> Batch:
    """Gives both photos of a pair other colours: one affine map of RGB for each."""
    ranges = [_HUE, _SATURATION, _CONTRAST, _BRIGHTNESS, *[_GAIN] * 3]
    drawn = _between(key, len(batch["source_image"]), ranges)
    hue, saturation, contrast, brightness, gain = jnp.split(drawn, [1, 2, 3, 4], axis=1)
    hue, saturation, gain = hue[..., None], saturation[..., None], contrast * gain
    grey = jnp.broadcast_to(jnp.array(_GREY), (3, 3))
    # Rotation about the grey axis (Rodrigues), then toward or away from grey.
    third, root = jnp.full((3, 3), 1 / 3), 3**-0.5
    cross = root * jnp.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], jnp.float32)
    turn = jnp.cos(hue) * (jnp.eye(3) - third)[None] + jnp.sin(hue) * cross[None]
    turn = turn + third[None]
    colours = saturation * turn + (1 - saturation) * (grey[None] @ turn)
    colours = gain[..., None] * colours

    def recolour(image: jax.Array) -> jax.Array:
        x = inputs.from_uint8(image)
        x = jnp.einsum("bhwc,bdc->bhwd", x, colours)
        return inputs.to_uint8(x + brightness[:, None, None, :])

    source, target = recolour(batch["source_image"]), recolour(batch["target_image"])
    return {**batch, "source_image": source, "target_image": target}


def move_at_random(batch: Batch, key: jax.Array) -> Batch:
    """Zooms, turns and shifts photos and poses of a pair; borders are repeated."""
    size, height, width, _ = batch["source_image"].shape
    drawn = _between(key, size, [_ZOOM, _ROTATION, _SHIFT, _SHIFT])
    extent = jnp.array([width, height], jnp.float32)
    zoom, turn, shift = drawn[:, 0], drawn[:, 1], drawn[:, 2:] * extent[None]
    middle = ((extent - 1) / 2)[None]
    cos, sin = zoom * jnp.cos(turn), zoom * jnp.sin(turn)
    matrix = jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], -2)

    def move_points(keypoints: jax.Array) -> jax.Array:
        from_middle = keypoints[..., :2] - middle[:, None]
        moved = jnp.einsum("bij,bkj->bki", matrix, from_middle)
        moved = moved + (middle + shift)[:, None]
        visible = keypoints[..., 2:]
        return jnp.concatenate([jnp.where(visible > 0, moved, 0.0), visible], axis=-1)

    # A pixel of the new photo reads the old one at the inverse map's place.
    columns, rows = jnp.meshgrid(jnp.arange(width), jnp.arange(height))
    places = jnp.stack([columns, rows], axis=-1).astype(jnp.float32)[None]
    from_middle = places - (middle + shift)[:, None, None]
    inverse = jnp.swapaxes(matrix, 1, 2) / (zoom**2)[:, None, None]
    read = jnp.einsum("bij,bhwj->bhwi", inverse, from_middle) + middle[:, None, None]
    both = jnp.concatenate([batch["source_image"], batch["target_image"]], axis=-1)
    moved = sampling.bilinear(both.astype(jnp.float32), read[..., 0], read[..., 1])
    source, target = jnp.split(jnp.round(moved).astype(jnp.uint8), 2, axis=-1)
    return Batch(
        source_image=source,
        target_image=target,
        source_keypoints=move_points(batch["source_keypoints"]),
        target_keypoints=move_points(batch["target_keypoints"]),
    )


def _between(key: jax.Array, size: int, ranges: list[_Range]) -> jax.Array:
    """A number of each range for each pair, [size, ranges]; all at once, for each call
    of a generator of random numbers is long to compile."""
    low, high = jnp.array(ranges, jnp.float32).T
    drawn = jax.random.uniform(key, (size, len(ranges)))
    return low[None] + drawn * (high - low)[None]


def add_noise_to_keypoints(batch: Batch, deviation: float, key: jax.Array) -> Batch:
    """Adds normal noise, `deviation` in pixels, to all visible points."""
    source, target = batch["source_keypoints"], batch["target_keypoints"]
    noise = deviation * jax.random.normal(key, (2, *source.shape[:-1], 2))
    noise = jnp.pad(noise, ((0, 0), (0, 0), (0, 0), (0, 1)))
    return {
        **batch,
        "source_keypoints": source + noise[0] * (source[..., 2:] > 0),
        "target_keypoints": target + noise[1] * (target[..., 2:] > 0),
    }


def hide_source_poses(
    batch: Batch, options: Augmentation, seed: int, step: jax.Array
) -> Batch:
    """Makes all source keypoints of the share of pairs missing, (0, 0, 0)."""
    if not options.source_pose_dropout:
        return batch
    key = prng.key(seed, prng.Stream.SOURCE_POSE, step)
    keypoints = batch["source_keypoints"]
    shape = (len(keypoints), 1, 1)
    hidden = jax.random.bernoulli(key, options.source_pose_dropout, shape)
    return {**batch, "source_keypoints": jnp.where(hidden, 0.0, keypoints)}
