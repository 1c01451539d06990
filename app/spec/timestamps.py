"""Times as users read and write them: RFC 3339."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from app.spec.base import validation_error

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def parse_rfc3339(text: str) -> float:
    """Return a time of RFC 3339 as Unix seconds. Raises `ValueError` if the text is none."""
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"not an RFC 3339 time: {text}")
    return datetime.fromisoformat(text).timestamp()


def format_rfc3339(seconds: float) -> str:
    """Return Unix seconds as a time of RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_optional_rfc3339(seconds: float | None) -> str | None:
    """Return Unix seconds as `format_rfc3339` does; `None` for `None`."""
    return None if seconds is None else format_rfc3339(seconds)


def _validate_timestamp(text: str) -> str:
    try:
        parse_rfc3339(text)
    except ValueError:
        raise validation_error(
            "invalid_time", "this is not an RFC 3339 time", 'such as "2030-01-31T08:00:00Z"'
        ) from None
    return text


Timestamp = Annotated[str, AfterValidator(_validate_timestamp), Field(json_schema_extra={"format": "date-time"})]
