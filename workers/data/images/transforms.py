"""Transforms by kind: what is done to many pictures at once, or to one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

import workers.torch_setup  # noqa: F401 - comes before torchvision
from app.errors import DataError
from app.spec.data.transforms import DETERMINISTIC, BaseTransform
from workers.data.images.affine import Turn
from workers.data.images.batched_transforms import Crop, Erase, Sometimes
from workers.data.images.color_jitter import Jitter, Permuted
from workers.data.rng import seeds

from torchvision.transforms import AutoAugmentPolicy  # isort: skip
from torchvision.transforms import v2  # isort: skip
from torchvision.transforms.v2 import functional  # isort: skip

Settings = Mapping[str, Any]


class Change(Protocol):
    """What is done to pictures (n, channels, height, width), each with a key for its random numbers.

    Comes back as a list where the pictures have become of unlike sizes.
    """

    def __call__(self, images: Tensor, keys: Tensor, place: int) -> Tensor | list[Tensor]:
        """Return the changed pictures; `place` tells the random numbers of several changes apart."""
        ...


@dataclass(frozen=True)
class Always:
    """What draws nothing: done to all pictures at once, or to one after the other."""

    change: Callable[[Tensor], Tensor]
    singly: bool = False

    def __call__(self, images: Tensor, keys: Tensor, place: int) -> Tensor | list[Tensor]:
        """Return the changed pictures."""
        return together([self.change(image) for image in images]) if self.singly else self.change(images)


@dataclass(frozen=True)
class OneByOne:
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
            for image, seed in zip(here, seeds(keys, place), strict=True):
                torch.default_generator.manual_seed(seed)
                if here.is_cuda:
                    torch.cuda.default_generators[device.index or 0].manual_seed(seed)
                changed.append(self.transform(image).to(device))
        return together(changed)


def together(images: list[Tensor]) -> Tensor | list[Tensor]:
    """Return pictures as one tensor if they are alike in size."""
    return torch.stack(images) if len({each.shape for each in images}) == 1 else images


def _one_by_one(transform: Callable[..., Callable[[Tensor], Tensor]]) -> Callable[[Settings], Change]:
    return lambda settings: OneByOne(transform(**settings))


def _sometimes(change: Callable[..., Tensor], **names: str) -> Callable[[Settings], Change]:
    """Return the builder of a change with probability p; `names` are its own settings, and the function's for them."""
    return lambda settings: Sometimes(
        lambda images: change(images, **{own: settings[name] for name, own in names.items()}), settings["p"]
    )


def _grey(images: Tensor) -> Tensor:
    grey: Tensor = functional.rgb_to_grayscale(images, num_output_channels=images.shape[1])
    return grey


def _crop(settings: Settings) -> Change:
    plain = v2.RandomCrop(**settings)
    left, right, top, bottom = plain.padding or (0, 0, 0, 0)
    mode, needed = settings["padding_mode"], settings["pad_if_needed"]
    return Crop(tuple(plain.size), (left, top, right, bottom), needed, settings["fill"], mode)


def _rotation(settings: Settings) -> Change:
    plain = v2.RandomRotation(**settings)
    if plain.expand:
        return OneByOne(plain)
    low, high = plain.degrees  # an affine turn goes the other way round
    return Turn((-low, -high), interpolation=plain.interpolation, fill=_numbers(plain.fill), center=plain.center)


def _affine(settings: Settings) -> Change:
    plain = v2.RandomAffine(**settings)
    shear = (*(plain.shear or ()), 0.0, 0.0, 0.0, 0.0)[:4]
    return Turn(tuple(plain.degrees), plain.translate or (0.0, 0.0), plain.scale or (1.0, 1.0), shear,
                plain.interpolation, _numbers(plain.fill), plain.center)  # fmt: skip


def _erasing(settings: Settings) -> Change:
    plain = v2.RandomErasing(**settings)
    return Erase(plain.p, plain.scale, plain.ratio, _numbers(plain.value))


def _jitter(settings: Settings) -> Change:
    plain = v2.ColorJitter(**settings)
    return Jitter((plain.brightness, plain.contrast, plain.saturation, plain.hue))


def _auto(settings: Settings) -> Change:
    return OneByOne(v2.AutoAugment(**{**settings, "policy": AutoAugmentPolicy(settings["policy"])}))


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(float, value)) if isinstance(value, Sequence) else (float(value),)


