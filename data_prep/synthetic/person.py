"""Random people: what stays the same in all pictures of a person, and how they pose."""

import colorsys
import dataclasses

import numpy as np

Colour = tuple[float, float, float]

# How often each is chosen; of hair styles for men and for women.
_HAIR_STYLES = (
    "short 66, bob 3, long 3, ponytail 2, bun 1, bald 12, cap 13",
    "short 14, bob 20, long 30, ponytail 20, bun 10, bald 0, cap 6",
)
_PATTERNS = "plain 40, melange 12, stripes 16, plaid 12, flowers 11, dots 4, block 5"
_FRONTS = "plain 30, print 24, text 10, jacket 22, buttons 8, vest 6"
_TROUSERS = "plain 40, denim 42, plaid 6, side 5, flowers 4, stripes 3"
_BAGS = "none 48, backpack 22, shoulder 20, hand 10"
_SLEEVES = "0.12 6, 0.5 20, 0.75 20, 1.35 10, 1.95 44"
_LEG_COVERS = "0.5 8, 0.85 14, 1.6 6, 2 72"
_LEG_COVERS_UNDER_A_SKIRT = "0 60, 2 40"
_SKINS = (
    *((0.93, 0.78, 0.68), (0.88, 0.69, 0.57), (0.80, 0.59, 0.45)),
    *((0.66, 0.45, 0.33), (0.48, 0.32, 0.23), (0.33, 0.22, 0.16)),
)
_HAIRS = (
    *((0.06, 0.05, 0.05), (0.08, 0.06, 0.05), (0.14, 0.09, 0.06), (0.26, 0.16, 0.09)),
    *((0.45, 0.30, 0.16), (0.75, 0.58, 0.34), (0.48, 0.19, 0.09), (0.58, 0.57, 0.56)),
)
# Hue, saturation and value around which the usual cloths lie.
_CLOTHS = (
    *((0.6, 0.1, 0.06), (0.6, 0.1, 0.1), (0.6, 0.08, 0.2), (0.6, 0.05, 0.45)),
    *((0.6, 0.03, 0.7), (0.1, 0.04, 0.93), (0.62, 0.5, 0.2), (0.6, 0.5, 0.4)),
    *((0.58, 0.35, 0.65), (0.1, 0.3, 0.7), (0.09, 0.45, 0.4), (0.22, 0.45, 0.28)),
    *((0.97, 0.7, 0.35), (0.12, 0.15, 0.85)),
)


