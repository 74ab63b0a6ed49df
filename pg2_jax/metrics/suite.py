"""Every metric that needs images and body masks alone, by the name it is printed under.

The names differ from variant to variant, because the field prints several of them
under one name. A masked metric is the metric of both images with everything but the
body black.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping

import jax

from pg2_jax.metrics import direction, pixel, ssim

# Body masks, by whose pose they are drawn from.
TARGET, SOURCE = "target", "source"


@dataclasses.dataclass(frozen=True)
class Metric:
    """One number of a pair of images, or of many."""

    definition: str
    reference: str  # What gives the same numbers.
    needs: str = ""  # What it takes besides images and keypoints.
    better: direction.Direction = direction.HIGHER
    mask: str = ""  # Whose body alone is scored: TARGET, SOURCE or none.
    undefined: str = ""  # Which pairs have no finite value.

    def describe(self) -> str:
        """The definition, and which values are better."""
        return self.better.describe(self.definition)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelMetric(Metric):
    """One that the pixels of a pair and a body mask give."""

    # Generated and target [B, H, W, 3] uint8, and where `mask` says whose the mask
    # [B, H, W, 1] -> [B] float32.
    compute: Callable[..., jax.Array]
    window: int = 1  # Smallest side of an image in pixels.
    size: tuple[int, int] | None = None  # The only (height, width) that it is for.


def masked(compute: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """The metric of two bodies on black; see `pixel.body_on_black`."""

    def on_black(generated, target, mask):
        bodies = (pixel.body_on_black(image, mask) for image in (generated, target))
        return compute(*bodies)

    return on_black


def _masked_gauss_padded(generated, target, mask):
    """As if the mask had been drawn on the padded images: the border turns black."""
    bodies = (pixel.body_on_black(image, mask) for image in (generated, target))
    return ssim.ssim_gauss(*(ssim.pad(body, ssim.BLACK) for body in bodies))


_SKIMAGE = "scikit-image structural_similarity(data_range={range}, {settings})"
_GAUSS = _SKIMAGE.format(
    range="max - min of the generated image",
    settings="gaussian_weights=True, sigma=1.5, use_sample_covariance=False",
)
_ONE_VALUE = "the generated image has a single value: data range 0"
_SSIM_PG2 = PixelMetric(
    "SSIM of PG2's score.py: uniform 7x7 windows",
    _SKIMAGE.format(range=255, settings="win_size=7"),
    compute=ssim.ssim_pg2,
    window=ssim.PG2_WINDOW,
)
_WHOLE = {
    "ssim_pg2": _SSIM_PG2,
    "ssim_gauss": PixelMetric(
        "SSIM of Deformable GANs and PATN: Gaussian windows, range of the generated "
        "image",
        _GAUSS,
        compute=ssim.ssim_gauss,
        window=ssim.GAUSS_WINDOW,
        undefined=_ONE_VALUE,
    ),
    "ssim_gauss_padded": PixelMetric(
        "ssim_gauss with 40 white columns on either side, PATN's on DeepFashion",
        f"{_GAUSS} of images padded to 256x256",
        compute=ssim.ssim_gauss_padded,
        size=ssim.PADDED_FROM,
        undefined=_ONE_VALUE,
    ),
    "ssim_win51": PixelMetric(
        "SSIM of GFLA, PIDM and CFLD: uniform 51x51 windows",
        _SKIMAGE.format(range="1 on images / 255", settings="win_size=51"),
        compute=ssim.ssim_win51,
        window=ssim.LARGE_WINDOW,
    ),
    "psnr": PixelMetric(
        "peak signal-to-noise ratio in dB, data range 255",
        "scikit-image peak_signal_noise_ratio(data_range=255)",
        compute=pixel.psnr,
        undefined="both images are equal: PSNR is infinite",
    ),
    "l1": PixelMetric(
        "mean absolute difference, 0-255",
        "L1 of PG2's score.py",
        compute=pixel.l1,
        better=direction.LOWER,
    ),
    "l2": PixelMetric(
        "root of the summed squares / number of values, as score.py has it",
        "L2 of PG2's score.py",
        compute=pixel.l2,
        better=direction.LOWER,
    ),
}


def _on_target_body(name: str, metric: PixelMetric) -> PixelMetric:
    definition = f"{name}, with everything except the target's body black"
    on_black = masked(metric.compute)
    if name == "ssim_gauss_padded":
        definition, on_black = f"{definition}, the border too", _masked_gauss_padded
    return dataclasses.replace(
        metric,
        compute=on_black,
        definition=definition,
        reference=f"{metric.reference} of images times mask",
        mask=TARGET,
    )


METRICS = {
    **_WHOLE,
    **{f"masked_{name}": _on_target_body(name, m) for name, m in _WHOLE.items()},
    "source_masked_ssim_pg2": dataclasses.replace(
        _SSIM_PG2,
        compute=masked(ssim.ssim_pg2),
        definition="masked_ssim_pg2 with the source's body, as PG2's score_mask.py "
        "reads by mistake",
        reference=f"{_SSIM_PG2.reference} of images times mask",
        mask=SOURCE,
    ),
    "body_l1": PixelMetric(
        "mean absolute difference over the target's body alone, 0-255",
        "masked_l1 times number of pixels / pixels of the body",
        compute=pixel.body_l1,
        better=direction.LOWER,
        mask=TARGET,
        undefined="the mask is empty",
    ),
    "body_gradient": PixelMetric(
        "sharpness of the target's body: mean absolute difference of neighbouring "
        "pixels, as a share of the target's",
        "abs of numpy.diff across and down where both pixels are of the mask, summed, "
        "of the generated image / of the target",
        compute=pixel.body_gradient,
        better=direction.NEAR_1,
        mask=TARGET,
        undefined="the target's body is flat, or the mask is empty",
    ),
}


def needs(metric: PixelMetric, size: tuple[int, int], masks: frozenset[str]) -> str:
    """What a metric lacks on images of (height, width) with the masks of these bodies,
    in words that go on "needs"; empty when it can be computed."""
    if metric.size and size != metric.size:
        return f"images of {metric.size[0]}x{metric.size[1]} pixels"
    if min(size) < metric.window:
        return f"images of at least {metric.window}x{metric.window} pixels"
    if metric.mask and metric.mask not in masks:
        return f"the keypoints of the {metric.mask} images"
    return ""


def compute(
    generated: jax.Array,
    target: jax.Array,
    masks: Mapping[str, jax.Array],
    names: Collection[str] = tuple(METRICS),
) -> dict[str, jax.Array]:
    """The metrics that images [B, H, W, 3] uint8 and masks [B, H, W, 1] in {0, 1}, by
    `TARGET` or `SOURCE`, allow: [B] float32 by name, in the order of `METRICS`. A pair
    without a finite value has NaN or infinity: `Metric.undefined` says why."""
    height, width = target.shape[1:3]
    values = {}
    for name, metric in METRICS.items():
        if name in names and not needs(metric, (height, width), frozenset(masks)):
            mask = (masks[metric.mask],) if metric.mask else ()
            values[name] = ssim.staged(metric.compute)(generated, target, *mask)
    return values
