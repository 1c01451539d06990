"""The catalogue of kinds."""

from typing import Literal

from pydantic import Field

from app.api.schemas.base import JsonObject, ResponseModel

KindGroup = Literal[
    "module",
    "backbone",
    "operation",
    "leaf",
    "control",
    "initialiser",
    "parametrization",
    "generation",
    "loss",
    "optimizer",
    "schedule",
    "average",
    "space",
    "wrapper",
    "exploration",
    "experience",
    "algorithm",
    "transform",
    "metric",
    "environment",
]


class CatalogKind(ResponseModel):
    """One kind that a spec may name."""

    kind: str
    group: KindGroup
    sentence: str
    shapes: str | None = Field(
        None, description="What goes into a node, and what comes out; of an environment: observations → actions."
    )
    least_inputs: int | None = Field(None, description="Of a node.")
    most_inputs: int | None = Field(None, description="Of a node.")
    outputs: list[str] | None = Field(None, description="Names of a node's outputs, if it has several.")
    package: str | None = Field(None, description="Of an environment: the package that a worker needs.")
    about: list[str] | None = Field(None, description="What a metric can be reported of.")
    example: JsonObject | str
    schema_: JsonObject = Field(alias="schema", description="A reference into `schemas`.")


class Catalog(ResponseModel):
    """Every kind, and the JSON Schemas of their fields by name."""

    kinds: list[CatalogKind]
    schemas: JsonObject
