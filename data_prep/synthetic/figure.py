"""Bodies: a skeleton, and about thirty solid parts of flesh and clothes on it.

Body coordinates: x to the person's left, y up, z to the front, in metres. Seen by
a camera in front, x is right in the image and a larger z is nearer. Numbers are for a
stature of 1.75 m.
"""

import dataclasses

import numpy as np

from data_prep.synthetic.person import Look, Pose
from data_prep.synthetic.render import NEVER, ROUND, Bone, Part

# What the parts show, as it is told apart in photos; hats count as hair.
CLASSES = ("hair", "arms", "body")
# COCO-18 (OpenPose) order.
KEYPOINTS = (
    *("nose", "neck"),
    *("r_shoulder", "r_elbow", "r_wrist", "l_shoulder", "l_elbow", "l_wrist"),
    *("r_hip", "r_knee", "r_ankle", "l_hip", "l_knee", "l_ankle"),
    *("r_eye", "l_eye", "r_ear", "l_ear"),
)
# From the centre of the head, in its frame.
_HEAD_POINTS = {
    "head": (0, 0, 0),
    "crown": (0, 0.125, 0),
    "nose": (0, -0.02, 0.108),
    "r_eye": (-0.032, 0.018, 0.082),
    "l_eye": (0.032, 0.018, 0.082),
    "r_ear": (-0.078, 0.0, -0.005),
    "l_ear": (0.078, 0.0, -0.005),
}
_LIMBS = {
    "arm": ("shoulder", "elbow", "wrist", "hand"),
    "leg": ("hip", "knee", "ankle", "toe"),
}
# Lengths of upper arm and forearm, of thigh and shin.
_LENGTHS = {"arm": np.array([[0.285], [0.25]]), "leg": np.array([[0.43], [0.42]])}
_EAR = (0.45, 0.8, 1)
# Start, end, radii, material and squash of skull, jaw, nose and ears.
_HEAD: tuple[tuple, ...] = (
    ((0, 0.03, -0.012), (0, 0.02, -0.008), (0.092, 0.092), "head", (0.83, 1, 1)),
    ((0, 0, 0.018), (0, -0.085, 0.052), (0.07, 0.038), "head"),
    ((0, 0.015, 0.088), (0, -0.018, 0.1), (0.009, 0.015), "skin"),
    ((-0.077, 0.012, -0.01), (-0.073, -0.015, -0.004), (0.022, 0.016), "skin", _EAR),
    ((0.077, 0.012, -0.01), (0.073, -0.015, -0.004), (0.022, 0.016), "skin", _EAR),
)
# Half spaces of the head that are cut off.
_FACE, _BRIM = (0, -0.55, 0.83, 0.036), (0, -1, 0.15, -0.05)
_FRONT, _EARS = (0, 0, 1, 0.02), (0, 0, 1, 0)
_OVAL = (0.84, 1, 1)
# Styles; start and end as (y, z), None is the nape; radii, squash and clip.
_HAIR: tuple[tuple, ...] = (
    ("short ponytail bun", (0.04, -0.016), (0.02, -0.02), (0.106, 0.1), _OVAL, _FACE),
    ("bob long", (0.04, -0.016), (0.02, -0.02), (0.114, 0.108), _OVAL, _FACE),
    ("bob", (0, -0.03), (-0.1, -0.025), (0.1, 0.088), (0.95, 0.85, 0.6), _FRONT),
    ("long", (0, -0.03), None, (0.102, 0.085), (0.95, 0.7, 0.8), _FRONT),
    ("ponytail", (0.05, -0.115), None, (0.035, 0.028), ROUND, NEVER),
    ("bun", (0.1, -0.1), (0.11, -0.1), (0.05, 0.05), ROUND, NEVER),
    ("cap", (0.02, -0.018), (-0.03, -0.02), (0.094, 0.075), (0.85, 1, 1), _EARS),
)
_THIN = (0.45, 1.15, 0.6)
# Kind, start, end, radii and squash of the parts of a bag on the left side.
_BAGS: tuple[tuple, ...] = (
    ("backpack", (0, -0.12, -0.17), (0, -0.33, -0.17), (0.135, 0.145), (1, 0.62, 0.6)),
    ("backpack", (0, -0.28, -0.24), (0, -0.36, -0.24), (0.09, 0.095), (1, 0.5, 0.6)),
    ("shoulder", (0.21, -0.5, -0.03), (0.22, -0.62, -0.02), (0.1, 0.11), _THIN),
    ("hand", (0, -0.15, 0), (0, -0.24, 0), (0.1, 0.11), (0.5, 1.1, 0.7)),
)


