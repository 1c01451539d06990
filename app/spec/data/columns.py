"""What a data set holds: columns, each of a type, with what is known of them before any example is read.

The same classes describe the data twice: as it is stored (columns of every type), and as a network sees it (tensors
alone, see `app.spec.data.feature_schema`).
"""

from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from app.spec.base import Count, Size, SpecModel

Dtype = Literal["float32", "float64", "int64", "int32", "uint8", "bool"]
ColumnName = Annotated[str, Field(min_length=1, max_length=200)]
MAX_LABELS = 1000  # different words of a column that is a choice among them

COLUMN_TYPES: dict[str, str] = {
    "tensor": "A tensor of one shape per example.",
    "number": "A number per example, which may be missing.",
    "category": "One of a few words per example, which may be missing.",
    "text": "A text per example.",
    "words": "A list of words per example, of any length: tokens, tags, or labels.",
    "series": "Numbers over time per example, of any length.",
    "tree": "A tree per example, each node with a label.",
    "image": "A picture per example, in a file of its own.",
}
ColumnType = Literal["tensor", "number", "category", "text", "words", "series", "tree", "image"]


class Column(SpecModel):
    """One column of a data set."""

    name: ColumnName
    type: ColumnType = "tensor"
    # Per example, without the batch dimension. Of a series: of one moment. Of an image: (channels, height, width), or
    # (channels) alone where the pictures are of unlike size.
    shape: tuple[Size, ...] = ()
    dtype: Dtype = "float32"
    classes: int | None = None  # for integers: how many different ones there are, from 0 on
    labels: tuple[str, ...] | None = None  # what the integers stand for; of words: the different ones, if they are few
    missing: Count = 0  # rows without a value
    longest: Count | None = None  # the largest length, or number of nodes; of text: in characters
    widest: Count | None = None  # of trees: the largest number of children
    statistics: dict[str, Any] | None = None  # for people: least, mean, largest value and the like
    ragged: bool = False  # of a tensor: batches are as long as their longest example in dimension 0
    padded: bool = False  # of a tensor: shorter examples are filled up in dimension 0, with what counts for no loss
    shortest: Size = 1  # of a ragged tensor: how long batches are at least
    peak: float | None = None  # of images of bytes, which a network sees as numbers: the largest value there can be

    @property
    def max_length(self) -> int:
        """The largest length of a value, at least 1."""
        return max(1, self.longest or 1)

    @property
    def max_width(self) -> int:
        """The largest number of children of a node, at least 1."""
        return max(1, self.widest or 1)


class DataSchema(SpecModel):
    """What the inspector and the loop need to know before any example is read."""

    columns: tuple[Column, ...]
    rows: dict[str, int]  # by split: "train", and "test" if there is one
    inputs: tuple[ColumnName, ...]  # columns that a network reads unless it says otherwise
    target: ColumnName | None = None  # column that the loss compares with

    def column(self, name: str) -> Column | None:
        """Return the column of that name, if there is one."""
        return self._by_name.get(name)

    def __getitem__(self, name: str) -> Column:
        """Return the column of that name. Raises `KeyError` if there is none."""
        return self._by_name[name]

    def column_type(self, name: str) -> ColumnType | None:
        """Return the type of a column, if there is one of that name."""
        column = self.column(name)
        return column.type if column is not None else None

    def max_length(self, name: str) -> int:
        """Return the largest length of a value of a column, at least 1; 1 if there is no such column."""
        column = self.column(name)
        return column.max_length if column is not None else 1

    def is_input(self, name: str) -> bool:
        """Say whether a column is an input by default."""
        return name in self._input_names

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in reversed(self.columns)}  # the first of a name counts

    @cached_property
    def _input_names(self) -> frozenset[str]:
        return frozenset(self.inputs)

    def __copy__(self) -> Self:
        """Return a copy that looks at its own columns: `model_copy` may change them."""
        copied = super().__copy__()
        for name in ("_by_name", "_input_names"):
            vars(copied).pop(name, None)
        return copied