# Kind → builder. One by one go those whose results would depend, in the last bit, on what stands beside a picture, and
# those of which there is no other form here.
TRANSFORMS: Mapping[str, Callable[[Settings], Change]] = {
    "Resize": lambda settings: Always(v2.Resize(**settings), singly=True),
    "CenterCrop": lambda settings: Always(v2.CenterCrop(**settings)),
    "Pad": lambda settings: Always(v2.Pad(**settings)),
    "Grayscale": lambda settings: Always(v2.Grayscale(**settings)),
    "RGB": lambda settings: Always(v2.RGB(**settings)),
    "Normalize": lambda settings: Always(v2.Normalize(**settings)),
    "RandomCrop": _crop,
    "RandomResizedCrop": _one_by_one(v2.RandomResizedCrop),
    "RandomResize": _one_by_one(v2.RandomResize),
    "RandomShortestSize": _one_by_one(v2.RandomShortestSize),
    "RandomHorizontalFlip": _sometimes(functional.horizontal_flip),
    "RandomVerticalFlip": _sometimes(functional.vertical_flip),
    "RandomRotation": _rotation,
    "RandomAffine": _affine,
    "RandomPerspective": _one_by_one(v2.RandomPerspective),
    "ElasticTransform": _one_by_one(v2.ElasticTransform),
    "ColorJitter": _jitter,
    "RandomPhotometricDistort": _one_by_one(v2.RandomPhotometricDistort),
    "RandomGrayscale": _sometimes(_grey),
    "RandomChannelPermutation": lambda settings: Permuted(),
    "RandomInvert": _sometimes(functional.invert),
    "RandomPosterize": _sometimes(functional.posterize, bits="bits"),
    "RandomSolarize": _sometimes(functional.solarize, threshold="threshold"),
    "RandomAdjustSharpness": _one_by_one(v2.RandomAdjustSharpness),
    "RandomAutocontrast": _sometimes(functional.autocontrast),
    "RandomEqualize": _sometimes(functional.equalize),
    "RandomZoomOut": _one_by_one(v2.RandomZoomOut),
    "GaussianBlur": _one_by_one(v2.GaussianBlur),
    "GaussianNoise": _one_by_one(v2.GaussianNoise),
    "RandomErasing": _erasing,
    "AutoAugment": _auto,
    "RandAugment": _one_by_one(v2.RandAugment),
    "TrivialAugmentWide": _one_by_one(v2.TrivialAugmentWide),
    "AugMix": _one_by_one(v2.AugMix),
}


@dataclass(frozen=True)
class Step:
    """A transform of a job, and its place there, which tells its random numbers from those of others."""

    part: BaseTransform
    change: Change
    place: int

    @property
    def random(self) -> bool:
        """Whether it draws random numbers."""
        return self.part.kind not in DETERMINISTIC


def build_steps(parts: Sequence[BaseTransform]) -> tuple[Step, ...]:
    """Build transforms. Raises `DataError` if torchvision refuses their settings."""
    return tuple(_step(part, place) for place, part in enumerate(parts))


def _step(part: BaseTransform, place: int) -> Step:
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in part.settings().items()}
    try:
        return Step(part, TRANSFORMS[part.kind](settings), place)
    except (ValueError, TypeError) as error:
        raise _refused(part, error) from error


def run(steps: Sequence[Step], images: Tensor | list[Tensor], keys: Tensor) -> Tensor | list[Tensor]:
    """Do all steps: to a batch, or to pictures (channels, height, width) of unlike sizes until they are alike.

    Raises `DataError` if torchvision refuses the pictures.
    """
    for step in steps:
        try:
            if isinstance(images, Tensor):
                images = step.change(images, keys, step.place)
            else:
                images = together([step.change(image.unsqueeze(0), keys[row : row + 1], step.place)[0]
                                   for row, image in enumerate(images)])  # fmt: skip
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            if "memory" in str(error):
                raise
            raise _refused(step.part, error) from error
    return images


def _refused(part: BaseTransform, error: Exception) -> DataError:
    return DataError(f"{part.kind}: {next(iter(str(error).splitlines()), type(error).__name__)}", pointer="/data")
