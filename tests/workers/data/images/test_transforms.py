"""Every transform has torchvision's parameters, does what torchvision does, and depends on nothing but its key."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.image_shapes import infer_image_shape
from app.spec.data.transforms import COLOR_TRANSFORMS, DETERMINISTIC_TRANSFORMS, MIXING_TRANSFORMS, TRANSFORM_CLASSES
from app.spec.data.transforms import TRANSFORMS as SPOKEN
from workers.data.images.affine import BatchedRandomAffine
from workers.data.images.batched_transforms import BatchedRandomCrop, BatchedRandomErasing
from workers.data.images.transforms import TRANSFORMS, apply_steps, build_steps
from workers.data.rng import prng_keys as keys_of

from torchvision.transforms import v2  # isort: skip - after workers.torch_setup
from torchvision.transforms.v2 import functional as F  # isort: skip

# Transforms of torchvision that there are none of here, and why.
EXCLUDED = {
    **dict.fromkeys(("Compose", "RandomApply", "RandomChoice", "RandomOrder", "Identity"), "lists are lists"),
    **dict.fromkeys(
        ("ToImage", "ToPILImage", "PILToTensor", "ToPureTensor", "ToDtype", "ToTensor", "ConvertImageDtype"),
        "types are settled by the service",
    ),
    **dict.fromkeys(
        (
            "ClampBoundingBoxes",
            "ClampKeyPoints",
            "ConvertBoundingBoxFormat",
            "SanitizeBoundingBoxes",
            "SanitizeKeyPoints",
            "SetClampingMode",
            "RandomIoUCrop",
            "ScaleJitter",
        ),
        "for detection",
    ),
    **dict.fromkeys(("FiveCrop", "TenCrop"), "several images out of one"),
    "Lambda": "code",
    "LinearTransformation": "a matrix of all pixels",
    "UniformTemporalSubsample": "for videos",
    "JPEG": "needs torchvision's own library",
    "Transform": "no transform",
}
# Parameters of torchvision that there are none of here, and why.
UNSUPPORTED = {
    "inplace": "the images are not the user's",
    "num_classes": "known from the data",
    "labels_getter": "code",
}

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
CASES = [(kind, case) for kind in SPOKEN for case in [SPOKEN[kind].example, *EXAMPLES.get(kind, [])]]
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


def accepted_settings(kind: str, settings: Any, images: Tensor, keys: Tensor) -> list[Tensor]:
    """Return the changed images, of whatever sizes."""
    return list(apply_steps(build_steps([spec(kind, settings)]), images, keys))


def test_language_and_workers_know_the_same_kinds() -> None:
    assert TRANSFORMS.keys() == SPOKEN.keys()
    assert SPOKEN.keys() >= DETERMINISTIC_TRANSFORMS | COLOR_TRANSFORMS


def test_every_transform_of_torchvision_is_here_or_left_out_for_a_reason() -> None:
    found = {name for name, each in vars(v2).items() if inspect.isclass(each) and issubclass(each, v2.Transform)}
    assert found == {*SPOKEN, *MIXING_TRANSFORMS, *EXCLUDED}


@pytest.mark.parametrize("kind", [*SPOKEN, *MIXING_TRANSFORMS])
def test_parameters_are_torchvisions(kind: str) -> None:
    real = inspect.signature(getattr(v2, kind)).parameters
    fields = (SPOKEN.get(kind) or MIXING_TRANSFORMS[kind]).fields
    assert set(real) - set(UNSUPPORTED) == set(fields)
    for name, field in fields.items():
        default = real[name].default
        optional = default is not inspect.Parameter.empty or (kind, name) == ("Resize", "size")
        assert isinstance(field, tuple) == optional, name
        if isinstance(field, tuple) and (kind, name) != ("Resize", "size"):
            assert field[1] == getattr(default, "value", default), name


@pytest.mark.parametrize(("kind", "settings"), CASES, ids=NAMES)
@pytest.mark.parametrize("form", ["bytes", "numbers", "grey"])
def test_an_image_is_changed_alike_whatever_stands_beside_it(kind: str, settings: Any, form: str) -> None:
    channels = 1 if form == "grey" else 3
    images, settings = fitting(kind, settings, random_images(channels=channels), form)
    keys = keys_of(7, 2, torch.arange(6))
    state = torch.get_rng_state()
    whole = accepted_settings(kind, settings, images, keys)
    assert torch.get_rng_state().equal(state)
    apart = [accepted_settings(kind, settings, images[row : row + 1], keys[row : row + 1])[0] for row in range(6)]
    order = torch.tensor([4, 0, 3])
    some = accepted_settings(kind, settings, images[order], keys[order])
    assert all(map(torch.equal, whole, apart))
    assert all(map(torch.equal, some, [whole[row] for row in order]))
    assert all(each.dtype == images.dtype for each in whole)
    shape, problems = infer_image_shape([spec(kind, settings)], (channels, 24, 25), "")
    assert not problems
    if None not in shape:
        assert {tuple(each.shape) for each in whole} == {shape}


@pytest.mark.parametrize("kind", sorted(SPOKEN.keys() - DETERMINISTIC_TRANSFORMS))
def test_other_keys_and_other_places_draw_something_else(kind: str) -> None:
    settings = {**SPOKEN[kind].example} | ({"p": 0.5} if "p" in SPOKEN[kind].fields else {})
    images, keys = random_images(1).clamp(10, 240).expand(12, -1, -1, -1), keys_of(7, 2, torch.arange(12))
    part = spec(kind, settings)
    first, second = (list(step.transform(images, keys, step.position)) for step in build_steps([part, part]))
    other = accepted_settings(kind, settings, images, keys_of(7, 3, torch.arange(12)))
    for each in (second, other):
        assert any(one.shape != two.shape or not one.equal(two) for one, two in zip(first, each, strict=True))
    assert any(one.shape != first[0].shape or not one.equal(first[0]) for one in first)


def test_a_turn_goes_the_way_of_torchvision() -> None:
    images = random_images(1)
    (step,) = build_steps([spec("RandomRotation", {"degrees": [90, 90]})])
    assert torch.equal(step.transform(images, keys_of(0, 0, torch.arange(1)), 0)[0], F.rotate(images[0], 90))


def test_parameters_spread_over_their_whole_range() -> None:
    images, keys = torch.zeros(4000, 1, 10, 12), keys_of(3, 0, torch.arange(4000))
    top, left = BatchedRandomCrop((4, 4)).make_params(images, keys, 0)
    assert top.bincount().div(4000).sub(1 / 7).abs().max() < 0.03
    assert left.bincount().div(4000).sub(1 / 9).abs().max() < 0.03
    assert torch.corrcoef(torch.stack([top.float(), left.float()]))[0, 1].abs() < 0.05
    _, _, height, _ = BatchedRandomErasing(0.25, (0.02, 0.33), (0.3, 3.3), (0.0,)).make_params(images, keys, 0)
    assert (height > 0).float().mean().sub(0.25).abs() < 0.03
    angle, *_ = BatchedRandomAffine((-30, 30)).make_params(images, keys, 0)
    assert angle.abs().max() <= 30
    assert angle.mean().abs() < 1


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("GaussianBlur", {"kernel_size": 4}),
        ("ColorJitter", {"hue": [0.4, 0.1]}),
        ("RandomZoomOut", {"side_range": [0, 2]}),
        ("RandomCrop", {"size": 40}),
        ("Normalize", {"mean": [0.5], "std": [0.5]}),
        ("Pad", {"padding": 30, "padding_mode": "reflect"}),
    ],
)
def test_what_torchvision_refuses_is_told(kind: str, settings: Any) -> None:
    images = random_images(1)
    with pytest.raises(DataError, match=kind):
        accepted_settings(kind, settings, images, torch.zeros(1, dtype=torch.int64))


def test_images_of_unlike_sizes_go_on_one_by_one() -> None:
    steps = build_steps(
        [
            spec("RandomHorizontalFlip", {}),
            spec("Resize", {"size": 8}),
            spec("RandomCrop", {"size": 8}),
            spec("RandomInvert", {}),
        ]
    )
    unlike = [random_images(1, height=height, width=width)[0] for height, width in ((9, 12), (30, 20), (8, 8))]
    keys = keys_of(0, 0, torch.arange(3))
    found = apply_steps(steps, unlike, keys)
    assert isinstance(found, Tensor)
    for row in range(3):
        assert found[row].equal(apply_steps(steps, unlike[row].unsqueeze(0), keys[row : row + 1])[0])
