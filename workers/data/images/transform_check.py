"""A trial of transforms before training: what torchvision says of their settings."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import torch
from torch import Tensor

from app.errors import DataError, Problem
from app.spec.data.base_feature import BaseFeature, FeatureContext
from app.spec.data.columns import Column
from app.spec.data.images.checks import image_columns
from app.spec.data.images.transforms import BaseTransform, deterministic_transforms
from workers.data.features.images import MAX_BYTE
from workers.data.images.transforms import apply_steps, build_steps
from workers.data.rng import prng_keys

MAX_TRIAL_PIXELS, TRIAL_IMAGES = 64 * 64, 4  # of the images of a trial


def check_transforms(features: Mapping[str, BaseFeature], context: FeatureContext) -> Iterator[Problem]:
    """Yield what torchvision refuses of the settings of transforms, and of their results on small images."""
    for name, (feature, column) in image_columns(features, context.stored).items():
        pointers = feature.setting_pointers(name, context)
        training, evaluation = feature.transforms or (), feature.evaluation_transforms or ()
        yield from _check_sequence(training, column, pointers["transforms"])
        if evaluation != deterministic_transforms(training):
            yield from _check_sequence(evaluation, column, pointers["evaluation_transforms"])


def _check_sequence(specs: Sequence[BaseTransform], column: Column, pointer: str) -> Iterator[Problem]:
    images: Tensor | list[Tensor] = []
    if len(column.shape) == 3 and prod(column.shape[1:]) <= MAX_TRIAL_PIXELS:
        of_bytes = column.type == "image" or column.peak == MAX_BYTE
        images = torch.zeros(TRIAL_IMAGES, *column.shape, dtype=torch.uint8 if of_bytes else torch.float32)
    for position, spec in enumerate(specs):
        try:
            (step,) = build_steps([spec])
            if isinstance(images, Tensor):
                images = images.float() if spec.kind == "Normalize" else images
                images = apply_steps([step], images, prng_keys(position, 0, torch.arange(TRIAL_IMAGES)))
        except DataError as error:
            yield Problem(f"{pointer}/{position}", "invalid_value", error.detail, "")
            return
        if isinstance(images, Tensor) and prod(images.shape[2:]) > MAX_TRIAL_PIXELS:
            images = []
