"""JSON responses, and numbers in them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from starlette.responses import Response

from app.access.idempotency import IdempotentResponse

MAX_BUCKETS = 200_000  # of all series of an answer together
INFINITY_NAMES: Mapping[bool, str] = {True: "Infinity", False: "-Infinity"}


class JsonResponse(Response):
    """A JSON document. NumPy arrays are written as lists; for NaN and infinities see `json_number`."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Return the document as bytes."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def once_response(answer: IdempotentResponse, place: str = "") -> Response:
    """Return a response, with the Location of what it created at `place`/id; `Idempotency-Replayed` marks repeats."""
    headers = {"Location": f"{place}/{answer.body['id']}"} if place else {}
    return JsonResponse(
        answer.body, answer.status, headers=headers | ({"Idempotency-Replayed": "true"} if answer.replayed else {})
    )


def json_number(value: float) -> float | str:
    """Return a number as JSON has it: NaN and infinities become strings."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else INFINITY_NAMES[value > 0]


def json_columns(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns without NaN and infinities; arrays of finite numbers as they are, which is fast."""
    return {
        name: [json_number(value) for value in column.tolist()]
        if isinstance(column, np.ndarray) and not np.isfinite(column).all()
        else column
        for name, column in columns.items()
    }
