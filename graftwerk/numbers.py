"""Numbers of JSON, which has neither NaN nor infinities."""

import math
from typing import Any

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def parse_number(value: Any) -> float:
    """Return a number of a JSON response, which writes NaN and infinities as strings or null."""
    if value is None:
        return float("nan")
    return _NON_FINITE[value] if isinstance(value, str) else value


def format_number(value: float) -> float | str:
    """Return a number as JSON can hold it: NaN and infinities as strings, which `parse_number` reads."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
