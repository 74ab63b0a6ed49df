"""What stays the same in all pictures of one procedural person: body and clothes."""

import colorsys
import dataclasses

import numpy as np

PATTERNS = (
    *("plain", "stripes", "pinstripes", "checks"),
    *("print", "block", "jacket", "dots"),
)
HAIR_STYLES = ("short", "bob", "long", "ponytail", "bun", "bald", "cap")
BAGS = ("none", "backpack", "shoulder", "hand")

_SKINS = (
    (0.98, 0.84, 0.74),
    (0.93, 0.74, 0.61),
    (0.84, 0.62, 0.46),
    (0.68, 0.46, 0.32),
    (0.50, 0.33, 0.23),
    (0.34, 0.22, 0.16),
)
_HAIRS = (
    (0.07, 0.06, 0.06),
    (0.16, 0.10, 0.07),
    (0.32, 0.19, 0.10),
    (0.55, 0.36, 0.17),
    (0.83, 0.68, 0.38),
    (0.60, 0.22, 0.10),
    (0.62, 0.61, 0.60),
)
_NEUTRALS = (0.08, 0.16, 0.35, 0.62, 0.92)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """One identity.

    Colours are RGB tuples in [0, 1]; lengths are metres for a stature of 1.75 m.

    Attributes:
        stature: height in metres.
        girth: factor on all thicknesses, 1 is average.
        shoulder_half: half the distance between the shoulder joints; hip_half alike.
        bust: thickness added to the front of the chest.
        beard: whether the chin has the colour of the hair.
        shirt: main colour of the upper garment; accent is its second colour.
        period: length of one repeat of the patterns.
        emblem: which figure a "print" shows, 0 to 4.
        sleeve: covered part of the arm: 1 ends at the elbow, 2 at the wrist.
        contrast_sleeves: whether sleeves have the accent colour.
        hem: where the upper garment ends, below the hips' centre.
        trousers_pattern: "plain", "checks", "side" (a side stripe) or "stripes".
        leg_cover: covered part of the leg: 1 ends at the knee, 2 at the ankle.
        looseness: factor on the thickness of the clothed limbs.
        skirt: length of a skirt below the hips, 0 for none.
        dress: whether the skirt continues the upper garment.
        bag_side: +1 if the bag is carried on the left, -1 on the right.
    """

    stature: float
    girth: float
    shoulder_half: float
    hip_half: float
    bust: float
    skin: tuple[float, ...]
    hair: tuple[float, ...]
    hair_style: str
    beard: bool
    hat: tuple[float, ...]
    shirt: tuple[float, ...]
    accent: tuple[float, ...]
    pattern: str
    period: float
    emblem: int
    sleeve: float
    contrast_sleeves: bool
    hem: float
    trousers: tuple[float, ...]
    trousers_accent: tuple[float, ...]
    trousers_pattern: str
    leg_cover: float
    looseness: float
    skirt: float
    dress: bool
    shoes: tuple[float, ...]
    soles: tuple[float, ...]
    bag: str
    bag_colour: tuple[float, ...]
    bag_side: int


def sample_look(rng: np.random.Generator) -> Look:
    """Draws an identity: build, hair, clothes, shoes and bag."""
    woman = bool(rng.random() < 0.5)
    return Look(**_sample_body(rng, woman), **_sample_clothes(rng, woman))


def _sample_body(rng: np.random.Generator, woman: bool) -> dict:
    styles = (0.15, 0.22, 0.28, 0.2, 0.1, 0.0, 0.05) if woman else ()
    styles = styles or (0.66, 0.03, 0.03, 0.02, 0.01, 0.12, 0.13)
    hair_style = str(rng.choice(HAIR_STYLES, p=styles))
    return {
        "stature": float(rng.normal(1.66 if woman else 1.78, 0.06)),
        "girth": float(np.clip(rng.normal(0.95 if woman else 1.02, 0.09), 0.8, 1.3)),
        "shoulder_half": float(rng.normal(0.168 if woman else 0.19, 0.007)),
        "hip_half": float(rng.normal(0.095, 0.005)),
        "bust": float(rng.uniform(0.015, 0.035)) if woman else 0.0,
        "skin": _jitter(rng, _SKINS[rng.integers(len(_SKINS))]),
        "hair": _jitter(rng, _HAIRS[rng.integers(len(_HAIRS))]),
        "hair_style": hair_style,
        "beard": bool(not woman and rng.random() < 0.3),
        "hat": _cloth_colour(rng),
    }


