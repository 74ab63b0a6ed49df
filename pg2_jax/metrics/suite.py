"""Every metric that needs images and body masks alone, each variant by its own name,
because the field prints several under one. A masked metric is the metric of both images
with everything but the body black."""

import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping

import jax

from pg2_jax.metrics import pixel, ssim
from pg2_jax.metrics.direction import HIGHER, LOWER, NEAR_1, Direction

# Body masks, by whose pose they are drawn from.
TARGET, SOURCE = "target", "source"


@dataclasses.dataclass(frozen=True)
class Metric:
    """One number of a pair of images, or of many."""

    definition: str
    reference: str  # What gives the same numbers.
    # Of the pixels alone: generated and target [B, H, W, 3] uint8, and with `mask` the
    # mask [B, H, W, 1] -> [B] float32.
    compute: Callable[..., jax.Array] | None = None
    needs: str = ""  # What it takes besides images and keypoints.
    better: Direction = HIGHER
    mask: str = ""  # Whose body alone is scored: TARGET, SOURCE or none.
    sees_keypoints: bool = False  # Whether it needs the target's keypoints themselves.
    window: int = 1  # Smallest side of an image in pixels.
    size: tuple[int, int] | None = None  # The only (height, width) that it is for.
    undefined: str = ""  # Which pairs have no finite value.

    def describe(self) -> str:
        """The definition, and which values are better."""
        return f"{self.definition}; {self.better.words}"


def of_bodies(name: str, metric: Metric) -> Metric:
    """The metric of this name with everything except the target's body black."""
    return dataclasses.replace(
        metric,
        compute=_on_black(metric.compute) if metric.compute else None,
        definition=f"{name}, with everything except the target's body black",
        reference=f"{metric.reference} of images times mask",
        mask=TARGET,
    )


def _on_black(compute: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    def of_masked(generated, target, mask):
        bodies = (pixel.body_on_black(image, mask) for image in (generated, target))
        return compute(*bodies)

    return of_masked


_SKIMAGE = "scikit-image structural_similarity(data_range={range}, {settings})"
_GAUSS = _SKIMAGE.format(
    range="max - min of the generated image",
    settings="gaussian_weights=True, sigma=1.5, use_sample_covariance=False",
)
_ONE_VALUE = "the generated image has a single value: data range 0"
_WHOLE = {
    "ssim_pg2": Metric(
        "SSIM of PG2's score.py: uniform 7x7 windows",
        _SKIMAGE.format(range=255, settings="win_size=7"),
        ssim.ssim_pg2,
        window=ssim.PG2_WINDOW,
    ),
    "ssim_gauss": Metric(
        "SSIM of Deformable GANs and PATN: Gaussian windows, range of the generated "
        "image",
        _GAUSS,
        ssim.ssim_gauss,
        window=ssim.GAUSS_WINDOW,
        undefined=_ONE_VALUE,
    ),
    "ssim_gauss_padded": Metric(
        "ssim_gauss with 40 white columns on either side, PATN's on DeepFashion",
        f"{_GAUSS} of images padded to 256x256",
        ssim.ssim_gauss_padded,
        size=ssim.PADDED_FROM,
        undefined=_ONE_VALUE,
    ),
    "ssim_win51": Metric(
        "SSIM of GFLA, PIDM and CFLD: uniform 51x51 windows",
        _SKIMAGE.format(range="1 on images / 255", settings="win_size=51"),
        ssim.ssim_win51,
        window=ssim.LARGE_WINDOW,
    ),
    "psnr": Metric(
        "peak signal-to-noise ratio in dB, data range 255",
        "scikit-image peak_signal_noise_ratio(data_range=255)",
        pixel.psnr,
        undefined="both images are equal: PSNR is infinite",
    ),
    "l1": Metric(
        "mean absolute difference, 0-255",
        "L1 of PG2's score.py",
        pixel.l1,
        better=LOWER,
    ),
    "l2": Metric(
        "root of the summed squares / number of values, as score.py has it",
        "L2 of PG2's score.py",
        pixel.l2,
        better=LOWER,
    ),
}
_MASKED = {f"masked_{name}": of_bodies(name, metric) for name, metric in _WHOLE.items()}
_PADDED = _MASKED["masked_ssim_gauss_padded"]

METRICS = {
    **_WHOLE,
    **_MASKED,
    # As if the mask had been drawn on the padded images: the border turns black.
    "masked_ssim_gauss_padded": dataclasses.replace(
        _PADDED,
        compute=_on_black(functools.partial(ssim.ssim_gauss_padded, border=0)),
        definition=f"{_PADDED.definition}, the border too",
    ),
    "source_masked_ssim_pg2": dataclasses.replace(
        _MASKED["masked_ssim_pg2"],
        definition="masked_ssim_pg2 with the source's body, as PG2's score_mask.py "
        "reads by mistake",
        mask=SOURCE,
    ),
    "body_l1": Metric(
        "mean absolute difference over the target's body alone, 0-255",
        "masked_l1 times number of pixels / pixels of the body",
        pixel.body_l1,
        better=LOWER,
        mask=TARGET,
        undefined="the mask is empty",
    ),
    "body_gradient": Metric(
        "sharpness of the target's body: mean absolute difference of neighbouring "
        "pixels, as a share of the target's",
        "abs of numpy.diff across and down where both pixels are of the mask, summed, "
        "of the generated image / of the target",
        pixel.body_gradient,
        better=NEAR_1,
        mask=TARGET,
        undefined="the target's body is flat, or the mask is empty",
    ),
}


def needs(metric: Metric, size: tuple[int, int], masks: Collection[str]) -> str:
    """What a metric lacks on images of (height, width) with the masks of these bodies,
    in words that go on "needs"; empty when it can be computed."""
    if metric.size and size != metric.size:
        return f"images of {metric.size[0]}x{metric.size[1]} pixels"
    if min(size) < metric.window:
        return f"images of at least {metric.window}x{metric.window} pixels"
    whose = TARGET if metric.sees_keypoints else metric.mask
    if whose and whose not in masks:
        return f"the keypoints of the {whose} images"
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
        if name not in names or needs(metric, (height, width), masks):
            continue
        assert metric.compute, "all of these are of pixels"
        mask = (masks[metric.mask],) if metric.mask else ()
        values[name] = ssim.staged(metric.compute)(generated, target, *mask)
    return values
