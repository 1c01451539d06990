"""A job's pictures: which columns they are, what is done to them, and what they are like afterwards."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Any

from app.errors import Problem
from app.spec.base import SpecModel
from app.spec.data.columns import Column, DataSchema
from app.spec.data.features import ImageFeature, TensorFeature
from app.spec.data.image_shapes import ImageShape, infer_image_shape, stored_image_shape
from app.spec.data.transforms import (
    DETERMINISTIC_TRANSFORMS,
    MIXING_TRANSFORMS,
    BaseTransform,
    deterministic_transforms,
)
from app.spec.training.losses import BaseLoss


def apply_default_transforms(
    found: Mapping[str, SpecModel], declared: Mapping[str, SpecModel], data: Any, stored: DataSchema
) -> dict[str, SpecModel]:
    """Give every feature of pictures its transforms: its own ones, or the data's.

    With transforms, tensors of three dimensions are pictures unless they are declared as tensors.
    """
    wanted = data.transforms is not None or data.evaluation_transforms is not None
    made: dict[str, SpecModel] = {}
    for name, part in found.items():
        if wanted and name not in declared and _is_image(part, stored):
            made[name] = _with_default_transforms(ImageFeature(column=part.column, scale=part.scale), data)  # type: ignore[attr-defined]
        else:
            made[name] = _with_default_transforms(part, data) if isinstance(part, ImageFeature) else part
    return made


def _is_image(part: SpecModel, stored: DataSchema) -> bool:
    column = stored.column(part.column) if isinstance(part, TensorFeature) else None
    read = column is not None and stored.is_input(column.name)
    return read and column is not None and len(column.shape) == 3 and column.dtype == "float32"


def _with_default_transforms(part: ImageFeature, data: Any) -> ImageFeature:
    """Fill in what is not said; what is said of the feature alone says nothing of the data's other transforms."""
    training, evaluation = part.transforms, part.evaluation_transforms
    if training is None:
        training = tuple(each for each in data.transforms or () if each.kind not in MIXING_TRANSFORMS)
        evaluation = data.evaluation_transforms if evaluation is None else evaluation
    evaluation = deterministic_transforms(training) if evaluation is None else evaluation
    return part.model_copy(update={"transforms": training, "evaluation_transforms": evaluation})


def image_shape(part: Any, column: Column) -> ImageShape:
    """Return the shape of a completed feature's pictures: channels, height, width."""
    return infer_image_shape(part.transforms, stored_image_shape(column.shape), "")[0]


def setting_pointer(name: str, declared: Mapping[str, SpecModel], field: str) -> str:
    """Return where a job says this of a feature: of it alone, or of all data."""
    own = getattr(declared.get(name), field, None) is not None
    return f"/data/features/{name}/{field}" if own else f"/data/{field}"


def image_problems(
    name: str, part: SpecModel, declared: Mapping[str, SpecModel], stored: DataSchema
) -> Iterator[Problem]:
    """Yield what is wrong with a completed feature of pictures; `declared` is what the job says of all features."""
    column = stored.column(part.column) if isinstance(part, ImageFeature) else None
    if column is None or not isinstance(part, ImageFeature):
        return
    training, evaluation = part.transforms or (), part.evaluation_transforms or ()
    where = {
        field: setting_pointer(name, declared, field) for field in ("transforms", "evaluation_transforms", "scale")
    }
    if part.scale == "standard":
        yield Problem(
            where["scale"],
            "contradiction",
            "pictures have no scale by pixel, since transforms move pixels",
            'use {"kind": "Normalize"}, or a feature tensor',
        )
    before = stored_image_shape(column.shape)
    after, problems = infer_image_shape(training, before, where["transforms"])
    yield from problems
    evaluated, found = infer_image_shape(evaluation, before, where["evaluation_transforms"])
    told = {problem.detail for problem in problems}  # which the same transforms in evaluation would only repeat
    yield from (problem for problem in found if problem.detail not in told)
    for position, each in enumerate(evaluation):
        if each.kind not in DETERMINISTIC_TRANSFORMS:
            yield Problem(
                f"{where['evaluation_transforms']}/{position}",
                "contradiction",
                f"{each.kind} is random, and evaluation is not",
                "remove it",
            )
    if not problems and not found:
        yield from _final_shape_problems(after, evaluated, column.name, where)


def _final_shape_problems(
    after: ImageShape, evaluated: ImageShape, name: str, where: Mapping[str, str]
) -> Iterator[Problem]:
    if None in after:
        hint = "let them end with Resize of a height and a width, with CenterCrop, or with RandomResizedCrop"
        yield Problem(where["transforms"], "unlike_sizes", f'the pictures of "{name}" are of unlike sizes', hint)
    elif after != evaluated:
        shapes = [" x ".join("?" if size is None else str(size) for size in shape) for shape in (after, evaluated)]
        detail = f"pictures have {shapes[0]} in training, and {shapes[1]} in evaluation"
        hint = 'give "evaluation_transforms" that end at the same size'
        yield Problem(where["evaluation_transforms"], "shape_mismatch", detail, hint)


def missing_image_problems(data: Any, features: Mapping[str, SpecModel]) -> list[Problem]:
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


def mixing_problems(data: Any, features: Mapping[str, SpecModel], stored: DataSchema) -> Iterator[Problem]:
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
    shapes = {
        image_shape(part, column)[1:]
        for part in features.values()
        if isinstance(part, ImageFeature) and (column := stored.column(part.column)) is not None
    }
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
        if not loss.row.takes_soft_targets:
            detail = f"{parts[0].kind} makes probabilities of labels, which {loss.kind} does not take"
            yield Problem(f"{place}/loss", "contradiction", detail, hint)
        elif target is not None and (not target.classes or target.shape):
            detail = f'{parts[0].kind} mixes classes, and "{target.name}" is not one class for each picture'
            yield Problem("/data/transforms", "contradiction", detail, hint)
        elif loss.options.ignore_index >= 0:
            detail = f"{parts[0].kind} makes probabilities of labels, of which none can be ignored"
            yield Problem(f"{place}/loss/ignore_index", "contradiction", detail, "remove ignore_index")


def loading_problems(data: Any, features: Mapping[str, SpecModel], stored: DataSchema) -> Iterator[Problem]:
    """Yield why pictures cannot be kept in memory, or need not be streamed."""
    pictures = [
        (part, column)
        for part in features.values()
        if isinstance(part, ImageFeature) and (column := stored.column(part.column)) is not None
    ]
    if data.loading != "auto" and not pictures:
        yield Problem("/data/loading", "no_pictures", "only pictures are loaded in one way or another", "leave it out")
    for part, column in pictures:
        first = tuple(takewhile(lambda each: each.kind in DETERMINISTIC_TRANSFORMS, part.transforms or ()))
        if data.loading == "resident" and None in infer_image_shape(first, stored_image_shape(column.shape), "")[0]:
            detail = f'the pictures of "{column.name}" are of unlike sizes, and cannot be kept together'
            yield Problem("/data/loading", "unlike_sizes", detail, "let transforms begin with Resize to a size")
