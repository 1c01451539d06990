"""Times as users write them: RFC 3339, with the distance to UTC."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from app.spec.base import problem

_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def seconds_of(text: str) -> float:
    """Return a time as Unix seconds. Raises `ValueError` where the text is no time of RFC 3339."""
    if not _FORM.fullmatch(text):
        raise ValueError(f"not a time of RFC 3339: {text}")
    return datetime.fromisoformat(text).timestamp()


def _checked(text: str) -> str:
    try:
        seconds_of(text)
    except ValueError:
        raise problem("invalid_time", "this is no time of RFC 3339", 'for example "2030-01-31T08:00:00Z"') from None
    return text


Moment = Annotated[str, AfterValidator(_checked), Field(json_schema_extra={"format": "date-time"})]
