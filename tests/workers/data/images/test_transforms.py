"""Every transform has torchvision's parameters, does what torchvision does, and depends on nothing but its key."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.images.shapes import infer_image_shape
from app.spec.data.images.transforms import COLOR_TRANSFORMS, DETERMINISTIC_TRANSFORMS, MIXING_TRANSFORMS
from app.spec.data.images.transforms import TRANSFORMS as SPEC_TRANSFORMS
from tests.workers.data.images.transform_cases import CASES, NAMES, apply_transform, fitting, random_images, spec
from workers.data.images.transforms import TRANSFORMS, apply_steps, build_steps
from workers.data.rng import prng_keys

from torchvision.transforms import v2  # isort: skip - after workers.torch_setup

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


def test_language_and_workers_know_the_same_kinds() -> None:
    assert TRANSFORMS.keys() == SPEC_TRANSFORMS.keys()
    assert SPEC_TRANSFORMS.keys() >= DETERMINISTIC_TRANSFORMS | COLOR_TRANSFORMS


def test_every_transform_of_torchvision_is_here_or_left_out_for_a_reason() -> None:
    result = {name for name, each in vars(v2).items() if inspect.isclass(each) and issubclass(each, v2.Transform)}
    assert result == {*SPEC_TRANSFORMS, *MIXING_TRANSFORMS, *EXCLUDED}


@pytest.mark.parametrize("kind", [*SPEC_TRANSFORMS, *MIXING_TRANSFORMS])
def test_parameters_are_torchvisions(kind: str) -> None:
    real = inspect.signature(getattr(v2, kind)).parameters
    fields = (SPEC_TRANSFORMS.get(kind) or MIXING_TRANSFORMS[kind]).fields
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
    keys = prng_keys(7, 2, torch.arange(6))
    state = torch.get_rng_state()
    original = apply_transform(kind, settings, images, keys)
    assert torch.get_rng_state().equal(state)
    apart = [apply_transform(kind, settings, images[row : row + 1], keys[row : row + 1])[0] for row in range(6)]
    order = torch.tensor([4, 0, 3])
    some = apply_transform(kind, settings, images[order], keys[order])
    assert all(map(torch.equal, original, apart))
    assert all(map(torch.equal, some, [original[row] for row in order]))
    assert all(each.dtype == images.dtype for each in original)
    shape, problems = infer_image_shape([spec(kind, settings)], (channels, 24, 25), "")
    assert not problems
    if None not in shape:
        assert {tuple(each.shape) for each in original} == {shape}


@pytest.mark.parametrize("kind", sorted(SPEC_TRANSFORMS.keys() - DETERMINISTIC_TRANSFORMS))
def test_other_keys_and_other_places_draw_something_else(kind: str) -> None:
    settings = {**SPEC_TRANSFORMS[kind].example} | ({"p": 0.5} if "p" in SPEC_TRANSFORMS[kind].fields else {})
    images, keys = random_images(1).clamp(10, 240).expand(12, -1, -1, -1), prng_keys(7, 2, torch.arange(12))
    part = spec(kind, settings)
    first, second = (list(step.transform(images, keys, step.position)) for step in build_steps([part, part]))
    other = apply_transform(kind, settings, images, prng_keys(7, 3, torch.arange(12)))
    for each in (second, other):
        assert any(one.shape != two.shape or not one.equal(two) for one, two in zip(first, each, strict=True))
    assert any(one.shape != first[0].shape or not one.equal(first[0]) for one in first)


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
        apply_transform(kind, settings, images, torch.zeros(1, dtype=torch.int64))


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
    keys = prng_keys(0, 0, torch.arange(3))
    result = apply_steps(steps, unlike, keys)
    assert isinstance(result, Tensor)
    for row in range(3):
        assert result[row].equal(apply_steps(steps, unlike[row].unsqueeze(0), keys[row : row + 1])[0])
