"""The schema of a data set: its columns, each of a type, with their shapes and statistics.

The same classes describe the stored data (columns of every type) and what a network reads (tensors alone, see
`app.spec.data.feature_schema`).
"""

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field

from app.spec.base import Count, NonNegativeInt64, Size, SpecModel

Dtype = Literal["float32", "float64", "int64", "int32", "uint8", "bool"]
ColumnName = Annotated[str, Field(min_length=1, max_length=200)]
MAX_LABELS = 1000  # different words of a column of categories
PADDING, UNKNOWN, BEGIN, END = 0, 1, 2, 3  # tokens that stand for no text: the last two of texts that are generated

COLUMN_TYPES: dict[str, str] = {
    "tensor": "A tensor of one shape per example.",
    "number": "A number per example, which may be missing.",
    "datetime": "A date, with or without a time, per example, which may be missing.",
    "category": "One of a few words per example, which may be missing.",
    "text": "A text per example.",
    "words": "A list of words per example, of any length: tokens, tags, or labels.",
    "series": "Numbers over time per example, of any length.",
    "tree": "A tree per example, each node with a label.",
    "image": "An image per example, in a file of its own.",
}
# How the cells of a column are written; the name of a format is an example of it.
NUMBER_FORMATS: dict[str, str] = {
    "1234.5": "A decimal point, nothing between thousands.",
    "1234,5": "A decimal comma, nothing between thousands.",
    "1,234.5": "A decimal point, commas between thousands.",
    "1.234,5": "A decimal comma, points between thousands.",
    "1 234.5": "A decimal point, blanks between thousands: also no-break, thin and narrow ones.",
    "1 234,5": "A decimal comma, blanks between thousands.",
    "1'234.5": "A decimal point, apostrophes between thousands.",
}
DATETIME_FORMATS: dict[str, str] = {
    "YYYY-MM-DD": "ISO 8601, also YYYY-MM; a time and a zone may follow, as in all formats.",
    "YYYY/MM/DD": "Year first, slashes.",
    "YYYY.MM.DD": "Year first, points.",
    "DD.MM.YYYY": "Day first, points.",
    "DD/MM/YYYY": "Day first, slashes.",
    "MM/DD/YYYY": "Month first, slashes.",
    "DD-MM-YYYY": "Day first, hyphens.",
    "MM-DD-YYYY": "Month first, hyphens.",
    "DD/MM/YY": "Day first, two digits of the year: 69..99 are 1969..1999.",
    "MM/DD/YY": "Month first, two digits of the year.",
    "DD.MM.YY": "Day first, points, two digits of the year.",
    "DD Mon YYYY": "The month by its English name, such as 29-Nov-2026.",
    "Mon DD, YYYY": "The month by its English name, such as November 29, 2026.",
    "YYYYMMDD": "Eight digits; never detected.",
    "epoch s": "Seconds since 1970 in UTC; never detected.",
    "epoch ms": "Milliseconds since 1970; never detected.",
    "epoch us": "Microseconds since 1970; never detected.",
    "epoch ns": "Nanoseconds since 1970; never detected.",
}
if TYPE_CHECKING:
    ColumnType = str
    CellFormat = str
else:
    ColumnType = Literal[tuple(COLUMN_TYPES)]
    CellFormat = Literal[(*NUMBER_FORMATS, *DATETIME_FORMATS)]


# What the meaning of a column follows from: what the user wrote, what the file says of itself, or its values.
DecidedBy = Literal["user", "metadata", "content"]


class SchemaWarning(SpecModel):
    """What reading an upload left out, guessed or converted, and how to say that it is meant so."""

    pointer: str  # such as /columns/NAME
    code: str
    detail: str
    hint: str = ""


class Column(SpecModel):
    """One column of a data set."""

    name: ColumnName
    type: ColumnType = "tensor"
    # Per example, without the batch dimension. Series: of one time step. Images: (channels, height, width), or
    # (channels) if their sizes differ.
    shape: tuple[Size, ...] = ()
    dtype: Dtype = "float32"
    classes: Count | None = None  # of integers: their number, from 0 on
    labels: tuple[str, ...] | None = None  # the words for the integers; of words: the different ones, if they are few
    missing: Count = 0  # rows without a value
    format: CellFormat | None = None  # of numbers and dates in text: how they are written; `None`: as in Python
    unit: str | None = None  # of numbers: what stands beside each, such as "kg"; of dates: "UTC" if their zone is known
    longest: Count | None = None  # the largest length, or number of nodes; of text: in characters
    widest: Count | None = None  # of trees: the largest number of children
    statistics: dict[str, Any] | None = None  # for people: minimum, mean, maximum and the like
    ragged: bool = False  # of a tensor: batches are as long as their longest example in dimension 0
    padded: bool = False  # of a tensor: shorter examples are padded in dimension 0; losses ignore the padding
    shortest: Size = 1  # of a ragged tensor: the minimum length of batches
    follows: ColumnName | None = None  # of the tokens that follow those of another column, up to [END]: that column
    peak: float | None = None  # of images of bytes: the largest value that a byte can have
    background: str | None = None  # of images: the colour that shows through transparent pixels
    ignored: str | None = None  # why no network reads it by default, such as: it numbers the rows
    decided_by: DecidedBy = "content"  # what its type follows from

    @property
    def max_length(self) -> int:
        """The largest length of a value, at least 1."""
        return max(1, self.longest or 1)

    @property
    def max_width(self) -> int:
        """The largest number of children of a node, at least 1."""
        return max(1, self.widest or 1)


class DataSchema(SpecModel):
    """The columns of a data set and the sizes of its splits."""

    columns: tuple[Column, ...]
    rows: dict[str, NonNegativeInt64]  # by split: "train", and "test" if there is one
    inputs: tuple[ColumnName, ...]  # columns that a network reads by default
    target: ColumnName | None = None  # column that the loss compares with by default
    guessed_target: bool = False  # whether neither the user nor its name says so: it is the last column of a table
    warnings: tuple[SchemaWarning, ...] = ()

    def column(self, name: str) -> Column | None:
        """Return the column of that name, or `None`."""
        return self._by_name.get(name)

    def __getitem__(self, name: str) -> Column:
        """Return the column of that name. Raises `KeyError` if there is none."""
        return self._by_name[name]

    def column_type(self, name: str) -> ColumnType | None:
        """Return the type of the column of that name, or `None`."""
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
        return {column.name: column for column in reversed(self.columns)}  # the first of equal names wins

    @cached_property
    def _input_names(self) -> frozenset[str]:
        return frozenset(self.inputs)

    def __copy__(self) -> Self:
        """Return a copy without the cached indexes: `model_copy` may change the columns."""
        copied = super().__copy__()
        for name in ("_by_name", "_input_names"):
            vars(copied).pop(name, None)
        return copied
