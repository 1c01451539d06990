"""Text, categories and lists of words."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from app.spec.data.columns import MAX_LABELS, Column
from workers.data.columns import StringColumn, WordListColumn
from workers.data.files.problems import format_value, refuse
from workers.data.types.base import (
    LIST_MARKS,
    BaseColumnType,
    JsonColumnType,
    ProblemSink,
    Statistics,
    ValueLimits,
    split_list,
)
from workers.data.types.numbers import MAX_CATEGORIES, NULL_HINT
from workers.data.types.statistics import MAX_LABEL_LENGTH, count_words, summarize_lengths, unique_words
from workers.data.types.values import BOOLEAN_VALUES, Values, as_list, count_cells, format_number, parse_texts

MAX_WORDS_PER_CATEGORY = 3  # in each of the few different texts of a small table that is a choice
BOOLEAN_LABELS = frozenset({"0", "1"})


class TextType(BaseColumnType):
    """A text per row, None where it is missing."""

    families = frozenset({str})

    @classmethod
    def parse(
        cls, values: Values, column: Column, problems: ProblemSink, limits: ValueLimits | None = None
    ) -> StringColumn:
        """Return N texts; a number becomes the text of it."""
        texts: list[str | None] = []
        for row, value in enumerate(as_list(values)):
            if value is not None and not isinstance(value, str | int | float):
                detail = f"expected text, got {format_value(value)}"
                problems.add_value(row, column.name, "wrong_type", detail, NULL_HINT)
            texts.append(as_text(value))
        return texts

    @classmethod
    def describe(cls, column: Column, stored: StringColumn) -> Column:
        """Add the largest length in characters."""
        return column.model_copy(update={"longest": max((len(text) for text in stored if text is not None), default=0)})

    @classmethod
    def statistics(cls, stored: StringColumn) -> Statistics | None:
        """Return statistics of the lengths in characters."""
        return {"characters": summarize_lengths(stored)}


class CategoryType(TextType):
    """One of at most 1,000 words per row, None where it is missing."""

    @classmethod
    def infer(cls, values: Values, is_target: bool) -> bool:
        """Return whether texts are a few different words that repeat; a target needs only one repetition."""
        texts = list(map(as_text, values))
        rows = sum(text is not None for text in texts)
        different = unique_words(texts)
        if different is None:
            return False
        if is_target:
            return len(different) <= MAX_CATEGORIES or len(different) < rows
        short = all(len(text.split()) <= MAX_WORDS_PER_CATEGORY for text in different)
        return 2 * len(different) <= rows or (short and len(different) <= MAX_CATEGORIES)

    @classmethod
    def parse(
        cls, values: Values, column: Column, problems: ProblemSink, limits: ValueLimits | None = None
    ) -> StringColumn:
        """Return N words. True and false are the labels that say so in any case, or else "1" and "0"."""
        words = super().parse(values, column, problems, limits)
        labels = column.labels or ()
        spellings = {label.lower(): label for label in labels if label.lower() in BOOLEAN_VALUES}
        if not spellings and labels and BOOLEAN_LABELS.issuperset(labels):
            spellings = {word: format_number(value) for word, value in BOOLEAN_VALUES.items()}
        if not spellings:
            return words
        return [word if word is None or word in labels else spellings.get(word.lower(), word) for word in words]

    @classmethod
    def describe(cls, column: Column, stored: StringColumn) -> Column:
        """Add the labels. Raises `InvalidInput` if there are too many, or one is too long."""
        labels = unique_words(stored)
        if labels is None:
            limits = f"over {MAX_LABELS:,} different words, or words of over {MAX_LABEL_LENGTH} characters"
            refuse("too_many_labels", f'column "{column.name}" has {limits}', 'give it the type "text"', column.name)
        return column.model_copy(update={"labels": labels, "classes": len(labels)})

    @classmethod
    def statistics(cls, stored: StringColumn) -> Statistics | None:
        """Return the most frequent words."""
        return count_words(stored)


class WordsType(JsonColumnType):
    """A list of words per row; an empty one where it is missing."""

    families = frozenset({tuple})

    @classmethod
    def decode(cls, text: str) -> object:
        """Return the list in a cell: JSON, or words between `|`, `;` or commas; `None` for an empty cell."""
        value = super().decode(text)
        if not isinstance(value, str) or value.lstrip().startswith(("[", "{")):
            return value  # JSON, or meant to be
        return tuple(split_list(value)) if any(mark in value for mark in LIST_MARKS) else (value.strip(),)

    @classmethod
    def parse(
        cls, values: Values, column: Column, problems: ProblemSink, limits: ValueLimits | None = None
    ) -> WordListColumn:
        """Return N lists of words."""
        return [cls._words(row, value, column, problems) for row, value in enumerate(as_list(values))]

    @classmethod
    def _words(cls, row: int, value: object, column: Column, problems: ProblemSink) -> Sequence[str]:
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            detail = f"expected a list of words, got {format_value(value)}"
            problems.add_value(row, column.name, "wrong_type", detail, 'such as ["a", "b"]')
            return ()
        for place, word in enumerate(value):
            if not isinstance(word, str):
                detail = f"expected a word, got {format_value(word)}"
                problems.add_value(row, column.name, "wrong_type", detail, inner=(place,))
        return tuple(word for word in value if isinstance(word, str))

    @classmethod
    def describe(cls, column: Column, stored: WordListColumn) -> Column:
        """Add the labels if there are few, and the largest length."""
        labels = unique_words(word for words in stored for word in words)
        return column.model_copy(update={"labels": labels, "longest": max(map(len, stored), default=0)})

    @classmethod
    def statistics(cls, stored: WordListColumn) -> Statistics | None:
        """Return statistics of the lengths, and the most frequent words."""
        return {"lengths": summarize_lengths(stored)} | count_words(word for words in stored for word in words)


def as_text(value: object) -> str | None:
    """Return a text, a number as text, or "true" or "false"; None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else format_number(value) if isinstance(value, int | float) else None


def written_numbers(column: Column, values: Values) -> dict[str, int]:
    """Return how the numbers of a column are written, with counts; nothing if they are too many for labels, or floats.

    Booleans are written as in JSON.
    """
    if column.type != "number" or isinstance(values, np.ndarray):
        return {}
    if column.format is not None:
        return count_cells(values)
    counts: Counter[str] = Counter()
    for text in map(as_text, values):
        if text is not None:
            counts[text] += 1
            if len(counts) > MAX_LABELS:
                return {}
    return counts


def infer_texts(texts: Sequence[str | None], kind: type[BaseColumnType] | None) -> Values:
    """Return the values in the cells of a new text column: what they all look like, unless the user gave a type."""
    return parse_texts(texts) if kind is None else texts
