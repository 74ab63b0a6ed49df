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
from data_prep.synthetic.person import standing_pose, walking_pose
from pg2_jax import files, visualize
from pg2_jax.inference import pose_library, retarget

_ANKLE = 0.045  # how far an ankle's joint is above the floor
_SIDE = np.pi / 2
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


def sets() -> dict[str, dict[str, person.Pose]]:
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


def keypoints(pose: person.Pose) -> np.ndarray:
    """The pose as a camera far away sees it: float64 [18, 3] = (x, y, visible) in the
    unit of the files, the lower foot on the floor. Limbs count as visible behind the
    body, too; nose, eyes and ears only on the side of the head that is turned to the
    camera."""
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


def write(folder: pathlib.Path) -> None:
    """Writes a JSON file for each set."""
    for name, poses in sets().items():
        rows = [
            f"    {json.dumps(key)}: {json.dumps(keypoints(pose).round(4).tolist())}"
            for key, pose in poses.items()
        ]
        text = '{\n  "poses": {\n' + ",\n".join(rows) + "\n  }\n}\n"
        files.write_text(folder / f"{name}.json", text)


def draw(path: pathlib.Path) -> None:
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


def _waving_pose(phase: float) -> person.Pose:
    pose = standing_pose(("wave", "hang"))
    pose.arms[0] = (0.7, -0.6, 0.15), (0.25 + 0.55 * np.sin(phase), 0.95, 0.2)
    return pose


if __name__ == "__main__":
    write(pose_library.FOLDER)
    draw(pathlib.Path(__file__).parents[2] / "docs" / "poses.png")
