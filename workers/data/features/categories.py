"""Categories: inputs, classes, tags of tokens, several labels at once. The schema has the words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar, cast

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.base_feature import ColumnFeature
from app.spec.data.columns import DataSchema
from app.spec.data.features import CategoryFeature, ClassFeature, LabelsFeature
from app.spec.data.sequence_features import TagsFeature
from workers.data.columns import ParsedColumn, PreparedColumn, RaggedTensor, SplitColumns, Tree, WordListColumn
from workers.data.features.preprocessor import Preprocessor, column_schema, column_values
from workers.data.features.trees import node_rows
from workers.data.types.numbers import label_values

IGNORE_INDEX = -100  # the padding of tags, which losses ignore by default
ColumnFeatureType = TypeVar("ColumnFeatureType", bound=ColumnFeature)


@dataclass(frozen=True)
class _CategoricalPreprocessor(Preprocessor[ColumnFeatureType, None]):
    """A column of words with a code each, in the order of the schema; nothing is fitted."""

    codes: Mapping[str, int]
    spellings: Mapping[float, str]  # of a column of numbers: the label of each

    @classmethod
    def fit(cls, name: str, feature: ColumnFeatureType, stored: DataSchema, split: SplitColumns) -> Self:
        """Take the words from the schema, which knows all of them. Raises `DataError`."""
        return cls.load(name, feature, stored, None)

    @classmethod
    def load(cls, name: str, feature: ColumnFeatureType, stored: DataSchema, state: None) -> Self:
        """Take the words from the schema. Raises `DataError`."""
        column = column_schema(stored, feature.column)
        codes = {word: code for code, word in enumerate(column.labels or ())}
        return cls(name, feature, codes, label_values(column) if column.type == "number" else {})

    def state(self) -> None:
        """Return nothing: the words are in the schema."""
        return

    def _encode(self, words: Sequence[str | None]) -> list[int]:
        """Return the codes of words. Raises `DataError` for a missing or an unknown word."""
        codes = [self.codes.get(word, -1) if word is not None else -1 for word in words]
        if -1 in codes:
            word = words[codes.index(-1)]
            what = "is missing" if word is None else f'is "{word[:40]}", which is none of its labels,'
            detail = f'"{self.feature.column}" {what} in a row'
            raise DataError(detail, pointer="/data/target", hint="leave such rows out")
        return codes

    def _words(self, split: SplitColumns) -> list[str | None]:
        """Return a column of words; numbers as the schema's labels are spelt."""
        return as_strings(column_values(split, self.feature.column), self.spellings)

    def _word_lists(self, split: SplitColumns) -> WordListColumn:
        return cast(WordListColumn, column_values(split, self.feature.column))


class CategoryPreprocessor(_CategoricalPreprocessor[CategoryFeature]):
    """An input: codes from 1 on, and 0 for a missing or an unknown word."""

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return int64 (rows)."""
        words = self._words(split)
        return {self.name: torch.tensor([self.codes.get(word or "", -1) + 1 for word in words], dtype=torch.int64)}


class ClassPreprocessor(_CategoricalPreprocessor[ClassFeature]):
    """A target: codes from 0 on."""

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return int64 (rows). Raises `DataError` for a missing or an unknown word."""
        words = self._words(split)
        return {self.name: torch.tensor(self._encode(words), dtype=torch.int64)}


class TagsPreprocessor(_CategoricalPreprocessor[TagsFeature]):
    """A target: a code for every token of a text, every time step of a series, or every node of a tree."""

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return int64 (rows, length), padded with -100.

        Raises `DataError` for an unknown word, and for rows whose length differs from what they belong to.
        """
        lists, feature = self._word_lists(split), self.feature
        if feature.of is not None:
            _check_lengths(feature.column, lists, feature.of, column_values(split, feature.of))
        lengths = feature.batch_lengths
        most, least = lengths.max_length, lengths.min_batch_length
        rows = [torch.tensor(self._encode(words[:most]), dtype=torch.int64) for words in lists]
        truncated = sum(len(words) > most for words in lists)
        return {self.name: RaggedTensor.from_rows(rows, IGNORE_INDEX, least, truncated)}


class LabelsPreprocessor(_CategoricalPreprocessor[LabelsFeature]):
    """A target: a 0 or 1 for every label."""

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return float32 (rows, labels). Raises `DataError` for an unknown word."""
        lists = self._word_lists(split)
        labels = torch.zeros(len(lists), len(self.codes))
        for row, words in enumerate(lists):
            labels[row, self._encode(words)] = 1.0
        return {self.name: labels}


def as_strings(values: ParsedColumn, spellings: Mapping[float, str] | None = None) -> list[str | None]:
    """Return a column of words; numbers as they are spelt in a schema's labels, NaN is missing."""
    if not isinstance(values, Tensor):
        return list(cast(Iterable[str | None], values))
    spelt = spellings or {}
    return [None if value != value else spelt.get(value, f"{value:g}") for value in values.double().tolist()]  # noqa: PLR0124 - NaN


def _check_lengths(name: str, lists: WordListColumn, other: str, values: ParsedColumn) -> None:
    for row, (words, length) in enumerate(zip(lists, _element_counts(values), strict=True)):
        if len(words) != length:
            detail = f'row {row + 1} has {len(words):,} words in "{name}" and {length:,} in "{other}"'
            hint = 'give every token a tag, or name the tagged column in "of"'
            raise DataError(detail, pointer="/data/target", hint=hint)


def _element_counts(values: ParsedColumn) -> list[int]:
    """Return how many elements can be tagged in each row of series, lists of words, or trees."""
    if isinstance(values, RaggedTensor):
        lengths: list[int] = values.lengths.tolist()
        return lengths
    return [_element_count(value) for value in cast(Iterable[Sequence[str] | Tree | None], values)]


def _element_count(value: Sequence[str] | Tree | None) -> int:
    if value is None:
        return 0
    return len(value) if isinstance(value, Sequence) else sum(1 for _ in node_rows(value))
