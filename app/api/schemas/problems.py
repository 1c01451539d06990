"""Problems, and readiness."""

from typing import Any, Literal

from pydantic import Field

from app.api.schemas.base import Document


class ProblemDetail(Document):
    """One thing that is wrong."""

    pointer: str = Field(description="JSON Pointer into what was sent; empty for the whole.")
    code: str
    detail: str
    hint: str = Field(description="How to mend it.")


class ProblemDocument(Document):
    """Any error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable, for programs.")
    request_id: str
    errors: list[ProblemDetail]
    partial_graph: dict[str, Any] | None = Field(None, description="Of a network with problems: what is right.")


class Liveness(Document):
    """A process that answers."""

    alive: Literal[True] = True


class Readiness(Document):
    """A service that can do its work."""

    ready: Literal[True] = True
    version: str
    database: str = Field(description="Its kind and the revision of its tables.")