def _sample_clothes(rng: np.random.Generator, woman: bool) -> dict:
    shirt = _cloth_colour(rng, vivid=0.72)
    trousers = _unlike(rng, shirt, vivid=0.4)
    skirt = float(rng.uniform(0.22, 0.6)) if woman and rng.random() < 0.4 else 0.0
    pattern = str(rng.choice(PATTERNS, p=(0.2, 0.2, 0.08, 0.12, 0.16, 0.1, 0.1, 0.04)))
    sleeve = rng.choice((0.12, 0.55, 1.35, 1.93), p=(0.08, 0.4, 0.1, 0.42))
    return {
        "shirt": shirt,
        "accent": _unlike(rng, shirt, vivid=0.6),
        "pattern": pattern,
        "period": float(rng.uniform(0.1, 0.17)),
        "emblem": int(rng.integers(5)),
        "sleeve": float(1.93 if pattern == "jacket" else sleeve),
        "contrast_sleeves": bool(rng.random() < 0.15),
        "hem": float(rng.uniform(-0.1, 0.0)),
        "trousers": trousers,
        "trousers_accent": _unlike(rng, trousers, vivid=0.5),
        "trousers_pattern": str(
            rng.choice(("plain", "checks", "side", "stripes"), p=(0.7, 0.1, 0.12, 0.08))
        ),
        "leg_cover": _leg_cover(rng, skirt),
        "looseness": float(rng.uniform(0.95, 1.3)),
        "skirt": skirt,
        "dress": bool(skirt and rng.random() < 0.5),
        "shoes": _cloth_colour(rng, vivid=0.35),
        "soles": _grey(float(rng.choice((0.08, 0.9)))),
        "bag": str(rng.choice(BAGS, p=(0.4, 0.28, 0.2, 0.12))),
        "bag_colour": _cloth_colour(rng, vivid=0.6),
        "bag_side": int(rng.choice((-1, 1))),
    }


def _leg_cover(rng: np.random.Generator, skirt: float) -> float:
    """Bare legs or leggings under a skirt, else shorts or long trousers."""
    if skirt:
        return float(rng.choice((0.0, 2.0), p=(0.7, 0.3)))
    return float(rng.choice((0.5, 0.95, 1.6, 2.0), p=(0.1, 0.14, 0.06, 0.7)))


def _cloth_colour(rng: np.random.Generator, vivid: float = 0.5) -> tuple[float, ...]:
    """A saturated colour with probability `vivid`, else a grey or a muted one."""
    if rng.random() < vivid:
        hue, saturation = rng.random(), rng.uniform(0.6, 0.95)
        return colorsys.hsv_to_rgb(hue, saturation, rng.uniform(0.45, 0.95))
    if rng.random() < 0.4:
        return colorsys.hsv_to_rgb(rng.uniform(0.55, 0.68), 0.55, rng.uniform(0.2, 0.6))
    return _jitter(rng, _grey(_NEUTRALS[rng.integers(len(_NEUTRALS))]))


def _unlike(
    rng: np.random.Generator, other: tuple[float, ...], vivid: float
) -> tuple[float, ...]:
    """A cloth colour that can be told apart from `other`."""
    while True:
        colour = _cloth_colour(rng, vivid)
        if np.abs(np.subtract(colour, other)).sum() > 0.6:
            return colour


def _grey(value: float) -> tuple[float, ...]:
    return (value, value, value)


def _jitter(rng: np.random.Generator, colour: tuple[float, ...]) -> tuple[float, ...]:
    shifted = np.clip(np.array(colour) * rng.uniform(0.9, 1.08, 3), 0, 1)
    return tuple(float(channel) for channel in shifted)
