"""What the page shows at first, and what it knows of skeletons and of the model."""

from typing import Any

import numpy as np

from experiments import pictures
from experiments.demo.model_queue import ModelQueue, Person
from pg2_jax import pose, visualize
from pg2_jax.inference import pose_library, result

FRAME_MS = 150
SEQUENCES = tuple(n for n in pose_library.NAMES if n not in pose_library.SINGLE)
# Of the catalogue, one that differs plainly from the photos and keeps the body whole:
# steps and the side view tear a person who is seen from the front or from behind.
_FIRST_POSE = "hands_on_hips"


def setup(queue: ModelQueue, people: dict[str, Person]) -> dict[str, Any]:
    """The content of setup.json; `people` are the examples. Pictures are addresses."""
    black = np.zeros((*queue.size, 3), np.uint8)
    scale = visualize.screen_scale(queue.size[0])
    poses = [
        {
            "name": _in_words(name),
            "keypoints": keypoints.tolist(),
            "picture": _address(visualize.draw_skeleton(black, keypoints, scale=scale)),
        }
        for name, keypoints in queue.catalogue().items()
    ]
    colors = map(visualize.joint_color, range(len(pose.JOINTS)))
    return {
        "size": queue.size,
        "joints": pose.JOINTS,
        "mirrored": pose.MIRRORED.tolist(),
        "joint_colors": [f"rgb{color}" for color in colors],
        "limbs": [
            [int(a), int(b), f"rgb{visualize.limb_color(a, b)}"]
            for a, b in pose.SKELETON
        ],
        "people": [{"name": n, **shown(queue, p)} for n, p in people.items()],
        "first_image": queue.model.architecture.first_image,
        "poses": poses,
        "first_pose": _in_words(_FIRST_POSE),
        "pose_suffixes": queue.pose_suffixes,
        "sequences": SEQUENCES,
        "frame_ms": FRAME_MS,
        "about": queue.about(),
        "scale": result.SCALE,
    }


def shown(queue: ModelQueue, person: Person) -> dict[str, Any]:
    """A person, and the catalogue's poses at the size of their body, if it is known."""
    about: dict[str, Any] = {"picture": _address(person.image), "note": person.note}
    if person.large is not None and person.large_keypoints is not None:
        about["large"] = _address(person.large)
        about["large_keypoints"] = person.large_keypoints.tolist()
    if person.keypoints is None:
        return {**about, "source_keypoints": None, "poses": {}}
    about["source_keypoints"] = person.keypoints.tolist()
    poses = queue.catalogue(person.keypoints).items()
    fitted = {_in_words(name): points.round(2).tolist() for name, points in poses}
    return {**about, "poses": fitted}


def _address(image: np.ndarray) -> str:
    return f"data:image/png;base64,{pictures.to_base64(image, 'PNG')}"


def _in_words(name: str) -> str:
    return name.replace("_", " ").capitalize()
