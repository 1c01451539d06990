"""A job's pictures: which columns they are, what is done to them, and what they are like afterwards."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Any

from app.errors import Problem
from app.spec.data.base_feature import BaseFeature
from app.spec.data.columns import Column, DataSchema
from app.spec.data.image_feature import ImageFeature
from app.spec.data.image_shapes import infer_image_shape, stored_image_shape
from app.spec.data.transforms import DETERMINISTIC_TRANSFORMS, MIXING_TRANSFORMS, BaseTransform
from app.spec.training.losses import BaseLoss


def image_columns(features: Mapping[str, BaseFeature], stored: DataSchema) -> dict[str, tuple[ImageFeature, Column]]:
    """Return the features of images with the stored columns that they read, without those that they cannot read."""
    images = {name: feature for name, feature in features.items() if isinstance(feature, ImageFeature)}
    columns = {name: stored.column(feature.column) for name, feature in images.items()}
    return {
        name: (feature, column)
        for name, feature in images.items()
        if (column := columns[name]) is not None and feature.reads(column)
    }


def missing_image_problems(data: Any, features: Mapping[str, BaseFeature]) -> list[Problem]:
    """Return a problem for transforms of data that has no pictures."""
    if any(isinstance(part, ImageFeature) for part in features.values()):
        return []
    return [
        Problem(
            f"/data/{field}",
            "no_pictures",
            "the data has no pictures to transform",
            "a picture is a column of type image, or a tensor of float32 with three dimensions that is read",
        )
        for field in ("transforms", "evaluation_transforms")
        if getattr(data, field)
    ]


def mixing_transforms(data: Any) -> tuple[BaseTransform, ...]:
    """Return the transforms of whole batches, of which each batch gets one."""
    return tuple(each for each in data.transforms or () if each.kind in MIXING_TRANSFORMS)


def mixing_problems(data: Any, features: Mapping[str, BaseFeature], stored: DataSchema) -> Iterator[Problem]:
    """Yield what stands against mixing the pictures of a batch, but for the objective."""
    listed = list(data.transforms or ())
    for position, each in enumerate(listed):
        behind = [other.kind for other in listed[position + 1 :] if other.kind not in MIXING_TRANSFORMS]
        if each.kind in MIXING_TRANSFORMS and behind:
            yield Problem(
                f"/data/transforms/{position}",
                "wrong_order",
                f"{each.kind} mixes finished pictures, and {behind[0]} comes behind it",
                "put it at the end",
            )
    shapes = {feature.shape(column)[1:] for feature, column in image_columns(features, stored).values()}
    if mixing_transforms(data) and len(shapes) > 1:
        yield Problem(
            "/data/transforms",
            "contradiction",
            "pictures of several sizes cannot be mixed alike",
            "bring all of them to one size",
        )


def mixing_loss_problems(data: Any, heads: Iterable[tuple[str, BaseLoss, Column | None]]) -> Iterator[Problem]:
    """Yield the losses that cannot take mixed labels; each head comes with its place."""
    if not (parts := mixing_transforms(data)):
        return
    for place, loss, target in heads:
        hint = f"use CrossEntropyLoss on classes, or leave {parts[0].kind} out"
        if loss.kind != "CrossEntropyLoss":
            detail = f"{parts[0].kind} makes probabilities of labels, which {loss.kind} does not take"
            yield Problem(f"{place}/loss", "contradiction", detail, hint)
        elif target is not None and (not target.classes or target.shape):
            detail = f'{parts[0].kind} mixes classes, and "{target.name}" is not one class for each picture'
            yield Problem("/data/transforms", "contradiction", detail, hint)
        elif getattr(loss, "ignore_index", -1) >= 0:
            detail = f"{parts[0].kind} makes probabilities of labels, of which none can be ignored"
            yield Problem(f"{place}/loss/ignore_index", "contradiction", detail, "remove ignore_index")


def loading_problems(data: Any, features: Mapping[str, BaseFeature], stored: DataSchema) -> Iterator[Problem]:
    """Yield why pictures cannot be kept in memory, or need not be streamed."""
    pictures = image_columns(features, stored).values()
    if data.loading != "auto" and not pictures:
        yield Problem("/data/loading", "no_pictures", "only pictures are loaded in one way or another", "leave it out")
    for part, column in pictures:
        first = tuple(takewhile(lambda each: each.kind in DETERMINISTIC_TRANSFORMS, part.transforms or ()))
        if data.loading == "resident" and None in infer_image_shape(first, stored_image_shape(column.shape), "")[0]:
            detail = f'the pictures of "{column.name}" are of unlike sizes, and cannot be kept together'
            yield Problem("/data/loading", "unlike_sizes", detail, "let transforms begin with Resize to a size")