@dataclasses.dataclass(frozen=True)
class Skeleton:
    """Joints, in metres, and body frames in one coordinate system. Joints are those of
    KEYPOINTS and "head", "crown", "waist", "pelvis", "r_hand", "l_hand", "r_toe",
    "l_toe"; frames are "pelvis", "chest", "head"."""

    joints: dict[str, np.ndarray]  # [3] positions
    frames: dict[str, np.ndarray]  # [3, 3], columns are the directions left, up, front


def rotation(axis: int, angle: float) -> np.ndarray:
    """The right-handed [3, 3] rotation by `angle` radians about axis 0, 1 or 2."""
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.eye(3)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


def build_skeleton(look: Look, pose: Pose) -> Skeleton:
    """Forward kinematics from the pelvis outwards, the pelvis at the origin."""
    size = look.size
    pelvis = rotation(1, pose.yaw)
    bend = rotation(0, pose.lean) @ rotation(2, pose.sway)
    chest = pelvis @ bend @ rotation(1, pose.twist)
    head = chest @ rotation(1, pose.head_turn) @ rotation(0, pose.head_nod)
    waist = pelvis @ (0, 0.17 * size, 0) + chest @ (0, 0.03 * size, 0)
    neck = waist + chest @ (0, 0.31 * size, 0)
    centre = neck + chest @ (0, 0.085 * size, 0.005) + head @ (0, 0.115 * size, 0.025)
    joints = {"pelvis": np.zeros(3), "waist": waist, "neck": neck}
    for name, offset in _HEAD_POINTS.items():
        joints[name] = centre + head @ (np.array(offset) * size)
    for index, (side, sign) in enumerate((("r", -1), ("l", 1))):
        mirror = np.array((sign, 1, 1))
        arm = _unit(pose.arms[index] * mirror) @ chest.T * _LENGTHS["arm"] * size
        leg = _unit(pose.legs[index] * mirror) @ pelvis.T * _LENGTHS["leg"] * size
        shoulder = neck + chest @ (sign * look.shoulder_half * size, 0, 0)
        hip = pelvis @ (sign * look.hip_half * size, -0.01, 0)
        hand = _unit(arm[1]) * 0.09 * size
        # The toe is in front of the ankle; the heel is up if the shin tilts forward.
        tilt = 0.8 * min(0.0, float(_unit(leg[1]) @ pelvis[:, 2]))
        toe = pelvis[:, 2] * np.cos(tilt) + (0, np.sin(tilt) - 0.3, 0)
        toe = _unit(toe) * 0.17 * size
        # Each joint is its predecessor's place plus the bone between them.
        points = *np.cumsum([shoulder, *arm, hand], 0), *np.cumsum([hip, *leg, toe], 0)
        names = *_LIMBS["arm"], *_LIMBS["leg"]
        for name, point in zip(names, points, strict=True):
            joints[f"{side}_{name}"] = point
    return Skeleton(joints, {"pelvis": pelvis, "chest": chest, "head": head})


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def build_parts(look: Look, skeleton: Skeleton) -> list[Part]:
    """All parts of a person in the coordinates of the skeleton."""
    head = Bone(skeleton.joints["head"], skeleton.frames["head"], look.size, "head")
    parts = _torso(look, skeleton) + [Part(head, *solid) for solid in _HEAD]
    for side in "rl":
        parts += _arm(look, skeleton, side) + _leg(look, skeleton, side)
    parts += _hair(look, head, skeleton)
    if look.skirt:
        parts.append(_skirt(look, skeleton))
    return parts + _bag(look, skeleton)


def class_of(part: Part) -> int:
    """Which of `CLASSES` a part shows."""
    if part.material in ("hair", "hat"):
        return CLASSES.index("hair")
    return CLASSES.index("arms" if part.bone.group.endswith("_arm") else "body")


