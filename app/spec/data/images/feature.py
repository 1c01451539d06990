"""The feature of images: its transforms, and the shape that they leave."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field

from app.errors import Problem
from app.spec.data.base_feature import ColumnFeature, FeatureContext, Scale
from app.spec.data.columns import Column, ColumnType, DataSchema
from app.spec.data.images.shapes import ImageShape, infer_image_shape, stored_image_shape
from app.spec.data.images.transforms import (
    DETERMINISTIC_TRANSFORMS,
    MIXING_TRANSFORMS,
    BaseTransform,
    Transforms,
    deterministic_transforms,
)


class ImageFeature(ColumnFeature):
    """A column of images: float32 (channels, height, width), after its transforms."""

    column_types: ClassVar[tuple[ColumnType, ...]] = ("image", "tensor")
    input_types: ClassVar[tuple[ColumnType, ...]] = ("image",)
    target_types: ClassVar[tuple[ColumnType, ...]] = ("image",)
    is_own_target: ClassVar[bool] = True

    kind: Literal["image"] = "image"
    scale: Scale | None = Field(None, description="none, or unit (default): divided by the largest value, so in 0..1.")
    transforms: Transforms | None = Field(None, description="In training. Default: the data's.")
    evaluation_transforms: Transforms | None = Field(
        None,
        description="In evaluation and prediction. Default: the deterministic ones of the transforms, or the data's.",
    )

    def reads(self, column: Column) -> bool:
        """Say whether a stored column holds images: files, or tensors (channels, height, width)."""
        return column.type == "image" or (column.type == "tensor" and len(column.shape) == 3)

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return the images, float32 (channels, height, width)."""
        shape = self.shape(stored[self.column])
        return [Column(name=name, shape=tuple(size or 1 for size in shape), dtype="float32")]

    def shape(self, column: Column) -> ImageShape:
        """Return the shape of the images after training's transforms: channels, height, width."""
        return infer_image_shape(self.transforms or (), stored_image_shape(column.shape), "")[0]

    def takes_any_size(self, column: Column) -> bool:
        """Say whether images of any size are the network's size after the transforms of evaluation."""
        channels, _, _ = stored_image_shape(column.shape)
        shape, problems = infer_image_shape(self.evaluation_transforms or (), (channels, None, None), "")
        return None not in shape and not problems

    def resolve(self, name: str, context: FeatureContext) -> "ImageFeature":
        """Return the images with the scale and the transforms of all data, unless they have their own.

        A feature with transforms of its own takes no `evaluation_transforms` from the data.
        """
        data, training, evaluation = context.data, self.transforms, self.evaluation_transforms
        if training is None:
            training = tuple(each for each in data.transforms or () if each.kind not in MIXING_TRANSFORMS)
            evaluation = data.evaluation_transforms if evaluation is None else evaluation  # type: ignore[assignment]
        evaluation = deterministic_transforms(training) if evaluation is None else evaluation
        update = {"transforms": training, "evaluation_transforms": evaluation}
        return self._with_scale(self.scale, context).model_copy(update=update)

    def setting_pointers(self, name: str, context: FeatureContext) -> dict[str, str]:
        """Return where a job has the scale and the transforms: in this feature, or in the data section."""
        declared = context.declaration(name, self) or ImageFeature(column=self.column)
        settings = {
            "scale": declared.scale,
            "transforms": declared.transforms,
            "evaluation_transforms": declared.evaluation_transforms,
        }
        return {
            field: f"/data/{field}" if value is None else context.pointer(name, f"/{field}")
            for field, value in settings.items()
        }

    def problems(self, name: str, context: FeatureContext) -> Iterator[Problem]:
        """Yield what is wrong with the scale and the transforms of images."""
        column = context.stored.column(self.column)
        if column is None or column.type not in self.column_types:
            return
        if not self.reads(column):
            detail, hint = f'"{column.name}" has shape {list(column.shape)} per example', "an image has"
            pointer = context.pointer(name, self.source_pointer(0))
            yield Problem(pointer, "wrong_column_type", detail, f"{hint} (channels, height, width)")
            return
        pointers, training = self.setting_pointers(name, context), self.transforms or ()
        evaluation, before = self.evaluation_transforms or (), stored_image_shape(column.shape)
        if self.scale not in (None, "none", "unit"):
            detail = "images cannot be scaled pixel by pixel, since transforms move pixels"
            yield Problem(pointers["scale"], "contradiction", detail, 'use {"kind": "Normalize"}, or a tensor feature')
        after, in_training = infer_image_shape(training, before, pointers["transforms"])
        evaluated, in_evaluation = infer_image_shape(evaluation, before, pointers["evaluation_transforms"])
        yield from in_training
        details = {problem.detail for problem in in_training}  # the same transforms in evaluation would repeat them
        yield from (problem for problem in in_evaluation if problem.detail not in details)
        yield from _random_transform_problems(evaluation, pointers["evaluation_transforms"])
        if not in_training and not in_evaluation:
            yield from _final_shape_problems(after, evaluated, column.name, pointers)


def _random_transform_problems(evaluation: tuple[BaseTransform, ...], pointer: str) -> Iterator[Problem]:
    for position, each in enumerate(evaluation):
        if each.kind not in DETERMINISTIC_TRANSFORMS:
            detail = f"{each.kind} is random, and evaluation is deterministic"
            yield Problem(f"{pointer}/{position}", "contradiction", detail, "remove it")


def _final_shape_problems(
    after: ImageShape, evaluated: ImageShape, name: str, pointers: Mapping[str, str]
) -> Iterator[Problem]:
    if None in after:
        hint = "end the transforms with Resize to a height and a width, with CenterCrop, or with RandomResizedCrop"
        yield Problem(pointers["transforms"], "unlike_sizes", f'the images of "{name}" have different sizes', hint)
    elif after != evaluated:
        shapes = [" x ".join("?" if size is None else str(size) for size in shape) for shape in (after, evaluated)]
        detail = f"images are {shapes[0]} in training and {shapes[1]} in evaluation"
        hint = 'give "evaluation_transforms" that end at the same size'
        yield Problem(pointers["evaluation_transforms"], "shape_mismatch", detail, hint)
