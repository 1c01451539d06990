"""Batched transforms do to each image what torchvision does to it alone."""

from typing import Any

import pytest
import torch
from torch import Tensor

from app.spec.data.transforms import DETERMINISTIC_TRANSFORMS
from workers.data.images.affine import BatchedRandomAffine
from workers.data.images.batched_transforms import (
    BatchedRandomApply,
    BatchedRandomCrop,
    BatchedRandomErasing,
    BatchedTransform,
)
from workers.data.images.color_jitter import BatchedChannelPermutation, BatchedColorJitter
from workers.data.images.transforms import build_steps
from workers.data.rng import prng_keys as keys_of

from torchvision.transforms.v2 import functional as F  # isort: skip
from tests.workers.data.images.test_transforms import CASES, fitting, random_images, spec


def transform_one_by_one(change: BatchedTransform, image: Tensor, drawn: list[Any]) -> Tensor:
    """Return an image that torchvision's functions have changed by the same parameters."""
    if isinstance(change, BatchedRandomApply):
        return change.function(image.unsqueeze(0))[0] if drawn[0] else image
    if isinstance(change, BatchedRandomCrop):
        margins = change.margins(image)
        return F.crop(F.pad(image, list(margins), change.fill, change.mode), int(drawn[0]), int(drawn[1]), *change.size)
    if isinstance(change, BatchedRandomErasing):
        top, left, height, width = map(int, drawn)
        value = torch.tensor(change.value)[:, None, None]
        return F.erase(image, top, left, height, width, value) if height and width else image
    if isinstance(change, BatchedChannelPermutation):
        return F.permute_channels(image, drawn[0].tolist())
    if isinstance(change, BatchedColorJitter):
        functions = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for what in drawn[1].tolist():
            image = functions[what](image, drawn[0][what].item()) if change.bounds[what] is not None else image
        return image
    assert isinstance(change, BatchedRandomAffine)
    angle, right, down, scale, slant, tilt = (each.item() for each in drawn)
    return F.affine(
        image,
        angle,
        [right, down],
        scale,
        [slant, tilt],
        F.InterpolationMode(change.interpolation),
        list(change.fill),
        list(change.center) if change.center else None,
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
    change = build_steps([spec(kind, settings)])[0].transform
    assert isinstance(change, BatchedTransform)
    drawn = change.make_params(images, keys_of(1, 1, torch.arange(count)), 3)
    found = change.transform(images, *drawn)
    wanted = torch.stack(
        [transform_one_by_one(change, images[row], [each[row] for each in drawn]) for row in range(count)]
    )
    assert found.dtype == images.dtype
    if kind in ("RandomRotation", "RandomAffine", "ColorJitter"):  # another order of roundings
        far = (found.double() - wanted.double()).abs() > (1 if form == "bytes" else 1e-4)
        assert far.float().mean() < 1e-3
        assert found.eq(wanted).float().mean() > (0.99 if form == "bytes" else 0.1)
    else:
        assert found.equal(wanted)
    assert found.shape != images.shape or not found.equal(images)
