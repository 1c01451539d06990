"""Answers in JSON, and how single values are written in them."""

import math
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from app.access.idempotency import IdempotentResponse

INFINITY_NAMES: Mapping[bool, str] = {True: "Infinity", False: "-Infinity"}


class JsonResponse(Response):
    """A JSON document. NumPy arrays are written as lists; what is not finite must have been made a word before."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the document as bytes."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def created_response(answer: IdempotentResponse, place: str) -> Response:
    """Return what was made, and where it is; whether it was made by an earlier request is told too."""
    headers = {"Location": place} | ({"Idempotency-Replayed": "true"} if answer.replayed else {})
    return JsonResponse(answer.body, answer.status, headers=headers)


def json_number(value: float) -> float | str:
    """Return a number as JSON has it: NaN and the infinities become words."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else INFINITY_NAMES[value > 0]
