"""Times as users write them: RFC 3339, with an offset from UTC."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from app.spec.base import validation_error

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def parse_rfc3339(text: str) -> float:
    """Return seconds since the Unix epoch. Raises `ValueError` for a text that is not in the format of RFC 3339."""
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"not an RFC 3339 time: {text}")
    return datetime.fromisoformat(text).timestamp()


def _validate_timestamp(text: str) -> str:
    try:
        parse_rfc3339(text)
    except ValueError:
        raise validation_error(
            "invalid_time", "this is not an RFC 3339 time", 'use for example "2030-01-31T08:00:00Z"'
        ) from None
    return text


Timestamp = Annotated[str, AfterValidator(_validate_timestamp), Field(json_schema_extra={"format": "date-time"})]
