"""What is said of the columns of a new table: which are left out, and how others were read."""

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import cast

import torch
from torch import Tensor

from app.errors import Problem
from app.spec.data.columns import Column, ColumnType
from app.spec.problems import json_pointer
from workers.data.columns import ParsedColumn
from workers.data.files.problems import abbreviate
from workers.data.notation.number_formats import CURRENCY, SIGNS, split_number
from workers.data.types.numbers import MAX_SHOWN_SPELLINGS, NumberType, code_cell, is_one_number
from workers.data.types.values import MISSING_VALUES, Values, count_cells, is_inexact_integer

MIN_ROWS = 20  # rows from which the values of a column can say that it tells nothing
READ_TYPES = frozenset({"number", "datetime", "category", "text"})  # of which the values are looked at
MAX_DIGITS_LENGTH = 20  # characters of cells that may be numbers; longer ones are texts, such as addresses
MAX_SNIFFED_ROWS = 1000
LIST_MARK = "|"
MAX_NAMED_COLUMNS = 8  # with a warning each; of more, one names them
MAX_IDENTIFIER_LENGTH = 36  # characters, as a UUID has
ADDRESS_SHARE = 0.99  # of the texts of a column of addresses
HEXADECIMAL = re.compile(r"[0-9a-fA-F]{32,128}")
URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)\S+", re.IGNORECASE)
INDEX_NAME = re.compile(r"Unnamed: \d+(?:\.\d+)?|__index_level_\d+__")  # of pandas, where an index has no name
NUMERIC_START = re.compile(rf"[(\s]*[{SIGNS}]?\s*(?:{CURRENCY})?\s*\d")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

# Reason → code of the warning.
INDEX = "it numbers the rows"
EMPTY = "it has no values"
CONSTANT = "all of its values are the same"
IDENTIFIER = "it names the rows: every word is another one"
URLS = "it holds web addresses"
EMAILS = "it holds e-mail addresses"
CODES: Mapping[str, str] = {
    INDEX: "index_ignored",
    EMPTY: "empty_ignored",
    CONSTANT: "constant_ignored",
    IDENTIFIER: "identifier_ignored",
    URLS: "address_ignored",
    EMAILS: "address_ignored",
}


def ignored_columns(
    columns: Sequence[Column], stored: Mapping[str, ParsedColumn], row_counts: Sequence[int], indexes: Collection[str]
) -> dict[str, str]:
    """Return why columns tell nothing of what is to be learned, by name.

    Parameters
    ----------
    columns
        The columns that no user asked for by a type.
    row_counts
        The rows of each file, one after the other in `stored`.
    indexes
        Columns without a name of their own, such as an index that a program saved with the table.

    """
    reasons = {}
    for column in columns:
        is_unnamed = column.name in indexes or INDEX_NAME.fullmatch(column.name) is not None
        reason = _reason(column, stored[column.name], row_counts, is_unnamed)
        if reason is not None:
            reasons[column.name] = reason
    return reasons


def _reason(column: Column, values: ParsedColumn, row_counts: Sequence[int], is_unnamed: bool) -> str | None:
    rows = sum(row_counts)
    if column.type not in READ_TYPES:
        return None
    if column.missing == rows:
        return EMPTY
    if is_unnamed and column.type != "datetime" and _is_row_name(values):
        return INDEX
    if rows < MIN_ROWS:
        return None
    if isinstance(values, Tensor):
        return _number_reason(values, row_counts, column.type == "number")
    return _text_reason(cast(Sequence[str | None], values), column.type == "text")


def _number_reason(numbers: Tensor, row_counts: Sequence[int], may_count: bool) -> str | None:
    if bool((numbers == numbers[0]).all()):
        return CONSTANT
    return INDEX if may_count and _counts_rows(numbers, row_counts) else None


def _is_row_name(values: ParsedColumn) -> bool:
    """Return whether all values differ, none is missing, and numbers are whole."""
    if isinstance(values, Tensor):
        return (
            not values.isnan().any() and bool((values == values.round()).all()) and len(values.unique()) == len(values)
        )
    words = cast(Sequence[str | None], values)
    return None not in words and len(set(words)) == len(words)


