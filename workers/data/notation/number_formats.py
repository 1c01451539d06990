"""Numbers that are not written as in Python: decimal commas, groups of thousands, units, signs of accountants.

One format holds for a whole column: all of its cells must fit it. `1,234` alone could be either 1234 or 1.234, so a
column of nothing else is ambiguous.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from typing import NoReturn

from app.spec.data.columns import NUMBER_FORMATS
from workers.data.files.problems import refuse

BLANKS = " \u00a0\u2007\u2009\u202f"  # that divide thousands: also no-break, figure, thin and narrow spaces
SIGNS = "-+\u2212\u2013"
# Decimal mark and marks between thousands of every format of `app.spec.data.columns.NUMBER_FORMATS`.
MARKS: Mapping[str, tuple[str, str]] = {
    "1234.5": (".", ""),
    "1234,5": (",", ""),
    "1,234.5": (".", ","),
    "1.234,5": (",", "."),
    "1 234.5": (".", BLANKS),
    "1 234,5": (",", BLANKS),
    "1'234.5": (".", "'\u2019"),
}
CURRENCY_CODES = (
    "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS INR JPY KRW MXN NOK NZD PLN RUB SEK SGD THB TRY UAH USD ZAR"
)
CURRENCY = rf"(?:(?:US|A|C|R|HK|NZ|S)?\$|[€£¥₹₽₩₺₪฿₫₴₦]|Rs\.?|{CURRENCY_CODES.replace(' ', '|')})"
SYMBOL = r"(?:[%‰]|°[CFK]?)"
WORD_UNIT = r"[^\W\d_][^\W\d_²³/]{0,11}[²³]?(?:/[^\W\d_]{1,8}[²³]?)?\.?"
# A unit of one letter stands behind a blank, for `2A` is a name and `10k` a multiple.
CELL = re.compile(
    rf"(?P<open>\(?)\s*(?P<sign>[{SIGNS}]?)\s*(?P<before>{CURRENCY}?)\s*(?P<inner>[{SIGNS}]?)\s*"
    rf"(?P<digits>[\d.,][\d.,'\u2019{BLANKS}]*(?<=[\d.,])(?:[eE][+-]?\d+)?)"
    rf"(?:\s*(?P<mark>{CURRENCY}|{SYMBOL})|\s+(?P<word>{WORD_UNIT})|(?P<joint>[^\W\d_]{WORD_UNIT}))?\s*(?P<close>\)?)"
)
MAX_FIRST_CELLS = 50  # different cells that decide what the unit is


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """A cell in its parts."""

    digits: str  # with the marks between them
    negative: bool
    unit: str  # what stands before or behind it; empty if nothing does

    def value(self, format_name: str) -> float | None:
        """Return the number in a format of `NUMBER_FORMATS`, `None` if it is not written so."""
        decimal, groups = MARKS[format_name]
        if PATTERNS[format_name].fullmatch(self.digits) is None:
            return None
        plain = self.digits.translate({ord(mark): None for mark in groups}).replace(decimal, ".")
        number = float(plain)
        return (-number if self.negative else number) if isfinite(number) else None


@dataclass(frozen=True, slots=True)
class NumberNotation:
    """How all numbers of a column are written."""

    format: str  # of `NUMBER_FORMATS`
    unit: str | None = None

    def parse(self, text: str) -> float | None:
        """Return the number in a cell; `None` if it is written otherwise, or has another unit."""
        cell = split_number(text)
        return cell.value(self.format) if cell is not None and cell.unit == (self.unit or "") else None


class AmbiguousNotation(ValueError):
    """Cells that several formats read as different values."""

    def __init__(self, text: str, values: Mapping[str, object]) -> None:
        super().__init__(text)
        self.text, self.values = text, values


def refuse_ambiguous(column: str, error: AmbiguousNotation) -> NoReturn:
    """Raise `InvalidInput`: which format the cells of a column have must be said."""
    meanings = " or ".join(f"{value} ({cell_format})" for cell_format, value in error.values.items())
    detail = f'column "{column}": "{error.text}" may be {meanings}, and no other cell decides'
    hint = "say which: " + ", or ".join(f'"formats": {{"{column}": "{cell_format}"}}' for cell_format in error.values)
    refuse("ambiguous_format", detail, hint, column)


def split_number(text: str) -> WrittenNumber | None:
    """Return the parts of a cell, `None` if it is no number in any format."""
    match = CELL.fullmatch(text.strip())
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    signs = match["sign"] + match["inner"]
    units = [unit for unit in (match["before"], match["mark"], match["word"], match["joint"]) if unit]
    if len(signs) + len(match["open"]) > 1 or len(units) > 1:
        return None
    return WrittenNumber(match["digits"], signs not in ("", "+") or bool(match["open"]), units[0] if units else "")


def detect_notation(texts: Mapping[str, int], max_bad: float, format_name: str | None = None) -> NumberNotation | None:
    """Return the notation of a column, `None` if its cells are no numbers.

    Parameters
    ----------
    texts
        The different cells that are not missing, with the number of rows of each.
    max_bad
        The share of rows that may be written otherwise: they are mistakes then.
    format_name
        The format, if it is known; only the unit is to be found.

    Raises
    ------
    AmbiguousNotation
        Several formats fit, and read other numbers.

    """
    unit = _common_unit(texts)
    if unit is None:
        return None
    if format_name is not None:
        return NumberNotation(format_name, unit or None)
    fitting = _fitting_formats(texts, unit, max_bad)
    if not fitting:
        return None
    for text in texts if len(fitting) > 1 else ():
        cell = split_number(text)
        values = [(cell.value(name), name) for name in fitting] if cell is not None and cell.unit == unit else []
        different = {value: name for value, name in reversed(values) if value is not None}
        if len(different) > 1:
            raise AmbiguousNotation(text, {name: f"{value:.15g}" for value, name in different.items()})
    return NumberNotation(fitting[0], unit or None)


def _common_unit(texts: Iterable[str]) -> str | None:
    """Return the unit that most of the first cells have, empty if they have none; `None` if no cell is a number."""
    cells = [cell for text in islice(texts, MAX_FIRST_CELLS) if (cell := split_number(text)) is not None]
    return Counter(cell.unit for cell in cells).most_common(1)[0][0] if cells else None


def _fitting_formats(texts: Mapping[str, int], unit: str, max_bad: float) -> list[str]:
    """Return the formats that read the most rows, of those that read all but the allowed share."""
    allowed = max_bad * sum(texts.values())
    bad = dict.fromkeys(NUMBER_FORMATS, 0)
    for text, count in texts.items():
        cell = split_number(text)
        is_number = cell is not None and cell.unit == unit
        for name in [name for name in bad if not (is_number and cell is not None and cell.value(name) is not None)]:
            bad[name] += count
            if bad[name] > allowed:
                del bad[name]
        if not bad:
            return []
    least = min(bad.values())
    return [name for name, count in bad.items() if count == least]


def _pattern(decimal: str, groups: str) -> re.Pattern[str]:
    mark = re.escape(decimal)
    whole = rf"[1-9]\d{{0,2}}(?:[{re.escape(groups)}]\d{{3}})+|\d+" if groups else r"\d+"
    return re.compile(rf"(?:(?:{whole})(?:{mark}\d*)?|{mark}\d+)(?:[eE][+-]?\d+)?")


PATTERNS: Mapping[str, re.Pattern[str]] = {name: _pattern(*marks) for name, marks in MARKS.items()}
