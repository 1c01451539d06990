"""Dates in text beside Python's own parser."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from app.spec.data.columns import DATETIME_FORMATS
from workers.data.notation.datetime_formats import (
    DATES,
    EPOCH_FORMATS,
    DatetimeNotation,
    MixedTimeZones,
    detect_datetimes,
    format_datetime,
    parse_datetime,
)
from workers.data.notation.number_formats import AmbiguousNotation

# Format → the same in the language of `strptime`.
STRPTIME = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "YYYY/MM/DD": "%Y/%m/%d",
    "YYYY.MM.DD": "%Y.%m.%d",
    "DD.MM.YYYY": "%d.%m.%Y",
    "DD/MM/YYYY": "%d/%m/%Y",
    "MM/DD/YYYY": "%m/%d/%Y",
    "DD-MM-YYYY": "%d-%m-%Y",
    "MM-DD-YYYY": "%m-%d-%Y",
    "DD/MM/YY": "%d/%m/%y",
    "MM/DD/YY": "%m/%d/%y",
    "DD.MM.YY": "%d.%m.%y",
    "DD Mon YYYY": "%d %b %Y",
    "Mon DD, YYYY": "%B %d, %Y",
    "YYYYMMDD": "%Y%m%d",
}
MOMENTS = [datetime(1999, 12, 31), datetime(2000, 2, 29, 23, 59, 58), datetime(2026, 11, 29, 1, 2, 3)]


@pytest.mark.parametrize("name", STRPTIME)
@pytest.mark.parametrize("time", ["", " %H:%M", " %H:%M:%S", " %I:%M:%S %p", "T%H:%M:%SZ", " %H:%M:%S+02:00"])
def test_dates_and_times_are_those_of_strptime(name: str, time: str) -> None:
    pattern = STRPTIME[name] + time
    python = pattern.replace("Z", "+0000").replace("+02:00", "+0200")
    python = python if "+0" not in python else python[:-5] + "%z"
    for moment in MOMENTS:
        text = moment.strftime(pattern)
        expected = datetime.strptime(text, python)
        zoned = expected.tzinfo is not None
        assert parse_datetime(text, name) == (expected.replace(tzinfo=expected.tzinfo or UTC).timestamp(), zoned)


def test_every_format_is_described() -> None:
    assert DATES.keys() | EPOCH_FORMATS.keys() == DATETIME_FORMATS.keys()
    assert DATES.keys() == STRPTIME.keys()


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (["2024-01-02", "2024-12-31"], "YYYY-MM-DD"),
        (["2024-01", "2024-12"], "YYYY-MM-DD"),
        (["03/04/2026", "17/08/2026"], "DD/MM/YYYY"),
        (["03/04/2026", "08/17/2026"], "MM/DD/YYYY"),
        (["1.2.2026", "2.1.2026"], "DD.MM.YYYY"),
        (["29-Nov-2026", "1-Jan-2025"], "DD Mon YYYY"),
        (["Sun, 29 Nov 2026 13:00:00 GMT", "Mon, 30 Nov 2026 13:00:00 GMT"], "DD Mon YYYY"),
        (["11/29/26", "1/2/99"], "MM/DD/YY"),
    ],
)
def test_a_day_above_twelve_decides(cells: list[str], name: str) -> None:
    found = detect_datetimes(Counter(cells), 0.0)
    assert found is not None
    assert found.format == name


@pytest.mark.parametrize("cells", [["03/04/2026", "05/06/2026"], ["1-2-2026", "3-4-2026"], ["1/2/26", "3/4/26"]])
def test_days_up_to_twelve_alone_are_ambiguous(cells: list[str]) -> None:
    with pytest.raises(AmbiguousNotation):
        detect_datetimes(Counter(cells), 0.0)


@pytest.mark.parametrize(
    "cells", [["20240102"], ["12:30"], ["2024-13-01"], ["2023-02-29"], ["2024"], ["2024-01-02", "soon"], ["1.2"], []]
)
def test_what_is_no_date(cells: list[str]) -> None:
    assert detect_datetimes(Counter(cells), 0.0) is None


def test_zones_are_all_or_none() -> None:
    assert detect_datetimes(Counter(["2024-01-02T00:00Z", "2024-01-02T00:00-05:30"]), 0.0) == DatetimeNotation(
        "YYYY-MM-DD", has_zone=True
    )
    with pytest.raises(MixedTimeZones):
        detect_datetimes(Counter(["2024-01-02T00:00Z", "2024-01-02T00:00"]), 0.0)


def test_dates_end_with_the_calendar() -> None:
    assert DatetimeNotation("epoch s", has_zone=True).parse("1e400") is None
    assert DatetimeNotation("epoch s", has_zone=True).parse("18446744073709551616") is None
    assert format_datetime(1e300) == "9999-12-31T23:59:59"
    assert format_datetime(-1e300) == "0001-01-01T00:00:00"


def test_seconds_are_kept_to_the_microsecond() -> None:
    seconds = DatetimeNotation("YYYY-MM-DD").parse("2026-11-29T13:14:15.678901")
    assert seconds is not None
    assert format_datetime(seconds) == "2026-11-29T13:14:15.678901"
    assert format_datetime(-0.5) == "1969-12-31T23:59:59.500000"
    assert DatetimeNotation("epoch ms", has_zone=True).parse("1700000000500") == 1700000000.5
