"""The builders of transforms by kind, for batches or image by image."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

import workers.torch_setup  # noqa: F401 - comes before torchvision
from app.errors import DataError, first_line
from app.spec.data.images.transforms import DETERMINISTIC_TRANSFORMS, BaseTransform
from workers.data.images.affine import BatchedRandomAffine
from workers.data.images.batched_transforms import BatchedRandomApply, BatchedRandomCrop, BatchedRandomErasing
from workers.data.images.color_jitter import BatchedChannelPermutation, BatchedColorJitter
from workers.data.rng import generator_seeds
from workers.torch_setup import is_out_of_memory

from torchvision.transforms import AutoAugmentPolicy  # isort: skip
from torchvision.transforms import v2  # isort: skip
from torchvision.transforms.v2 import functional  # isort: skip

TransformSettings = Mapping[str, Any]


class ImageTransform(Protocol):
    """A transform of images (n, channels, height, width), each with a key for its random numbers.

    The result is a list if the sizes of the images have become different.
    """

    def __call__(self, images: Tensor, keys: Tensor, place: int) -> Tensor | list[Tensor]:
        """Return the transformed images; `place` tells the random numbers of several transforms apart."""
        ...


@dataclass(frozen=True)
class DeterministicTransform:
    """A transform without randomness, of a batch or image by image."""

    function: Callable[[Tensor], Tensor]
    per_image: bool = False

    def __call__(self, images: Tensor, keys: Tensor, place: int) -> Tensor | list[Tensor]:
        """Return the transformed images."""
        return (
            stack_if_same_size([self.function(image) for image in images]) if self.per_image else self.function(images)
        )


@dataclass(frozen=True)
class PerImageTransform:
    """torchvision's own transform, applied image by image, each with a random stream of its own.

    The global random streams, which dropout draws from, stay as they are.
    """

    transform: Callable[[Tensor], Tensor]

    def __call__(self, images: Tensor, keys: Tensor, place: int) -> Tensor | list[Tensor]:
        """Return the transformed images."""
        transformed = []
        device = images.device
        local = images if device.type in ("cpu", "cuda") else images.cpu()
        with torch.random.fork_rng([local.device] if local.is_cuda else []):
            for image, seed in zip(local, generator_seeds(keys, place), strict=True):
                torch.default_generator.manual_seed(seed)
                if local.is_cuda:
                    torch.cuda.default_generators[device.index or 0].manual_seed(seed)
                transformed.append(self.transform(image).to(device))
        return stack_if_same_size(transformed)


def stack_if_same_size(images: list[Tensor]) -> Tensor | list[Tensor]:
    """Return images as one tensor if their sizes are equal."""
    return torch.stack(images) if len({each.shape for each in images}) == 1 else images


def _per_image(transform: Callable[..., Callable[[Tensor], Tensor]]) -> Callable[[TransformSettings], ImageTransform]:
    return lambda settings: PerImageTransform(transform(**settings))


def _random_apply(function: Callable[..., Tensor], **names: str) -> Callable[[TransformSettings], ImageTransform]:
    """Return the builder of a function applied with probability p; `names` maps settings to its keyword arguments."""
    return lambda settings: BatchedRandomApply(
        lambda images: function(images, **{keyword: settings[name] for name, keyword in names.items()}), settings["p"]
    )


def _grayscale(images: Tensor) -> Tensor:
    gray: Tensor = functional.rgb_to_grayscale(images, num_output_channels=images.shape[1])
    return gray


def _crop(settings: TransformSettings) -> ImageTransform:
    plain = v2.RandomCrop(**settings)
    left, right, top, bottom = plain.padding or (0, 0, 0, 0)
    mode, needed = settings["padding_mode"], settings["pad_if_needed"]
    return BatchedRandomCrop(tuple(plain.size), (left, top, right, bottom), needed, settings["fill"], mode)


def _rotation(settings: TransformSettings) -> ImageTransform:
    plain = v2.RandomRotation(**settings)
    if plain.expand:
        return PerImageTransform(plain)
    low, high = plain.degrees  # an affine transform rotates the other way
    return BatchedRandomAffine(
        (-low, -high), interpolation=plain.interpolation, fill=_numbers(plain.fill), center=plain.center
    )


def _affine(settings: TransformSettings) -> ImageTransform:
    plain = v2.RandomAffine(**settings)
    shear = (*(plain.shear or ()), 0.0, 0.0, 0.0, 0.0)[:4]
    return BatchedRandomAffine(
        tuple(plain.degrees),
        plain.translate or (0.0, 0.0),
        plain.scale or (1.0, 1.0),
        shear,
        plain.interpolation,
        _numbers(plain.fill),
        plain.center,
    )


def _erasing(settings: TransformSettings) -> ImageTransform:
    plain = v2.RandomErasing(**settings)
    return BatchedRandomErasing(plain.p, plain.scale, plain.ratio, _numbers(plain.value))


def _jitter(settings: TransformSettings) -> ImageTransform:
    plain = v2.ColorJitter(**settings)
    return BatchedColorJitter((plain.brightness, plain.contrast, plain.saturation, plain.hue))


def _auto(settings: TransformSettings) -> ImageTransform:
    return PerImageTransform(v2.AutoAugment(**{**settings, "policy": AutoAugmentPolicy(settings["policy"])}))


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(float, value)) if isinstance(value, Sequence) else (float(value),)


# Kind → builder. Image by image go those whose results would depend, in the last bit, on the rest of the batch, and
# those without a batched form here.
TRANSFORMS: Mapping[str, Callable[[TransformSettings], ImageTransform]] = {
    "Resize": lambda settings: DeterministicTransform(v2.Resize(**settings), per_image=True),
    "CenterCrop": lambda settings: DeterministicTransform(v2.CenterCrop(**settings)),
    "Pad": lambda settings: DeterministicTransform(v2.Pad(**settings)),
    "Grayscale": lambda settings: DeterministicTransform(v2.Grayscale(**settings)),
    "RGB": lambda settings: DeterministicTransform(v2.RGB(**settings)),
    "Normalize": lambda settings: DeterministicTransform(v2.Normalize(**settings)),
    "RandomCrop": _crop,
    "RandomResizedCrop": _per_image(v2.RandomResizedCrop),
    "RandomResize": _per_image(v2.RandomResize),
    "RandomShortestSize": _per_image(v2.RandomShortestSize),
    "RandomHorizontalFlip": _random_apply(functional.horizontal_flip),
    "RandomVerticalFlip": _random_apply(functional.vertical_flip),
    "RandomRotation": _rotation,
    "RandomAffine": _affine,
    "RandomPerspective": _per_image(v2.RandomPerspective),
    "ElasticTransform": _per_image(v2.ElasticTransform),
    "ColorJitter": _jitter,
    "RandomPhotometricDistort": _per_image(v2.RandomPhotometricDistort),
    "RandomGrayscale": _random_apply(_grayscale),
    "RandomChannelPermutation": lambda settings: BatchedChannelPermutation(),
    "RandomInvert": _random_apply(functional.invert),
    "RandomPosterize": _random_apply(functional.posterize, bits="bits"),
    "RandomSolarize": _random_apply(functional.solarize, threshold="threshold"),
    "RandomAdjustSharpness": _per_image(v2.RandomAdjustSharpness),
    "RandomAutocontrast": _random_apply(functional.autocontrast),
    "RandomEqualize": _random_apply(functional.equalize),
    "RandomZoomOut": _per_image(v2.RandomZoomOut),
    "GaussianBlur": _per_image(v2.GaussianBlur),
    "GaussianNoise": _per_image(v2.GaussianNoise),
    "RandomErasing": _erasing,
    "AutoAugment": _auto,
    "RandAugment": _per_image(v2.RandAugment),
    "TrivialAugmentWide": _per_image(v2.TrivialAugmentWide),
    "AugMix": _per_image(v2.AugMix),
}


@dataclass(frozen=True)
class TransformStep:
    """A transform of a job with its position, which tells its random numbers from those of others."""

    spec: BaseTransform
    transform: ImageTransform
    position: int

    @property
    def is_random(self) -> bool:
        """Whether it draws random numbers."""
        return self.spec.kind not in DETERMINISTIC_TRANSFORMS


def build_steps(specs: Sequence[BaseTransform]) -> tuple[TransformStep, ...]:
    """Build transforms. Raises `DataError` if torchvision refuses their settings."""
    return tuple(_build_step(spec, position) for position, spec in enumerate(specs))


def _build_step(spec: BaseTransform, position: int) -> TransformStep:
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in spec.settings().items()}
    try:
        return TransformStep(spec, TRANSFORMS[spec.kind](settings), position)
    except (ValueError, TypeError) as error:
        raise _transform_error(spec, error) from error


def apply_steps(steps: Sequence[TransformStep], images: Tensor | list[Tensor], keys: Tensor) -> Tensor | list[Tensor]:
    """Return images after all steps: a batch, or a list of (channels, height, width) while their sizes differ.

    Raises `DataError` if torchvision refuses the images.
    """
    for step in steps:
        try:
            if isinstance(images, Tensor):
                images = step.transform(images, keys, step.position)
            else:
                images = stack_if_same_size(
                    [
                        step.transform(image.unsqueeze(0), keys[row : row + 1], step.position)[0]
                        for row, image in enumerate(images)
                    ]
                )
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            raise _transform_error(step.spec, error) from error
    return images


def _transform_error(spec: BaseTransform, error: Exception) -> DataError:
    return DataError(f"{spec.kind}: {first_line(error)}", pointer="/data")
