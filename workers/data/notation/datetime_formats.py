"""Dates and times that are written as text. One format holds for a whole column.

`03/04/2026` alone could be in March or in April, so a column without any day above 12 is ambiguous.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from app.spec.data.columns import DATETIME_FORMATS
from workers.data.notation.number_formats import AmbiguousNotation

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH_NAME = r"(?P<name>[A-Za-z]{3,9})\.?"
YEAR, MONTH, DAY = r"(?P<y>\d{4})", r"(?P<m>\d{1,2})", r"(?P<d>\d{1,2})"
SHORT_YEAR = r"(?P<y>\d{2})"
TIME = (
    r"(?:(?:,?\s+|T)(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?\s*(?P<p>[AaPp]\.?[Mm]\.?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?"
)
# Format of `app.spec.data.columns.DATETIME_FORMATS` → its date; a time may follow.
DATES: Mapping[str, str] = {
    "YYYY-MM-DD": rf"{YEAR}-(?P<m>\d{{2}})(?:-(?P<d>\d{{2}}))?",
    "YYYY/MM/DD": rf"{YEAR}/{MONTH}/{DAY}",
    "YYYY.MM.DD": rf"{YEAR}\.{MONTH}\.{DAY}",
    "DD.MM.YYYY": rf"{DAY}\.{MONTH}\.{YEAR}",
    "DD/MM/YYYY": rf"{DAY}/{MONTH}/{YEAR}",
    "MM/DD/YYYY": rf"{MONTH}/{DAY}/{YEAR}",
    "DD-MM-YYYY": rf"{DAY}-{MONTH}-{YEAR}",
    "MM-DD-YYYY": rf"{MONTH}-{DAY}-{YEAR}",
    "DD/MM/YY": rf"{DAY}/{MONTH}/{SHORT_YEAR}",
    "MM/DD/YY": rf"{MONTH}/{DAY}/{SHORT_YEAR}",
    "DD.MM.YY": rf"{DAY}\.{MONTH}\.{SHORT_YEAR}",
    "DD Mon YYYY": rf"(?:[A-Za-z]{{3}},\s*)?{DAY}[\s-]{MONTH_NAME}[\s,-]\s*{YEAR}",
    "Mon DD, YYYY": rf"{MONTH_NAME}\s+{DAY},?\s+{YEAR}",
    "YYYYMMDD": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
}
ISO_FORMAT = "YYYY-MM-DD"
# Format of numbers → how many of them are a second.
EPOCH_FORMATS: Mapping[str, float] = {"epoch s": 1.0, "epoch ms": 1e3, "epoch us": 1e6, "epoch ns": 1e9}
NUMERIC_FORMATS = frozenset({"YYYYMMDD", *EPOCH_FORMATS})  # that look like numbers
PIVOT_YEAR = 69  # of two digits: 69..99 are 1969..1999, as in POSIX
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MIN_SECONDS = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()
MAX_SECONDS = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - EPOCH).total_seconds()
PATTERNS: Mapping[str, re.Pattern[str]] = {name: re.compile(date + TIME) for name, date in DATES.items()}


@dataclass(frozen=True, slots=True)
class DatetimeNotation:
    """How all dates of a column are written, and whether their time zone is."""

    format: str  # of `DATETIME_FORMATS`
    has_zone: bool = False

    def parse(self, text: str) -> float | None:
        """Return the seconds since 1970 in UTC, or of the local time if no zone is written; `None` if it fits not."""
        found = parse_datetime(text, self.format)
        return found[0] if found is not None and found[1] == self.has_zone else None


def parse_datetime(text: str, format_name: str) -> tuple[float, bool] | None:
    """Return the seconds since 1970 of a cell, and whether it has a time zone; `None` if it is of another format."""
    if format_name in EPOCH_FORMATS:
        try:
            seconds = float(text) / EPOCH_FORMATS[format_name]
        except ValueError:
            return None
        return (seconds, True) if is_in_calendar(seconds) else None
    word = text.strip()
    if format_name == ISO_FORMAT and word[4:5] == word[7:8] == "-":
        try:  # many times faster than what follows, which reads more
            moment = datetime.fromisoformat(word)
        except ValueError:
            pass
        else:
            return (moment.replace(tzinfo=moment.tzinfo or UTC) - EPOCH).total_seconds(), moment.tzinfo is not None
    match = PATTERNS[format_name].fullmatch(word)
    if match is None:
        return None
    fields = match.groupdict()
    try:
        moment = datetime(
            _year(fields["y"]), _month(fields), int(fields["d"] or 1), _hour(fields), int(fields["M"] or 0), tzinfo=UTC
        )
        moment += timedelta(seconds=int(fields["S"] or 0)) - _offset(fields["zone"])
    except (ValueError, OverflowError):
        return None
    return (moment - EPOCH).total_seconds() + float(f"0.{fields['f'] or 0}"), fields["zone"] is not None


def detect_datetimes(
    texts: Mapping[str, int], max_bad: float, format_name: str | None = None
) -> DatetimeNotation | None:
    """Return the notation of a column of dates, `None` if its cells are something else.

    Parameters
    ----------
    texts
        The different cells that are not missing, with the number of rows of each.
    max_bad
        The share of rows that may be written otherwise: they are mistakes then.
    format_name
        The format, if it is known.

    Raises
    ------
    AmbiguousNotation
        Several formats fit, and read other dates.

    """
    fitting = [format_name] if format_name is not None else _fitting_formats(texts, max_bad)
    if not fitting:
        return None
    zones: dict[bool, str] = {}
    for text in texts:
        found = [(value, name) for name in fitting if (value := parse_datetime(text, name)) is not None]
        different = {seconds: name for (seconds, _), name in reversed(found)}
        if len(different) > 1:
            raise AmbiguousNotation(text, {name: format_datetime(seconds) for seconds, name in different.items()})
        zones |= {has_zone: text for (_, has_zone), _ in found[:1]}
    if len(zones) > 1:
        raise MixedTimeZones(zones[True], zones[False])
    return DatetimeNotation(fitting[0], True in zones) if zones else None


def _fitting_formats(texts: Mapping[str, int], max_bad: float) -> list[str]:
    """Return the formats that read the most rows, of those that read all but the allowed share."""
    allowed = max_bad * sum(texts.values())
    bad = {name: 0 for name in DATETIME_FORMATS if name not in NUMERIC_FORMATS}
    for text, count in texts.items():
        for name in [name for name in bad if parse_datetime(text, name) is None]:
            bad[name] += count
            if bad[name] > allowed:
                del bad[name]
        if not bad:
            return []
    least = min(bad.values(), default=0)
    return [name for name, count in bad.items() if count == least]


class MixedTimeZones(ValueError):
    """Some cells have a time zone, and others have none."""

    def __init__(self, zoned: str, local: str) -> None:
        super().__init__(zoned, local)
        self.zoned, self.local = zoned, local


def is_in_calendar(seconds: float) -> bool:
    """Return whether seconds since 1970 are in the years 1 to 9999."""
    return MIN_SECONDS <= seconds <= MAX_SECONDS


def format_datetime(seconds: float) -> str:
    """Return seconds since 1970 in ISO 8601, without a zone; the nearest date of the years 1 to 9999."""
    seconds = min(max(seconds, MIN_SECONDS), MAX_SECONDS)
    moment = EPOCH + timedelta(seconds=seconds)
    return moment.replace(tzinfo=None).isoformat()


def _year(digits: str) -> int:
    year = int(digits)
    return year if len(digits) == 4 else year + (1900 if year >= PIVOT_YEAR else 2000)


def _month(fields: Mapping[str, str | None]) -> int:
    name = fields.get("name")
    if name is None:
        return int(fields["m"] or 0)
    return MONTHS.index(name[:3].lower()) + 1


def _hour(fields: Mapping[str, str | None]) -> int:
    hour, half = int(fields["H"] or 0), (fields["p"] or "")[:1].lower()
    if half and not 1 <= hour <= 12:
        raise ValueError("an hour of twelve is 1 to 12")
    return hour if not half else hour % 12 + (12 if half == "p" else 0)


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in ("Z", "UTC", "GMT"):
        return timedelta()
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = timezone(timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))).utcoffset(None)
    return -offset if zone[0] == "-" else offset
