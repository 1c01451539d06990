"""Pictures of a batch mixed with their neighbours, and their labels with them: MixUp and CutMix.

A batch gets one of the kinds that a job names. Everything is a function of (seed, step, batch).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from app.spec.data.transforms import BaseTransform
from workers.data.columns import PreparedColumn
from workers.data.rng import batch_generator

MixOperation = tuple[Callable[[Tensor], Tensor], float]  # what is done to pictures, and how much of themselves is left


def mixup(share: float, size: tuple[int, int], stream: np.random.Generator) -> MixOperation:
    """Add each picture's neighbour to it."""
    return lambda images: images.roll(1, 0).mul_(1.0 - share).add_(images.mul(share)), share


def cutmix(share: float, size: tuple[int, int], stream: np.random.Generator) -> MixOperation:
    """Put a rectangle of each picture's neighbour into it, of a size that follows from the share."""
    side = 0.5 * sqrt(1.0 - share)
    (top, bottom), (left, right) = (
        _clamped_span(int(stream.integers(extent)), int(side * extent), extent) for extent in size
    )

    def cut(images: Tensor) -> Tensor:
        changed = images.clone()
        changed[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
        return changed

    return cut, 1.0 - (bottom - top) * (right - left) / (size[0] * size[1])


def _clamped_span(middle: int, half: int, extent: int) -> tuple[int, int]:
    return max(0, middle - half), min(extent, middle + half)


# Kind → what it makes of a share, of the pictures' height and width, and of random numbers.
MIXING: Mapping[str, Callable[[float, tuple[int, int], np.random.Generator], MixOperation]] = {
    "MixUp": mixup,
    "CutMix": cutmix,
}


@dataclass(frozen=True)
class Mixing:
    """What is mixed, and how."""

    specs: tuple[BaseTransform, ...]  # of which each batch gets one
    seed: int
    image_inputs: tuple[str, ...]  # inputs
    classes: Mapping[str, int]  # by target: how many there are

    def __call__(
        self, step: int, number: int, inputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return a batch, which has this number in its step, mixed; its classes are probabilities then."""
        stream = batch_generator(self.seed, step, number)
        part = self.specs[int(stream.integers(len(self.specs)))]
        alpha = part.settings()["alpha"]
        height, width = inputs[self.image_inputs[0]].shape[-2:]
        change, share = MIXING[part.kind](float(stream.beta(alpha, alpha)), (height, width), stream)
        mix, _ = mixup(share, (height, width), stream)
        likely = {name: one_hot(targets[name], count).float() for name, count in self.classes.items()}
        return (
            {**inputs, **{name: change(inputs[name]) for name in self.image_inputs}},
            {**targets, **{name: mix(target) for name, target in likely.items()}},
        )

    def targets(self, targets: Mapping[str, PreparedColumn]) -> dict[str, PreparedColumn]:
        """Return targets of the types of those in mixed batches, without rows."""
        return {**targets, **{name: torch.empty(0, count) for name, count in self.classes.items()}}