def _torso(look: Look, skeleton: Skeleton) -> list[Part]:
    """Chest, belly, hips, neck, slopes to the shoulders, bust: all in the chest's
    frame, so that patterns run over them without a seam."""
    joints, frames = skeleton.joints, skeleton.frames
    waist, pelvis = joints["waist"], joints["pelvis"]
    chest = Bone(joints["neck"], frames["chest"], look.size, "torso", look.girth)
    across, up, _ = frames["pelvis"].T
    lap = pelvis - up * 0.015 * look.size
    wide, hips = look.shoulder_half, look.hip_half + 0.078
    narrow = wide * (0.8 if look.bust else 0.9)
    bust = (wide * 0.5 + look.bust,) * 2
    loins = (hips, hips * 0.97), "torso", (1, 0.74, 0.45)
    neck = (0.066, 0.052), "torso", ROUND
    parts = [
        Part(chest, (0, -0.12, 0), waist, (wide, narrow), "torso", (1, 0.66, 0.6)),
        Part(chest, waist, pelvis, (narrow, hips), "torso", (1, 0.68, 0.5)),
        Part(chest, pelvis, lap, *loins, across),
        Part(chest, (0, -0.02, -0.01), joints["head"], *neck),
    ]
    for sign in (-1, 1):
        end = (sign * wide * 0.88, -0.014, -0.008)
        parts.append(Part(chest, (0, 0.02, -0.015), end, (0.066, 0.055), "torso"))
    if look.bust:
        ends = (0, -0.12, 0), (0, -0.17, 0)
        parts.append(Part(chest, *ends, bust, "torso", (1.1, 1, 0.6)))
    return parts


def _arm(look: Look, skeleton: Skeleton, side: str) -> list[Part]:
    """Upper arm, forearm, hand and thumb; a short sleeve is a solid of its own."""
    limb = _limb(look, skeleton, f"{side}_arm", look.sleeve)
    (shoulder, elbow, wrist, hand), (upper, fore), covers = limb
    loose = 1 + 0.5 * (look.looseness - 0.95)
    wide, low = (loose if cover else 1.0 for cover in covers)
    palm, top = wrist + (hand - wrist) * 0.25, shoulder + (elbow - shoulder) * 0.16
    thumb = (0, -0.27, 0.02), (0, -0.315, 0.04)
    parts = [
        Part(upper, top, elbow, (0.058 * wide, 0.046 * low), "arm"),
        Part(fore, elbow, wrist, (0.046 * low, 0.033 * low), "arm"),
        Part(fore, palm, hand, (0.033, 0.04), "skin", (0.7, 1, 1)),
        Part(fore, *thumb, (0.015, 0.012), "skin"),
    ]
    if 0 < covers[0] < 1:
        hem = (0, -1, 0, covers[0] * _LENGTHS["arm"][0, 0])
        parts.append(Part(upper, top, elbow, (0.061, 0.066), "arm", clip=hem))
    return parts


def _leg(look: Look, skeleton: Skeleton, side: str) -> list[Part]:
    """Thigh, shin and shoe with its shaft; legs of shorts are solids of their own."""
    limb = _limb(look, skeleton, f"{side}_leg", look.leg_cover)
    (hip, knee, ankle, toe), (thigh, shin), covers = limb
    loose = look.looseness if covers[1] and not look.skirt else 1.0
    calf = (0.062 * loose, 0.053 * loose) if covers[1] else (0.056, 0.038)
    top, end = hip + (knee - hip) * 0.08, (0, -1, 0, 0.43)
    parts = [
        Part(thigh, top, knee, (0.094, 0.063 * loose), "leg"),
        Part(shin, knee, ankle, calf, "leg", clip=end),
    ]
    if not covers[1]:
        ends = (0, -0.06, -0.012), (0, -0.2, -0.018)
        parts.append(Part(shin, *ends, (0.053, 0.044), "leg"))
    if 0 < covers[0] < 1 and not look.skirt:
        hem = (0, -1, 0, covers[0] * _LENGTHS["leg"][0, 0])
        parts.append(Part(thigh, top, knee, (0.1, 0.094), "leg", clip=hem))
    shoe = Bone(ankle, _foot_frame(ankle, toe), look.size, thigh.group)
    foot = (0, -0.022, -0.03), (0, -0.014, 0.125), (0.05, 0.043)
    shaft = (0, 0.05, -0.01), (0, -0.01, -0.01), (0.041, 0.046)
    ground, rim = (0, -1, -0.12, 0.048), (0, 1, 0, 0.03)
    return [
        *parts,
        Part(shoe, *foot, "shoe", (0.9, 0.85, 1), clip=ground),
        Part(shoe, *shaft, "shoe", ROUND, clip=rim),
    ]


