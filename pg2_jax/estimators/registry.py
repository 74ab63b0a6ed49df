"""Opens a pose estimator, with its own model file or the published one: a photo in,
people with 18 keypoints and a score out.

mediapipe runs Google's BlazePose, rtmlib an ONNX model of the RTMO or RTMPose family;
both are extras and imported only when asked for.
"""

import importlib.util
import pathlib

from pg2_jax import downloads, errors
from pg2_jax.estimators import base

# One per estimator. Both are Apache-2.0.
MODELS = {
    "mediapipe": downloads.Published(
        "https://storage.googleapis.com/mediapipe-models/pose_landmarker/"
        "pose_landmarker_full/float16/1/pose_landmarker_full.task",
        "4eaa5eb7a98365221087693fcc286334cf0858e2eb6e15b506aa4a7ecdcec4ad",
        "pose_landmarker_full.task",
    ),
    "rtmlib": downloads.Published(
        "https://download.openmmlab.com/mmpose/v1/projects/rtmo/onnx_sdk/"
        "rtmo-s_8xb32-600e_body7-640x640-dac2bf74_20231211.zip",
        "d0703d40d19f3921da51ae725402d5fdae4d2478c7442072d3101bd396f370d8",
        "rtmo-s_8xb32-600e_body7-640x640-dac2bf74_20231211.onnx",
        "end2end.onnx",
    ),
}


def check_installed(name: str) -> None:
    """Raises a ValueError that says what to install, if an estimator is not there."""
    needed = {"mediapipe": ["mediapipe"], "rtmlib": ["rtmlib", "onnxruntime"]}[name]
    missing = [module for module in needed if not importlib.util.find_spec(module)]
    if missing:
        rule = f": {' and '.join(missing)} is not installed; {_install(name)}"
        raise errors.ArgumentError("estimator", name, rule)


def locate(estimator: str, path: str) -> pathlib.Path:
    """An estimator's model file: the user's own, or with an empty path the published
    one, downloaded once. Where there is none, the ValueError says where to get it."""
    model = MODELS[estimator]
    unpack = f" (and unpack {model.member})" if model.member else ""
    where = (
        f"{estimator}'s model is at {model.url}: fetch it{unpack} where there is "
        f"internet, and save it as {downloads.cache_folder() / model.file}, or name "
        "its file (`model`)."
    )
    if not path:
        return downloads.fetch(model, "the model", where)
    file = pathlib.Path(path).expanduser()
    if not file.is_file():
        rule = f": there is no such file; {where}"
        raise errors.ArgumentError("model", path, rule)
    return file


def open_estimator(settings: base.Settings) -> base.Estimator:
    """Loads an estimator with its model; a ValueError if that is not possible."""
    name = settings.name
    check_installed(name)
    try:
        if name == "mediapipe":
            from pg2_jax.estimators.blazepose import BlazePose

            return BlazePose(settings)
        from pg2_jax.estimators.rtmpose import RtmPose

        return RtmPose(settings)
    except ImportError as error:
        rule = f" cannot be imported: {error}; {_install(name)}"
        raise errors.ArgumentError("estimator", name, rule) from error
    except Exception as error:
        # A damaged model file makes these libraries raise nearly anything.
        rule = f" is not a pose model that {name} can read: {base.first_line(error)}"
        raise errors.ArgumentError("model", settings.model, rule) from error


def _install(name: str) -> str:
    extra = {"mediapipe": "pose", "rtmlib": "rtmlib"}[name]
    return f"pip install 'pg2_jax[{extra}]' (in a checkout: pip install '.[{extra}]')"
