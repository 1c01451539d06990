"""Problems, and readiness."""

from typing import Literal

from pydantic import Field

from app.api.schemas.base import JsonObject, ResponseModel


class ProblemDetail(ResponseModel):
    """One mistake in a document."""

    pointer: str = Field(description="JSON Pointer into the request's document; empty for all of it.")
    code: str
    detail: str
    hint: str = Field(description="How to mend it.")


class ProblemDocument(ResponseModel):
    """Any error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable, for programs.")
    request_id: str
    errors: list[ProblemDetail]
    partial_graph: JsonObject | None = Field(None, description="Of a network with problems: what is right.")


class Liveness(ResponseModel):
    """A process that answers."""

    alive: Literal[True] = True


class Inspection(ResponseModel):
    """The inspection of a network."""

    inputs: JsonObject
    nodes: list[JsonObject] = Field(description="In the order in which they are computed; bodies inside.")
    edges: list[list[str]]
    outputs: JsonObject
    totals: dict[str, int] = Field(description="Parameters, buffers, floating point operations of one example.")
    memory: dict[str, int] | None = Field(None, description="Bytes that a training step takes, by purpose.")
    autograd: JsonObject | None = Field(None, description="The graph of backward: nodes and edges.")
    gradcheck: JsonObject | None = Field(None, description="Gradients beside differences.")
    run: JsonObject | None = Field(None, description="Outputs, parameters and gradients for given values.")


class Readiness(ResponseModel):
    """A service that accepts jobs."""

    ready: Literal[True] = True
    version: str
    database: str = Field(description="Its kind and the revision of its tables.")
