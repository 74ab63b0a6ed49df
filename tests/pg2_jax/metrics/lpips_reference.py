"""Distances of the PyTorch package lpips on random weights, for test_lpips.py.

    python -m tests.pg2_jax.metrics.lpips_reference

wrote lpips_reference.npz beside this file, with torch 2.13.0, torchvision 0.28.0 and
lpips 0.1.4. The weights and images are drawn again wherever they are needed.
"""

import functools
import pathlib
import re

import numpy as np

NPZ = pathlib.Path(__file__).with_name("lpips_reference.npz")
SIZE = (40, 33)
CHANNELS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}
# (index in torchvision's features, output channels, kernel)
_LAYERS = {
    "alex": [(0, 64, 11), (3, 192, 5), (6, 384, 3), (8, 256, 3), (10, 256, 3)],
    "vgg": [
        *((0, 64, 3), (2, 64, 3), (5, 128, 3), (7, 128, 3), (10, 256, 3)),
        *((12, 256, 3), (14, 256, 3), (17, 512, 3), (19, 512, 3), (21, 512, 3)),
        *((24, 512, 3), (26, 512, 3), (28, 512, 3)),
    ],
}


@functools.cache
def backbone(net: str) -> dict[str, np.ndarray]:
    """Random weights by torchvision's names."""
    rng = np.random.default_rng(3)
    state, inputs = {}, 3
    for index, outputs, kernel in _LAYERS[net]:
        shape = (outputs, inputs, kernel, kernel)
        deviation = np.float32((2 / (inputs * kernel * kernel)) ** 0.5)
        weight = rng.standard_normal(shape, np.float32) * deviation
        state[f"features.{index}.weight"] = weight
        state[f"features.{index}.bias"] = rng.uniform(-0.2, 0.2, outputs).astype("f4")
        inputs = outputs
    return state


def linear(net: str) -> dict[str, np.ndarray]:
    """Random linear layers by lpips's names."""
    rng = np.random.default_rng(4)
    return {
        f"lin{i}.model.1.weight": rng.uniform(0, 1, (1, count, 1, 1)).astype("f4")
        for i, count in enumerate(CHANNELS[net])
    }


def images() -> np.ndarray:
    """Four pairs, uint8 [2, 4, H, W, 3]: unrelated, near, equal, black and white."""
    pairs = np.random.default_rng(5).integers(0, 256, (2, 4, *SIZE, 3), np.uint8)
    pairs[1, 1] = np.where(pairs[0, 1] > 250, 0, pairs[0, 1])
    pairs[1, 2] = pairs[0, 2]
    pairs[:, 3] = np.array([0, 255]).reshape(2, 1, 1, 1)
    return pairs


def torch_model(net: str):
    """lpips.LPIPS with the random weights; takes torch, torchvision and lpips."""
    import lpips
    import torch

    model = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    given = {**backbone(net), **linear(net)}
    state = model.state_dict()
    for key in state:
        plain = re.sub(r"^net\.slice\d", "features", re.sub(r"^lins\.", "lin", key))
        if not key.startswith("scaling_layer."):
            state[key] = torch.from_numpy(given[plain])
    model.load_state_dict(state)
    return model


def torch_distances(model) -> np.ndarray:
    """Its distances [4] of `images`."""
    import torch

    batches = [
        torch.from_numpy(x.astype("f4") / 127.5 - 1).permute(0, 3, 1, 2)
        for x in images()
    ]
    with torch.no_grad():
        return model(*batches).numpy().reshape(-1)


if __name__ == "__main__":
    np.savez(NPZ, **{net: torch_distances(torch_model(net)) for net in CHANNELS})
    print({name: array.tolist() for name, array in np.load(NPZ).items()})
