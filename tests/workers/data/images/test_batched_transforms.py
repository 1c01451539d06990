"""Batched transforms compute what torchvision does to each image."""

from typing import Any

import pytest
import torch
from torch import Tensor

from app.spec.data.images.transforms import DETERMINISTIC_TRANSFORMS
from tests.workers.data.images.transform_cases import CASES, fitting, random_images, spec
from workers.data.images.affine import BatchedRandomAffine
from workers.data.images.batched_transforms import (
    BatchedRandomApply,
    BatchedRandomCrop,
    BatchedRandomErasing,
    BatchedTransform,
)
from workers.data.images.color_jitter import BatchedChannelPermutation, BatchedColorJitter
from workers.data.images.transforms import build_steps
from workers.data.rng import prng_keys

from torchvision.transforms.v2 import functional as F  # isort: skip


def transform_one_by_one(transform: BatchedTransform, image: Tensor, params: list[Any]) -> Tensor:
    """Return an image that torchvision's functions have changed by the same parameters."""
    if isinstance(transform, BatchedRandomApply):
        return transform.function(image.unsqueeze(0))[0] if params[0] else image
    if isinstance(transform, BatchedRandomCrop):
        margins = transform.margins(image)
        return F.crop(
            F.pad(image, list(margins), transform.fill, transform.mode), int(params[0]), int(params[1]), *transform.size
        )
    if isinstance(transform, BatchedRandomErasing):
        top, left, height, width = map(int, params)
        value = torch.tensor(transform.value)[:, None, None]
        return F.erase(image, top, left, height, width, value) if height and width else image
    if isinstance(transform, BatchedChannelPermutation):
        return F.permute_channels(image, params[0].tolist())
    if isinstance(transform, BatchedColorJitter):
        functions = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for index in params[1].tolist():
            image = functions[index](image, params[0][index].item()) if transform.bounds[index] is not None else image
        return image
    assert isinstance(transform, BatchedRandomAffine)
    angle, right, down, scale, slant, tilt = (each.item() for each in params)
    return F.affine(
        image,
        angle,
        [right, down],
        scale,
        [slant, tilt],
        F.InterpolationMode(transform.interpolation),
        list(transform.fill),
        list(transform.center) if transform.center else None,
    )


BATCHED = [
    (kind, case)
    for kind, case in CASES
    if kind not in DETERMINISTIC_TRANSFORMS
    and isinstance(build_steps([spec(kind, case)])[0].transform, BatchedTransform)
]


def test_the_frequent_ones_are_done_in_batches() -> None:
    assert {kind for kind, _ in BATCHED} == {
        "RandomCrop",
        "RandomHorizontalFlip",
        "RandomVerticalFlip",
        "RandomRotation",
        "RandomAffine",
        "ColorJitter",
        "RandomGrayscale",
        "RandomChannelPermutation",
        "RandomInvert",
        "RandomPosterize",
        "RandomSolarize",
        "RandomAutocontrast",
        "RandomEqualize",
        "RandomErasing",
    }


@pytest.mark.parametrize(("kind", "settings"), BATCHED, ids=[f"{kind} {case}" for kind, case in BATCHED])
@pytest.mark.parametrize("form", ["bytes", "numbers"])
def test_batches_are_what_torchvision_does_to_each_image(kind: str, settings: Any, form: str) -> None:
    count = 40
    images, settings = fitting(kind, settings, random_images(count), form)
    transform = build_steps([spec(kind, settings)])[0].transform
    assert isinstance(transform, BatchedTransform)
    params = transform.make_params(images, prng_keys(1, 1, torch.arange(count)), 3)
    result = transform.transform(images, *params)
    expected = torch.stack(
        [transform_one_by_one(transform, images[row], [each[row] for each in params]) for row in range(count)]
    )
    assert result.dtype == images.dtype
    if kind in ("RandomRotation", "RandomAffine", "ColorJitter"):  # another order of roundings
        outliers = (result.double() - expected.double()).abs() > (1 if form == "bytes" else 1e-4)
        assert outliers.float().mean() < 1e-3
        assert result.eq(expected).float().mean() > (0.99 if form == "bytes" else 0.1)
    else:
        assert result.equal(expected)
    assert result.shape != images.shape or not result.equal(images)


def test_a_turn_goes_the_way_of_torchvision() -> None:
    images = random_images(1)
    (step,) = build_steps([spec("RandomRotation", {"degrees": [90, 90]})])
    assert torch.equal(step.transform(images, prng_keys(0, 0, torch.arange(1)), 0)[0], F.rotate(images[0], 90))


def test_parameters_spread_over_their_whole_range() -> None:
    images, keys = torch.zeros(4000, 1, 10, 12), prng_keys(3, 0, torch.arange(4000))
    top, left = BatchedRandomCrop((4, 4)).make_params(images, keys, 0)
    assert top.bincount().div(4000).sub(1 / 7).abs().max() < 0.03
    assert left.bincount().div(4000).sub(1 / 9).abs().max() < 0.03
    assert torch.corrcoef(torch.stack([top.float(), left.float()]))[0, 1].abs() < 0.05
    _, _, height, _ = BatchedRandomErasing(0.25, (0.02, 0.33), (0.3, 3.3), (0.0,)).make_params(images, keys, 0)
    assert (height > 0).float().mean().sub(0.25).abs() < 0.03
    angle, *_ = BatchedRandomAffine((-30, 30)).make_params(images, keys, 0)
    assert angle.abs().max() <= 30
    assert angle.mean().abs() < 1
