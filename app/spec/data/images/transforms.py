"""Transforms of images: what happens to an image before a network reads it, in training and in evaluation.

They are those of `torchvision.transforms.v2`, with the same names, parameters and defaults.
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
)  # all sides; left and right, top and bottom; left, top, right, bottom
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
        "Resizes to height and width, or the shorter side alone, which keeps the aspect ratio.",
        {
            "size": (ImageSize | None, None),
            "interpolation": _RESIZE_INTERPOLATION,
            "max_size": (Side | None, None),
            "antialias": _ANTIALIAS,
        },
        example={"size": [32, 32]},
    ),
    "CenterCrop": Kind("Crops the center; pads smaller images with zeros.", {"size": ImageSize}, example={"size": 28}),
    "Pad": Kind(
        "Adds a margin.", {"padding": Padding, "fill": _FILL, "padding_mode": _PADDING}, example={"padding": 2}
    ),
    "Grayscale": Kind(
        "Converts to grayscale, in one channel or in three.", {"num_output_channels": (Literal[1, 3], 1)}
    ),
    "RGB": Kind("Repeats one channel as three."),
    "Normalize": Kind(
        "(x - mean) / std by channel, after `scale`.",
        {
            "mean": Annotated[tuple[Finite, ...], Field(min_length=1, max_length=4)],
            "std": Annotated[tuple[Positive, ...], Field(min_length=1, max_length=4)],
        },
        example={"mean": [0.5], "std": [0.5]},
    ),
    "RandomCrop": Kind(
        "Crops at a random position, after padding.",
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
        "Crops a random area of a random aspect ratio, and resizes it.",
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
        "Resizes the shorter side to a random size.",
        {"min_size": Side, "max_size": Side, "interpolation": _RESIZE_INTERPOLATION, "antialias": _ANTIALIAS},
        example={"min_size": 28, "max_size": 36},
    ),
    "RandomShortestSize": Kind(
        "Resizes the shorter side to one of several sizes.",
        {
            "min_size": Side | Annotated[tuple[Side, ...], Field(min_length=1, max_length=64)],
            "max_size": (Side | None, None),
            "interpolation": _RESIZE_INTERPOLATION,
            "antialias": _ANTIALIAS,
        },
        example={"min_size": [28, 32]},
    ),
    "RandomHorizontalFlip": Kind("Flips left and right with probability p.", {"p": _P}),
    "RandomVerticalFlip": Kind("Flips top and bottom with probability p.", {"p": _P}),
    "RandomRotation": Kind(
        "Rotates by a random angle.",
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
        "Rotates, translates, scales and shears at random.",
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
        "A random change of perspective.",
        {"distortion_scale": (Probability, 0.5), "p": _P, "interpolation": _interpolation("bilinear"), "fill": _FILL},
    ),
    "ElasticTransform": Kind(
        "Random elastic displacements, as if through moving water.",
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
        "The photometric distortion of SSD: jitter in parts, and permuted channels.",
        {
            "brightness": (tuple[NonNegative, NonNegative], (0.875, 1.125)),
            "contrast": (tuple[NonNegative, NonNegative], (0.5, 1.5)),
            "saturation": (tuple[NonNegative, NonNegative], (0.5, 1.5)),
            "hue": (Interval, (-0.05, 0.05)),
            "p": _P,
        },
    ),
    "RandomGrayscale": Kind(
        "Converts to grayscale with probability p, keeping the number of channels.", {"p": (Probability, 0.1)}
    ),
    "RandomChannelPermutation": Kind("Permutes the channels at random."),
    "RandomInvert": Kind("Inverts light and dark with probability p.", {"p": _P}),
    "RandomPosterize": Kind(
        "Keeps so many bits of each channel.",
        {"bits": Annotated[int, Field(strict=True, ge=0, le=8)], "p": _P},
        example={"bits": 4},
    ),
    "RandomSolarize": Kind(
        "Inverts values at or above the threshold (bytes: 0 to 255).",
        {"threshold": NonNegative, "p": _P},
        example={"threshold": 128},
    ),
    "RandomAdjustSharpness": Kind(
        "Blurs (factor below 1) or sharpens (above 1).",
        {"sharpness_factor": NonNegative, "p": _P},
        example={"sharpness_factor": 2},
    ),
    "RandomAutocontrast": Kind("Stretches values so that the darkest is black and the lightest white.", {"p": _P}),
    "RandomEqualize": Kind("Equalizes the histogram of values.", {"p": _P}),
    "RandomZoomOut": Kind(
        "Places the image at random on a larger canvas.", {"fill": _FILL, "side_range": (Interval, (1.0, 4.0)), "p": _P}
    ),
    "GaussianBlur": Kind(
        "Gaussian blur of a random standard deviation.",
        {"kernel_size": Side | tuple[Side, Side], "sigma": (Positive | tuple[Positive, Positive], (0.1, 2.0))},
        example={"kernel_size": 3},
    ),
    "GaussianNoise": Kind(
        "Adds normal noise; mean and sigma are in units of the range of values.",
        {"mean": (Finite, 0.0), "sigma": (NonNegative, 0.1), "clip": (bool, True)},
    ),
    "RandomErasing": Kind(
        "Fills a random rectangle with one value, on the scale of its position: after Normalize, 0 is the mean.",
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

# Of a whole batch, after all others: each image with the one before it, and their labels.
MIXING_TRANSFORMS: KindTable = {
    "MixUp": Kind(
        "Blends each image of a batch with its neighbour, and mixes their labels, which become probabilities: for "
        "CrossEntropyLoss alone. Of data without images: the numbers of whole rows, and targets that are numbers too.",
        {"alpha": (Positive, 1.0)},
    ),
    "CutMix": Kind(
        "Pastes a rectangle of its neighbour into each image of a batch, and mixes their labels, which become "
        "probabilities: for CrossEntropyLoss alone.",
        {"alpha": (Positive, 1.0)},
    ),
}


class BaseTransform(KindModel):
    """The base class of transforms."""


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
# They need values between black and white, so they come before Normalize.
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
    """Return the transforms without randomness, in order: the default of evaluation."""
    return tuple(each for each in transforms if each.kind in DETERMINISTIC_TRANSFORMS)
