"""Bodies of requests: a JSON document with rows, or a file of them."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from app.errors import ContentTooLarge, InvalidInput, Problem
from app.spec.json_input import parse_document
from app.spec.prediction import Prediction, PredictionOptions
from app.spec.problems import from_validation

MAX_JSON_DEPTH = 850  # of a JSON body: a tree takes two levels for each of its own


@dataclass(frozen=True)
class RequestBody:
    """The file of a request."""

    path: Path
    media_type: str
    max_rows: int
    encoding: str | None = None  # of a text, if the request says it

    def check_row_count(self, rows: int) -> None:
        """Raise `ContentTooLarge` for too many rows, `InvalidInput` for none."""
        if rows > self.max_rows:
            detail = f"there are {rows:,} rows, at most {self.max_rows:,} are allowed"
            raise ContentTooLarge(detail, hint="send them in several requests")
        if rows == 0:
            raise InvalidInput([Problem("/rows", "no_rows", "there are no rows", "send at least one")])


def parse_prediction(body: RequestBody, defaults: PredictionOptions) -> Prediction:
    """Read a JSON document over `defaults`. Raises `InvalidInput`, `MalformedRequest`, `ContentTooLarge`."""
    document = parse_document(body.path.read_bytes(), body.media_type, MAX_JSON_DEPTH)
    if not isinstance(document, dict):
        hint = 'such as {"rows": [{"x": 1.5}]}'
        raise InvalidInput([Problem("", "not_an_object", "the document must be an object", hint)])
    rows = document.get("rows")
    if isinstance(rows, list):
        body.check_row_count(len(rows))
    if isinstance(count := document.get("count"), int):
        body.check_row_count(count)
    try:
        return Prediction.model_validate(defaults.model_dump(exclude_unset=True) | document)
    except ValidationError as error:
        raise InvalidInput(from_validation(error, document, Prediction)) from None
