"""Settings of every transform, and images that fit them."""

from typing import Any

import torch
from torch import Tensor

from app.spec.data.images.transforms import TRANSFORM_CLASSES
from app.spec.data.images.transforms import TRANSFORMS as SPEC_TRANSFORMS
from workers.data.images.transforms import apply_steps, build_steps

# Transforms of torchvision that there are none of here, and why.

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "Resize": [
        {"size": 9},
        {"size": [9, 11], "interpolation": "nearest"},
        {"size": None, "max_size": 20},
        {"size": 9, "max_size": 10, "interpolation": "bicubic"},
    ],
    "Grayscale": [{}, {"num_output_channels": 3}],
    "RandomCrop": [
        {"size": 8},
        {"size": [12, 9], "padding": [1, 2]},
        {"size": 20, "padding": 4, "padding_mode": "reflect"},
        {"size": 40, "pad_if_needed": True, "fill": [1, 2, 3]},
        {"size": 12, "padding": [1, 2, 3, 0]},
    ],
    "RandomRotation": [
        {"degrees": 40},
        {"degrees": [10, 80], "interpolation": "bilinear", "fill": [9, 8, 7]},
        {"degrees": 20, "center": [2, 3]},
        {"degrees": 90, "expand": True},
    ],
    "RandomAffine": [
        {"degrees": 30, "translate": [0.2, 0.3], "scale": [0.5, 1.5], "shear": [-9, 9, -20, 20]},
        {"degrees": 5, "shear": 10, "interpolation": "bilinear", "fill": 3},
    ],
    "ColorJitter": [
        {"brightness": 0.5},
        {"contrast": [0.2, 1.9]},
        {"saturation": 0.8},
        {"hue": 0.5},
        {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    ],
    "RandomErasing": [{"p": 1.0}, {"value": [1, 2, 3], "scale": [0.3, 0.9], "ratio": [0.1, 9]}],
    "RandomResize": [{"min_size": 8, "max_size": 9}],
    "AutoAugment": [{"policy": policy} for policy in ("imagenet", "cifar10", "svhn")],
}
CASES = [(kind, case) for kind in SPEC_TRANSFORMS for case in [SPEC_TRANSFORMS[kind].example, *EXAMPLES.get(kind, [])]]
NAMES = [f"{kind} {case}" for kind, case in CASES]


def random_images(count: int = 6, channels: int = 3, height: int = 24, width: int = 25) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator)


def fitting(kind: str, settings: Any, images: Tensor, form: str) -> tuple[Tensor, Any]:
    """Return images of a form, and settings that fit them."""
    values = images / 255 if form == "numbers" or kind == "Normalize" else images
    fitted = {
        name: value[: images.shape[1]]
        if name in ("mean", "std", "value", "fill") and isinstance(value, list)
        else value
        for name, value in settings.items()
    }
    if form == "numbers" and "threshold" in fitted:
        fitted["threshold"] = 0.5
    return values, fitted


def spec(kind: str, settings: Any) -> Any:
    return TRANSFORM_CLASSES[kind].model_validate({"kind": kind, **settings})


def apply_transform(kind: str, settings: Any, images: Tensor, keys: Tensor) -> list[Tensor]:
    """Return the changed images, of whatever sizes."""
    return list(apply_steps(build_steps([spec(kind, settings)]), images, keys))
