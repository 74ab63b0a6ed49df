"""What stays the same in all pictures of one synthetic person: body and clothes."""

import colorsys
import dataclasses
from typing import TypeVar

import numpy as np

_Option = TypeVar("_Option")
_Colour = tuple[float, float, float]

# How often each is chosen; of hair styles for men and for women.
_HAIR_STYLES = {
    "short": (0.66, 0.15),
    "bob": (0.03, 0.22),
    "long": (0.03, 0.28),
    "ponytail": (0.02, 0.2),
    "bun": (0.01, 0.1),
    "bald": (0.12, 0.0),
    "cap": (0.13, 0.05),
}
_PATTERNS = {
    "plain": 0.2,
    "stripes": 0.2,
    "pinstripes": 0.08,
    "checks": 0.12,
    "print": 0.16,
    "block": 0.1,
    "jacket": 0.1,
    "dots": 0.04,
}
_TROUSERS_PATTERNS = {"plain": 0.7, "checks": 0.1, "side": 0.12, "stripes": 0.08}
_BAGS = {"none": 0.4, "backpack": 0.28, "shoulder": 0.2, "hand": 0.12}
_SLEEVES = {0.12: 0.08, 0.55: 0.4, 1.35: 0.1, 1.93: 0.42}
_LEG_COVERS = {0.5: 0.1, 0.95: 0.14, 1.6: 0.06, 2.0: 0.7}
_LEG_COVERS_UNDER_A_SKIRT = {0.0: 0.7, 2.0: 0.3}
_SKINS = (
    *((0.98, 0.84, 0.74), (0.93, 0.74, 0.61), (0.84, 0.62, 0.46)),
    *((0.68, 0.46, 0.32), (0.50, 0.33, 0.23), (0.34, 0.22, 0.16)),
)
_HAIRS = (
    *((0.07, 0.06, 0.06), (0.16, 0.10, 0.07), (0.32, 0.19, 0.10), (0.55, 0.36, 0.17)),
    *((0.83, 0.68, 0.38), (0.60, 0.22, 0.10), (0.62, 0.61, 0.60)),
)
_GREYS = (0.08, 0.16, 0.35, 0.62, 0.92)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """One identity. Colours are RGB in [0, 1]; lengths are metres for a stature of
    1.75 m."""

    stature: float  # in metres
    girth: float  # factor on all thicknesses, 1 is average
    shoulder_half: float  # half the distance between the shoulder joints
    hip_half: float
    bust: float  # thickness added to the front of the chest
    skin: _Colour
    hair: _Colour
    hair_style: str
    beard: bool
    hat: _Colour
    shirt: _Colour
    accent: _Colour  # second colour of the upper garment
    pattern: str
    period: float  # length of one repeat of the pattern
    emblem: int  # which figure a "print" shows, 0 to 4
    sleeve: float  # covered part of the arm: 1 ends at the elbow, 2 at the wrist
    contrast_sleeves: bool  # whether sleeves have the accent colour
    hem: float  # where the upper garment ends, below the hips' centre
    trousers: _Colour
    trousers_accent: _Colour
    trousers_pattern: str
    leg_cover: float  # covered part of the leg: 1 ends at the knee, 2 at the ankle
    looseness: float  # factor on the thickness of the clothed limbs
    skirt: float  # length of a skirt below the hips, 0 for none
    dress: bool  # whether the skirt continues the upper garment
    shoes: _Colour
    soles: _Colour
    bag: str
    bag_colour: _Colour
    bag_side: int  # +1 if the bag is carried on the left, -1 on the right

    @property
    def size(self) -> float:
        """Factor on all lengths that are given for a stature of 1.75 m."""
        return self.stature / 1.75


def sample_look(rng: np.random.Generator) -> Look:
    """A random identity: build, hair, clothes, shoes and bag."""
    woman = bool(rng.random() < 0.5)
    return Look(**_sample_body(rng, woman), **_sample_clothes(rng, woman))


