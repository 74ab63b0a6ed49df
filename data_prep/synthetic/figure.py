"""Puts flesh and clothes on a skeleton: torso, head, arms, legs, hair and bags."""

from typing import Any

import numpy as np

from data_prep.synthetic.body import Skeleton
from data_prep.synthetic.looks import Look
from data_prep.synthetic.shapes import (
    NEVER,
    Bone,
    Group,
    Material,
    Part,
    bone_frame,
    cross,
)


def build_parts(look: Look, skeleton: Skeleton) -> list[Part]:
    """All parts of a person, about thirty, in the coordinates of the skeleton."""
    size = look.stature / 1.75
    head = Bone(skeleton.joints["head"], skeleton.frames["head"], size, Group.HEAD)
    parts = _torso(look, skeleton, size) + _head(look, head)
    for side in "rl":
        parts += _arm(look, skeleton, size, side) + _leg(look, skeleton, size, side)
    parts += _cap(head) if look.hair_style == "cap" else _hair(look, head, skeleton)
    if look.skirt:
        parts.append(_skirt(look, skeleton, size))
    return parts + _bag(look, skeleton, size)


def _torso(look: Look, skeleton: Skeleton, size: float) -> list[Part]:
    """Chest, belly, hips, shoulders and neck.

    All use the chest frame with its origin at the neck for the texture, so that
    the patterns of the upper garment run over them without a seam.
    """
    joints, shirt = skeleton.joints, Material.SHIRT
    frame, pelvis_frame = skeleton.frames["chest"], skeleton.frames["pelvis"]
    chest = Bone(joints["neck"], frame, size, Group.TORSO, look.girth)
    waist, pelvis = joints["waist"], joints["pelvis"]
    lap = pelvis - pelvis_frame[:, 1] * 0.015 * size
    across = pelvis_frame[:, 0]
    wide, hips = look.shoulder_half, look.hip_half + 0.075
    narrow = wide * (0.76 if look.bust else 0.85)
    low = hips, hips * 0.97
    below: dict[str, Any] = {
        "other": shirt if look.dress else Material.TROUSERS,
        "cut": (0, -1, 0, 0.5 + look.hem),
    }
    return [
        chest.part((0, -0.11, 0), waist, (wide, narrow), shirt, (1, 0.66, 0.58)),
        chest.part(waist, pelvis, (narrow, hips), shirt, (1, 0.68, 0.5), **below),
        chest.part(pelvis, lap, low, shirt, (1, 0.74, 0.45), across=across, **below),
        *_shoulders(look, chest, joints["head"]),
    ]


def _shoulders(look: Look, chest: Bone, head: np.ndarray) -> list[Part]:
    """The slopes from neck to shoulders, the neck in its collar, the bust."""
    shirt, wide = Material.SHIRT, look.shoulder_half
    nape, collar = (0, -0.02, -0.01), (0, -1, 0.35, -0.035)
    radii = 0.062, 0.052
    parts = [chest.part(nape, head, radii, Material.SKIN, other=shirt, cut=collar)]
    for sign in (-1, 1):
        end = (sign * wide * 0.85, -0.012, -0.008)
        parts.append(chest.part((0, 0.0, -0.012), end, (0.075, 0.056), shirt))
    if look.bust:
        radii = (wide * 0.5 + look.bust,) * 2
        squash = (1.1, 1, 0.6)
        parts.append(chest.part((0, -0.12, 0), (0, -0.17, 0), radii, shirt, squash))
    return parts


def _head(look: Look, head: Bone) -> list[Part]:
    """Skull, jaw, nose and ears."""
    skin, face, hair = Material.SKIN, Material.FACE, Material.HAIR
    scalp = NEVER if look.hair_style == "cap" else (0, 0.6, -0.8, -0.032)
    beard = (0, -1, -0.35, 0.035) if look.beard else NEVER
    skull = (0, 0.03, -0.012), (0, 0.02, -0.008)
    jaw = (0, 0, 0.018), (0, -0.085, 0.052)
    round_skull = (0.83, 1, 1)
    parts = [
        head.part(*skull, (0.092, 0.092), face, round_skull, other=hair, cut=scalp),
        head.part(*jaw, (0.07, 0.038), face, other=hair, cut=beard),
        head.part((0, 0.015, 0.088), (0, -0.018, 0.1), (0.009, 0.015), skin),
    ]
    for sign in (-1, 1):
        top, low = (sign * 0.077, 0.012, -0.01), (sign * 0.073, -0.015, -0.004)
        parts.append(head.part(top, low, (0.022, 0.016), skin, (0.45, 0.8, 1)))
    return parts


