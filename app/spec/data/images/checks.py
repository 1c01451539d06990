"""The images of a job: which columns they are, and the problems of their transforms, mixing and loading."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile

from app.errors import Problem
from app.spec.data.base_feature import BaseFeature
from app.spec.data.columns import Column, DataSchema
from app.spec.data.images.feature import ImageFeature
from app.spec.data.images.shapes import infer_image_shape, stored_image_shape
from app.spec.data.images.transforms import DETERMINISTIC_TRANSFORMS, MIXING_TRANSFORMS, BaseTransform
from app.spec.data.job_data import Data
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


def missing_image_problems(data: Data, features: Mapping[str, BaseFeature]) -> list[Problem]:
    """Return a problem for each setting of transforms, if the data has no images."""
    if any(isinstance(feature, ImageFeature) for feature in features.values()):
        return []
    return [
        Problem(
            f"/data/{field}",
            "no_pictures",
            "the data has no images to transform",
            "an image is a column of type image, or a float32 tensor of three dimensions that the network reads",
        )
        for field, transforms in (
            ("transforms", data.transforms),
            ("evaluation_transforms", data.evaluation_transforms),
        )
        if transforms and not mixes_rows(transforms)
    ]


def mixes_rows(transforms: Sequence[BaseTransform]) -> bool:
    """Say whether transforms do nothing but blend whole examples, which need not be images."""
    return all(each.kind == "MixUp" for each in transforms)


def mixing_transforms(data: Data) -> tuple[BaseTransform, ...]:
    """Return the transforms that mix whole batches; each batch gets one of them."""
    return tuple(each for each in data.transforms or () if each.kind in MIXING_TRANSFORMS)


def mixing_problems(data: Data, features: Mapping[str, BaseFeature], stored: DataSchema) -> Iterator[Problem]:
    """Yield why the images of a batch cannot be mixed; `mixing_loss_problems` looks at the losses."""
    transforms = data.transforms or ()
    for position, each in enumerate(transforms):
        later = [other.kind for other in transforms[position + 1 :] if other.kind not in MIXING_TRANSFORMS]
        if each.kind in MIXING_TRANSFORMS and later:
            detail = f"{each.kind} mixes transformed images, and {later[0]} comes after it"
            yield Problem(f"/data/transforms/{position}", "wrong_order", detail, "put it at the end")
    shapes = {feature.shape(column)[1:] for feature, column in image_columns(features, stored).values()}
    if mixing_transforms(data) and len(shapes) > 1:
        detail = "images of different sizes cannot be mixed alike"
        yield Problem("/data/transforms", "contradiction", detail, "resize all of them to one size")


def mixing_loss_problems(
    data: Data, heads: Iterable[tuple[str, BaseLoss, Column | None]], has_images: bool = True
) -> Iterator[Problem]:
    """Yield the losses that cannot take mixed labels; heads are (pointer, loss, target). Numbers are blended."""
    if not (parts := mixing_transforms(data)):
        return
    for pointer, loss, target in heads:
        if not has_images and target is not None and target.dtype.startswith("float") and not target.ragged:
            continue
        hint = f"use CrossEntropyLoss on classes, or remove {parts[0].kind}"
        if not loss.row.takes_soft_targets:
            detail = f"{parts[0].kind} turns labels into probabilities, which {loss.kind} does not take"
            yield Problem(f"{pointer}/loss", "contradiction", detail, hint)
        elif target is not None and (not target.classes or target.shape):
            detail = f'{parts[0].kind} mixes classes, and "{target.name}" is not one class per image'
            yield Problem("/data/transforms", "contradiction", detail, hint)
        elif loss.options.ignore_index >= 0:
            detail = f"{parts[0].kind} turns labels into probabilities, of which none can be ignored"
            yield Problem(f"{pointer}/loss/ignore_index", "contradiction", detail, "remove ignore_index")


def loading_problems(data: Data, features: Mapping[str, BaseFeature], stored: DataSchema) -> Iterator[Problem]:
    """Yield why images cannot be kept in memory, or need not be streamed."""
    images = image_columns(features, stored).values()
    if data.loading != "auto" and not images:
        yield Problem("/data/loading", "no_pictures", "only images can be resident or streamed", "remove it")
    for feature, column in images:
        first = tuple(takewhile(lambda each: each.kind in DETERMINISTIC_TRANSFORMS, feature.transforms or ()))
        if data.loading == "resident" and None in infer_image_shape(first, stored_image_shape(column.shape), "")[0]:
            detail = f'the images of "{column.name}" have different sizes, and cannot be kept in one tensor'
            yield Problem(
                "/data/loading", "unlike_sizes", detail, "begin the transforms with Resize to a height and a width"
            )
