"""The data section of a job, and the sources of data sets."""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from app.ids import DATASET_ID_PATTERN
from app.spec.base import Name, OneOrMany, Probability, SpecModel, validation_error
from app.spec.data.base_feature import SCALE_DESCRIPTION, Scale
from app.spec.data.columns import DATETIME_FORMATS, CellFormat, Column, ColumnName, ColumnType, DataSchema
from app.spec.data.features import FEATURE_CLASSES, Feature, Features
from app.spec.data.images.transforms import TrainingTransforms, Transforms
from app.spec.data.torchvision_datasets import TORCHVISION_SCHEMAS
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
    """The validation examples: a named split, or a random fraction drawn with the seed."""

    split: Literal["test"] | None = None
    fraction: Probability | None = None


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
    validation: FractionOrSplit | None = None
    scale: Scale | None = Field(None, description=SCALE_DESCRIPTION)
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


Data = Annotated[BuiltinData | TorchvisionData | UploadedData, Field(discriminator="kind")]


class BuiltinSource(SpecModel):
    """A small real data set that ships with the service."""

    kind: Literal["builtin"]
    name: BuiltinName


class TorchvisionSource(SpecModel):
    """A data set of torchvision, by its class name."""

    kind: Literal["torchvision"]
    name: TorchvisionName


UPLOAD_FORMATS: dict[str, str] = {
    "csv": "A table: a header, commas or semicolons between cells.",
    "tsv": "A table: a header, tabs between cells.",
    "jsonl": "An object in every line, whose keys are the columns.",
    "parquet": "A table as Arrow, Spark and pandas write it.",
    "npz": "Arrays of NumPy by name, without pickle.",
    "safetensors": "Tensors by name.",
    "idx": "The format of MNIST: one file, or a zip of the four; packed by gzip or not.",
    "images": "A zip of images in folders named like their classes.",
    "conll": "Tokens and their tags, one a line; a blank line between texts.",
    "trees": "A tree as an s-expression in every line.",
    "vectors": "Words and their vectors as text, such as GloVe's; named by a text feature, not trained on.",
    "weights": "Weights in safetensors, by the names of the network's `state_dict`, for `start_from`; never detected.",
}
if TYPE_CHECKING:
    UploadFormat = str
else:
    UploadFormat = Literal[("auto", *UPLOAD_FORMATS)]


class UploadSource(SpecModel):
    """Content that is uploaded after registration."""

    kind: Literal["upload"]
    format: UploadFormat = Field("auto", description="Default: detected from the content.")
    file: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, description="The file's name, which helps to detect the format."
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
    source: DatasetSource


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