def _covers(total: float) -> tuple[float, float]:
    """Splits a length in bones into the covered shares of two bones."""
    return min(total, 1.0), min(max(total - 1.0, 0.0), 1.0)


def _bare_below(cover: float, length: float) -> tuple[float, ...]:
    """Where bare skin begins; a fully covered bone has none, not even at its ball."""
    return (0, -1, 0, cover * length) if cover < 1 else NEVER


def _arm(look: Look, skeleton: Skeleton, size: float, side: str) -> list[Part]:
    """Upper arm, forearm and hand; a short sleeve is a solid of its own."""
    shoulder, elbow, wrist, hand = (
        skeleton.joints[f"{side}_{name}"]
        for name in ("shoulder", "elbow", "wrist", "hand")
    )
    group = Group.R_ARM if side == "r" else Group.L_ARM
    body = skeleton.frames["chest"]
    upper = Bone(shoulder, bone_frame(shoulder, elbow, body), size, group, look.girth)
    fore = Bone(elbow, bone_frame(elbow, wrist, body), size, group, look.girth)
    cloth = Material.ACCENT if look.contrast_sleeves else Material.SHIRT
    covers = _covers(look.sleeve)
    loose = 1 + 0.5 * (look.looseness - 0.95)
    wide, low = (loose if cover else 1.0 for cover in covers)
    cuts = _bare_below(covers[0], 0.285), _bare_below(covers[1], 0.25)
    palm = wrist + (hand - wrist) * 0.25
    parts = [
        upper.part(shoulder, elbow, (0.061 * wide, 0.048 * low), cloth, cut=cuts[0]),
        fore.part(elbow, wrist, (0.048 * low, 0.035 * low), cloth, cut=cuts[1]),
        fore.part(palm, hand, (0.037, 0.042), Material.SKIN, (0.85, 0.85, 1)),
    ]
    if 0 < covers[0] < 1:
        sleeve = upper.part(shoulder, elbow, (0.067, 0.073), cloth, clip=cuts[0])
        parts.append(sleeve)
    return parts


def _leg(look: Look, skeleton: Skeleton, size: float, side: str) -> list[Part]:
    """Thigh, shin and shoe; the legs of shorts are solids of their own."""
    hip, knee, ankle, toe = (
        skeleton.joints[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "toe")
    )
    group = Group.R_LEG if side == "r" else Group.L_LEG
    body, cloth = skeleton.frames["pelvis"], Material.TROUSERS
    thigh = Bone(hip, bone_frame(hip, knee, body), size, group, look.girth)
    shin = Bone(knee, bone_frame(knee, ankle, body), size, group, look.girth)
    covers = _covers(look.leg_cover)
    loose = look.looseness if covers[1] and not look.skirt else 1.0
    calf = (0.065 * loose, 0.053 * loose) if covers[1] else (0.06, 0.041)
    cuts = _bare_below(covers[0], 0.43), _bare_below(covers[1], 0.42)
    top = hip + (knee - hip) * 0.08
    parts = [
        thigh.part(top, knee, (0.09, 0.065 * loose), cloth, cut=cuts[0]),
        shin.part(knee, ankle, calf, cloth, clip=(0, -1, 0, 0.43), cut=cuts[1]),
    ]
    if not covers[1]:
        ends = (0, -0.06, -0.012), (0, -0.2, -0.018)
        parts.append(shin.part(*ends, (0.055, 0.046), Material.SKIN))
    if 0 < covers[0] < 1 and not look.skirt:
        parts.append(thigh.part(top, knee, (0.096, 0.093), cloth, clip=cuts[0]))
    return parts + _shoe(ankle, toe, size, group)


def _shoe(ankle: np.ndarray, toe: np.ndarray, size: float, group: Group) -> list[Part]:
    """A shoe with a sole, and the ankle in a sock."""
    forward = (toe - ankle) / np.linalg.norm(toe - ankle)
    left = cross(np.array((0, 1.0, 0)), forward)
    left /= np.linalg.norm(left)
    frame = np.stack([left, cross(forward, left), forward], axis=1)
    shoe = Bone(ankle, frame, size, group)
    leather, sole, sock = Material.SHOES, Material.SOLES, Material.SOCKS
    foot = (0, -0.022, -0.03), (0, -0.01, 0.135), (0.054, 0.044)
    shaft = (0, 0.05, -0.01), (0, -0.01, -0.01), (0.041, 0.046)
    ground, rim = (0, -1, -0.12, 0.036), (0, 1, 0, 0.03)
    return [
        shoe.part(*foot, leather, (0.95, 0.85, 1), other=sole, cut=ground),
        shoe.part(*shaft, leather, other=sock, cut=rim),
    ]


