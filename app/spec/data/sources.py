"""The data section of a job, and the sources of data sets."""

from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from app.ids import DATASET_ID_PATTERN
from app.spec.base import Finite, Int64, Name, OneOrMany, Probability, Seed, Size, SpecModel, validation_error
from app.spec.data.base_feature import SCALE_DESCRIPTION, Scale
from app.spec.data.columns import DATETIME_FORMATS, CellFormat, Column, ColumnName, ColumnType, DataSchema
from app.spec.data.examples.sampling import Sampling
from app.spec.data.examples.windows import Windows
from app.spec.data.features import FEATURE_CLASSES, Feature, Features
from app.spec.data.images.transforms import TrainingTransforms, Transforms
from app.spec.data.torchvision_datasets import TORCHVISION_SCHEMAS
from app.spec.data.upload_formats import Background, FormatDecision, TextEncoding, UploadFormat
from app.spec.hints.names import choices, did_you_mean

DATASETS_HINT = "docs/images.md lists all data sets of torchvision"


def _validate_builtin(name: str) -> str:
    return _validate_dataset_name("builtin", name)


def _validate_torchvision(name: str) -> str:
    return _validate_dataset_name("torchvision", name)


def _validate_dataset_name(kind: str, name: str) -> str:
    if name not in (known := DATASET_SCHEMAS[kind]):
        others = [other for other in DATASET_SCHEMAS if name in DATASET_SCHEMAS[other]]
        hint = (
            f'set "kind" to "{others[0]}"' if others else did_you_mean(name, known) or choices(known) or DATASETS_HINT
        )
        raise validation_error("unknown_dataset", f'there is no {kind} data set "{name[:64]}"', hint)
    return name


BuiltinName = Annotated[str, AfterValidator(_validate_builtin)]
TorchvisionName = Annotated[str, AfterValidator(_validate_torchvision)]
DatasetId = Annotated[str, Field(pattern=DATASET_ID_PATTERN)]


class Split(SpecModel):
    """The rows of a role: a share of all rows, one of several folds, a split of the source, or those of a column."""

    fraction: Probability | None = Field(None, description="A share of all rows, drawn at random with the seed.")
    fold: Size | None = Field(None, description="Which of `of` parts of the rows, from 1 on: cross-validation.")
    of: Annotated[Size, Field(ge=2, le=1000)] | None = Field(None, description="The number of folds.")
    split: Literal["validation", "test"] | None = Field(None, description="A split that the source has: its own files.")
    column: ColumnName | None = Field(None, description="A column that says which rows, by `value`; no input then.")
    value: str | bool | Int64 | Finite | None = Field(None, description="What `column` has in these rows.")
    stratify: bool | ColumnName | None = Field(
        None, description="Whether each class has its share, or the column of classes. Default: if classes are learned."
    )
    group: ColumnName | None = Field(None, description="A column: rows of one value stay together; no input then.")
    time: ColumnName | None = Field(None, description="A column: the latest rows, instead of random ones.")
    seed: Seed | None = Field(
        None, description="Of what is drawn. Default: `training.seed`; of folds and of a test fraction 0."
    )

    @model_validator(mode="after")
    def _one_way(self) -> "Split":
        ways = [name for name in ("fraction", "fold", "split", "column") if getattr(self, name) is not None]
        if len(ways) != 1:
            detail = f"{' and '.join(ways)} are two ways to hold rows out" if ways else "it says no rows"
            raise validation_error("contradiction", detail, 'give one of them, such as {"fraction": 0.2}')
        for name, other in (("fold", "of"), ("column", "value")):
            if (getattr(self, name) is None) != (getattr(self, other) is None):
                hint = 'such as {"fold": 1, "of": 5} or {"column": "split", "value": "test"}'
                raise validation_error("contradiction", f"{name} and {other} belong together", hint)
        if self.fold is not None and self.of is not None and self.fold > self.of:
            raise validation_error(
                "contradiction", f"there is no fold {self.fold} of {self.of}", f'such as {{"fold": 1, "of": {self.of}}}'
            )
        self._check_options(ways[0])
        return self

    def _check_options(self, way: str) -> None:
        options = [name for name in ("group", "time") if getattr(self, name) is not None]
        options += ["stratify"] if self.stratify not in (None, False) else []
        if way in ("split", "column") and (options or self.seed is not None):
            detail = f"{', '.join(options) or 'seed'} is about rows that are drawn, and {way} names them"
            raise validation_error("contradiction", detail, f"remove {(options or ['seed'])[0]}")
        if len(options) > 1:
            raise validation_error(
                "contradiction", f"{' and '.join(options)} exclude each other", f"remove {' or '.join(options)}"
            )