def _sample_body(rng: np.random.Generator, woman: bool) -> dict:
    styles = {name: chances[woman] for name, chances in _HAIR_STYLES.items()}
    return {
        "hair_style": _choose(rng, styles),
        "stature": float(rng.normal(1.66 if woman else 1.78, 0.06)),
        "girth": float(np.clip(rng.normal(0.95 if woman else 1.02, 0.09), 0.8, 1.3)),
        "shoulder_half": float(rng.normal(0.168 if woman else 0.19, 0.007)),
        "hip_half": float(rng.normal(0.095, 0.005)),
        "bust": float(rng.uniform(0.015, 0.035)) if woman else 0.0,
        "skin": _jitter(rng, _SKINS[rng.integers(len(_SKINS))]),
        "hair": _jitter(rng, _HAIRS[rng.integers(len(_HAIRS))]),
        "beard": bool(not woman and rng.random() < 0.3),
        "hat": _cloth_colour(rng, vivid=0.5),
    }


def _sample_clothes(rng: np.random.Generator, woman: bool) -> dict:
    shirt = _cloth_colour(rng, vivid=0.72)
    trousers = _unlike(rng, shirt, vivid=0.4)
    skirt = float(rng.uniform(0.22, 0.6)) if woman and rng.random() < 0.4 else 0.0
    pattern = _choose(rng, _PATTERNS)
    sleeve = _choose(rng, _SLEEVES)
    leg_covers = _LEG_COVERS_UNDER_A_SKIRT if skirt else _LEG_COVERS
    return {
        "shirt": shirt,
        "accent": _unlike(rng, shirt, vivid=0.6),
        "pattern": pattern,
        "period": float(rng.uniform(0.1, 0.17)),
        "emblem": int(rng.integers(5)),
        "sleeve": 1.93 if pattern == "jacket" else sleeve,
        "contrast_sleeves": bool(rng.random() < 0.15),
        "hem": float(rng.uniform(-0.1, 0.0)),
        "trousers": trousers,
        "trousers_accent": _unlike(rng, trousers, vivid=0.5),
        "trousers_pattern": _choose(rng, _TROUSERS_PATTERNS),
        "leg_cover": _choose(rng, leg_covers),
        "looseness": float(rng.uniform(0.95, 1.3)),
        "skirt": skirt,
        "dress": bool(skirt and rng.random() < 0.5),
        "shoes": _cloth_colour(rng, vivid=0.35),
        "soles": ((0.08,) * 3, (0.9,) * 3)[rng.integers(2)],
        "bag": _choose(rng, _BAGS),
        "bag_colour": _cloth_colour(rng, vivid=0.6),
        "bag_side": (-1, 1)[rng.integers(2)],
    }


def _choose(rng: np.random.Generator, chances: dict[_Option, float]) -> _Option:
    index = rng.choice(len(chances), p=list(chances.values()))
    return list(chances)[index]


def _cloth_colour(rng: np.random.Generator, vivid: float) -> _Colour:
    """A saturated colour with probability `vivid`, else a grey or a muted blue."""
    if rng.random() < vivid:
        hue, saturation = rng.random(), rng.uniform(0.6, 0.95)
        return colorsys.hsv_to_rgb(hue, saturation, rng.uniform(0.45, 0.95))
    if rng.random() < 0.4:
        return colorsys.hsv_to_rgb(rng.uniform(0.55, 0.68), 0.55, rng.uniform(0.2, 0.6))
    return _jitter(rng, (_GREYS[rng.integers(len(_GREYS))],) * 3)


def _unlike(rng: np.random.Generator, other: _Colour, vivid: float) -> _Colour:
    """A cloth colour that can be told apart from `other`."""
    while True:
        colour = _cloth_colour(rng, vivid)
        if np.abs(np.subtract(colour, other)).sum() > 0.6:
            return colour


def _jitter(rng: np.random.Generator, colour: _Colour) -> _Colour:
    red, green, blue = np.clip(np.array(colour) * rng.uniform(0.9, 1.08, 3), 0, 1)
    return float(red), float(green), float(blue)
