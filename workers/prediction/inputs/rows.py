"""The rows of a request become columns, as the data set stores them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from app.errors import InvalidInput, Problem
from app.spec.data.columns import Column
from app.spec.hints.names import Hints, did_you_mean
from app.spec.problems import json_pointer
from workers.data.columns import ParsedColumn, PreparedColumn, SplitColumns
from workers.data.features.preparation import Preparation
from workers.data.types.base import ValueLimits
from workers.data.types.catalog import TYPE_CLASSES
from workers.data.types.images import ImageType
from workers.data.types.values import Values
from workers.prediction.inputs.images import decode_files, differ_in_size, is_image_column
from workers.prediction.inputs.problems import RowProblems, TooManyProblems

MAX_LISTED_COLUMNS = 20  # names in a hint, and unknown columns that are reported

JsonRows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class RequiredColumn:
    """A stored column that rows must have, and how long its values may be."""

    column: Column
    max_length: int | None = None  # `None`: longer values are truncated, as in training
    is_required: bool = False  # whether no value may be missing
    any_size: bool = False  # of images in one array: whether those of requests may have another size
    is_optional: bool = False  # whether rows need not have it: a text that the network generates from nothing
    is_spelt: bool = False  # of words: whether their letters are read, so that none is unknown as a whole

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name

    @property
    def limits(self) -> ValueLimits:
        """What its values must keep to."""
        return ValueLimits(self.max_length, self.is_required)


def split_from_rows(rows: JsonRows, required: Sequence[RequiredColumn], known: Iterable[str]) -> SplitColumns:
    """Return the required columns of one or more rows. `known` are the names of all columns of the data set.

    Raises `InvalidInput` with every problem, each with a pointer such as /rows/3/age.
    """
    problems = RowProblems()
    with suppress(TooManyProblems):
        _check_names(
            rows,
            {each.name: _missing_hint(each) for each in required if not each.is_optional},
            frozenset(known),
            problems,
        )
        return parse_columns({each.name: [row.get(each.name) for row in rows] for each in required}, required, problems)
    problems.raise_if_any()
    return {}


def parse_columns(
    values: Mapping[str, Values], required: Iterable[RequiredColumn], problems: RowProblems | None = None
) -> SplitColumns:
    """Return stored columns by name. Raises `InvalidInput` with every problem, those in `problems` as well."""
    problems = problems or RowProblems()
    split: dict[str, ParsedColumn] = {}
    with suppress(TooManyProblems):
        for each in required:
            decoded = decode_files(values[each.name], each.column, problems)
            kind = TYPE_CLASSES[each.column.type]
            if each.any_size and is_image_column(each.column) and differ_in_size(decoded, each.column):
                kind = ImageType
            split[each.name] = kind.parse(decoded, each.column, problems, each.limits)
    problems.raise_if_any()
    return split


def unknown_word_warnings(split: SplitColumns, required: Iterable[RequiredColumn]) -> Iterator[Problem]:
    """Yield a warning for each column of categories with words that training did not know, which tell nothing."""
    for each in required:
        labels, values = each.column.labels, split.get(each.name)
        if each.column.type != "category" or each.is_spelt or not labels or not isinstance(values, Sequence):
            continue
        known = frozenset(labels)
        unknown = [word for word in values if isinstance(word, str) and word not in known]
        if unknown:
            rows = "1 row has a word" if len(unknown) == 1 else f"{len(unknown):,} rows have words"
            detail = f'column "{each.name}": {rows} that training did not know, such as "{unknown[0][:40]}"'
            alike = next((label for label in labels if _plain_spelling(label) == _plain_spelling(unknown[0])), None)
            hint = "its answer follows from the other columns" if alike is None else f'did you mean "{alike[:40]}"?'
            yield Problem(json_pointer(["columns", each.name]), "unknown_word", detail, hint)


def truncation_warnings(preparation: Preparation, prepared: Mapping[str, PreparedColumn]) -> Iterator[Problem]:
    """Yield a warning for each column with rows of which the network does not see the end."""
    for name, count, length in preparation.truncated_columns(prepared):
        rows = "1 row is" if count == 1 else f"{count:,} rows are"
        detail = f'column "{name}": {rows} longer than what the network reads, and truncated to a length of {length:,}'
        hint = "shorten or divide them; a job whose feature has a larger max_length reads more"
        yield Problem(json_pointer(["columns", name]), "truncated", detail, hint)


def _plain_spelling(word: str) -> str:
    """Return a word without what often differs: blanks around it, capitals, zeros before numbers."""
    plain = word.strip().casefold()
    return plain.lstrip("0") if plain.isdigit() else plain


def check_columns(names: Sequence[str], known: Collection[str], required: Sequence[RequiredColumn]) -> None:
    """Raise `InvalidInput` for columns of a file that the data set does not have, and for required ones it lacks."""
    problems = []
    for name in islice((name for name in names if name not in known), MAX_LISTED_COLUMNS):
        hint = did_you_mean(name, known) or _list_columns(known)
        detail = f'the data set has no column "{name[:200]}"'
        problems.append(Problem(json_pointer([name[:200]]), "unknown_column", detail, hint))
    for each in required:
        if each.name not in names and not each.is_optional:
            detail = f'the network reads the column "{each.name}"'
            problems.append(Problem(json_pointer([each.name]), "missing_column", detail, "add it"))
    if problems:
        raise InvalidInput(problems)


def _check_names(rows: JsonRows, required: Mapping[str, str], known: frozenset[str], problems: RowProblems) -> None:
    hints = Hints()
    for number, row in enumerate(rows):
        for name in sorted(row.keys() - known):
            hint = hints.did_you_mean(name, lambda: known) or _list_columns(sorted(known))
            problems.add_value(number, name, "unknown_column", "the data set has no such column", hint)
        for name, hint in required.items():
            if name not in row:
                problems.add_value(number, name, "missing_column", "the network reads this column", hint)


def _list_columns(names: Iterable[str]) -> str:
    return "there are: " + ", ".join(islice(names, MAX_LISTED_COLUMNS))


def _missing_hint(required: RequiredColumn) -> str:
    """Return how to write a value that a row lacks."""
    nullable = TYPE_CLASSES[required.column.type].nullable and not required.is_required
    return "write null if the value is missing" if nullable else f"give its {required.column.type}"
