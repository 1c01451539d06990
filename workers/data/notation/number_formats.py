"""Numbers that are not written as in Python: decimal commas, groups of thousands, units, signs of accountants.

One format holds for a whole column: all of its cells must fit it. `1,234` alone could be either 1234 or 1.234, so a
column of nothing else is ambiguous.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
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
MIN_DECIDED_TEXTS = 50  # different cells that are looked at before all of them are


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
    cells = _split_all(texts, max_bad)
    if cells is None:
        return None
    units: dict[str, int] = {}
    for text, cell in cells.items():
        units[cell.unit] = units.get(cell.unit, 0) + texts[text]
    unit = max(units, key=units.__getitem__, default="")
    allowed = max_bad * sum(texts.values())
    names = [format_name] if format_name is not None else list(NUMBER_FORMATS)
    values = {name: {text: cell.value(name) for text, cell in cells.items() if cell.unit == unit} for name in names}
    bad = {name: _count_bad(texts, values[name]) for name in names}
    least = min(bad.values())
    fitting = [name for name in names if bad[name] == least]
    if least > allowed or least == sum(texts.values()):
        return None
    for text in values[fitting[0]]:
        different = {value: name for name in reversed(fitting) if (value := values[name][text]) is not None}
        if len(different) > 1:
            raise AmbiguousNotation(text, {name: f"{value:.15g}" for value, name in different.items()})
    return NumberNotation(fitting[0], unit or None)


def _split_all(texts: Mapping[str, int], max_bad: float) -> dict[str, WrittenNumber] | None:
    """Return the cells that look like numbers; `None` as soon as too many do not."""
    cells: dict[str, WrittenNumber] = {}
    for count, text in enumerate(texts, start=1):
        if (cell := split_number(text)) is not None:
            cells[text] = cell
        elif count == MIN_DECIDED_TEXTS and len(cells) < count * (1 - max_bad) - 2:
            return None
    return cells or None


def _count_bad(texts: Mapping[str, int], values: Mapping[str, float | None]) -> int:
    return sum(count for text, count in texts.items() if values.get(text) is None)


def _pattern(decimal: str, groups: str) -> re.Pattern[str]:
    mark = re.escape(decimal)
    whole = rf"[1-9]\d{{0,2}}(?:[{re.escape(groups)}]\d{{3}})+|\d+" if groups else r"\d+"
    return re.compile(rf"(?:(?:{whole})(?:{mark}\d*)?|{mark}\d+)(?:[eE][+-]?\d+)?")


PATTERNS: Mapping[str, re.Pattern[str]] = {name: _pattern(*marks) for name, marks in MARKS.items()}
