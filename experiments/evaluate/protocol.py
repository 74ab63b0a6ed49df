"""What all metrics of an evaluation have in common, and the batches that they take."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

import pg2_jax
from pg2_jax import cpu_convolution, pose
from pg2_jax.metrics import pixel, suite

# By kind of image and by metric: [N], or the record of a number.
Scores = dict[str, dict[str, np.ndarray]]
Records = dict[str, dict[str, dict[str, Any]]]


class Batch(NamedTuple):
    """Some pairs of an evaluation; the rows behind the last name are padding."""

    names: list[tuple[str, str]]  # (source, target)
    images: dict[str, np.ndarray]  # [B, H, W, 3] uint8 by kind
    target: np.ndarray  # [B, H, W, 3] uint8
    keypoints: np.ndarray | None  # [B, 18, 3] of the targets, if they are known
    pixel_scores: Mapping[str, Mapping[str, np.ndarray]]  # [B] by kind and metric
    generated_keypoints: np.ndarray | None = None  # of --generated_annotations


@jax.jit
def bodies(images: jax.Array, keypoints: jax.Array) -> jax.Array:
    """Images [B, H, W, 3] uint8 with all but the bodies of the keypoints black."""
    mask = pose.body_mask(keypoints, *images.shape[1:3])
    return pixel.body_on_black(images, mask)


@functools.cache
def applied(network: nn.Module) -> jax.stages.Wrapped:
    """The program (params, images, ...) -> what a network gives."""

    def apply(params: Any, *images: Any) -> Any:
        return network.apply({"params": params}, *images)

    return cpu_convolution.jitted(apply)


@functools.partial(jax.jit, static_argnames="size")
def _masks(keypoints, size):
    return {whose: pose.body_mask(x, *size) for whose, x in keypoints.items()}


_score = jax.jit(suite.compute, static_argnames="names")


def pixel_scores(
    images: Mapping[str, jax.Array],
    target: jax.Array,
    keypoints: Mapping[str, jax.Array],
    names: tuple[str, ...] = tuple(suite.METRICS),
) -> dict[str, dict[str, jax.Array]]:
    """The metrics of `suite` of images [B, H, W, 3] uint8 by kind; keypoints [B, 18, 3]
    by whose they are, `suite.TARGET` or `suite.SOURCE` -> [B] by kind and metric."""
    masks = _masks(keypoints, size=target.shape[1:3])
    # One program for all networks and kinds.
    return {kind: _score(x, target, masks, names=names) for kind, x in images.items()}


class Facts(NamedTuple):
    """What the records of an evaluation have in common, in words."""

    image_size: str  # HEIGHTxWIDTH
    resize: str  # what happened to the images before they were scored
    masks: Mapping[str, str]  # by the mask rules that there are


def origin(
    name: str, metric: suite.Metric, facts: Facts, **extractor: str
) -> dict[str, Any]:
    """How a number came about; `extractor` is what an extractor says of itself."""
    return {
        "variant": name,
        "definition": metric.describe(),
        "reference": metric.reference,
        "library": f"pg2_jax {pg2_jax.__version__} with jax {jax.__version__}",
        "extractor": "none",
        "weights": "none",
        "weights_sha256": "none",
        "image_size": facts.image_size,
        "resize": facts.resize,
        "mask": facts.masks[metric.mask] if metric.mask else "none",
        **extractor,
    }
