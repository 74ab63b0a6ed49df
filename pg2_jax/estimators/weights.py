"""The model files of the pose estimators: given by path, or downloaded once and
checked."""

import pathlib

from pg2_jax import downloads, errors

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


def locate(estimator: str, path: str) -> pathlib.Path:
    """An estimator's model file: the user's own, or with an empty path the published
    one, downloaded once. Where there is none, the ValueError says where to get it."""
    model = MODELS[estimator]
    unpack = f" (and unpack {model.member})" if model.member else ""
    where = (
        f"{estimator}'s model is at {model.url}: fetch it{unpack} where there is "
        f"internet, and save it as {downloads.cache_folder() / model.file}."
    )
    if not path:
        return downloads.fetch(model, "the model", where)
    file = pathlib.Path(path).expanduser()
    if not file.is_file():
        rule = f": there is no such file; {where}"
        raise errors.ArgumentError("model", path, rule)
    return file
