"""Words that are choices: inputs, classes, tags of tokens, several labels at once. The schema knows the words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.columns import DataSchema
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns
from workers.data.features.numbers import column_schema, column_values
from workers.data.features.trees import node_rows

IGNORE_INDEX = -100  # the class of a place that has none: what losses ignore unless told otherwise


@dataclass(frozen=True)
class _CategoricalPreprocessor:
    """What all of them have: a column, and the code of every word."""

    name: str
    column: str
    codes: Mapping[str, int]
    part: Any

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: SplitColumns) -> Self:
        """Take the words from the schema, which knows all of them."""
        return cls.load(name, part, stored, None)

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take the words from the schema."""
        labels = column_schema(stored, part.column).labels or ()
        return cls(name, part.column, {word: code for code, word in enumerate(labels)}, part)

    def fitted_state(self) -> Any:
        """Return nothing: the words are in the schema."""
        return None


class CategoryPreprocessor(_CategoricalPreprocessor):
    """An input: codes from 1 on, and 0 for a missing or an unknown word."""

    def apply(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return int64 (rows)."""
        words = as_strings(column_values(split, self.column))
        return {self.name: torch.tensor([self.codes.get(word or "", -1) + 1 for word in words], dtype=torch.int64)}


class ClassPreprocessor(_CategoricalPreprocessor):
    """A target: codes from 0 on."""

    def apply(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return int64 (rows). Raises `DataError` for a missing or an unknown word."""
        words = as_strings(column_values(split, self.column))
        return {self.name: torch.tensor(_encode(words, self.codes, self.column), dtype=torch.int64)}


class TagsPreprocessor(_CategoricalPreprocessor):
    """A target: a code for every token of a text, or every moment of a series."""

    def apply(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return int64 (rows, length), with -100 behind the end.

        Raises `DataError` for an unknown word, and for rows that are not as long as what they belong to.
        """
        lists: Sequence[Sequence[str]] = column_values(split, self.column)
        if self.part.of is not None:
            _check_lengths(self.column, lists, self.part.of, column_values(split, self.part.of))
        most, least = self.part.max_length, self.part.min_length or 1
        coded = [torch.tensor(_encode(words[:most], self.codes, self.column), dtype=torch.int64) for words in lists]
        cut = sum(len(words) > most for words in lists)
        return {
            self.name: RaggedTensor.from_rows(
                coded, IGNORE_INDEX, most if self.part.pad == "max_length" else least, cut
            )
        }


def _check_lengths(name: str, lists: Sequence[Sequence[str]], other: str, values: Any) -> None:
    lengths = values.lengths.tolist() if isinstance(values, RaggedTensor) else list(map(_tag_count, values))
    for row, (words, length) in enumerate(zip(lists, lengths, strict=True)):
        if len(words) != length:
            detail = f'row {row + 1} has {len(words)} words in "{name}" and {length} in "{other}"'
            hint = 'give every token a tag, or name the column that is tagged: "of"'
            raise DataError(detail, pointer="/data/target", hint=hint)


def _tag_count(value: Any) -> int:
    """Return how many tags belong to a list of words, or to a tree."""
    return len(value) if isinstance(value, Sequence) else 0 if value is None else sum(1 for _ in node_rows(value))


class LabelsPreprocessor(_CategoricalPreprocessor):
    """A target: a 0 or 1 for every label."""

    def apply(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return float32 (rows, labels). Raises `DataError` for an unknown word."""
        lists: Sequence[Sequence[str]] = column_values(split, self.column)
        made = torch.zeros(len(lists), len(self.codes))
        for row, words in enumerate(lists):
            made[row, _encode(words, self.codes, self.column)] = 1.0
        return {self.name: made}


def as_strings(values: Any) -> list[str | None]:
    """Return a column of words; whole numbers are written out as in the schema's labels, NaN is missing."""
    if not isinstance(values, Tensor):
        return list(values)
    return [None if value != value else f"{value:.0f}" for value in values.double().tolist()]  # noqa: PLR0124 - NaN


def _encode(words: Iterable[str | None], codes: Mapping[str, int], column: str) -> list[int]:
    found = [codes.get(word, -1) if word is not None else -1 for word in words]
    if -1 in found:
        word = list(words)[found.index(-1)]
        what = "is missing" if word is None else f'is "{word[:40]}", which is none of its labels,'
        raise DataError(f'"{column}" {what} in a row', pointer="/data/target", hint="leave such rows out")
    return found
