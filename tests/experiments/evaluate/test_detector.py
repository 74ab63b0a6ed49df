"""--detector, with ONNX models made here."""

import numpy as np
import pytest
from PIL import Image

from experiments.evaluate import accumulators, extracted_scores, protocol
from pg2_jax import downloads

onnx = pytest.importorskip("onnx", reason="onnx, which writes models, is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def write(path, shape, axes, kind="float", keep=0):
    """A model whose confidence is the mean of a picture / 255."""
    helper, types = onnx.helper, onnx.TensorProto
    code = {"float": types.FLOAT, "uint8": types.UINT8, "int64": types.INT64}[kind]
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=types.FLOAT),
        helper.make_node("ReduceMean", ["real", "axes"], ["mean"], keepdims=keep),
        helper.make_node("Div", ["mean", "most"], ["confidence"]),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array(axes, np.int64), "axes"),
        onnx.numpy_helper.from_array(np.float32(255), "most"),
    ]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("image", code, shape)],
        [helper.make_tensor_value_info("confidence", types.FLOAT, None)],
        constants,
    )
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 16, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("shape", "axes", "kind"),
    [
        (["n", 3, "h", "w"], [1, 2, 3], "float"),
        (["n", 16, 8, 3], [1, 2, 3], "uint8"),
        ([1, 3, 16, 8], [1, 2, 3], "uint8"),
    ],
)
def test_each_image_has_its_confidence(tmp_path, images, shape, axes, kind):
    path = write(tmp_path / "d.onnx", shape, axes, kind)
    want = images.reshape(3, -1).mean(axis=1) / 255
    found, counts = extracted_scores.Detector(path).score(images, None)
    np.testing.assert_allclose(found, want, rtol=1e-5)
    assert counts.tolist() == [1, 1, 1]
    by = extracted_scores.by_detector(path)
    pairs = accumulators.Numbers([by])
    pairs.add(protocol.Batch([("", "")] * 2, {"a": images}, images, None, {}))
    scores = pairs.scores()["a"]["detection_score"]
    np.testing.assert_allclose(scores, want[:2], rtol=1e-5)
    assert by.origin["extractor"].startswith("d.onnx through onnxruntime 1.")
    assert by.origin["weights_sha256"] == downloads.sha256(path)
    facts = protocol.Facts("16x8", "none", {})
    assert "detection_score" not in pairs.content(facts)["not_computed"]


def test_images_are_resized_to_what_the_model_takes(tmp_path, images):
    path = write(tmp_path / "d.onnx", ["n", 3, 4, 6], [1, 2, 3])
    detector = extracted_scores.Detector(path)
    resized = [
        np.asarray(Image.fromarray(x).resize((6, 4), Image.Resampling.BILINEAR))
        for x in images
    ]
    want = np.stack(resized).reshape(3, -1).mean(axis=1) / 255
    np.testing.assert_allclose(detector.score(images, None)[0], want, rtol=1e-5)
    assert detector.origin["resize"] == "bilinear to 4x6 before the detector"


def test_other_models_are_refused(tmp_path, images):
    path = tmp_path / "d.onnx"
    with pytest.raises(ValueError, match=r"--detector=.*d.onnx: there is no such file"):
        extracted_scores.Detector(path)
    path.write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match=r"--detector=.*d.onnx is not an ONNX model: "):
        extracted_scores.Detector(path)
    for shape, kind in ((["n", 10], "float"), (["n", 3, 4, 4], "int64")):
        write(path, shape, [1], kind)
        with pytest.raises(ValueError, match=r"its input must be one float32 or uint8"):
            extracted_scores.Detector(path)
    write(path, ["n", 3, "h", "w"], [2, 3])  # One number for each channel.
    with pytest.raises(ValueError, match=r"for 3 images has the shape \[3, 3\], expec"):
        extracted_scores.Detector(path).score(images, None)
