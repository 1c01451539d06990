"""Where the examples come from, and what a data set looks like from outside."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from app.spec.base import Name, Part, Probability, Size, problem
from app.spec.problems import nearest

Dtype = Literal["float32", "float64", "int64", "int32", "uint8", "bool"]


def _builtin(name: str) -> str:
    return _named("builtin", name)


def _torchvision(name: str) -> str:
    return _named("torchvision", name)


def _named(kind: str, name: str) -> str:
    if name not in NAMED[kind]:
        hint = nearest(name, NAMED[kind]) or "one of: " + ", ".join(NAMED[kind])
        raise problem("unknown_dataset", f'there is no {kind} data set "{name[:64]}"', hint)
    return name


BuiltinName = Annotated[str, AfterValidator(_builtin)]
TorchvisionName = Annotated[str, AfterValidator(_torchvision)]
DatasetId = Annotated[str, Field(pattern=r"^ds_[0-9a-f]{32}$")]


class Column(Part):
    """One column of a data set: a tensor per example."""

    name: Name
    shape: tuple[Size, ...]  # per example, without the batch dimension
    dtype: Dtype
    classes: int | None = None  # for integer labels: how many there are
    labels: tuple[str, ...] | None = None  # what the integers stand for, where the source had words


class DataSchema(Part):
    """What the inspector and the loop need to know before any example is read."""

    columns: tuple[Column, ...]
    rows: dict[str, int]  # by split: "train", and "test" if there is one
    inputs: tuple[Name, ...]  # columns that a network reads unless it says otherwise
    target: Name | None = None  # column that the loss compares with

    def column(self, name: str) -> Column | None:
        """Return the column of that name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)


class Split(Part):
    """The examples that are held out: a named split, or a share drawn with the seed."""

    split: Literal["test"] | None = None
    fraction: Probability | None = None


class Source(Part):
    """What every source of data has."""

    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)] | None = None
    target: Name | None = None
    validation: Split | None = None
    scale: Literal["none", "unit", "standard"] | None = Field(
        None,
        description="Of float inputs: none; unit: divided by the largest value, so images lie in 0..1; standard: "
        "zero mean and unit variance, feature by feature, on train. Default: unit for images of bytes, else none.",
    )


class BuiltinData(Source):
    """A small real data set that ships with the service."""

    kind: Literal["builtin"]
    name: BuiltinName


class TorchvisionData(Source):
    """A data set of torchvision, by its class name: those in IDX files, which are read without unpickling."""

    kind: Literal["torchvision"]
    name: TorchvisionName


class UploadedData(Source):
    """A data set registered before, by its id."""

    kind: Literal["dataset"]
    id: DatasetId


Data = Annotated[BuiltinData | TorchvisionData | UploadedData, Field(discriminator="kind")]


class BuiltinSource(Part):
    """A small real data set that ships with the service."""

    kind: Literal["builtin"]
    name: BuiltinName


class TorchvisionSource(Part):
    """A data set of torchvision, by its class name."""

    kind: Literal["torchvision"]
    name: TorchvisionName


class UploadSource(Part):
    """Content that is uploaded afterwards."""

    kind: Literal["upload"]
    format: Literal["npz", "safetensors", "csv"]
    target: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="CSV column that is learned; default: the last one."
    )
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None, description="What the whole content must have."
    )


DatasetSource = Annotated[BuiltinSource | TorchvisionSource | UploadSource, Field(discriminator="kind")]


class NewDataset(Part):
    """A data set to register."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    source: DatasetSource


def _table(
    features: tuple[int, ...], rows: int, classes: int | None, columns: tuple[str, str] = ("x", "y")
) -> DataSchema:
    target = Column(name=columns[1], shape=(), dtype="int64", classes=classes) if classes else Column(
        name=columns[1], shape=(1,), dtype="float32")  # fmt: skip
    inputs = Column(name=columns[0], shape=features, dtype="float32")
    return DataSchema(columns=(inputs, target), rows={"train": rows}, inputs=(columns[0],), target=columns[1])


def _images(channels: int, size: int, train: int, test: int, classes: int) -> DataSchema:
    image = Column(name="image", shape=(channels, size, size), dtype="float32")
    label = Column(name="label", shape=(), dtype="int64", classes=classes)
    return DataSchema(columns=(image, label), rows={"train": train, "test": test}, inputs=("image",), target="label")


BUILTIN: dict[str, DataSchema] = {
    "digits": _table((1, 8, 8), 1797, 10, ("image", "label")),
    "iris": _table((4,), 150, 3),
    "wine": _table((13,), 178, 3),
    "diabetes": _table((10,), 442, None),
}

TORCHVISION: dict[str, DataSchema] = {
    "MNIST": _images(1, 28, 60_000, 10_000, 10),
    "FashionMNIST": _images(1, 28, 60_000, 10_000, 10),
    "KMNIST": _images(1, 28, 60_000, 10_000, 10),
}

NAMED: dict[str, dict[str, DataSchema]] = {"builtin": BUILTIN, "torchvision": TORCHVISION}
