"""Opens a pose estimator: a photo in, people with 18 keypoints and a score out.

mediapipe runs Google's BlazePose, rtmlib an ONNX model of the RTMO or RTMPose family.
Both are extras (`pip install 'pg2_jax[pose]'`, `'pg2_jax[rtmlib]'`) and are imported
only when asked for. Another estimator is another module and a line in `open_estimator`.
"""

import importlib.util

from pg2_jax import errors
from pg2_jax.estimators import base


def check_installed(name: str) -> None:
    """Raises a ValueError that says what to install, if an estimator is not there."""
    needed = {"mediapipe": ["mediapipe"], "rtmlib": ["rtmlib", "onnxruntime"]}[name]
    missing = [module for module in needed if not importlib.util.find_spec(module)]
    if missing:
        rule = f": {' and '.join(missing)} is not installed; {_install(name)}"
        raise errors.ArgumentError("estimator", name, rule)


def open_estimator(settings: base.Settings) -> base.Estimator:
    """Loads an estimator with its model; a ValueError if that is not possible."""
    name, model = settings.name, settings.model
    check_installed(name)
    try:
        if name == "mediapipe":
            from pg2_jax.estimators import blazepose

            return blazepose.BlazePose(settings)
        from pg2_jax.estimators import rtmpose

        return rtmpose.RtmPose(settings)
    except ImportError as error:
        rule = f" cannot be imported: {error}; {_install(name)}"
        raise errors.ArgumentError("estimator", name, rule) from error
    except Exception as error:
        # A damaged model file makes these libraries raise nearly anything.
        rule = f" is not a pose model that {name} can read: {base.first_line(error)}"
        raise errors.ArgumentError("model", model, rule) from error


def _install(name: str) -> str:
    extra = {"mediapipe": "pose", "rtmlib": "rtmlib"}[name]
    return f"pip install 'pg2_jax[{extra}]' (in a checkout: pip install '.[{extra}]')"
