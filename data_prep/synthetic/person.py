"""Random people: what stays the same in all pictures of a person."""

import colorsys
import dataclasses

import numpy as np

Colour = tuple[float, float, float]

# How often each is chosen, in percent; of hair styles for men and for women.
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """One identity. Colours are RGB in [0, 1]; lengths are metres for a stature of
    1.75 m."""

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
    names, percents = zip(*(pair.split() for pair in chances.split(",")), strict=True)
    return names[rng.choice(len(names), p=np.array(percents, float) / 100)]


def cloth_colour(rng: np.random.Generator, vivid: float) -> Colour:
    """A saturated colour with probability `vivid`, else one usual in clothes."""
    if rng.random() < vivid:
        hue, saturation = rng.random(), rng.uniform(0.4, 0.9)
        return colorsys.hsv_to_rgb(hue, saturation, rng.uniform(0.35, 0.9))
    hue, saturation, value = _CLOTHS[rng.integers(len(_CLOTHS))]
    hue, saturation = hue + rng.normal(0, 0.03), saturation * rng.uniform(0.6, 1.4)
    return colorsys.hsv_to_rgb(
        hue % 1, min(saturation, 1), min(1, value * rng.uniform(0.75, 1.3))
    )


def _unlike(rng: np.random.Generator, other: Colour) -> Colour:
    """A cloth colour that can be told apart from `other`."""
    while True:
        colour = cloth_colour(rng, vivid=0.35)
        if np.abs(np.subtract(colour, other)).sum() > 0.5:
            return colour


def _jitter(rng: np.random.Generator, colour: Colour) -> Colour:
    red, green, blue = np.clip(np.array(colour) * rng.uniform(0.9, 1.08, 3), 0, 1)
    return float(red), float(green), float(blue)
