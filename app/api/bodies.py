"""Bodies of requests, with a limit, and as what a route expects."""

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from app.api.services import Part
from app.api.strict import parse
from app.errors import InvalidInput, TooLarge
from app.spec.problems import from_validation

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
        document = self.document()
        try:
            return model.model_validate(document)
        except ValidationError as error:
            raise InvalidInput(from_validation(error, document)) from None


async def _body(request: Request, services: Part) -> Body:
    """Read the body; raises `TooLarge`, before it has arrived where its length is told."""
    settings = services.settings
    limit = settings.body_limit
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > limit:
        raise TooLarge(f"the body has {told} bytes, at most {limit} are allowed")
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > limit:
            raise TooLarge(f"the body has more than {limit} bytes")
    return Body(bytes(content), request.headers.get("content-type", ""), settings.depth_limit)


Sent = Annotated[Body, Depends(_body)]
