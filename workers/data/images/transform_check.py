"""Transforms tried out before anything is trained: what torchvision says of their settings."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import torch
from torch import Tensor

from app.errors import DataError, Problem
from app.spec.base import Part
from app.spec.data.columns import Column, DataSchema
from app.spec.data.features import ImageFeature
from app.spec.data.images import place_of
from app.spec.data.transforms import BaseTransform, deterministic
from workers.data.features.images import BYTES
from workers.data.images.transforms import build_steps, run
from workers.data.rng import keys

MOST, TRIED = 64 * 64, 4  # pixels of a picture that is tried, and how many


def trial(features: Mapping[str, Part], declared: Mapping[str, Part], stored: DataSchema) -> Iterator[Problem]:
    """Yield what torchvision refuses; small pictures are really changed."""
    for name, part in features.items():
        column = stored.column(part.column) if isinstance(part, ImageFeature) else None
        if column is not None and isinstance(part, ImageFeature):
            training, evaluation = part.transforms or (), part.evaluation_transforms or ()
            yield from _tried(training, column, place_of(name, declared, "transforms"))
            if evaluation != deterministic(training):
                yield from _tried(evaluation, column, place_of(name, declared, "evaluation_transforms"))


def _tried(parts: Sequence[BaseTransform], column: Column, place: str) -> Iterator[Problem]:
    images: Tensor | list[Tensor] = []
    if len(column.shape) == 3 and prod(column.shape[1:]) <= MOST:
        of_bytes = column.type == "image" or column.peak == BYTES
        images = torch.zeros(TRIED, *column.shape, dtype=torch.uint8 if of_bytes else torch.float32)
    for position, part in enumerate(parts):
        try:
            (step,) = build_steps([part])
            if isinstance(images, Tensor):
                images = images.float() if part.kind == "Normalize" else images
                images = run([step], images, keys(position, 0, torch.arange(TRIED)))
        except DataError as error:
            yield Problem(f"{place}/{position}", "invalid_value", error.detail, "")
            return
        if isinstance(images, Tensor) and prod(images.shape[2:]) > MOST:
            images = []
