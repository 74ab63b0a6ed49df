"""How pg2plus blends a picture: of the moved parts, the photo without its person, the
photo as it is, and an image that the network generates."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from pg2_jax.pg2plus import guides, sampling

# By what weights are sharpened in results: L1 makes them hedge, which shows as
# transparent limbs. By trial.
_FINALLY = 2.5
# By so much less a result gets a head of the network's own, which is one of the people
# of its training. By trial.
_OWN_HEAD = 4.0
# How much of a pixel that leaves goes to the background of a large picture.
_BEHIND = 0.05


class Layers(NamedTuple):
    """What a picture is blended of, and where; the weights add up to 1."""

    generated: jax.Array  # [B, H, W, 3] the network's own image, unbounded
    # [B, H, W, 4] of the moved parts, the source without its person, the source, and
    # the image.
    weights: jax.Array


def result_logits(logits: jax.Array, guide: jax.Array) -> jax.Array:
    """The logits of a result's weights [B, H, W, 4]: clearer than those of training,
    and with less of the network's own heads."""
    own_head = _OWN_HEAD * guide[..., guides.HEAD]
    own_head = jnp.pad(own_head, ((0, 0), (0, 0), (0, 0), (3, 0)))
    return _smooth(_FINALLY * logits) - own_head


def _smooth(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> binomial means of 3x3 pixels: 2x2 pixels come from the same place
    at half resolution, and along edges their differences would show as dots."""
    x = jnp.concatenate([x[:, :1], x, x[:, -1:]], axis=1)
    x = jnp.concatenate([x[:, :, :1], x, x[:, :, -1:]], axis=2)
    return nn.avg_pool(nn.avg_pool(x, (2, 2)), (2, 2))


def where_it_can_be(
    weights: jax.Array, guide: jax.Array, final: bool = False
) -> jax.Array:
    """The weights [B, H, W, 4] without the source where its person leaves. A result, if
    `final`, also has no background where parts are moved to where the person certainly
    is, and but for heads no image of the network's own there, which is blurred. The
    others share what these would have got."""
    moved, behind, kept, own = jnp.split(weights, 4, axis=-1)
    stays = jnp.maximum(guide[..., guides.STILL], 1e-6)
    if final:
        # Its weights are a power of those of training, where networks would learn from
        # the rules that follow to leave gaps at necks.
        stays = stays**_FINALLY
        certainly = guide[..., guides.INSIDE] * guide[..., guides.COVERAGE]
        behind = behind * jnp.maximum(1.0 - certainly, 1e-6) ** _FINALLY
        body = certainly * (1.0 - guide[..., guides.HEAD])
        own = own * jnp.maximum(1.0 - body, 1e-6) ** _FINALLY
    weights = jnp.concatenate([moved, behind, kept * stays, own], axis=-1)
    return weights / weights.sum(axis=-1, keepdims=True)


def without_what_leaves(weights: jax.Array, guide: jax.Array) -> jax.Array:
    """The same of a result whose background is better than what the network generates:
    it gets more of what the source would have got where no part is moved to."""
    moved, behind, kept, own = jnp.split(weights, 4, axis=-1)
    leaves = kept * (1.0 - guide[..., guides.STILL])
    behind = behind + _BEHIND * (1.0 - guide[..., guides.COVERAGE]) * leaves
    weights = jnp.concatenate([moved, behind, kept, own], axis=-1)
    return where_it_can_be(weights, guide, final=True)


def enlarged(weights: jax.Array, guide: jax.Array, coverage: jax.Array) -> jax.Array:
    """The weights [B, h, w, 4] of a guide at the size of a picture of which moved parts
    cover [B, H, W, 1]: of what they cover they get as large a share."""
    size = coverage.shape[1:3]
    # Where little is covered the pixels nearby tell the share.
    covered = sampling.enlarged(guide[..., guides.COVERAGE], *size)
    share = sampling.enlarged(weights[..., :1], *size) / jnp.maximum(covered, 1e-3)
    moved = jnp.minimum(share, 1.0) * coverage
    others = sampling.enlarged(weights[..., 1:], *size)
    # Beyond the edge of a part of which all pixels nearby are full is the background.
    others += jnp.array([1e-3, 0.0, 0.0]).reshape(1, 1, 1, 3)
    others *= (1.0 - moved) / others.sum(axis=-1, keepdims=True)
    return jnp.concatenate([moved, others], axis=-1)


def blend(
    composite: jax.Array, background: jax.Array, source: jax.Array, layers: Layers
) -> jax.Array:
    """The picture [B, H, W, 3] of the moved parts, the background, the source and the
    layers, all of one size, which need not be the network's."""
    moved, behind, kept, own = jnp.split(layers.weights, 4, axis=-1)
    pictures = moved * composite + behind * background + kept * source
    return pictures + own * layers.generated