def _split_from_number(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"fraction": value} if is_number else value


# A number by itself is a fraction.
FractionOrSplit = Annotated[Split, BeforeValidator(_split_from_number, json_schema_input_type=Probability | Split)]


def _name_columns(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _feature_of(name, each) if isinstance(each, str) else each for name, each in value.items()}


def _feature_of(column: str, kind: str) -> Any:
    fields = FEATURE_CLASSES[kind].model_fields if kind in FEATURE_CLASSES else {}
    source: dict[str, Any] = {"columns": [column]} if "columns" in fields else {"column": column}
    return {"kind": kind, **(source if fields else {})}


# A feature by its bare kind reads the column of its own name.
_FEATURE_OR_KIND: Any = reduce(or_, (Literal[tuple(FEATURE_CLASSES)], Feature))
NamedFeatures = Annotated[
    Features,
    BeforeValidator(
        _name_columns,
        json_schema_input_type=Annotated[dict[Name, _FEATURE_OR_KIND], Field(min_length=1, max_length=256)],
    ),
]


class BaseData(SpecModel):
    """The settings that every source of data has."""

    features: NamedFeatures | None = Field(
        None, description="How columns become tensors, by name. Default: a feature per column, by its type."
    )
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64), OneOrMany()] | None = None
    target: ColumnName | None = Field(None, description="A feature or a column; default: the data's own.")
    ignore: Annotated[tuple[ColumnName, ...], Field(max_length=10_000), OneOrMany()] = Field(
        (), description="Columns that no network reads by default, and of which no warning speaks."
    )
    validation: FractionOrSplit | None = Field(
        None, description="Rows that choose the best checkpoint. Default: the source's split validation, if it has one."
    )
    test: FractionOrSplit | None = Field(
        None,
        description="Rows that are evaluated once, at the end, and choose nothing. Default: the source's split test.",
    )
    windows: Windows | None = Field(None, description="Rows in order of time: what follows is predicted.")
    scale: Scale | None = Field(None, description=SCALE_DESCRIPTION)
    sampler: Sampling | None = Field(
        None, description="Rows of train that are drawn by their weights. Default: each once in an epoch."
    )
    bucket: Name | None = Field(
        None,
        description="A text, series or tree that the network reads: each batch is drawn from rows of similar length.",
    )
    transforms: TrainingTransforms | None = Field(None, description="Of every image in training.")
    evaluation_transforms: Transforms | None = Field(
        None,
        description="Of every image in evaluation and prediction. Default: the deterministic ones of the transforms.",
    )
    loading: Literal["auto", "resident", "streamed"] = Field(
        "auto", description="Images: decoded once and kept in memory, or decoded for each batch by other processes."
    )


class BuiltinData(BaseData):
    """A small real data set that ships with the service."""

    kind: Literal["builtin"]
    name: BuiltinName = Field(examples=["iris"])


class TorchvisionData(BaseData):
    """A data set of torchvision, by its class name."""

    kind: Literal["torchvision"]
    name: TorchvisionName = Field(examples=["MNIST"])


