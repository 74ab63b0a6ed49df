"""--detector: how sure a network is that there is a person, by an ONNX model."""

import pathlib

import numpy as np
from PIL import Image

from pg2_jax import downloads

_TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


class Detector:
    """An ONNX model that gives each image one confidence; `origin` is what records say
    of it.

    Its input is RGB in 0 .. 255, float32 or uint8, [N, 3, H, W] or [N, H, W, 3]; N may
    be open or 1, H and W may be open. Its first output is float32, [N] or [N, 1]: the
    largest confidence of the class person. A detector with boxes gets there by a
    ReduceMax over the column of that class.
    """

    def __init__(self, path: pathlib.Path):
        flag = f"--detector={path}"
        try:
            import onnxruntime
        except ImportError as error:
            raise ValueError(
                f"{flag} needs onnxruntime: pip install 'pg2_jax[detector]' (in a "
                "checkout: pip install '.[detector]')."
            ) from error
        if not path.is_file():
            raise ValueError(f"{flag}: there is no such file.")
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), providers=onnxruntime.get_available_providers()
            )
        except Exception as error:
            # A damaged file makes it raise nearly anything.
            why = str(error)[:200]
            raise ValueError(f"{flag} is not an ONNX model: {why}") from error
        self._flag = flag
        inputs = self._session.get_inputs()
        shape = list(inputs[0].shape) if len(inputs) == 1 else []
        is_image = len(shape) == 4 and 3 in (shape[1], shape[3])
        if not is_image or inputs[0].type not in _TYPES:
            said = ", ".join(f"{x.name} {x.type} {x.shape}" for x in inputs)
            raise ValueError(
                f"{flag}: its input must be one float32 or uint8 [N, 3, H, W] or [N, "
                f"H, W, 3], got {said}."
            )
        self._input = inputs[0]
        self._channels_first = shape[1] == 3
        self._one_by_one = shape[0] == 1
        height, width = shape[2:] if self._channels_first else shape[1:3]
        self._size = (height, width) if isinstance(height, int) else None
        resize = "none: the detector takes any size"
        if self._size:
            resize = f"bilinear to {height}x{width} before the detector"
        self.origin = {
            "extractor": f"{path.name} through onnxruntime {onnxruntime.__version__}",
            "weights": path.name,
            "weights_sha256": downloads.sha256(path),
            "resize": resize,
        }

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Maps [B, H, W, 3] uint8 to confidences [B] float32."""
        if self._size and images.shape[1:3] != self._size:
            how = self._size[::-1], Image.Resampling.BILINEAR
            resized = (Image.fromarray(x).resize(*how) for x in images)
            images = np.stack([np.asarray(image) for image in resized])
        if self._channels_first:
            images = images.transpose(0, 3, 1, 2)
        images = np.ascontiguousarray(images, _TYPES[self._input.type])
        confidences = []
        for part in images[:, None] if self._one_by_one else [images]:
            output = self._session.run(None, {self._input.name: part})[0]
            if output.shape not in ((len(part),), (len(part), 1)):
                raise ValueError(
                    f"{self._flag}: the first output for {len(part)} images has the "
                    f"shape {list(output.shape)}, expected one confidence for each."
                )
            if not np.isfinite(output).all():
                raise ValueError(f"{self._flag}: a confidence is NaN or infinite.")
            confidences.append(output.reshape(-1).astype(np.float32))
        return np.concatenate(confidences)