def _hair(look: Look, head: Bone, skeleton: Skeleton) -> list[Part]:
    """A cap of hair, open for the face, and what falls or is tied behind."""
    hair, style = Material.HAIR, look.hair_style
    if style == "bald":
        return []
    radii = (0.11, 0.106) if style in ("bob", "long") else (0.103, 0.099)
    ends = (0, 0.04, -0.016), (0, 0.02, -0.02)
    open_face = (0, -0.55, 0.83, 0.036)
    parts = [head.part(*ends, radii, hair, (0.84, 1, 1), clip=open_face)]
    down = skeleton.frames["chest"] @ (0, -0.12 * head.size, -0.1 * head.size)
    nape = skeleton.joints["neck"] + down
    behind = (0, 0, 1, 0.02)
    crown = (0, 0, -0.03)
    if style == "bob":
        low, squash = (0, -0.1, -0.025), (0.95, 0.85, 0.6)
        parts.append(head.part(crown, low, (0.1, 0.088), hair, squash, clip=behind))
    elif style == "long":
        squash = (0.95, 0.7, 0.8)
        parts.append(head.part(crown, nape, (0.102, 0.085), hair, squash, clip=behind))
    elif style == "ponytail":
        parts.append(head.part((0, 0.05, -0.115), nape, (0.035, 0.028), hair))
    elif style == "bun":
        parts.append(head.part((0, 0.1, -0.1), (0, 0.11, -0.1), (0.05, 0.05), hair))
    return parts


def _cap(head: Bone) -> list[Part]:
    """A cap with a visor, and short hair below it."""
    top = (0, 0.045, -0.012), (0, 0.035, -0.012)
    visor = (0, 0.06, 0.06), (0, 0.048, 0.12)
    below = (0, 0.02, -0.018), (0, -0.03, -0.02), (0.094, 0.075)
    hat, hair = Material.HAT, Material.HAIR
    return [
        head.part(*top, (0.1, 0.1), hat, (0.84, 1.02, 0.9), clip=(0, -1, 0.15, -0.05)),
        head.part(*visor, (0.06, 0.05), hat, (1, 0.16, 1)),
        head.part(*below, hair, (0.85, 1, 1), clip=(0, 0, 1, 0)),
    ]


def _skirt(look: Look, skeleton: Skeleton, size: float) -> Part:
    """A skirt from the waist that follows both thighs; open below."""
    joints, body = skeleton.joints, skeleton.frames["pelvis"]
    knees = (joints["r_knee"] + joints["l_knee"]) / 2
    top = joints["pelvis"] + body[:, 1] * 0.1 * size
    fall = (knees - joints["pelvis"]) * 0.8 + np.array((0, -0.1, 0)) * size
    frame = bone_frame(top, top + fall, body)
    bone = Bone(joints["pelvis"], frame, size, Group.SKIRT, look.girth)
    apart = float(np.linalg.norm(joints["r_knee"] - joints["l_knee"])) / size
    radii = look.hip_half + 0.085, 0.195 + 0.06 * look.skirt + 0.3 * min(apart, 0.5)
    material = Material.SHIRT if look.dress else Material.TROUSERS
    end = bone.at((0, -look.skirt - 0.1, 0))
    hem = (0, -1, 0, look.skirt)
    return bone.part(top, end, radii, material, (1, 0.85, 0.5), clip=hem)


def _bag(look: Look, skeleton: Skeleton, size: float) -> list[Part]:
    """A backpack, a shoulder bag at the hip, or a bag in the hand."""
    joints, chest = skeleton.joints, skeleton.frames["chest"]
    back = Bone(joints["neck"], chest, size, Group.BAG)
    sign, bag = look.bag_side, Material.BAG
    if look.bag == "backpack":
        pack = (0, -0.12, -0.17), (0, -0.33, -0.17)
        pocket = (0, -0.28, -0.24), (0, -0.36, -0.24)
        return [
            back.part(*pack, (0.135, 0.145), bag, (1, 0.62, 0.6)),
            back.part(*pocket, (0.09, 0.095), bag, (1, 0.5, 0.6)),
        ]
    if look.bag == "shoulder":
        ends = (sign * 0.21, -0.5, -0.03), (sign * 0.22, -0.62, -0.02)
        return [back.part(*ends, (0.1, 0.11), bag, (0.45, 1.15, 0.6))]
    if look.bag == "hand":
        hand = Bone(
            joints["l_hand" if sign > 0 else "r_hand"], np.eye(3), size, Group.BAG
        )
        ends = (0, -0.15, 0), (0, -0.24, 0)
        across = chest[:, 0]
        return [hand.part(*ends, (0.1, 0.11), bag, (0.5, 1.1, 0.7), across=across)]
    return []
