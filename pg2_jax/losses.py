"""The losses of PG2 (paper, Eq. 1-4). Pure; one value per example."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

_WINDOW = 7  # pixels, of SSIM
_C1, _C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2  # its constants, for values in [0, 2]


def l1(generated: jax.Array, target: jax.Array, mask: jax.Array) -> jax.Array:
    """The distance to the target that both generators minimize (Eq. 1).

    The paper writes a sum; like the released code we take the mean over pixels and
    channels, which makes the weight of Eq. 4 independent of the image size.

    Args:
        generated: [B, H, W, 3], unbounded, meant to be in [-1, 1].
        target: [B, H, W, 3] in [-1, 1].
        mask: [B, H, W, 1], 1 on the target's body, which then counts twice, and -1
            where nothing is asked of the image; 0 everywhere is the plain L1 loss (the
            paper's G1-L1).

    Returns:
        [B] mean over pixels and channels.

    Raises:
        ValueError: the shapes do not fit each other.
    """
    _check_shapes(generated, target, mask)
    return jnp.mean(jnp.abs(generated - target) * (1.0 + mask), axis=(1, 2, 3))


def _check_shapes(generated: jax.Array, target: jax.Array, mask: jax.Array) -> None:
    if generated.shape != target.shape:
        both = f"{generated.shape} and {target.shape}"
        raise ValueError(f"generated and target must have one shape, got {both}.")
    expected = (*target.shape[:3], 1)
    if mask.shape != expected:
        raise ValueError(f"mask: expected shape {expected}, got {mask.shape}.")


def dissimilarity(
    generated: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
    """1 - SSIM, which asks for structure where `l1` asks for colours (Zhao et al.,
    "Loss Functions for Image Restoration with Neural Networks", 2017).

    Takes what `l1` does, images of at least 7x7 pixels. [B] means over channels and
    uniform 7x7 windows inside the image; a window counts as its middle does by the
    mask. A ValueError says which shape does not fit.
    """
    _check_shapes(generated, target, mask)
    if min(target.shape[1:3]) < _WINDOW:
        size = f"{target.shape[1]}x{target.shape[2]}"
        raise ValueError(f"SSIM needs images of at least 7x7 pixels, got {size}.")
    # Where nothing is asked of the image, nothing differs.
    generated = jnp.where(mask >= 0, generated, target)
    # Black is 0: means of either sign would be compared wrongly.
    x, y = generated + 1.0, target + 1.0
    mean_x, mean_y, of_squares, of_products = (
        _window_means(z) for z in (x, y, x**2 + y**2, x * y)
    )
    squares, product = mean_x**2 + mean_y**2, mean_x * mean_y
    alike = (2 * product + _C1) * (2 * (of_products - product) + _C2)
    similarity = alike / ((squares + _C1) * (of_squares - squares + _C2))
    edge = _WINDOW // 2
    weight = 1.0 + mask[:, edge:-edge, edge:-edge]
    return jnp.mean((1.0 - similarity) * weight, axis=(1, 2, 3))


def _window_means(x: jax.Array) -> jax.Array:
    return nn.avg_pool(nn.avg_pool(x, (_WINDOW, 1)), (1, _WINDOW))


def cross_entropy(logits: jax.Array, label: float) -> jax.Array:
    """L_bce(D(.), label) of D's logits [B] -> [B]: small with label 1 where D takes the
    image for real; of generated ones it is the generator's adversarial loss (Eq. 3)."""
    return optax.sigmoid_binary_cross_entropy(logits, jnp.full_like(logits, label))


def generator_loss(
    adversarial: jax.Array, l1_loss: jax.Array, weight: float
) -> jax.Array:
    """What the generator minimizes against D: L_adv + weight * L1 (Eq. 4); all [B]."""
    return adversarial + weight * l1_loss


def pair_discriminator_loss(real: jax.Array, fake: jax.Array) -> jax.Array:
    """The paper's D (Eq. 2), [B], by its logits of (source, target or generated)."""
    return cross_entropy(real, 1.0) + cross_entropy(fake, 0.0)


def triplet_discriminator_loss(
    target: jax.Array, generated: jax.Array, source: jax.Array
) -> jax.Array:
    """What D minimizes in the released code, [B], by its logits of single images. The
    source photo is an explicit negative, so that copying it does not pay."""
    fakes = cross_entropy(generated, 0.0) + cross_entropy(source, 0.0)
    return 0.5 * cross_entropy(target, 1.0) + 0.25 * fakes


def hinge_discriminator_loss(real: jax.Array, fake: jax.Array) -> jax.Array:
    """What a D of patches minimizes, [B], by its logits [B, ...] of real and generated
    ones: nothing is gained beyond a margin of 1 (Lim and Ye, "Geometric GAN", 2017)."""
    return mean_of_each(jax.nn.relu(1.0 - real) + jax.nn.relu(1.0 + fake))


def feature_matching(generated: list[jax.Array], target: list[jax.Array]) -> jax.Array:
    """The distance of D's features [B, ...] of two images, [B]: the mean over layers
    (Wang et al., "pix2pixHD", 2018, Eq. 4)."""
    pairs = zip(generated, target, strict=True)
    distances = [mean_of_each(jnp.abs(x - y)) for x, y in pairs]
    return jnp.stack(distances).mean(axis=0)


def mean_of_each(x: jax.Array) -> jax.Array:
    """[B, ...] -> [B]."""
    return x.reshape(x.shape[0], -1).mean(axis=1)
