"""What is drawn on the parts of a synthetic person: cloth, skin, face and hair.

Each material is one picture, wrapped around its limb: the first and last columns are
in the middle of the back, the middle column is in front, rows go down.
"""

import functools

import numpy as np
from PIL import Image, ImageDraw

from data_prep.synthetic import person
from data_prep.synthetic.fabric import MATERIALS, SIZE, Fabric, patch

_UPPER_ARM, _THIGH, _LEG = 0.285, 0.43, 0.85


class _Sheet:
    """A texture to draw on, in metres: x from the middle of the front towards the
    person's left, y down from the origin of the bone."""

    def __init__(self, material: str, picture: np.ndarray) -> None:
        self.top, self.high, self.wide = MATERIALS[material]
        self.picture = _picture(picture)
        self.draw = ImageDraw.Draw(self.picture)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The pixel (column, row) of a place on the cloth."""
        column = (x / self.wide + 0.5) * SIZE
        return column, (y + self.top) / self.high * SIZE

    def polygon(self, colour, *points: tuple[float, float]) -> None:
        self.draw.polygon([self.place(*point) for point in points], fill=_rgb(colour))

    def box(self, colour, left: float, top: float, right: float, low: float) -> None:
        first, last = self.place(left, top), self.place(right, low)
        self.draw.rectangle((*first, *last), fill=_rgb(colour))

    def oval(self, colour, x: float, y: float, wide: float, high: float) -> None:
        first, last = self.place(x - wide, y - high), self.place(x + wide, y + high)
        self.draw.ellipse((*first, *last), fill=_rgb(colour))

    def band(self, colour, wide: int, *points: tuple[float, float]) -> None:
        """A line `wide` pixels wide, and what of it goes on behind the back."""
        for turn in (-self.wide, 0, self.wide):
            line = [self.place(x + turn, y) for x, y in points]
            self.draw.line(line, fill=_rgb(colour), width=wide)

    def below(self, y: float, picture: np.ndarray | person.Colour) -> None:
        """Covers all below y with another texture or colour."""
        row = max(0, round(self.place(0, y)[1]))
        values = np.broadcast_to(np.asarray(picture, np.float32), (SIZE, SIZE, 3))
        self.picture.paste(_picture(values[row:]), (0, row))

    def finished(self) -> np.ndarray:
        """[SIZE, SIZE, 3] float32 in [0, 1]."""
        return np.asarray(self.picture, np.float32) / 255


def _picture(values: np.ndarray) -> Image.Image:
    return Image.fromarray((255 * np.clip(values, 0, 1)).astype(np.uint8))


def _rgb(colour) -> tuple[int, ...]:
    return tuple(int(255 * min(max(channel, 0), 1)) for channel in colour)


@functools.lru_cache(maxsize=4)
def textures(look: person.Look) -> np.ndarray:
    """float32 [materials, SIZE, SIZE, 4]: RGB in [0, 1], and how deep folds are."""
    rng = np.random.default_rng(look.details)

    def cloth(base, pattern: str, inks=look.accents) -> Fabric:
        return Fabric(base, inks, pattern, seed=int(rng.integers(2**32)))

    red, green, blue = (0.45 + 0.5 * channel for channel in look.trousers)
    washed = look.trousers_pattern in ("denim", "side")
    inks = ((red, green, blue), look.accents[0]) if washed else look.accents
    shirt = cloth(look.shirt, look.pattern)
    trousers = cloth(look.trousers, look.trousers_pattern, inks)
    bag, hat = cloth(look.bag_colour, "plain"), cloth(look.hat, "melange")
    shoe = cloth(look.shoes, "plain")
    sleeves = trousers if look.front == "vest" else shirt
    sleeve = _limb("arm", sleeves, look.sleeve * _UPPER_ARM * 0.95, look.skin)
    short = look.leg_cover < 2
    low = look.leg_cover * _THIGH if short else _LEG - 0.03
    leg = _limb("leg", trousers, low, look.skin)
    if short:
        leg.below(_LEG - 0.06, look.soles)  # a sock
    skirt = _limb("skirt", shirt if look.dress else trousers, look.skirt, look.skin)
    if look.front in ("jacket", "buttons") and look.dress:
        skirt.band(shirt.edge(), 2, (0, -0.2), (0, look.skirt))
    drawn = {
        "torso": (_torso(rng, look, shirt, trousers), 0.12),
        "skirt": (skirt.finished(), 0.14),
        "arm": (sleeve.finished(), 0.14),
        "leg": (leg.finished(), 0.14),
        "head": (_head(rng, look), 0.0),
        "hair": (_hair(rng, look), 0.0),
        "hat": (hat.cut("hat"), 0.05),
        "shoe": (_limb("shoe", shoe, 0.028, look.soles).finished(), 0.05),
        "bag": (_bag(bag), 0.1),
        "skin": (np.array(look.skin), 0.0),
    }
    result = np.empty((len(MATERIALS), SIZE, SIZE, 4), np.float32)
    for layer, name in zip(result, MATERIALS, strict=True):
        colour, creases = drawn[name]
        layer[..., :3] = np.clip(colour, 0, 1)
        bare = np.abs(layer[..., :3] - np.array(look.skin, np.float32)).max(-1) < 0.02
        layer[..., 3] = np.where(bare, 0.03, creases)
    return result


def _torso(rng, look, shirt: Fabric, trousers: Fabric) -> np.ndarray:
    sheet = _Sheet("torso", shirt.cut("torso"))
    edge = shirt.edge()
    match look.front:
        case "print":
            _draw_print(rng, sheet, look.accents)
        case "text":
            for row in range(rng.integers(1, 5)):
                for x in np.arange(-0.1, 0.1, 0.022):
                    if rng.random() < 0.85:
                        y = 0.13 + 0.035 * row
                        end = x + rng.uniform(0.006, 0.018), y + 0.022
                        sheet.box(look.accents[0], x, y, *end)
        case "buttons":
            sheet.band(edge, 1, (0, 0), (0, 0.6))
            for y in np.arange(0.06, 0.5, 0.08):
                sheet.oval(look.accents[1], 0, y, 0.008, 0.008)
            sheet.box(edge, 0.06, 0.14, 0.12, 0.15)
        case "jacket":
            _draw_opening(rng, sheet, look, edge)
        case "vest":
            silver = (0.8, 0.82, 0.8)
            for y in (0.24, 0.38):
                sheet.box(silver, -0.5, y, 0.5, y + 0.045)
            for x in (-0.33, -0.11, 0.11, 0.33):
                sheet.box(silver, x - 0.025, -0.05, x + 0.025, 0.24)
    depth = rng.choice((0.02, 0.05, 0.11))
    sheet.oval(look.skin, 0, -0.05, 0.055, depth + 0.02)
    sheet.box(look.skin, -0.5, -0.2, 0.5, -0.065)
    if look.bag == "backpack":
        for x in (-0.1, 0.1):
            sheet.band(look.bag_colour, 5, (x, -0.1), (x * 1.1, 0.3), (x * 2, 0.36))
    elif look.bag == "shoulder":
        side = look.bag_side
        for top, hip in ((-0.09, 0.2), (-0.36, -0.66)):
            sheet.band(look.bag_colour, 4, (side * top, 0), (side * hip, 0.52))
    if not look.dress:
        sheet.below(0.5 + look.hem, trousers.cut("torso"))
        if rng.random() < 0.4:  # a belt
            low = 0.5 + look.hem
            sheet.box(rng.uniform(0.05, 0.3, 3), -0.5, low, 0.5, low + 0.03)
    return sheet.finished()


def _draw_print(rng, sheet: _Sheet, inks) -> None:
    for _ in range(rng.integers(1, 7)):
        x, y = rng.normal(0, 0.03), 0.2 + rng.normal(0, 0.04)
        wide, high = rng.uniform(0.015, 0.09, 2)
        ink = inks[rng.integers(2)]
        if rng.random() < 0.5:
            sheet.oval(ink, x, y, wide, high)
        else:
            sheet.box(ink, x - wide, y - high / 2, x + wide, y + high / 2)


def _draw_opening(rng, sheet: _Sheet, look, edge) -> None:
    """An open jacket over another shirt, with collar or lapels."""
    wide, low = rng.uniform(0.01, 0.05), rng.uniform(0.3, 0.75)
    inner = look.accents[0]
    sheet.polygon(inner, (-0.1, -0.03), (0.1, -0.03), (wide, low), (-wide, low))
    if rng.random() < 0.3:
        sheet.polygon(look.accents[1], (-0.02, 0), (0.02, 0), (0.015, 0.4), (0, 0.43))
    for side in (-1, 1):
        ends = (side * 0.1, -0.03), (side * wide, low), (side * wide / 2, 0.8)
        sheet.band(edge, 2, *ends)
        collar = (side * 0.06, -0.05), (side * 0.15, 0.0), (side * 0.08, 0.1)
        sheet.polygon(edge, *collar)
    sheet.box(edge, 0.11, 0.36, 0.2, 0.37)
    sheet.box(edge, -0.2, 0.36, -0.11, 0.37)


def _limb(material: str, cloth: Fabric, low: float, below: person.Colour) -> _Sheet:
    """A piece of garment that ends, with a hem, at `low`; then there is a colour."""
    sheet = _Sheet(material, cloth.cut(material))
    dark = cloth.edge()
    if material == "leg":
        for side in (-1, 1):
            sheet.band(dark, 1, (side * sheet.wide / 4, 0), (side * sheet.wide / 4, 1))
    sheet.band(dark, 2, (-0.5, low - 0.01), (0.5, low - 0.01))
    sheet.below(low, below)
    return sheet


def _bag(cloth: Fabric) -> np.ndarray:
    sheet = _Sheet("bag", cloth.cut("bag"))
    for y in (0.16, 0.3, 0.36, 0.56, 0.66):
        sheet.band(cloth.edge(), 2, (-0.5, y), (0.5, y))
    for x in (-0.4, 0.4):
        sheet.box(cloth.inks[0], x - 0.02, 0.3, x + 0.02, 0.33)
    return sheet.finished()


def _head(rng, look) -> np.ndarray:
    """Face, neck and the short hair of the scalp; x of the face is that of an arc."""
    skin, hair = np.array(look.skin), np.array(look.hair)
    sheet = _Sheet("head", np.broadcast_to(look.skin, (SIZE, SIZE, 3)))
    scalp = 0.3 * hair + 0.7 * skin if look.hair_style == "bald" else hair
    if look.beard:
        sheet.oval(0.6 * hair + 0.4 * skin, 0, 0.07, 0.09, 0.06)
        sheet.oval(skin, 0, 0.025, 0.085, 0.035)
    hairline = rng.uniform(0.055, 0.08)
    sheet.box(scalp, -0.3, -0.2, 0.3, -hairline)
    for side in (-1, 1):
        ends = (side * 0.09, -0.2), (side * 0.11, 0.0), (side * 0.16, 0.06)
        sheet.polygon(scalp, *ends, (side * 0.3, 0.075), (side * 0.3, -0.2))
        x = side * 0.034
        sheet.oval(0.75 * skin, x, -0.018, 0.02, 0.014)
        sheet.oval(0.3 * skin + 0.5, x, -0.018, 0.013, 0.006)
        sheet.oval((0.08, 0.06, 0.06), x, -0.018, 0.007, 0.007)
        sheet.box(0.6 * hair + 0.2 * skin, x - 0.018, -0.043, x + 0.018, -0.036)
        if look.glasses:
            rim = sheet.place(x - 0.028, -0.038), sheet.place(x + 0.028, 0.005)
            sheet.draw.rectangle((*rim[0], *rim[1]), outline=(20, 20, 25))
            sheet.band((0.08, 0.08, 0.1), 1, (side * 0.06, -0.02), (side * 0.14, -0.02))
    sheet.oval(0.8 * skin, 0, 0.03, 0.014, 0.006)
    lips = skin * (0.8, 0.5, 0.5) if look.bust else skin * (0.75, 0.58, 0.55)
    sheet.oval(lips, 0, 0.062, 0.025, 0.008)
    return sheet.finished()


def _hair(rng, look) -> np.ndarray:
    """Strands, lighter towards their ends in some."""
    strands = 0.5 * patch(rng, SIZE, SIZE, 4) + 0.2
    strands += np.repeat(patch(rng, SIZE // 8, SIZE, 0.7), 8, 0)
    light = 1 + 0.22 * strands[..., None]
    colour = np.array(look.hair)
    ends = np.clip(np.linspace(-0.6, 1.2, SIZE), 0, 1)[:, None, None]
    pale = np.array((0.7, 0.55, 0.35)) if rng.random() < 0.3 else colour
    return (colour + ends * 0.8 * (pale - colour)) * light + 0.02 * strands[..., None]
