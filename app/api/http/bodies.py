"""Bodies of requests, with a limit, and as what a route expects."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from app.api.services import Part
from app.errors import InvalidInput, TooLarge
from app.spec.json_input import parse
from app.spec.problems import from_validation

_LENGTH = re.compile(r"[0-9]{1,18}")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Body:
    """A body that has arrived."""

    content: bytes
    media_type: str
    depth_limit: int

    def document(self) -> Any:
        """Return the document in it; raises `Malformed`, `UnsupportedMedia`, `InvalidInput`."""
        return parse(self.content, self.media_type, self.depth_limit)

    def validated(self, model: type[Model]) -> Model:
        """Return it as a model; raises `InvalidInput` with every problem, too."""
        return checked(model, self.document())


def checked(model: type[Model], document: Any, place: str = "") -> Model:
    """Return what stands at a place of the body as a model; raises `InvalidInput` with every problem."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(from_validation(error, document, place)) from None


def told_length(request: Request) -> int:
    """Return the length that the request tells of its body; 0 where it tells none."""
    told = request.headers.get("content-length", "")
    return int(told) if _LENGTH.fullmatch(told) else 0


async def _body(request: Request, services: Part) -> Body:
    """Read the body; raises `TooLarge`, before it has arrived where its length is told."""
    settings = services.settings
    limit = settings.body_limit
    told = told_length(request)
    if told > limit:
        raise TooLarge(f"the body has {told} bytes, at most {limit} are allowed")
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > limit:
            raise TooLarge(f"the body has more than {limit} bytes")
    return Body(bytes(content), request.headers.get("content-type", ""), settings.depth_limit)


Sent = Annotated[Body, Depends(_body)]
