"""Values before a column's type is known: read from JSON or from text, in a form of which many fit into memory."""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NoReturn

import numpy as np

# One column: float64 (N) with NaN for missing; or a sequence of None, bool, int, float, str, list, dict and what
# `compact` returns.
Values = np.ndarray[Any, Any] | Sequence[Any]

BOOLEAN_VALUES = {"true": 1.0, "false": 0.0}
# Among numbers; among texts only "". The last ones are those of pandas, of SAS, and of spreadsheets.
MISSING_VALUES = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-", "<na>", ".", "#n/a", "#null!"})
MAJORITY_FRACTION = 0.99  # of values: a column with at least this share of one family is of it, the others are mistakes
MIN_MAJORITY_ROWS = 100  # more rows than this are needed to say so
SNIFF_CELLS, MAX_CELL_LENGTH = 20, 64  # texts, and their characters, that may be numbers or dates
SNIFF_TEXTS = 4096  # texts that decide what all texts of a column are
MAX_EXACT_INTEGER = 2.0**53
MAX_EXACT_FLOAT32 = 2.0**24  # float32 has all whole numbers up to this one
MAX_RANK = 8  # dimensions of a value
UNSTORABLE_PATTERN = re.compile("[\ud800-\udfff]|\\\\u0000")  # characters that databases refuse, in unescaped JSON


class EmptyList(tuple[()]):
    """An empty list: of words, or of numbers."""


EMPTY_LIST = EmptyList()


def as_list(values: Values) -> Sequence[Any]:
    """Return the values as a sequence, None where a number is missing."""
    if not isinstance(values, np.ndarray):
        return values
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 - NaN


def count_missing(values: Values) -> int:
    """Return how many rows have no value."""
    return int(np.isnan(values).sum()) if isinstance(values, np.ndarray) else sum(value is None for value in values)


def count_cells(values: Values) -> dict[str, int]:
    """Return the different texts that may be numbers or dates with their numbers of rows, without missing ones.

    There are none if the first texts are long, or have no digits.
    """
    texts = () if isinstance(values, np.ndarray) else (value.strip() for value in values if isinstance(value, str))
    present = (text for text in texts if text.lower() not in MISSING_VALUES)
    first = list(islice(present, SNIFF_CELLS))
    if sum(len(text) > MAX_CELL_LENGTH or not any(map(str.isdigit, text)) for text in first) > 1:
        return {}
    return Counter(chain(first, present))


def max_bad_share(cells: Mapping[str, int]) -> float:
    """Return the share of rows that are taken for mistakes if all others are numbers, or dates."""
    return 1 - MAJORITY_FRACTION if sum(cells.values()) > MIN_MAJORITY_ROWS else 0.0


def parse_texts(texts: Sequence[str | None]) -> Values:
    """Return the values in the cells of a text column: all true or false, all JSON lists or objects, or text."""
    first = list(islice((text for text in texts if text is not None), SNIFF_TEXTS))
    if first and all(text[0] in "[{" for text in first):
        try:
            return [None if text is None else compact(parse_json(text)) for text in texts]
        except ValueError:
            return texts
    return parse_booleans(texts)


def parse_booleans(texts: Sequence[str | None]) -> Values:
    """Return 1.0 for true, 0.0 for false and NaN for missing, float64 (N); the texts if there are others, or none."""
    numbers = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        if text is not None and text.lower() not in MISSING_VALUES:
            if text.lower() not in BOOLEAN_VALUES:
                return texts
            numbers[row] = BOOLEAN_VALUES[text.lower()]
    return texts if np.isnan(numbers).all() else numbers


def count_booleans(values: Iterable[object]) -> dict[str, int] | None:
    """Return the different spellings of true and false with their counts; `None` if there are other texts."""
    counts: Counter[str] = Counter()
    for value in values:
        text = str(value).lower() if isinstance(value, bool) else value
        if isinstance(text, str) and text.lower() not in MISSING_VALUES:
            if text.lower() not in BOOLEAN_VALUES:
                return None
            counts[text] += 1
    return counts


def parse_json(text: str) -> Any:
    """Return a JSON value. Unlike `json.loads`, refuses NaN, duplicate keys and characters that cannot be stored.

    Raises `json.JSONDecodeError` with the position, and `ValueError`.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_reject_constant)
    except RecursionError:
        raise ValueError("it nests too deep") from None
    except ValueError as error:
        if str(error).startswith("Exceeds the limit"):  # Python's own, which tells of a function of Python
            raise ValueError("it has a number of thousands of digits") from None
        raise
    if "\\u" in text and UNSTORABLE_PATTERN.search(json.dumps(value, ensure_ascii=False)):
        raise ValueError("it has characters that cannot be stored: NUL or lone surrogates")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f'the key "{next(key for key in keys if keys.count(key) > 1)[:40]}" is there twice')
    return members


def _reject_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON: write null for a missing number")


def compact(value: Any) -> Any:
    """Return a JSON value in less memory: lists of words as tuples, lists of numbers as arrays. Raises `ValueError`."""
    if isinstance(value, str):
        _check_text(value)
        return sys.intern(value) if len(value) < 20 else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if np.isinf(to_float(value)):
            raise ValueError("the number is too large")
        return value
    if not isinstance(value, list):
        return value
    if not value:
        return EMPTY_LIST
    if all(isinstance(item, str) for item in value):
        for item in value:
            _check_text(item)
        return tuple(map(sys.intern, value))
    return number_array(value)


def compact_if_valid(value: Any) -> Any:
    """Return the value, compacted if it can be: the parser of a known type says at its row what is wrong with it."""
    try:
        return compact(value)
    except ValueError:
        return value


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("a text has the character NUL")


def is_inexact_integer(value: object) -> bool:
    """Return whether a value is a whole number of which float64 has not all digits: an identifier."""
    if not isinstance(value, int) or abs(value) <= MAX_EXACT_INTEGER:
        return False
    number = to_float(value)
    return np.isinf(number) or int(number) != value


def to_float(value: float) -> float:
    """Return a number as a float; an integer beyond its range as infinity."""
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def number_array(value: list[Any]) -> np.ndarray[Any, Any]:
    """Return nested lists of numbers, alike in length, as int64, float32 or float64. Raises `ValueError`."""
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        raise ValueError("its inner lists differ in length, or hold other than numbers") from None
    if array.dtype.kind not in "iufb" or array.ndim > MAX_RANK:
        raise ValueError("a list holds only words, or only numbers, or lists of numbers that are alike")
    if 0 in array.shape:
        raise ValueError("its inner lists are empty")
    numbers = narrow_floats(array) if array.dtype.kind == "f" else array.astype(np.int64)
    if array.dtype.kind == "u" or not np.isfinite(numbers).all():
        raise ValueError("it holds a number that is too large")
    return numbers


def narrow_floats(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return floating-point numbers as float32, or float64 if there are large ones of which float32 lacks digits."""
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float32)
    lacks_digits = (np.abs(array) > MAX_EXACT_FLOAT32) & (numbers != array) & np.isfinite(numbers)
    return array.astype(np.float64) if lacks_digits.any() and np.isfinite(numbers).all() else numbers


def as_array(value: Any) -> np.ndarray[Any, Any] | None:
    """Return nested lists of numbers as an array; None if they hold anything else, or differ in length."""
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError, TypeError):
        return None
    return array if array.dtype.kind in "biuf" else None


def format_number(number: float) -> str:
    """Return a number as text; a whole one without a decimal point."""
    whole = isinstance(number, bool | int) or (number.is_integer() and abs(number) < MAX_EXACT_INTEGER)
    return str(int(number)) if whole else repr(number)
