"""Random changes of many pictures at once, each by its own random numbers: (n, channels, height, width).

Each is torchvision's function of the same name, applied picture by picture: `drawn` returns the parameters by picture,
`changed` applies them. What is computed does not depend on which pictures stand beside one another.
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
MAX_ERASING_ATTEMPTS = 10  # of RandomErasing, before it leaves a picture as it is


def random_integers(keys: Tensor, place: int, count: int | Tensor, draw: int = 0) -> Tensor:
    """Return a whole number below `count` for each key: int64 (keys)."""
    return (uniform(keys, place, draw + 1)[:, draw].double() * count).floor().long()


def broadcast_per_image(values: Tensor) -> Tensor:
    """Return one value for each picture in a form that broadcasts over pictures."""
    return values.reshape(-1, 1, 1, 1)


class BatchedTransform(ABC):
    """What is drawn for each picture by itself, and then done to all of them at once."""

    def __call__(self, images: Tensor, keys: Tensor, place: int) -> Tensor:
        """Return the pictures, each changed by its own random numbers."""
        return self.transform(images, *self.make_params(images, keys, place))

    @abstractmethod
    def make_params(self, images: Tensor, keys: Tensor, place: int) -> tuple[Tensor, ...]:
        """Return the parameters by picture."""

    @abstractmethod
    def transform(self, images: Tensor, *drawn: Tensor) -> Tensor:
        """Return the pictures, changed by these parameters."""


@dataclass(frozen=True)
class BatchedRandomApply(BatchedTransform):
    """What has no parameters of its own, done to a picture with probability p."""

    function: Callable[[Tensor], Tensor]
    p: float

    def make_params(self, images: Tensor, keys: Tensor, place: int) -> tuple[Tensor, ...]:
        """Return which are changed."""
        return (uniform(keys, place)[:, 0] < self.p,)

    def transform(self, images: Tensor, *drawn: Tensor) -> Tensor:
        """Return the pictures, of which these are changed."""
        return torch.where(broadcast_per_image(drawn[0]), self.function(images), images)


@dataclass(frozen=True)
class BatchedRandomCrop(BatchedTransform):
    """RandomCrop: a part at a random place, after padding."""

    size: tuple[int, int]
    padding: Padding = (0, 0, 0, 0)
    pad_if_needed: bool = False
    fill: Any = 0
    mode: str = "constant"

    def make_params(self, images: Tensor, keys: Tensor, place: int) -> tuple[Tensor, ...]:
        """Return the first row and the first column of each part, in the padded picture."""
        left, top, right, bottom = self.margins(images)
        height, width = images.shape[-2] + top + bottom, images.shape[-1] + left + right
        if height < self.size[0] or width < self.size[1]:
            raise ValueError(f"a crop of {self.size[0]} x {self.size[1]} does not fit into {height} x {width}")
        return random_integers(keys, place, height - self.size[0] + 1), random_integers(
            keys, place, width - self.size[1] + 1, 1
        )

    def transform(self, images: Tensor, *drawn: Tensor) -> Tensor:
        """Return the parts."""
        margins = self.margins(images)
        padded: Tensor = functional.pad(images, list(margins), self.fill, self.mode) if any(margins) else images
        if tuple(padded.shape[-2:]) == self.size:
            return padded
        (height, width), (count, channels) = self.size, padded.shape[:2]
        rows = drawn[0].unsqueeze(1) + torch.arange(height, device=images.device)
        columns = drawn[1].unsqueeze(1) + torch.arange(width, device=images.device)
        places = rows.unsqueeze(2) * padded.shape[-1] + columns.unsqueeze(1)
        places = places.reshape(count, 1, -1).expand(-1, channels, -1)
        return padded.flatten(2).gather(2, places).reshape(count, channels, height, width)

    def margins(self, images: Tensor) -> Padding:
        """Return what is put around pictures of this size."""
        left, top, right, bottom = self.padding
        if not self.pad_if_needed:
            return self.padding
        below, beside = (
            max(0, want - have - more)
            for want, have, more in zip(self.size, images.shape[-2:], (top + bottom, left + right), strict=True)
        )
        return left + beside, top + below, right + beside, bottom + below


@dataclass(frozen=True)
class BatchedRandomErasing(BatchedTransform):
    """RandomErasing: one value in a random rectangle."""

    p: float
    scale: tuple[float, float]
    ratio: tuple[float, float]
    value: tuple[float, ...]

    def make_params(self, images: Tensor, keys: Tensor, place: int) -> tuple[Tensor, ...]:
        """Return top, left, height and width of each rectangle, which may be empty."""
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
        chosen = fits & (fits.cumsum(1) == 1) & (numbers[:, :1] < self.p)
        height, width = (heights * chosen).sum(1), (widths * chosen).sum(1)
        top, left = (
            (numbers[:, draw] * (size - extent + 1)).floor().long()
            for draw, size, extent in ((1, rows, height), (2, columns, width))
        )
        return top, left, height, width

    def transform(self, images: Tensor, *drawn: Tensor) -> Tensor:
        """Return the pictures with their rectangles erased."""
        rows = torch.arange(images.shape[-2], device=images.device).reshape(1, 1, -1, 1)
        columns = torch.arange(images.shape[-1], device=images.device)
        top, left, height, width = map(broadcast_per_image, drawn)
        inside = (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
        value = torch.tensor(self.value, device=images.device).to(images.dtype).reshape(1, -1, 1, 1)
        return torch.where(inside, value, images)
