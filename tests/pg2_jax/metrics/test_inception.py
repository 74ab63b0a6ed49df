"""Inception-v3 against the frameworks that its weights come from."""

import functools
import importlib.util
import pathlib

import flax.linen as nn
import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from pg2_jax.metrics import inception, weights


def load_graph_builder():
    path = pathlib.Path(__file__).with_name("inception_graph.py")
    spec = importlib.util.spec_from_file_location("inception_graph", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_images(height=128, width=64):
    shape = (2, height, width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def apply(trained, images):
    return jax.jit(trained.network.apply)({"params": trained.params}, images)


def layers_in_order():
    """The names of the convolutions as the network applies them."""
    names = []

    def note(call, args, kwargs, context):
        names.append(context.module.name)
        return call(*args, **kwargs)

    with nn.intercept_methods(note):
        weights.shapes_of(inception.TF_2015, inception.SIDE)
    return [name for name in names if name]


def close(found, want):
    """Features and logits are of order 1 here."""
    assert np.std(want) > 0.3
    np.testing.assert_allclose(found, want, atol=3e-5)


@pytest.mark.slow
def test_the_network_of_2015_gives_tensorflows_numbers(tmp_path):
    state, (features, product, logits) = load_graph_builder().build(
        make_images(), layers_in_order(), seed=0
    )
    path = tmp_path / "weights.safetensors"
    # The file's format knows no strides.
    save_file({name: np.ascontiguousarray(x) for name, x in state.items()}, path)
    trained = inception.read(path)
    assert trained.network is inception.TF_2015
    assert (trained.file, len(trained.sha256)) == (path.name, 64)
    found = apply(trained, make_images())
    close(found.features, features)
    close(found.logits_without_bias, product)
    close(found.logits, logits)


def require_torch():
    """torch and torchvision, which are no dependencies."""
    for name in ("torch", "torchvision"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install torch torchvision")
    import torch
    import torchvision

    return torch, torchvision


def torchvision_model(classes, seed=0):
    torch, torchvision = require_torch()
    torch.manual_seed(seed)
    model = torchvision.models.inception_v3(
        weights=None, init_weights=False, num_classes=classes, transform_input=True
    )
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.3)
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
    torch.nn.init.normal_(model.fc.bias)
    return model.eval()


@pytest.mark.parametrize("zipped", [True, False])
def test_torchvisions_weights_give_torchs_numbers(zipped, tmp_path):
    model = torchvision_model(1000)
    import torch

    path = tmp_path / "inception_v3.pth"
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=zipped)
    trained = inception.read(path)
    assert trained.network is inception.TORCHVISION
    images = make_images()
    seen = {}
    model.avgpool.register_forward_hook(lambda *call: seen.update(x=call[2].flatten(1)))
    with torch.no_grad():
        planes = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        square = torch.nn.functional.interpolate(
            planes, size=(299, 299), mode="bilinear", align_corners=False
        )
        logits = model(square)
    found = apply(trained, images)
    close(found.features, seen["x"].numpy())
    close(found.logits, logits.numpy())


def test_torch_fidelitys_weights_give_its_numbers(tmp_path):
    torch, _ = require_torch()
    name = "torch_fidelity.feature_extractor_inceptionv3"
    extractor = pytest.importorskip(name, reason="torch-fidelity is not installed")
    model = torchvision_model(1008)
    state = {k: v for k, v in model.state_dict().items() if "AuxLogits" not in k}
    path = tmp_path / "weights-inception-2015-12-05.pth"
    torch.save(state, path)
    trained = inception.read(path)
    assert trained.network is inception.TF_2015
    reference = extractor.FeatureExtractorInceptionV3(
        "inception", ["2048", "logits_unbiased", "logits"], str(path)
    )
    images = make_images(60, 333)
    with torch.no_grad():
        want = reference(torch.from_numpy(images).permute(0, 3, 1, 2))
    found = apply(trained, images)
    close(found.features, want[0].numpy())
    close(found.logits_without_bias, want[1].numpy())
    close(found.logits, want[2].numpy())


@functools.cache
def random_state(classes=1008):
    """A state dict by torchvision's names, of zeros and ones."""
    network = inception.TF_2015.clone(classes=classes)
    shapes = weights.shapes_of(network, inception.SIDE)
    state = {
        "fc.weight": np.zeros((classes, 2048), np.float32),
        "fc.bias": np.zeros(classes, np.float32),
        "AuxLogits.fc.bias": np.zeros(classes, np.float32),
    }
    for layer in shapes.keys() - {"fc_kernel", "fc_bias"}:
        height, width, channels, features = shapes[layer]["kernel"].shape
        kernel = np.zeros((features, channels, height, width), np.float32)
        state[f"{layer}.conv.weight"] = kernel
        for weight in ("weight", "bias", "running_mean", "running_var"):
            state[f"{layer}.bn.{weight}"] = np.ones(features, np.float32)
        state[f"{layer}.bn.num_batches_tracked"] = np.zeros((), np.int64)
    return state


@pytest.mark.slow
def test_the_file_decides_which_network_it_is():
    for classes, network in [
        (1008, inception.TF_2015),
        (1000, inception.TORCHVISION),
    ]:
        found, _ = inception.from_state_dict(random_state(classes), "a.pth")
        assert found is network


def test_state_dicts_of_other_models():
    def read(**changes):
        state = {**random_state(), **changes}
        state = {key: value for key, value in state.items() if value is not None}
        return inception.from_state_dict(state, "a.pth")

    with pytest.raises(ValueError, match=r"a.pth holds no Inception-v3: it lacks fc.b"):
        read(**{"fc.bias": None})
    with pytest.raises(ValueError, match=r"it has the unknown head\.bias"):
        read(**{"head.bias": np.zeros(3)})
    with pytest.raises(ValueError, match="has 7 classes; known are 1008"):
        read(**{"fc.bias": np.zeros(7)})
    key = "Mixed_7c.branch_pool.conv.weight"
    with pytest.raises(ValueError, match=r"branch_pool kernel has the shape \(1, 1, 2"):
        read(**{key: np.zeros((192, 2, 1, 1))})
    key = "Conv2d_1a_3x3.bn.bias"
    with pytest.raises(ValueError, match="Conv2d_1a_3x3 offset holds NaN"):
        read(**{key: np.full(32, np.nan)})


def test_files_that_are_no_weights(tmp_path):
    def check(name, content, message):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            inception.read(path)

    check("absent.pth", None, "absent.pth does not exist, or is not a file")
    check("a.bin", b"", r"a.bin: weights of Inception-v3 are .pth, .pt, .safetensors")
    check("a.pth", b"GIF89a", "a.pth is no whole state dict")


def test_resizing_by_hand():
    row = np.array([0.0, 10, 20, 30], np.float32).reshape(1, 1, 4, 1)
    image = np.repeat(row, 4, axis=1)
    corner = inception.resize_bilinear(image, False, 8)
    np.testing.assert_allclose(corner[0, 3, :, 0], [0, 5, 10, 15, 20, 25, 30, 30])
    centre = inception.resize_bilinear(image, True, 8)
    want = [0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30]
    np.testing.assert_allclose(centre[0, 3, :, 0], want)
    assert inception.resize_bilinear(image, True, 2)[0, 0, :, 0].tolist() == [5, 25]
    np.testing.assert_array_equal(inception.resize_bilinear(image, True, 4), image)
