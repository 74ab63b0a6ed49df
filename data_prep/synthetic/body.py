"""The 3-D skeleton of the synthetic people: poses and forward kinematics.

Body coordinates: x to the person's left, y up, z to the front, in metres. Seen by
a camera in front, x is right in the image and a larger z is nearer.
"""

import dataclasses

import numpy as np

from data_prep.synthetic import looks

# COCO-18 (OpenPose) order.
KEYPOINTS = (
    *("nose", "neck"),
    *("r_shoulder", "r_elbow", "r_wrist", "l_shoulder", "l_elbow", "l_wrist"),
    *("r_hip", "r_knee", "r_ankle", "l_hip", "l_knee", "l_ankle"),
    *("r_eye", "l_eye", "r_ear", "l_ear"),
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
    *(("hang", "hang", 5), ("pocket", "pocket", 1.5), ("hip", "hip", 1.5)),
    *(("hip", "hang", 1.5), ("raise", "raise", 1), ("raise", "hang", 1)),
    *(("wave", "hang", 2), ("wave", "wave", 0.7), ("side", "side", 1)),
    *(("cross", "cross", 2), ("reach", "reach", 1), ("reach", "hang", 1)),
    *(("carry", "carry", 1.5), ("carry", "hang", 1.5), ("phone", "hang", 2)),
    *(("phone", "pocket", 1), ("back", "back", 1), ("point", "hang", 1.2)),
    *(("chin", "cross", 1), ("run", "carry", 1)),
)
# Lengths of upper arm and forearm, of thigh and shin, for a stature of 1.75 m.
_ARM_LENGTHS = np.array([[0.285], [0.25]])
_LEG_LENGTHS = np.array([[0.43], [0.42]])
_LIMB_JOINTS = (
    *("shoulder", "elbow", "wrist", "hand"),
    *("hip", "knee", "ankle", "toe"),
)
# From the centre of the head, in its frame.
_HEAD = {
    "head": (0, 0, 0),
    "crown": (0, 0.125, 0),
    "nose": (0, -0.02, 0.108),
    "r_eye": (-0.032, 0.018, 0.082),
    "l_eye": (0.032, 0.018, 0.082),
    "r_ear": (-0.078, 0.0, -0.005),
    "l_ear": (0.078, 0.0, -0.005),
}


@dataclasses.dataclass(frozen=True)
class Pose:
    """Limb directions and joint angles, in radians, of one picture.

    A limb's direction is (outward, up, forward), of any length, in the frame of the
    chest for arms and of the pelvis for legs.
    """

    arms: np.ndarray  # [2, 2, 3] right and left; upper arm and forearm
    legs: np.ndarray  # [2, 2, 3] right and left; thigh and shin
    yaw: float  # turn of the body; 0 faces the camera, pi/2 the image's right
    lean: float = 0.0  # forward bend of the chest
    sway: float = 0.0  # bend of the chest to the left
    twist: float = 0.0  # turn of the chest against the pelvis
    head_turn: float = 0.0  # turn of the head against the chest
    head_nod: float = 0.0  # forward tilt of the head


@dataclasses.dataclass(frozen=True)
class Skeleton:
    """Joints, in metres, and body frames in one coordinate system.

    Joints are those of KEYPOINTS and "head", "crown", "waist", "pelvis", "r_hand",
    "l_hand", "r_toe", "l_toe"; frames are "pelvis", "chest", "head".
    """

    joints: dict[str, np.ndarray]  # [3] positions
    frames: dict[str, np.ndarray]  # [3, 3], columns are the directions left, up, front


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
    weights = np.array([weight for _, _, weight in _ARM_PAIRS])
    *names, _ = _ARM_PAIRS[rng.choice(len(_ARM_PAIRS), p=weights / weights.sum())]
    if rng.random() < 0.5:
        names = names[::-1]
    strength = min(1.0, rng.uniform(0.7, 1.3))
    arms = strength * np.array([_ARMS[name] for name in names])
    arms += (1 - strength) * np.array(_ARMS["hang"])
    hanging = np.array([name == "hang" for name in names])
    arms[hanging, :, 2] += _arm_swing(swing)[hanging]
    return arms + rng.normal(0, 0.07, arms.shape)


def _arm_swing(swing: float) -> np.ndarray:
    """[2, 2] what upper arm and forearm of the right and the left side go forward,
    against the leg of their side."""
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
    """Two straight legs, more or less apart, sometimes with one knee bent."""
    apart = rng.choice((0.04, 0.12, 0.28), p=(0.5, 0.35, 0.15))
    legs = np.array([[[apart, -1.0, 0.02], [apart, -1.0, -0.03]]] * 2)
    legs[:, :, 2] += rng.normal(0, 0.05, (2, 1))
    if rng.random() < 0.35:
        lift = rng.choice((0.3, 0.55, 1.4), p=(0.5, 0.35, 0.15))
        legs[rng.integers(2)] = (apart + 0.08, -1.0, lift), (0.02, -1.0, -0.6 * lift)
    return legs


def rotation(axis: int, angle: float) -> np.ndarray:
    """The right-handed [3, 3] rotation by `angle` radians about axis 0, 1 or 2."""
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.eye(3)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


def build_skeleton(look: looks.Look, pose: Pose) -> Skeleton:
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
    joints |= {
        name: centre + head @ (np.array(offset) * size)
        for name, offset in _HEAD.items()
    }
    for index, (side, sign) in enumerate((("r", -1), ("l", 1))):
        mirror = np.array((sign, 1, 1))
        arm, leg = pose.arms[index] * mirror, pose.legs[index] * mirror
        arm = _unit(arm) @ chest.T * _ARM_LENGTHS * size
        leg = _unit(leg) @ pelvis.T * _LEG_LENGTHS * size
        shoulder = neck + chest @ (sign * look.shoulder_half * size, 0, 0)
        hip = pelvis @ (sign * look.hip_half * size, -0.01, 0)
        hand = _unit(arm[1]) * 0.09 * size
        # The toe is in front of the ankle; the heel is up if the shin tilts forward.
        tilt = 0.8 * min(0.0, float(_unit(leg[1]) @ pelvis[:, 2]))
        toe = pelvis[:, 2] * np.cos(tilt) + (0, np.sin(tilt) - 0.3, 0)
        toe = _unit(toe) * 0.17 * size
        # Each joint is its predecessor's place plus the bone between them.
        arm_joints = np.cumsum([shoulder, *arm, hand], axis=0)
        leg_joints = np.cumsum([hip, *leg, toe], axis=0)
        for name, point in zip(_LIMB_JOINTS, [*arm_joints, *leg_joints], strict=True):
            joints[f"{side}_{name}"] = point
    return Skeleton(joints, {"pelvis": pelvis, "chest": chest, "head": head})


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
