"""The kinds of features: how stored columns become the tensors that a network reads."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from app.errors import Problem
from app.spec.base import Name
from app.spec.data.base_feature import (
    SCALE_DESCRIPTION,
    BaseFeature,
    ColumnFeature,
    FeatureContext,
    Scale,
    log_problems,
)
from app.spec.data.columns import Column, ColumnName, ColumnType, DataSchema
from app.spec.data.encodings.datetime_feature import DatetimeFeature
from app.spec.data.encodings.ngrams_feature import NgramsFeature
from app.spec.data.encodings.table_feature import TableFeature
from app.spec.data.images.feature import ImageFeature
from app.spec.data.sequence_features import SeriesFeature, TagsFeature, TextFeature, TreeFeature
from app.spec.kinds import discriminated_union


class TensorFeature(ColumnFeature):
    """A column that is a tensor already."""

    column_types: ClassVar[tuple[ColumnType, ...]] = ("tensor",)
    input_types: ClassVar[tuple[ColumnType, ...]] = ("tensor",)
    is_own_target: ClassVar[bool] = True

    kind: Literal["tensor"] = "tensor"
    scale: Scale | None = Field(None, description=SCALE_DESCRIPTION)

    @classmethod
    def as_target(cls, column: Column) -> "TensorFeature | None":
        """Return a tensor that a loss compares with: as it is stored."""
        return cls(column=column.name, scale="none") if column.type == "tensor" else None

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return the column as it is stored."""
        return [stored[self.column].model_copy(update={"name": name})]

    def resolve(self, name: str, context: FeatureContext) -> BaseFeature:
        """Return the tensor, scaled as all data; an image, if data with transforms does not declare it a tensor."""
        scaled = self._with_scale(self.scale, context)
        transformed = context.data.transforms is not None or context.data.evaluation_transforms is not None
        if not transformed or name in context.declared or not self._is_image(context.stored):
            return scaled
        return ImageFeature(column=self.column, scale=scaled.scale).resolve(name, context)

    def problems(self, name: str, context: FeatureContext) -> Iterator[Problem]:
        """Yield numbers without a logarithm."""
        return log_problems(name, self.scale, self.source_columns, context)

    def _is_image(self, stored: DataSchema) -> bool:
        column = stored.column(self.column)
        if column is None or not stored.is_input(column.name):
            return False
        return len(column.shape) == 3 and column.dtype == "float32"


class NumbersFeature(BaseFeature):
    """Columns of numbers side by side: float32 (k)."""

    column_types: ClassVar[tuple[ColumnType, ...]] = ("number", "datetime")

    kind: Literal["numbers"] = "numbers"
    columns: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=10_000)]
    missing: Literal["mean", "median", "zero", "refuse"] = Field(
        "mean", description="What replaces a missing value: the mean or the median of train, zero; refuse: an error."
    )
    indicators: bool = Field(False, description="Append a 0 or 1 for each column: whether its value is missing.")
    scale: Scale | None = Field(None, description=SCALE_DESCRIPTION)

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The stored columns that it reads."""
        return self.columns

    @property
    def requires_values(self) -> bool:
        """Whether a missing value is an error."""
        return self.missing == "refuse"

    def source_pointer(self, position: int) -> str:
        """Return where the feature names its source column at `position`."""
        return f"/columns/{position}"

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return the numbers, float32 (k); the indicators double k."""
        width = len(self.columns) * (2 if self.indicators else 1)
        return [Column(name=name, shape=(width,), dtype="float32")]

    def resolve(self, name: str, context: FeatureContext) -> "NumbersFeature":
        """Return the numbers, scaled as all data unless they have their own scale."""
        return self._with_scale(self.scale, context)

    def problems(self, name: str, context: FeatureContext) -> Iterator[Problem]:
        """Yield numbers without a logarithm."""
        return log_problems(name, self.scale, self.source_columns, context)


class CategoryFeature(ColumnFeature):
    """A column of few words, as an input: int64 (), from 1 on; 0 is a missing or an unknown word."""

    column_types: ClassVar[tuple[ColumnType, ...]] = ("category", "number")
    input_types: ClassVar[tuple[ColumnType, ...]] = ("category",)
    requires_labels: ClassVar[bool] = True

    kind: Literal["category"] = "category"

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return the codes, int64 (), one more than there are words."""
        return [Column(name=name, dtype="int64", classes=len(stored[self.column].labels or ()) + 1)]


class ClassFeature(ColumnFeature):
    """A column of few words or whole numbers, as a target: int64 (), from 0 on."""

    column_types: ClassVar[tuple[ColumnType, ...]] = ("category", "number")
    target_types: ClassVar[tuple[ColumnType, ...]] = ("category",)
    requires_labels: ClassVar[bool] = True

    kind: Literal["class"] = "class"

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return the classes, int64 ()."""
        labels = stored[self.column].labels or ()
        return [Column(name=name, dtype="int64", classes=len(labels), labels=labels)]


class LabelsFeature(ColumnFeature):
    """A column of lists of words, as a target: several labels at once, float32 (classes) of 0 and 1."""

    column_types: ClassVar[tuple[ColumnType, ...]] = ("words",)
    requires_labels: ClassVar[bool] = True

    kind: Literal["labels"] = "labels"

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return the labels, float32 (classes)."""
        labels = stored[self.column].labels or ()
        return [Column(name=name, shape=(len(labels),), dtype="float32", labels=labels)]


FEATURE_CLASSES: dict[str, type[BaseFeature]] = {
    "tensor": TensorFeature,
    "numbers": NumbersFeature,
    "table": TableFeature,
    "datetime": DatetimeFeature,
    "category": CategoryFeature,
    "class": ClassFeature,
    "text": TextFeature,
    "ngrams": NgramsFeature,
    "tags": TagsFeature,
    "labels": LabelsFeature,
    "series": SeriesFeature,
    "tree": TreeFeature,
    "image": ImageFeature,
}
if TYPE_CHECKING:
    Feature = BaseFeature
else:
    Feature = discriminated_union(FEATURE_CLASSES)
Features = Annotated[dict[Name, Feature], Field(min_length=1, max_length=256)]


TargetTask = Literal["numbers", "classes", "sequences"]  # what a loss is about


def default_input(column: Column) -> BaseFeature:
    """Return the feature that reads a column unless the job declares one."""
    return next(feature for each in FEATURE_CLASSES.values() if (feature := each.as_input(column)) is not None)


def default_target(column: Column, task: TargetTask | None = None, scale: Scale = "none") -> BaseFeature:
    """Return the feature that a loss compares with unless the job declares one.

    `task` is what the loss is about: numbers with labels are classes unless it is about numbers; `scale` is that of
    numbers.
    """
    if column.type == "number" and column.labels is not None and task != "numbers":
        return ClassFeature(column=column.name)
    if column.type in NumbersFeature.column_types:
        return NumbersFeature(columns=(column.name,), missing="refuse", scale=scale)
    if task == "sequences" and column.type == "words":
        return TagsFeature(column=column.name, of=column.name)
    return next(feature for each in FEATURE_CLASSES.values() if (feature := each.as_target(column)) is not None)


def supported_kinds(column: Column) -> list[str]:
    """Return the kinds of features that can read a column."""
    return [kind for kind, each in FEATURE_CLASSES.items() if column.type in each.column_types]