# Directions of upper arm and forearm as (outward, up, forward), chest frame.
_ARMS = {
    "hang": ((0.12, -1.0, -0.02), (0.06, -1.0, 0.18)),
    "pocket": ((0.38, -0.9, -0.25), (-0.25, -0.9, 0.38)),
    "hip": ((0.75, -0.7, -0.3), (-0.75, -0.5, 0.42)),
    "raise": ((0.35, 0.95, 0.05), (0.05, 1.0, 0.1)),
    "side": ((1.0, -0.05, 0.0), (1.0, 0.0, 0.05)),
    "wave": ((0.9, -0.1, 0.15), (0.25, 0.95, 0.2)),
    "cross": ((0.22, -0.85, 0.42), (-0.9, 0.12, 0.4)),
    "reach": ((0.1, -0.15, 1.0), (0.0, 0.05, 1.0)),
    "carry": ((0.18, -1.0, 0.08), (-0.1, -0.05, 1.0)),
    "phone": ((0.35, -0.75, 0.55), (-0.28, 0.95, 0.0)),
    "back": ((0.35, -0.85, -0.35), (-0.75, -0.45, -0.25)),
    "point": ((0.6, -0.1, 0.8), (0.55, 0.1, 0.8)),
    "chin": ((0.1, -0.85, 0.5), (-0.25, 0.75, 0.55)),
    "run": ((0.2, -0.8, -0.5), (0.0, -0.1, 0.9)),
}
# Arms that move together (right, left), and how often.
_ARM_PAIRS = (
    "hang hang 9, pocket pocket 1.5, hip hip 1.5, hip hang 1.5, raise raise 1, "
    "raise hang 1, wave hang 2, wave wave 0.7, side side 1, cross cross 2, "
    "reach reach 1, reach hang 1, carry carry 1.5, carry hang 1.5, phone hang 2, "
    "phone pocket 1, back back 1, point hang 1.2, chin cross 1, run carry 1"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """One identity: colours RGB in [0, 1], lengths metres for a stature of 1.75 m."""

    stature: float  # in metres
    girth: float  # factor on all thicknesses, 1 is average
    shoulder_half: float  # half the distance between the shoulder joints
    hip_half: float
    bust: float  # thickness added to the front of the chest
    skin: Colour
    hair: Colour
    hair_style: str
    beard: bool
    glasses: bool
    hat: Colour
    shirt: Colour
    accents: tuple[Colour, Colour]  # further colours of the upper garment
    pattern: str
    front: str  # what the front of the upper garment has
    sleeve: float  # covered part of the arm: 1 ends at the elbow, 2 at the wrist
    hem: float  # where the upper garment ends, below the hips' centre
    trousers: Colour
    trousers_pattern: str
    leg_cover: float  # covered part of the leg: 1 ends at the knee, 2 at the ankle
    looseness: float  # factor on the thickness of the clothed limbs
    skirt: float  # length of a skirt below the hips, 0 for none
    dress: bool  # whether the skirt continues the upper garment, as of a coat
    shoes: Colour
    soles: Colour
    bag: str
    bag_colour: Colour
    bag_side: int  # +1 if the bag is carried on the left, -1 on the right
    details: int  # seed of what is drawn on the clothes

    @property
    def size(self) -> float:
        """Factor on all lengths that are given for a stature of 1.75 m."""
        return self.stature / 1.75


@dataclasses.dataclass(frozen=True)
class Pose:
    """Limb directions and joint angles, in radians, of one picture; directions
    (outward, up, forward), of any length, in the frame of the chest or, for legs, the
    pelvis."""

    arms: np.ndarray  # [2, 2, 3] right and left; upper arm and forearm
    legs: np.ndarray  # [2, 2, 3] right and left; thigh and shin
    yaw: float  # turn of the body; 0 faces the camera, pi/2 the image's right
    lean: float = 0.0  # forward bend of the chest
    sway: float = 0.0  # bend of the chest to the left
    twist: float = 0.0  # turn of the chest against the pelvis
    head_turn: float = 0.0  # turn of the head against the chest
    head_nod: float = 0.0  # forward tilt of the head


def sample_look(rng: np.random.Generator) -> Look:
    """A random identity: build, hair, clothes, shoes and bag."""
    woman = bool(rng.random() < 0.5)
    return Look(**_sample_body(rng, woman), **_sample_clothes(rng, woman))


def _sample_body(rng: np.random.Generator, woman: bool) -> dict:
    return {
        "hair_style": _choose(rng, _HAIR_STYLES[woman]),
        "stature": float(rng.normal(1.66 if woman else 1.78, 0.06)),
        "girth": float(np.clip(rng.normal(1.0 if woman else 1.07, 0.1), 0.85, 1.4)),
        "shoulder_half": float(rng.normal(0.168 if woman else 0.19, 0.007)),
        "hip_half": float(rng.normal(0.095, 0.005)),
        "bust": float(rng.uniform(0.015, 0.035)) if woman else 0.0,
        "skin": _jitter(rng, _SKINS[rng.integers(len(_SKINS))]),
        "hair": _jitter(rng, _HAIRS[rng.integers(len(_HAIRS))]),
        "beard": bool(not woman and rng.random() < 0.3),
        "glasses": bool(rng.random() < 0.2),
        "hat": cloth_colour(rng, vivid=0.3),
    }


def _sample_clothes(rng: np.random.Generator, woman: bool) -> dict:
    shirt = cloth_colour(rng, vivid=0.3)
    front = _choose(rng, _FRONTS)
    coat = bool(front == "jacket" and rng.random() < 0.3)
    skirt = float(rng.uniform(0.22, 0.6)) if woman and rng.random() < 0.4 else 0.0
    leg_covers = _LEG_COVERS_UNDER_A_SKIRT if skirt else _LEG_COVERS
    sleeve, leg_cover = (float(_choose(rng, x)) for x in (_SLEEVES, leg_covers))
    pattern, trousers_pattern = _choose(rng, _PATTERNS), _choose(rng, _TROUSERS)
    denim = colorsys.hsv_to_rgb(0.6, rng.uniform(0.2, 0.6), rng.uniform(0.12, 0.6))
    trousers = cloth_colour(rng, vivid=0.12)
    return {
        "shirt": shirt,
        "accents": (_unlike(rng, shirt), _unlike(rng, shirt)),
        "pattern": pattern,
        "front": front,
        "sleeve": 1.95 if front == "jacket" else sleeve,
        "hem": float(rng.uniform(-0.08, 0.06)),
        "trousers": denim if trousers_pattern == "denim" else trousers,
        "trousers_pattern": trousers_pattern,
        "leg_cover": 2.0 if coat and not skirt else leg_cover,
        "looseness": float(rng.uniform(0.92, 1.3)),
        "skirt": float(rng.uniform(0.2, 0.5)) if coat else skirt,
        "dress": coat or bool(skirt and rng.random() < 0.5),
        "shoes": cloth_colour(rng, vivid=0.2),
        "soles": ((0.08,) * 3, (0.8,) * 3)[rng.integers(2)],
        "bag": _choose(rng, _BAGS),
        "bag_colour": cloth_colour(rng, vivid=0.3),
        "bag_side": (-1, 1)[rng.integers(2)],
        "details": int(rng.integers(2**32)),
    }


def _choose(rng: np.random.Generator, chances: str) -> str:
    pairs = [pair.rsplit(" ", 1) for pair in chances.split(", ")]
    weights = np.array([float(weight) for _, weight in pairs])
    return pairs[rng.choice(len(pairs), p=weights / weights.sum())][0]


def cloth_colour(rng: np.random.Generator, vivid: float) -> Colour:
    """A saturated colour with probability `vivid`, else one usual in clothes."""
    if rng.random() < vivid:
        hue, saturation = rng.random(), rng.uniform(0.4, 0.9)
        return colorsys.hsv_to_rgb(hue, saturation, rng.uniform(0.35, 0.9))
    hue, saturation, value = _CLOTHS[rng.integers(len(_CLOTHS))]
    hue, saturation = hue + rng.normal(0, 0.03), saturation * rng.uniform(0.6, 1.4)
    bright = min(1, value * rng.uniform(0.75, 1.3))
    return colorsys.hsv_to_rgb(hue % 1, min(saturation, 1), bright)


def _unlike(rng: np.random.Generator, other: Colour) -> Colour:
    """A cloth colour that can be told apart from `other`."""
    while True:
        colour = cloth_colour(rng, vivid=0.35)
        if np.abs(np.subtract(colour, other)).sum() > 0.5:
            return colour


def _jitter(rng: np.random.Generator, colour: Colour) -> Colour:
    red, green, blue = np.clip(np.array(colour) * rng.uniform(0.9, 1.08, 3), 0, 1)
    return float(red), float(green), float(blue)


def standing_pose(
    arms: str | tuple[str, str] = "hang", yaw: float = 0.0, apart: float = 0.06
) -> Pose:
    """A person standing upright with both arms, or the right and the left one, in named
    positions; each leg goes outward by `apart` of its length."""
    legs = np.array([[[apart, -1.0, 0.0], [apart / 3, -1.0, -0.02]]] * 2)
    names = (arms, arms) if isinstance(arms, str) else arms
    return Pose(arms=np.array([_ARMS[name] for name in names]), legs=legs, yaw=yaw)


def walking_pose(phase: float, yaw: float) -> Pose:
    """A step of a walk, the arms swinging; 2 pi of the phase are two steps."""
    arms = np.array([_ARMS["hang"]] * 2)
    arms[:, :, 2] += _arm_swing(0.45 * np.sin(phase))
    return Pose(arms=arms, legs=_walking_legs(0.45, phase), yaw=yaw, lean=0.04)


def sample_pose(rng: np.random.Generator, yaw: float) -> Pose:
    """A random standing or walking pose with arms in one of many positions."""
    if rng.random() < 0.5:
        phase = rng.uniform(0, 2 * np.pi)
        legs = _walking_legs(rng.uniform(0.25, 0.55), phase)
        swing = 0.45 * np.sin(phase)
    else:
        legs, swing = _sample_standing_legs(rng), 0.0
    return Pose(
        arms=_sample_arms(rng, swing),
        legs=legs,
        yaw=yaw,
        lean=float(rng.normal(0.04, 0.06)),
        sway=float(rng.normal(0, 0.04)),
        twist=float(rng.normal(0, 0.1) + 0.2 * swing),
        head_turn=float(np.clip(rng.normal(0, 0.3), -0.8, 0.8)),
        head_nod=float(rng.normal(0.05, 0.12)),
    )


def _sample_arms(rng: np.random.Generator, swing: float) -> np.ndarray:
    """Named positions, mixed with hanging arms, mirrored at random, jittered."""
    names = _choose(rng, _ARM_PAIRS).split()
    if rng.random() < 0.5:
        names = names[::-1]
    strength = min(1.0, rng.uniform(0.7, 1.3))
    arms = strength * np.array([_ARMS[name] for name in names])
    arms += (1 - strength) * np.array(_ARMS["hang"])
    hanging = np.array([name == "hang" for name in names])
    arms[hanging, :, 2] += _arm_swing(swing)[hanging]
    return arms + rng.normal(0, 0.07, arms.shape)


def _arm_swing(swing: float) -> np.ndarray:
    """What upper arm and forearm, right and left, go forward: [2, 2]."""
    bones = np.array((swing, swing + abs(swing)))
    return np.stack([bones, -bones]) + np.array((0.0, 0.1))


def _walking_legs(stride: float, phase: float) -> np.ndarray:
    """Legs at a phase of the gait, of which 2 pi are two steps; the right leg is back
    when sin(phase) > 0. `stride` is the largest angle between thigh and body."""
    legs = np.empty((2, 2, 3))
    for side, shift in enumerate((np.pi, 0.0)):
        thigh = stride * np.sin(phase + shift)
        # The knee bends most while the leg swings forward.
        bend = 0.08 + 1.3 * stride * max(0.0, np.cos(phase + shift)) ** 2
        bend += 0.5 * max(0.0, -thigh)
        legs[side, 0] = 0.03, -np.cos(thigh), np.sin(thigh)
        legs[side, 1] = 0.0, -np.cos(thigh - bend), np.sin(thigh - bend)
    return legs


def _sample_standing_legs(rng: np.random.Generator) -> np.ndarray:
    apart = rng.choice((0.04, 0.12, 0.28), p=(0.5, 0.35, 0.15))
    legs = np.array([[[apart, -1.0, 0.02], [apart, -1.0, -0.03]]] * 2)
    legs[:, :, 2] += rng.normal(0, 0.05, (2, 1))
    if rng.random() < 0.35:
        lift = rng.choice((0.3, 0.55, 1.4), p=(0.5, 0.35, 0.15))
        legs[rng.integers(2)] = (apart + 0.08, -1.0, lift), (0.02, -1.0, -0.6 * lift)
    return legs
