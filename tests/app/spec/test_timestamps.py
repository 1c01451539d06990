"""Times of RFC 3339."""

import pytest

from app.errors import InvalidInput
from app.spec.job import parse_job
from app.spec.timestamps import format_rfc3339, parse_rfc3339
from tests.app.api.job_factories import SPEC


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01T02:00:01.5+02:00", 1.5),
        ("2026-11-27T23:59:59.123456789-00:30", 1795825799.123456),
    ],
)
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert parse_rfc3339(text) == pytest.approx(seconds, abs=1e-5)
    assert parse_job(SPEC | {"not_before": text}).not_before == text
    assert parse_rfc3339(format_rfc3339(seconds)) == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-27",
        "2026-11-27T10:00:00",
        "2026-11-27 10:00:00Z",
        "20261127T100000Z",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-27T25:00:00Z",
        "2026-11-27T10:00:00+25:00",
        "٢٠٢٦-11-27T10:00:00Z",
    ],
)
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_job(SPEC | {"not_before": text})
    (problem,) = raised.value.problems
    assert (problem.pointer, problem.code) == ("/not_before", "invalid_time")
    assert "2030" in problem.hint


@pytest.mark.parametrize("value", [1795825799, 1.5, True, [], {}])
def test_a_time_is_text(value: object) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_job(SPEC | {"not_before": value})
    assert [problem.pointer for problem in raised.value.problems] == ["/not_before"]
