"""MixUp (Zhang et al. 2018) and CutMix (Yun et al. 2019): mixed images or rows of a batch, and their labels.

Each batch gets one of the kinds of a job. Everything is a function of (seed, step, batch).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from app.spec.data.images.transforms import BaseTransform
from workers.data.columns import PreparedColumn
from workers.data.rng import batch_generator

MixOperation = tuple[
    Callable[[Tensor], Tensor], float
]  # a function of images, and the fraction of themselves that remains


def mixup(share: float, size: tuple[int, int], stream: np.random.Generator) -> MixOperation:
    """Return the blend of each image with its neighbour."""
    return lambda images: images.roll(1, 0).mul_(1.0 - share).add_(images.mul(share)), share


def cutmix(share: float, size: tuple[int, int], stream: np.random.Generator) -> MixOperation:
    """Return the paste of a rectangle of each image's neighbour into it; its area is about 1 - share."""
    side = 0.5 * sqrt(1.0 - share)
    (top, bottom), (left, right) = (
        _clamped_span(int(stream.integers(extent)), int(side * extent), extent) for extent in size
    )

    def cut(images: Tensor) -> Tensor:
        mixed = images.clone()
        mixed[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
        return mixed

    return cut, 1.0 - (bottom - top) * (right - left) / (size[0] * size[1])


def _clamped_span(middle: int, half: int, extent: int) -> tuple[int, int]:
    return max(0, middle - half), min(extent, middle + half)


# Kind → function of the share, of height and width, and of a random stream.
MIXING: Mapping[str, Callable[[float, tuple[int, int], np.random.Generator], MixOperation]] = {
    "MixUp": mixup,
    "CutMix": cutmix,
}


@dataclass(frozen=True)
class Mixing:
    """The mixing of the batches of a job."""

    specs: tuple[BaseTransform, ...]  # each batch gets one of them
    seed: int
    mixed_inputs: tuple[str, ...]  # images, or all inputs where there are none
    classes: Mapping[str, int]  # number of classes by target; 0 of numbers, which are blended as they are

    def __call__(
        self, step: int, number: int, inputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return batch `number` of a step, mixed; its targets become probabilities, float32 (rows, classes)."""
        stream = batch_generator(self.seed, step, number)
        spec = self.specs[int(stream.integers(len(self.specs)))]
        alpha = spec.settings()["alpha"]
        size = tuple(inputs[self.mixed_inputs[0]].shape[-2:]) if self.mixed_inputs else ()
        height, width = size if len(size) == 2 else (0, 0)  # of images: of rows there is MixUp alone
        operation, share = MIXING[spec.kind](float(stream.beta(alpha, alpha)), (height, width), stream)
        blend, _ = mixup(share, (height, width), stream)
        labels = {
            name: one_hot(targets[name], count).float() if count else targets[name]
            for name, count in self.classes.items()
        }
        return (
            {**inputs, **{name: operation(inputs[name]) for name in self.mixed_inputs}},
            {**targets, **{name: blend(target) for name, target in labels.items()}},
        )

    def targets(self, targets: Mapping[str, PreparedColumn]) -> dict[str, PreparedColumn]:
        """Return targets of the types of mixed batches, without rows."""
        return {**targets, **{name: torch.empty(0, count) for name, count in self.classes.items() if count}}