class UploadedData(BaseData):
    """A registered data set, by its id."""

    kind: Literal["dataset"]
    id: DatasetId


class BuiltinSource(SpecModel):
    """A small real data set that ships with the service."""

    kind: Literal["builtin"]
    name: BuiltinName


class TorchvisionSource(SpecModel):
    """A data set of torchvision, by its class name."""

    kind: Literal["torchvision"]
    name: TorchvisionName


class UploadSource(SpecModel):
    """Content that is uploaded after registration."""

    kind: Literal["upload"]
    format: UploadFormat = Field("auto", description="Default: detected from the content.")
    file: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, description="The file's name, which helps to detect the format."
    )
    encoding: TextEncoding | None = Field(
        None, description="Of a text. Default: UTF-8, or by its byte order mark; else Windows-1252, with a warning."
    )
    background: Background | None = Field(
        None,
        description="What shows through transparent pixels of images: white (the default, with a warning) or black; or "
        "none, which keeps their alpha as a fourth channel.",
    )
    target: ColumnName | None = Field(
        None, description="The target column. Default: one named label, target, y, labels or tags, else the last one."
    )
    types: Annotated[dict[ColumnName, ColumnType], Field(max_length=10_000)] | None = Field(
        None, description="Types of columns of a table that would be detected wrongly."
    )
    formats: Annotated[dict[ColumnName, CellFormat], Field(max_length=10_000)] | None = Field(
        None, description="How the numbers or dates of columns of text are written, where that is not to be detected."
    )
    on_bad: Literal["refuse", "missing"] = Field(
        "refuse", description="A cell that is no number or date in a column of them: an error, or a missing value."
    )
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None, description="The expected SHA-256 of the content."
    )
    decided_by: FormatDecision | None = Field(
        None, description="What the format follows from. The service fills this in, whatever is sent."
    )

    @property
    def column_types(self) -> dict[str, ColumnType]:
        """The types that the user gave to columns: by name, or by the format of their cells."""
        by_format = {name: _format_type(each) for name, each in (self.formats or {}).items()}
        return {**by_format, **(self.types or {})}

    @model_validator(mode="after")
    def _formats_fit_types(self) -> Self:
        for name, each in (self.formats or {}).items():
            if self.column_types[name] != _format_type(each):
                kinds = f"the type {self.column_types[name]}, and a format of a {_format_type(each)}"
                detail = f'column "{name}" has {kinds}'
                raise validation_error("contradiction", detail, "leave one of them out")
        return self


def _format_type(cell_format: str) -> ColumnType:
    return "datetime" if cell_format in DATETIME_FORMATS else "number"


DatasetSource = Annotated[BuiltinSource | TorchvisionSource | UploadSource, Field(discriminator="kind")]


class NewDataset(SpecModel):
    """A data set to register."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    source: DatasetSource = Field(examples=[{"kind": "upload"}])


def _table_schema(
    features: tuple[int, ...], rows: int, classes: int | None, columns: tuple[str, str] = ("x", "y")
) -> DataSchema:
    target = (
        Column(name=columns[1], shape=(), dtype="int64", classes=classes)
        if classes
        else Column(name=columns[1], shape=(1,), dtype="float32")
    )
    inputs = Column(name=columns[0], shape=features, peak=16.0 if len(features) == 3 else None)
    return DataSchema(columns=(inputs, target), rows={"train": rows}, inputs=(columns[0],), target=columns[1])


BUILTIN_SCHEMAS: dict[str, DataSchema] = {
    "digits": _table_schema((1, 8, 8), 1797, 10, ("image", "label")),
    "iris": _table_schema((4,), 150, 3),
    "wine": _table_schema((13,), 178, 3),
    "diabetes": _table_schema((10,), 442, None),
}

DATASET_SCHEMAS: dict[str, dict[str, DataSchema]] = {"builtin": BUILTIN_SCHEMAS, "torchvision": TORCHVISION_SCHEMAS}
