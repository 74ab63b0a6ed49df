"""What all metrics of an evaluation have in common, and the batches that they take."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

import pg2_jax

# By kind of image and by metric: [N], or the record of a number.
Scores = dict[str, dict[str, np.ndarray]]
Records = dict[str, dict[str, dict[str, Any]]]


@dataclasses.dataclass(frozen=True)
class Metric:
    """One number of a pair of images, or of a whole set.

    Attributes:
        definition: one line.
        reference: what gives the same numbers.
        needs: what it takes besides images and keypoints; empty for pixel metrics.
        mask: whose body alone is scored, `suite.TARGET` or `suite.SOURCE`; or empty.
        undefined: which pairs have no finite value.
        weight: what a pair counts by in the mean; empty where all count alike.
    """

    definition: str
    reference: str
    needs: str = ""
    higher_is_better: bool = True
    mask: str = ""
    undefined: str = ""
    weight: str = ""

    def describe(self) -> str:
        """The definition and the direction."""
        direction = "higher" if self.higher_is_better else "lower"
        return f"{self.definition}; {direction} is better"


class Batch(NamedTuple):
    """Some pairs of an evaluation; the rows behind the last name are padding."""

    names: list[tuple[str, str]]  # (source, target)
    images: dict[str, np.ndarray]  # [B, H, W, 3] uint8 by kind
    target: np.ndarray  # [B, H, W, 3] uint8
    keypoints: np.ndarray | None  # [B, 18, 3] of the targets, if they are known
    pixel_scores: Mapping[str, Mapping[str, np.ndarray]]  # [B] by kind and metric


class Facts(NamedTuple):
    """What the records of an evaluation have in common, in words."""

    image_size: str  # HEIGHTxWIDTH
    resize: str  # what happened to the images before they were scored
    masks: Mapping[str, str]  # by the mask rules that there are


class Taker(Protocol):
    """Takes the batches of an evaluation, one after the other."""

    def add(self, batch: Batch) -> None:
        """Takes the next batch."""


class Accumulator(Taker, Protocol):
    """Gives metrics of all pairs at the end."""

    def records(self, facts: Facts) -> Records:
        """Each number and how it came about, by kind and metric, as metrics.json has
        it."""

    def not_computed(self, facts: Facts) -> dict[str, str]:
        """Why each metric that has no record has none."""


def origin(name: str, metric: Metric, facts: Facts, **extractor: str) -> dict[str, Any]:
    """How a number came about: the first part of its record.

    Args:
        name: of the metric.
        metric: which.
        facts: of the evaluation.
        **extractor: if there is one, its extractor, weights and weights_sha256; and
            resize, if it resizes the images.
    """
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