def _limb(look: Look, skeleton: Skeleton, group: str, total: float) -> tuple:
    """The four joints of a limb, its upper two bones, and the share of each bone that
    clothes of a `total` length, in bones, cover."""
    side, _, limb = group.partition("_")
    body = skeleton.frames["chest" if limb == "arm" else "pelvis"]
    joints = [skeleton.joints[f"{side}_{name}"] for name in _LIMBS[limb]]
    (top, middle, low, _), traits = joints, (look.size, group, look.girth)
    upper = Bone(top, _bone_frame(top, middle, body), *traits)
    lower = Bone(middle, _bone_frame(middle, low, body), *traits, _LENGTHS[limb][0, 0])
    covers = min(total, 1.0), min(max(total - 1.0, 0.0), 1.0)
    return joints, (upper, lower), covers


def _hair(look: Look, head: Bone, skeleton: Skeleton) -> list[Part]:
    """A cap, and hair: open for the face, and what falls or is tied behind."""
    down = (0, -0.14 * head.size, -0.11 * head.size)
    nape = skeleton.joints["neck"] + skeleton.frames["chest"] @ down
    parts = []
    if look.hair_style == "cap":
        crown = (0, 0.045, -0.012), (0, 0.035, -0.012), (0.1, 0.1), "hat"
        visor = (0, 0.06, 0.06), (0, 0.048, 0.12), (0.06, 0.05), "hat"
        parts.append(Part(head, *crown, (0.84, 1.02, 0.9), clip=_BRIM))
        parts.append(Part(head, *visor, (1, 0.16, 1)))
    for styles, top, low, radii, squash, clip in _HAIR:
        if look.hair_style in styles.split():
            end = nape if low is None else (0, *low)
            parts.append(Part(head, (0, *top), end, radii, "hair", squash, clip=clip))
    return parts


def _skirt(look: Look, skeleton: Skeleton) -> Part:
    """A skirt from the waist that follows both thighs; open below."""
    body, pelvis = skeleton.frames["pelvis"], skeleton.joints["pelvis"]
    right, left = (skeleton.joints[f"{side}_knee"] for side in "rl")
    top = pelvis + body[:, 1] * 0.1 * look.size
    fall = ((right + left) / 2 - pelvis) * 0.8 + np.array((0, -0.1, 0)) * look.size
    frame = _bone_frame(top, top + fall, body)
    bone = Bone(pelvis, frame, look.size, "skirt", look.girth)
    apart = float(np.linalg.norm(right - left)) / look.size
    radii = look.hip_half + 0.088, 0.185 + 0.06 * look.skirt + 0.3 * min(apart, 0.5)
    end, hem = (0, -look.skirt - 0.1, 0), (0, -1, 0, look.skirt)
    return Part(bone, top, end, radii, "skirt", (1, 0.85, 0.5), clip=hem)


def _bag(look: Look, skeleton: Skeleton) -> list[Part]:
    """A backpack, a shoulder bag at the hip, or a bag that hangs from the hand."""
    side, frame, joint = look.bag_side, skeleton.frames["chest"], "neck"
    across = frame[:, 0]
    if look.bag == "hand":
        joint, frame = ("l_hand" if side > 0 else "r_hand"), np.eye(3)
    bone = Bone(skeleton.joints[joint], frame, look.size, "bag")
    parts = []
    for kind, start, end, radii, squash in _BAGS:
        if kind == look.bag:
            start, end = ((side * x, y, z) for x, y, z in (start, end))
            parts.append(Part(bone, start, end, radii, "bag", squash, across=across))
    return parts


def _bone_frame(top: np.ndarray, low: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The frame of a bone: y along it, z as near the body's front as can be."""
    up = (top - low) / np.linalg.norm(top - low)
    left = _cross(up, body[:, 2])
    if left @ left < 0.1:  # the bone points forward
        left = body[:, 0] - up * (up @ body[:, 0])
    left /= np.linalg.norm(left)
    return np.stack([left, up, _cross(left, up)], axis=1)


def _foot_frame(ankle: np.ndarray, toe: np.ndarray) -> np.ndarray:
    """The frame of a foot: z along it, x level."""
    forward = (toe - ankle) / np.linalg.norm(toe - ankle)
    left = _cross(np.array((0, 1, 0)), forward)
    left /= np.linalg.norm(left)
    return np.stack([left, _cross(forward, left), forward], axis=1)


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cross product of two [3] vectors; np.cross takes ten times as long for them."""
    (a, b, c), (x, y, z) = first.tolist(), second.tolist()
    return np.array((b * z - c * y, c * x - a * z, a * y - b * x))
