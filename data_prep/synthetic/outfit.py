"""What a procedural person wears beside shirt and trousers: hair, skirt, bags."""

import numpy as np

from data_prep.synthetic.body import Skeleton
from data_prep.synthetic.looks import Look
from data_prep.synthetic.shapes import Bone, Group, Material, Part, bone_frame


def build_outfit(look: Look, skeleton: Skeleton, size: float) -> list[Part]:
    """The parts of hair or cap, skirt and bag.

    Args:
        look: the person.
        skeleton: its joints in a pose.
        size: stature divided by 1.75 m.
    """
    head = Bone(skeleton.joints["head"], skeleton.frames["head"], size, Group.HEAD)
    parts = _cap(head) if look.hair_style == "cap" else _hair(look, head, skeleton)
    if look.skirt:
        parts.append(_skirt(look, skeleton, size))
    return parts + _bag(look, skeleton, size)


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
    hair = (0, 0.02, -0.018), (0, -0.03, -0.02)
    hat = Material.HAT
    return [
        head.part(*top, (0.1, 0.1), hat, (0.84, 1.02, 0.9), clip=(0, -1, 0.15, -0.05)),
        head.part(*visor, (0.06, 0.05), hat, (1, 0.16, 1)),
        head.part(
            *hair, (0.094, 0.075), Material.HAIR, (0.85, 1, 1), clip=(0, 0, 1, 0)
        ),
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
