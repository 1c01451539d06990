"""Bodies of requests, with a limit, and as what a route expects."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from app.api.services import ServicesDep
from app.errors import ContentTooLarge, InvalidInput
from app.spec.json_input import parse_document
from app.spec.problems import from_validation

_LENGTH = re.compile(r"[0-9]{1,18}")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RequestBody:
    """A body that has arrived."""

    content: bytes
    media_type: str
    depth_limit: int

    def document(self) -> Any:
        """Return the document in it; raises `Malformed`, `UnsupportedMedia`, `InvalidInput`."""
        return parse_document(self.content, self.media_type, self.depth_limit)

    def validate_as(self, model: type[Model]) -> Model:
        """Return it as a model; raises `InvalidInput` with every problem, too."""
        return validate_model(model, self.document())


def validate_model(model: type[Model], document: Any, place: str = "") -> Model:
    """Return what stands at a place of the body as a model; raises `InvalidInput` with every problem."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(from_validation(error, document, place)) from None


def content_length(request: Request) -> int:
    """Return the length that the request tells of its body; 0 where it tells none."""
    told = request.headers.get("content-length", "")
    return int(told) if _LENGTH.fullmatch(told) else 0


async def _read_body(request: Request, services: ServicesDep) -> RequestBody:
    """Read the body; raises `TooLarge`, before it has arrived where its length is told."""
    settings = services.settings
    limit = settings.body_limit
    told = content_length(request)
    if told > limit:
        raise ContentTooLarge(f"the body has {told} bytes, at most {limit} are allowed")
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > limit:
            raise ContentTooLarge(f"the body has more than {limit} bytes")
    return RequestBody(bytes(content), request.headers.get("content-type", ""), settings.depth_limit)


RequestBodyDep = Annotated[RequestBody, Depends(_read_body)]
