"""Transforms of images: what happens to a picture before a network sees it, in training and in evaluation.

They are those of `torchvision.transforms.v2`, under their own names, with their own parameters and defaults.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from app.spec.base import Finite, NonNegative, Positive, Probability
from app.spec.kinds import Kind, KindModel, KindTable, create_kind_models, discriminated_union

MAX_SIDE = 4096  # pixels of a side
Side = Annotated[int, Field(strict=True, ge=1, le=MAX_SIDE)]
ImageSize = Side | tuple[Side, Side]  # a square, or height and width
PadWidth = Annotated[int, Field(strict=True, ge=0, le=MAX_SIDE)]
Padding = (
    PadWidth | tuple[PadWidth, PadWidth] | tuple[PadWidth, PadWidth, PadWidth, PadWidth]
)  # left and right, top and bottom
Fill = Finite | Annotated[tuple[Finite, ...], Field(min_length=1, max_length=4)]  # one number, or one by channel
Interval = tuple[Finite, Finite]
JitterRange = NonNegative | tuple[NonNegative, NonNegative]
Degrees = NonNegative | Interval
SmallInt = Annotated[int, Field(strict=True, ge=1, le=100)]

_PADDING = (Literal["constant", "edge", "reflect", "symmetric"], "constant")
_P = (Probability, 0.5)
_RESIZE_INTERPOLATION = (Literal["nearest", "nearest-exact", "bilinear", "bicubic"], "bilinear")
_ANTIALIAS = (bool, True)
_FILL = (Fill, 0)
_NO_FILL = (Fill | None, None)
_CENTER = (Interval | None, None)


def _interpolation(default: str) -> Any:
    return (Literal["nearest", "bilinear"], default)


def _auto_augment(sentence: str, **fields: Any) -> Kind:
    return Kind(sentence, {**fields, "interpolation": _interpolation("nearest"), "fill": _NO_FILL})


TRANSFORMS: KindTable = {
    "Resize": Kind(
        "Another size: height and width, or the shorter side alone, which keeps the proportions.",
        {
            "size": (ImageSize | None, None),
            "interpolation": _RESIZE_INTERPOLATION,
            "max_size": (Side | None, None),
            "antialias": _ANTIALIAS,
        },
        example={"size": [32, 32]},
    ),
    "CenterCrop": Kind(
        "The middle; with zeros around it where the picture is smaller.", {"size": ImageSize}, example={"size": 28}
    ),
    "Pad": Kind("A margin.", {"padding": Padding, "fill": _FILL, "padding_mode": _PADDING}, example={"padding": 2}),
    "Grayscale": Kind("Shades of grey, in one channel or in three.", {"num_output_channels": (Literal[1, 3], 1)}),
    "RGB": Kind("Three channels, out of one."),
    "Normalize": Kind(
        "(x - mean) / std by channel, of numbers that are scaled already: see `scale`.",
        {
            "mean": Annotated[tuple[Finite, ...], Field(min_length=1, max_length=4)],
            "std": Annotated[tuple[Positive, ...], Field(min_length=1, max_length=4)],
        },
        example={"mean": [0.5], "std": [0.5]},
    ),
    "RandomCrop": Kind(
        "A part at a random place, after padding.",
        {
            "size": ImageSize,
            "padding": (Padding | None, None),
            "pad_if_needed": (bool, False),
            "fill": _FILL,
            "padding_mode": _PADDING,
        },
        example={"size": 28, "padding": 4},
    ),
    "RandomResizedCrop": Kind(
        "A random part, of random proportions, brought to a size.",
        {
            "size": ImageSize,
            "scale": (tuple[Positive, Positive], (0.08, 1.0)),
            "ratio": (tuple[Positive, Positive], (3 / 4, 4 / 3)),
            "interpolation": _RESIZE_INTERPOLATION,
            "antialias": _ANTIALIAS,
        },
        example={"size": 28},
    ),
    "RandomResize": Kind(
        "A random size of the shorter side.",
        {"min_size": Side, "max_size": Side, "interpolation": _RESIZE_INTERPOLATION, "antialias": _ANTIALIAS},
        example={"min_size": 28, "max_size": 36},
    ),
    "RandomShortestSize": Kind(
        "One of several sizes of the shorter side.",
        {
            "min_size": Side | Annotated[tuple[Side, ...], Field(min_length=1, max_length=64)],
            "max_size": (Side | None, None),
            "interpolation": _RESIZE_INTERPOLATION,
            "antialias": _ANTIALIAS,
        },
        example={"min_size": [28, 32]},
    ),
    "RandomHorizontalFlip": Kind("Left and right exchanged.", {"p": _P}),
    "RandomVerticalFlip": Kind("Top and bottom exchanged.", {"p": _P}),
    "RandomRotation": Kind(
        "A turn by a random angle.",
        {
            "degrees": Degrees,
            "interpolation": _interpolation("nearest"),
            "expand": (bool, False),
            "center": _CENTER,
            "fill": _FILL,
        },
        example={"degrees": 10},
    ),
    "RandomAffine": Kind(
        "A random turn, shift, size and slant.",
        {
            "degrees": Degrees,
            "translate": (tuple[Probability, Probability] | None, None),
            "scale": (tuple[Positive, Positive] | None, None),
            "shear": (NonNegative | Interval | tuple[Finite, Finite, Finite, Finite] | None, None),
            "interpolation": _interpolation("nearest"),
            "fill": _FILL,
            "center": _CENTER,
        },
        example={"degrees": 10, "translate": [0.1, 0.1]},
    ),
    "RandomPerspective": Kind(
        "Seen from a random direction.",
        {"distortion_scale": (Probability, 0.5), "p": _P, "interpolation": _interpolation("bilinear"), "fill": _FILL},
    ),
    "ElasticTransform": Kind(
        "As if seen through moving water.",
        {
            "alpha": (NonNegative | tuple[NonNegative, NonNegative], 50.0),
            "sigma": (Positive | tuple[Positive, Positive], 5.0),
            "interpolation": _interpolation("bilinear"),
            "fill": _FILL,
        },
    ),
    "ColorJitter": Kind(
        "Random brightness, contrast, saturation and hue, in a random order.",
        {
            "brightness": (JitterRange | None, None),
            "contrast": (JitterRange | None, None),
            "saturation": (JitterRange | None, None),
            "hue": (Annotated[float, Field(ge=0, le=0.5)] | Interval | None, None),
        },
        example={"brightness": 0.2},
    ),
    "RandomPhotometricDistort": Kind(
        "What SSD does to colours: jitter by parts, and channels exchanged.",
        {
            "brightness": (tuple[NonNegative, NonNegative], (0.875, 1.125)),
            "contrast": (tuple[NonNegative, NonNegative], (0.5, 1.5)),
            "saturation": (tuple[NonNegative, NonNegative], (0.5, 1.5)),
            "hue": (Interval, (-0.05, 0.05)),
            "p": _P,
        },
    ),
    "RandomGrayscale": Kind("Shades of grey, in as many channels.", {"p": (Probability, 0.1)}),
    "RandomChannelPermutation": Kind("Channels in a random order."),
    "RandomInvert": Kind("Light and dark exchanged.", {"p": _P}),
    "RandomPosterize": Kind(
        "Fewer shades: so many bits of each channel.",
        {"bits": Annotated[int, Field(strict=True, ge=0, le=8)], "p": _P},
        example={"bits": 4},
    ),
    "RandomSolarize": Kind(
        "Inverts what is at least as light as the threshold (of bytes: 0 to 255).",
        {"threshold": NonNegative, "p": _P},
        example={"threshold": 128},
    ),
    "RandomAdjustSharpness": Kind(
        "Blurred (factor 0), as it is (1), or sharper.",
        {"sharpness_factor": NonNegative, "p": _P},
        example={"sharpness_factor": 2},
    ),
    "RandomAutocontrast": Kind("The darkest value becomes black, the lightest white.", {"p": _P}),
    "RandomEqualize": Kind("All shades equally frequent.", {"p": _P}),
    "RandomZoomOut": Kind(
        "Placed at random on a larger ground.", {"fill": _FILL, "side_range": (Interval, (1.0, 4.0)), "p": _P}
    ),
    "GaussianBlur": Kind(
        "Blurred, by a random deviation.",
        {"kernel_size": Side | tuple[Side, Side], "sigma": (Positive | tuple[Positive, Positive], (0.1, 2.0))},
        example={"kernel_size": 3},
    ),
    "GaussianNoise": Kind(
        "Normal noise, in units of the whole range of values.",
        {"mean": (Finite, 0.0), "sigma": (NonNegative, 0.1), "clip": (bool, True)},
    ),
    "RandomErasing": Kind(
        "A random rectangle gets one value, on the scale of what stands there: behind Normalize, 0 is the mean.",
        {
            "p": _P,
            "scale": (tuple[Probability, Probability], (0.02, 0.33)),
            "ratio": (tuple[Positive, Positive], (0.3, 3.3)),
            "value": _FILL,
        },
    ),
    "AutoAugment": _auto_augment(
        "A policy found on ImageNet, CIFAR-10 or SVHN (Cubuk et al. 2019).",
        policy=(Literal["imagenet", "cifar10", "svhn"], "imagenet"),
    ),
    "RandAugment": _auto_augment(
        "A few random operations of one magnitude (Cubuk et al. 2020).",
        num_ops=(SmallInt, 2),
        magnitude=(Annotated[int, Field(strict=True, ge=0, le=99)], 9),
        num_magnitude_bins=(Annotated[int, Field(strict=True, ge=2, le=100)], 31),
    ),
    "TrivialAugmentWide": _auto_augment(
        "One random operation of a random magnitude (Müller and Hutter 2021).",
        num_magnitude_bins=(Annotated[int, Field(strict=True, ge=2, le=100)], 31),
    ),
    "AugMix": Kind(
        "A mixture of chains of random operations (Hendrycks et al. 2020).",
        {
            "severity": (Annotated[int, Field(strict=True, ge=1, le=10)], 3),
            "mixture_width": (SmallInt, 3),
            "chain_depth": (Annotated[int, Field(strict=True, ge=-1, le=100)], -1),
            "alpha": (Positive, 1.0),
            "all_ops": (bool, True),
            "interpolation": _interpolation("bilinear"),
            "fill": _NO_FILL,
        },
    ),
}

# Of a whole batch, at its end: each picture with the one before it, and their labels.
MIXING_TRANSFORMS: KindTable = {
    "MixUp": Kind(
        "Adds to each picture of a batch its neighbour, faintly, and mixes their labels, which become "
        "probabilities: for CrossEntropyLoss alone.",
        {"alpha": (Positive, 1.0)},
    ),
    "CutMix": Kind(
        "Puts into each picture of a batch a rectangle of its neighbour, and mixes their labels, which "
        "become probabilities: for CrossEntropyLoss alone.",
        {"alpha": (Positive, 1.0)},
    ),
}


class BaseTransform(KindModel):
    """What every transform has."""


TRANSFORM_CLASSES = create_kind_models(TRANSFORMS, BaseTransform)
MIXING_CLASSES = create_kind_models(MIXING_TRANSFORMS, BaseTransform)

if TYPE_CHECKING:
    Transform = BaseTransform
    TransformOrMixing = BaseTransform
else:
    Transform = discriminated_union(TRANSFORM_CLASSES)
    TransformOrMixing = discriminated_union(TRANSFORM_CLASSES, MIXING_CLASSES)
Transforms = Annotated[tuple[Transform, ...], Field(max_length=64)]
TrainingTransforms = Annotated[tuple[TransformOrMixing, ...], Field(max_length=64)]

DETERMINISTIC_TRANSFORMS = frozenset({"Resize", "CenterCrop", "Pad", "Grayscale", "RGB", "Normalize"})
# What reads values as shades between black and white, which they are no longer behind Normalize.
COLOR_TRANSFORMS = frozenset(
    {
        "Grayscale",
        "ColorJitter",
        "RandomPhotometricDistort",
        "RandomGrayscale",
        "RandomInvert",
        "RandomPosterize",
        "RandomSolarize",
        "RandomAdjustSharpness",
        "RandomAutocontrast",
        "RandomEqualize",
        "GaussianNoise",
        "AutoAugment",
        "RandAugment",
        "TrivialAugmentWide",
        "AugMix",
    }
)


def deterministic_transforms(transforms: Sequence[BaseTransform]) -> tuple[BaseTransform, ...]:
    """Return the transforms that draw nothing, in order: those of evaluation unless a job says otherwise."""
    return tuple(each for each in transforms if each.kind in DETERMINISTIC_TRANSFORMS)
