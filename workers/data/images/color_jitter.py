"""Random color transforms of many images at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

import workers.torch_setup  # noqa: F401 - comes before torchvision
from workers.data.images.batched_transforms import BatchedTransform, broadcast_per_image
from workers.data.rng import uniform

from torchvision.transforms.v2 import functional  # isort: skip


@dataclass(frozen=True)
class BatchedColorJitter(BatchedTransform):
    """ColorJitter: brightness, contrast, saturation and hue, each by a random factor, in a random order."""

    bounds: tuple[tuple[float, float] | None, ...]  # of the four factors; `None`: unchanged

    def make_params(self, images: Tensor, keys: Tensor, place: int) -> tuple[Tensor, ...]:
        """Return the factors, float32 (n, 4), and the order in which they are applied, int64 (n, 4)."""
        numbers = uniform(keys, place, 8)
        low, high = torch.tensor([bounds or (0.0, 0.0) for bounds in self.bounds], device=keys.device).unbind(1)
        return low + (high - low) * numbers[:, :4], numbers[:, 4:].argsort(stable=True, dim=1)

    def transform(self, images: Tensor, *params: Tensor) -> Tensor:
        """Return the images with adjusted colors."""
        (factors, order), images = params, images.clone()
        for turn in range(4):
            for index, adjust in enumerate((_adjust_brightness, _adjust_contrast, _adjust_saturation, _adjust_hue)):
                rows = (order[:, turn] == index).nonzero()[:, 0] if self.bounds[index] is not None else ()
                if len(rows):
                    images[rows] = adjust(images[rows], factors[rows, index])
        return images


def _adjust_brightness(images: Tensor, factors: Tensor) -> Tensor:
    return _clamp_to_dtype(images * broadcast_per_image(factors), images)


def _adjust_contrast(images: Tensor, factors: Tensor) -> Tensor:
    mean = _grayscale(images).double().mean((1, 2, 3), keepdim=True).float()
    return _blend(images, mean, factors)


def _adjust_saturation(images: Tensor, factors: Tensor) -> Tensor:
    return images if images.shape[1] == 1 else _blend(images, _grayscale(images), factors)


def _adjust_hue(images: Tensor, factors: Tensor) -> Tensor:
    return torch.stack(
        [functional.adjust_hue(image, factor) for image, factor in zip(images, factors.tolist(), strict=True)]
    )


def _grayscale(images: Tensor) -> Tensor:
    """Return grayscale values as float32 (n, 1, height, width), integers where the images are bytes."""
    numbers = images.float()
    if images.shape[1] > 1:
        red, green, blue = numbers.split(1, 1)
        numbers = red.mul(0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114)
    return numbers if images.is_floating_point() else numbers.floor()


def _blend(images: Tensor, other: Tensor, factors: Tensor) -> Tensor:
    factors = broadcast_per_image(factors)
    return _clamp_to_dtype(images * factors + other * (1.0 - factors), images)


def _clamp_to_dtype(numbers: Tensor, images: Tensor) -> Tensor:
    """Return numbers as values of the images' dtype."""
    return numbers.clamp_(0, 1.0 if images.is_floating_point() else 255.0).to(images.dtype)


@dataclass(frozen=True)
class BatchedChannelPermutation(BatchedTransform):
    """RandomChannelPermutation: channels in a random order."""

    def make_params(self, images: Tensor, keys: Tensor, place: int) -> tuple[Tensor, ...]:
        """Return the order of each image's channels: int64 (n, channels)."""
        return (uniform(keys, place, images.shape[1]).argsort(stable=True, dim=1),)

    def transform(self, images: Tensor, *params: Tensor) -> Tensor:
        """Return the images with permuted channels."""
        return images.gather(1, params[0][:, :, None, None].expand_as(images))
