"""Random transforms of a batch of images (n, channels, height, width), each image by its own random numbers.

Each computes torchvision's transform of the same name image by image: `make_params` returns the parameters of every
image, `transform` applies them. The result for an image does not depend on the rest of the batch.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import workers.torch_setup  # noqa: F401 - comes before torchvision
from workers.data.rng import uniform

from torchvision.transforms.v2 import functional  # isort: skip

Padding = tuple[int, int, int, int]  # left, top, right, bottom
MAX_ERASING_ATTEMPTS = 10  # of RandomErasing, before it leaves an image unchanged


def random_integers(keys: Tensor, place: int, count: int | Tensor, draw: int = 0) -> Tensor:
    """Return an integer below `count` for each key: int64 (keys)."""
    return (uniform(keys, place, draw + 1)[:, draw].double() * count).floor().long()


def broadcast_per_image(values: Tensor) -> Tensor:
    """Return values (n) as (n, 1, 1, 1), which broadcast over images."""
    return values.reshape(-1, 1, 1, 1)


class BatchedTransform(ABC):
    """A transform whose parameters are drawn per image, and applied to the whole batch at once."""

    def __call__(self, images: Tensor, keys: Tensor, place: int) -> Tensor:
        """Return the transformed images; `place` tells the random numbers of several transforms apart."""
        return self.transform(images, *self.make_params(images, keys, place))

    @abstractmethod
    def make_params(self, images: Tensor, keys: Tensor, place: int) -> tuple[Tensor, ...]:
        """Return the parameters, each (n, …)."""

    @abstractmethod
    def transform(self, images: Tensor, *params: Tensor) -> Tensor:
        """Return the images, transformed by these parameters."""


@dataclass(frozen=True)
class BatchedRandomApply(BatchedTransform):
    """A function without parameters, applied to an image with probability p."""

    function: Callable[[Tensor], Tensor]
    p: float

    def make_params(self, images: Tensor, keys: Tensor, place: int) -> tuple[Tensor, ...]:
        """Return the images to which it is applied: bool (n)."""
        return (uniform(keys, place)[:, 0] < self.p,)

    def transform(self, images: Tensor, *params: Tensor) -> Tensor:
        """Return the images, with the function applied to the selected ones."""
        return torch.where(broadcast_per_image(params[0]), self.function(images), images)


@dataclass(frozen=True)
class BatchedRandomCrop(BatchedTransform):
    """RandomCrop: a crop at a random position, after padding."""

    size: tuple[int, int]
    padding: Padding = (0, 0, 0, 0)
    pad_if_needed: bool = False
    fill: Any = 0
    mode: str = "constant"

    def make_params(self, images: Tensor, keys: Tensor, place: int) -> tuple[Tensor, ...]:
        """Return the first row and column of each crop in the padded image: int64 (n) each."""
        left, top, right, bottom = self.margins(images)
        height, width = images.shape[-2] + top + bottom, images.shape[-1] + left + right
        if height < self.size[0] or width < self.size[1]:
            raise ValueError(f"a crop of {self.size[0]} x {self.size[1]} does not fit into {height} x {width}")
        return random_integers(keys, place, height - self.size[0] + 1), random_integers(
            keys, place, width - self.size[1] + 1, 1
        )

    def transform(self, images: Tensor, *params: Tensor) -> Tensor:
        """Return the crops."""
        margins = self.margins(images)
        padded: Tensor = functional.pad(images, list(margins), self.fill, self.mode) if any(margins) else images
        if tuple(padded.shape[-2:]) == self.size:
            return padded
        (height, width), (count, channels) = self.size, padded.shape[:2]
        rows = params[0].unsqueeze(1) + torch.arange(height, device=images.device)
        columns = params[1].unsqueeze(1) + torch.arange(width, device=images.device)
        places = rows.unsqueeze(2) * padded.shape[-1] + columns.unsqueeze(1)
        places = places.reshape(count, 1, -1).expand(-1, channels, -1)
        return padded.flatten(2).gather(2, places).reshape(count, channels, height, width)

    def margins(self, images: Tensor) -> Padding:
        """Return the padding of images of this size: left, top, right, bottom."""
        left, top, right, bottom = self.padding
        if not self.pad_if_needed:
            return self.padding
        below, beside = (
            max(0, target - extent - padding)
            for target, extent, padding in zip(self.size, images.shape[-2:], (top + bottom, left + right), strict=True)
        )
        return left + beside, top + below, right + beside, bottom + below


@dataclass(frozen=True)
class BatchedRandomErasing(BatchedTransform):
    """RandomErasing: fills a random rectangle with one value."""

    p: float
    scale: tuple[float, float]
    ratio: tuple[float, float]
    value: tuple[float, ...]

    def make_params(self, images: Tensor, keys: Tensor, place: int) -> tuple[Tensor, ...]:
        """Return top, left, height and width of each rectangle, which may be empty: int64 (n) each."""
        rows, columns = images.shape[-2:]
        numbers = uniform(keys, place, 3 + 2 * MAX_ERASING_ATTEMPTS).double()
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        area = (
            rows
            * columns
            * (self.scale[0] + (self.scale[1] - self.scale[0]) * numbers[:, 3 : 3 + MAX_ERASING_ATTEMPTS])
        )
        ratio = (low + (high - low) * numbers[:, 3 + MAX_ERASING_ATTEMPTS :]).exp()
        heights, widths = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
        fits = (heights < rows) & (widths < columns)
        selected = fits & (fits.cumsum(1) == 1) & (numbers[:, :1] < self.p)
        height, width = (heights * selected).sum(1), (widths * selected).sum(1)
        top, left = (
            (numbers[:, draw] * (size - extent + 1)).floor().long()
            for draw, size, extent in ((1, rows, height), (2, columns, width))
        )
        return top, left, height, width

    def transform(self, images: Tensor, *params: Tensor) -> Tensor:
        """Return the images with their rectangles erased."""
        rows = torch.arange(images.shape[-2], device=images.device).reshape(1, 1, -1, 1)
        columns = torch.arange(images.shape[-1], device=images.device)
        top, left, height, width = map(broadcast_per_image, params)
        inside = (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
        value = torch.tensor(self.value, device=images.device).to(images.dtype).reshape(1, -1, 1, 1)
        return torch.where(inside, value, images)
