"""Transforms by kind: what is done to many pictures at once, or to one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

import workers.torch_setup  # noqa: F401 - comes before torchvision
from app.errors import DataError, first_line
from app.spec.data.transforms import DETERMINISTIC_TRANSFORMS, BaseTransform
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
    """What is done to pictures (n, channels, height, width), each with a key for its random numbers.

    Comes back as a list where the pictures have become of unlike sizes.
    """

    def __call__(self, images: Tensor, keys: Tensor, place: int) -> Tensor | list[Tensor]:
        """Return the changed pictures; `place` tells the random numbers of several changes apart."""
        ...


@dataclass(frozen=True)
class DeterministicTransform:
    """What draws nothing: done to all pictures at once, or to one after the other."""

    function: Callable[[Tensor], Tensor]
    per_image: bool = False

    def __call__(self, images: Tensor, keys: Tensor, place: int) -> Tensor | list[Tensor]:
        """Return the changed pictures."""
        return (
            stack_if_same_size([self.function(image) for image in images]) if self.per_image else self.function(images)
        )


@dataclass(frozen=True)
class PerImageTransform:
    """torchvision's own transform, applied to one picture after the other, each with a random stream of its own.

    The streams that others draw from (dropout) go on as if nothing had been drawn.
    """

    transform: Callable[[Tensor], Tensor]

    def __call__(self, images: Tensor, keys: Tensor, place: int) -> Tensor | list[Tensor]:
        """Return the changed pictures."""
        changed = []
        device = images.device
        here = images if device.type in ("cpu", "cuda") else images.cpu()
        with torch.random.fork_rng([here.device] if here.is_cuda else []):
            for image, seed in zip(here, generator_seeds(keys, place), strict=True):
                torch.default_generator.manual_seed(seed)
                if here.is_cuda:
                    torch.cuda.default_generators[device.index or 0].manual_seed(seed)
                changed.append(self.transform(image).to(device))
        return stack_if_same_size(changed)


def stack_if_same_size(images: list[Tensor]) -> Tensor | list[Tensor]:
    """Return pictures as one tensor if they are alike in size."""
    return torch.stack(images) if len({each.shape for each in images}) == 1 else images


def _per_image(transform: Callable[..., Callable[[Tensor], Tensor]]) -> Callable[[TransformSettings], ImageTransform]:
    return lambda settings: PerImageTransform(transform(**settings))


def _random_apply(change: Callable[..., Tensor], **names: str) -> Callable[[TransformSettings], ImageTransform]:
    """Return the builder of a change with probability p; `names` are its own settings, and the function's for them."""
    return lambda settings: BatchedRandomApply(
        lambda images: change(images, **{own: settings[name] for name, own in names.items()}), settings["p"]
    )


def _grayscale(images: Tensor) -> Tensor:
    grey: Tensor = functional.rgb_to_grayscale(images, num_output_channels=images.shape[1])
    return grey


def _crop(settings: TransformSettings) -> ImageTransform:
    plain = v2.RandomCrop(**settings)
    left, right, top, bottom = plain.padding or (0, 0, 0, 0)
    mode, needed = settings["padding_mode"], settings["pad_if_needed"]
    return BatchedRandomCrop(tuple(plain.size), (left, top, right, bottom), needed, settings["fill"], mode)


def _rotation(settings: TransformSettings) -> ImageTransform:
    plain = v2.RandomRotation(**settings)
    if plain.expand:
        return PerImageTransform(plain)
    low, high = plain.degrees  # an affine turn goes the other way round
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


# Kind → builder. One by one go those whose results would depend, in the last bit, on what stands beside a picture, and
# those of which there is no other form here.
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
    """A transform of a job, and its place there, which tells its random numbers from those of others."""

    spec: BaseTransform
    transform: ImageTransform
    position: int

    @property
    def is_random(self) -> bool:
        """Whether it draws random numbers."""
        return self.spec.kind not in DETERMINISTIC_TRANSFORMS


def build_steps(parts: Sequence[BaseTransform]) -> tuple[TransformStep, ...]:
    """Build transforms. Raises `DataError` if torchvision refuses their settings."""
    return tuple(_step(part, place) for place, part in enumerate(parts))


def _step(part: BaseTransform, place: int) -> TransformStep:
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in part.settings().items()}
    try:
        return TransformStep(part, TRANSFORMS[part.kind](settings), place)
    except (ValueError, TypeError) as error:
        raise _transform_error(part, error) from error


def apply_steps(steps: Sequence[TransformStep], images: Tensor | list[Tensor], keys: Tensor) -> Tensor | list[Tensor]:
    """Do all steps: to a batch, or to pictures (channels, height, width) of unlike sizes until they are alike.

    Raises `DataError` if torchvision refuses the pictures.
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


def _transform_error(part: BaseTransform, error: Exception) -> DataError:
    return DataError(f"{part.kind}: {first_line(error)}", pointer="/data")