def _counts_rows(numbers: Tensor, row_counts: Sequence[int]) -> bool:
    """Return whether numbers are 0…n-1 or 1…n in any order: of all rows, or of each file."""
    return _is_permutation(numbers) or all(_is_permutation(part) for part in numbers.split(list(row_counts)))


def _is_permutation(numbers: Tensor) -> bool:
    ordered = numbers.sort().values
    return bool(ordered[0] in (0, 1)) and torch.equal(ordered - ordered[0], torch.arange(len(numbers)).to(numbers))


def _text_reason(texts: Sequence[str | None], is_text: bool) -> str | None:
    different = set(texts)
    if len(different) == 1:
        return CONSTANT
    if not is_text:
        return None
    present = [text for text in texts if text is not None]
    for reason, pattern in ((URLS, URL), (EMAILS, EMAIL)):
        if _matches_most(pattern, present):
            return reason
    return IDENTIFIER if len(different) == len(texts) and all(map(_is_token, texts)) else None


def _matches_most(pattern: re.Pattern[str], texts: Sequence[str]) -> bool:
    """Return whether a pattern matches the first text, and almost all of the others."""
    if pattern.fullmatch(texts[0]) is None:
        return False
    return sum(map(bool, map(pattern.fullmatch, texts))) >= ADDRESS_SHARE * len(texts)


def _is_token(text: str | None) -> bool:
    if text is None or not text or any(map(str.isspace, text)):
        return False
    return len(text) <= MAX_IDENTIFIER_LENGTH or HEXADECIMAL.fullmatch(text) is not None


def ignored_warnings(columns: Sequence[Column]) -> list[Problem]:
    """Return a warning for each column that is left out; one for all of a kind if they are many."""
    by_reason: dict[str, list[Column]] = {}
    for column in columns:
        if column.ignored is not None:
            by_reason.setdefault(column.ignored, []).append(column)
    warnings = []
    for reason, found in by_reason.items():
        groups = [found] if len(found) > MAX_NAMED_COLUMNS else [[column] for column in found]
        warnings += [_ignored_warning(reason, group) for group in groups]
    return warnings


def _ignored_warning(reason: str, columns: Sequence[Column]) -> Problem:
    first = columns[0]
    names = ", ".join(f'"{column.name}"' for column in columns[:MAX_NAMED_COLUMNS])
    more = f" and {len(columns) - MAX_NAMED_COLUMNS} more columns" if len(columns) > MAX_NAMED_COLUMNS else ""
    detail = f"{names}{more}: {reason}, so no network reads it by default"
    hint = f'to have it read, give it a type: "types": {{"{first.name}": "{first.type}"}}, or name it in "features"'
    pointer = json_pointer(["columns", first.name]) if len(columns) == 1 else "/columns"
    return Problem(pointer, CODES[reason], detail, hint)


def column_notes(
    column: Column, values: Values, given: Mapping[str, ColumnType], formats: Mapping[str, str], is_pointed: bool
) -> list[Problem]:
    """Return the warnings of what was converted in a column, or not, unless the user said that it is meant so.

    `is_pointed`: its decimal points may divide thousands.
    """
    if column.format is not None and column.name not in formats:
        return [_format_note(column)]
    if column.name in given:
        return []
    if is_pointed:
        detail = f'column "{column.name}": the points are read as decimal points, and may divide thousands'
        hint = f'"formats": {{"{column.name}": "1234.5"}} says that they do not, "1.234,5" that they do'
        return [Problem(_pointer(column), "decimal_points", detail, hint)]
    if column.type in ("category", "text"):
        return _word_notes(column, values)
    return []


def _word_notes(column: Column, values: Values) -> list[Problem]:
    """Return the warning of words that might be numbers or lists, or mean that a value is missing."""
    notes = (note(column, values) for note in (_code_note, _digits_note, _mixed_note, _lists_note, _missing_word_note))
    return list(islice((note for note in notes if note is not None), 1))


