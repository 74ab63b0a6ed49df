"""The poses that come with the program, from the skeleton of the synthetic people.

    python -m data_prep.synthetic.poses

writes pg2_jax/inference/poses/*.json and docs/poses.png anew. Each file is one set:
"poses" maps a name to 18 rows (x, y, visible) in OpenPose's COCO-18 order. x is right
of the pelvis of the standing figure, y down from its crown, the unit its height, so
that the floor is at y = 1.
"""

import json
import pathlib

import numpy as np

from data_prep.synthetic import figure, person
from pg2_jax import files, visualize
from pg2_jax.inference import pose_library, retarget

_DOCS = pathlib.Path(__file__).parents[2] / "docs"
_ANKLE = 0.045  # how far an ankle's joint is above the floor
_SIDE = np.pi / 2
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
    *(("hang", "hang", 9), ("pocket", "pocket", 1.5), ("hip", "hip", 1.5)),
    *(("hip", "hang", 1.5), ("raise", "raise", 1), ("raise", "hang", 1)),
    *(("wave", "hang", 2), ("wave", "wave", 0.7), ("side", "side", 1)),
    *(("cross", "cross", 2), ("reach", "reach", 1), ("reach", "hang", 1)),
    *(("carry", "carry", 1.5), ("carry", "hang", 1.5), ("phone", "hang", 2)),
    *(("phone", "pocket", 1), ("back", "back", 1), ("point", "hang", 1.2)),
    *(("chin", "cross", 1), ("run", "carry", 1)),
)


def standing_pose(
    arms: str | tuple[str, str] = "hang", yaw: float = 0.0, apart: float = 0.06
) -> figure.Pose:
    """A person standing upright with both arms, or the right and the left one, in named
    positions; each leg goes outward by `apart` of its length."""
    legs = np.array([[[apart, -1.0, 0.0], [apart / 3, -1.0, -0.02]]] * 2)
    names = (arms, arms) if isinstance(arms, str) else arms
    return figure.Pose(
        arms=np.array([_ARMS[name] for name in names]), legs=legs, yaw=yaw
    )


def walking_pose(phase: float, yaw: float) -> figure.Pose:
    """A step of a walk, the arms swinging; 2 pi of the phase are two steps."""
    arms = np.array([_ARMS["hang"]] * 2)
    arms[:, :, 2] += _arm_swing(0.45 * np.sin(phase))
    return figure.Pose(arms=arms, legs=_walking_legs(0.45, phase), yaw=yaw, lean=0.04)


def sample_pose(rng: np.random.Generator, yaw: float) -> figure.Pose:
    """A random standing or walking pose with arms in one of many positions."""
    if rng.random() < 0.5:
        phase = rng.uniform(0, 2 * np.pi)
        legs = _walking_legs(rng.uniform(0.25, 0.55), phase)
        swing = 0.45 * np.sin(phase)
    else:
        legs, swing = _sample_standing_legs(rng), 0.0
    return figure.Pose(
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


_CATALOGUE = {
    "front": standing_pose(),
    "hands_on_hips": standing_pose("hip", apart=0.16),
    "arms_crossed": standing_pose("cross"),
    "one_hand_on_hip": standing_pose(("hip", "hang"), yaw=0.35, apart=0.12),
    "three_quarter": standing_pose("hang", yaw=-0.75),
    "arms_out": standing_pose("side"),
    "arms_up": standing_pose("raise"),
    "on_the_phone": standing_pose(("phone", "pocket"), yaw=0.3),
    "step_right": walking_pose(_SIDE, yaw=1.2),
    "step_left": walking_pose(-_SIDE, yaw=-1.2),
    "side": standing_pose("hang", yaw=_SIDE),
    "back": standing_pose("hang", yaw=np.pi),
}


def sets() -> dict[str, dict[str, figure.Pose]]:
    """All sets by name; of a sequence the poses are numbered in order."""
    twelve, eight = (np.linspace(0, 2 * np.pi, n, endpoint=False) for n in (12, 8))
    sequences = {
        "walk": [walking_pose(phase, yaw=1.15) for phase in eight + 0.2],
        "turn": [standing_pose("hang", yaw=yaw) for yaw in twelve],
        "wave": [_waving_pose(phase) for phase in eight],
    }
    return {"catalogue": _CATALOGUE} | {
        name: {f"{i:02d}": pose for i, pose in enumerate(poses)}
        for name, poses in sequences.items()
    }


def keypoints(pose: figure.Pose) -> np.ndarray:
    """The pose as a camera far away sees it: float64 [18, 3] = (x, y, visible) in the
    unit of the files, the lower foot on the floor.

    Limbs count as visible behind the body, too; nose, eyes and ears only on the side of
    the head that is turned to the camera.
    """
    look = person.sample_look(np.random.default_rng(0))
    skeleton = figure.build_skeleton(look, pose)
    joints = skeleton.joints
    standing = figure.build_skeleton(look, standing_pose()).joints
    floor = min(joints["r_ankle"][1], joints["l_ankle"][1]) - _ANKLE
    height = standing["crown"][1] - standing["r_ankle"][1] + _ANKLE
    # How far the left and the front of the head are turned to the camera.
    left, _, front = skeleton.frames["head"][2]
    facing = {
        "nose": front,
        "r_eye": front - 0.3 * left,
        "l_eye": front + 0.3 * left,
        "r_ear": -left,
        "l_ear": left,
    }
    rows = np.zeros((len(figure.KEYPOINTS), 3))
    for row, name in zip(rows, figure.KEYPOINTS, strict=True):
        if facing.get(name, 1) > -0.35:
            x, y, _ = joints[name]
            row[:] = x / height, 1 - (y - floor) / height, 1
    return rows


def write(folder: pathlib.Path = pose_library.FOLDER) -> None:
    """Writes a JSON file for each set."""
    for name, poses in sets().items():
        rows = [
            f"    {json.dumps(key)}: {json.dumps(keypoints(pose).round(4).tolist())}"
            for key, pose in poses.items()
        ]
        text = '{\n  "poses": {\n' + ",\n".join(rows) + "\n  }\n}\n"
        with files.replacing(folder / f"{name}.json") as temporary:
            temporary.write_text(text, encoding="utf-8")


def draw(path: pathlib.Path = _DOCS / "poses.png") -> None:
    """Draws all sets, a row for each, as skeletons."""
    height, width = 128, 64
    black = np.zeros((height, width, 3), np.uint8)
    rows = []
    for name in pose_library.NAMES:
        poses = np.stack(list(pose_library.read(name).values()))
        alone = name in pose_library.SINGLE
        fitted = retarget.fit_to_image(poses, height, width, alone=alone)
        rows.append([visualize.draw_skeleton(black, points) for points in fitted])
    with files.replacing(path) as temporary:
        visualize.grid(rows).save(temporary)


def _waving_pose(phase: float) -> figure.Pose:
    pose = standing_pose(("wave", "hang"))
    pose.arms[0] = (0.7, -0.6, 0.15), (0.25 + 0.55 * np.sin(phase), 0.95, 0.2)
    return pose


if __name__ == "__main__":
    write()
    draw()