def _code_note(column: Column, values: Values) -> Problem | None:
    """Return the warning of digits that are no number, or of one number in several spellings."""
    cells = count_cells(values)
    code = code_cell(cells) or next((str(value) for value in values if is_inexact_integer(value)), None)
    if code is not None and all(cell.lstrip("+-").isdecimal() for cell in cells):
        detail = f'holds codes such as "{abbreviate(code)}", which are read as words'
    elif is_one_number(cells):
        shown = ", ".join(map(abbreviate, islice(cells, MAX_SHOWN_SPELLINGS)))
        detail = f"holds one number in {len(cells):,} spellings, which are read as words: {shown}"
    else:
        return None
    return _word_note(column, "codes_as_words", detail, f'"types": {{"{column.name}": "number"}} reads numbers')


def _digits_note(column: Column, values: Values) -> Problem | None:
    """Return the warning of cells that begin with digits, and have no format of numbers or dates."""
    cells = count_cells(values)
    if not cells or not all(len(cell) <= MAX_DIGITS_LENGTH and NUMERIC_START.match(cell) for cell in cells):
        return None
    found = {cell.unit for cell in map(split_number, cells) if cell is not None and cell.unit}
    units = f", with several units ({', '.join(sorted(found)[:MAX_NAMED_COLUMNS])})" if len(found) > 1 else ""
    detail = f'has cells such as "{next(iter(cells))}" that begin with digits{units}, and are read as words'
    return _word_note(
        column, "digits_as_words", detail, "write numbers in one format and one unit to have them read so"
    )


def _mixed_note(column: Column, values: Values) -> Problem | None:
    """Return the warning of numbers among which there are too many words for mistakes."""
    present = [value for value in values[:MAX_SNIFFED_ROWS] if value is not None]
    words = [value for value in present if isinstance(value, str) and not isinstance(NumberType.decode(value), float)]
    if not words or 2 * len(words) >= len(present):
        return None
    detail = f'has numbers, and others such as "{abbreviate(words[0])}" make words of all of them'
    hint = f'"types": {{"{column.name}": "number"}} with "on_bad": "missing" reads numbers'
    return _word_note(column, "numbers_and_words", detail, hint)


def _lists_note(column: Column, values: Values) -> Problem | None:
    texts = [value for value in values[:MAX_SNIFFED_ROWS] if isinstance(value, str)]
    lists = [value for value in texts if LIST_MARK in value]
    if 2 * len(lists) <= len(texts):
        return None
    detail = f'has cells such as "{abbreviate(lists[0])}" that may be lists, and are read as words'
    return _word_note(column, "lists_as_words", detail, f'"types": {{"{column.name}": "words"}} reads lists')


def _missing_word_note(column: Column, values: Values) -> Problem | None:
    word = next((label for label in column.labels or () if label.lower() in MISSING_VALUES), None)
    if word is None:
        return None
    detail = f'has the word "{word}", a word like the others: among words only empty cells are missing'
    return _word_note(column, "missing_word", detail, "leave the cells empty if the value is missing")


def _word_note(column: Column, code: str, detail: str, hint: str) -> Problem:
    meant = f'"types": {{"{column.name}": "{column.type}"}} says that it is meant so'
    return Problem(_pointer(column), code, f'column "{column.name}" {detail}', f"{hint}; {meant}")


def _pointer(column: Column) -> str:
    return json_pointer(["columns", column.name])


def _format_note(column: Column) -> Problem:
    """Return the warning of text that is read as numbers or dates."""
    name, kind = column.name, column.type
    unit = f" in {column.unit}" if kind == "number" and column.unit else ""
    zone = "" if kind == "number" else ", in UTC" if column.unit else ", without a time zone"
    detail = f'column "{name}" is text, read as {kind}s written as {column.format}{unit}{zone}'
    hint = (
        f'"formats": {{"{name}": "{column.format}"}} says that it is meant so, "types": {{"{name}": "text"}} keeps it'
    )
    return Problem(_pointer(column), f"{kind}_format", detail, hint)
