"""Every number that a user may write has bounds, which 64 bits hold: in bodies, paths, queries and headers."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

import app.api.schemas
import app.spec
from app.errors import InvalidInput
from app.proposals.request import ProposalRequest
from app.spec.base import MAX_INT64, MAX_STEPS, Finite, Seconds, SpecModel, bounded_count, bounded_counts
from app.spec.job import parse_job
from app.spec.training.plan import EarlyStop
from tests.app.api.described import OPERATIONS


def import_all(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)


def subclasses(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from subclasses(each)


import_all(app.spec)
import_all(app.api.schemas)
MODELS = sorted({ProposalRequest, *subclasses(SpecModel)}, key=lambda model: (model.__module__, model.__name__))
MODELS = [model for model in MODELS if model.__module__.startswith("app.")]


def unbounded(schema: Any, place: str) -> Iterator[str]:
    """Yield the places of integers without bounds, or with bounds beyond 64 bits."""
    if isinstance(schema, list):
        for position, part in enumerate(schema):
            yield from unbounded(part, f"{place}/{position}")
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "integer" and not {"const", "enum"} & schema.keys():
        low = schema.get("minimum", schema.get("exclusiveMinimum", -(10**30)))
        high = schema.get("maximum", schema.get("exclusiveMaximum", 10**30))
        if low < -MAX_INT64 or high > MAX_INT64:
            yield place
    for name, part in schema.items():
        if name not in ("default", "examples", "$defs"):
            yield from unbounded(part, f"{place}/{name}")


def test_there_are_models_to_look_at() -> None:
    assert len(MODELS) > 400
    assert list(unbounded({"properties": {"x": {"type": "integer", "minimum": 0}}}, "")) == ["/properties/x"]
    assert list(unbounded({"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2**63}]}, "")) == ["/anyOf/0"]


def test_every_integer_of_a_body_has_bounds() -> None:
    assert [place for model in MODELS for place in unbounded(model.model_json_schema(), model.__name__)] == []


def test_every_integer_of_a_parameter_has_bounds() -> None:
    parameters = [
        (f"{path} {each['name']}", each["schema"])
        for _, path, item in OPERATIONS
        for each in item.get("parameters", ())
    ]
    assert [place for name, schema in parameters for place in unbounded(schema, name)] == []


def test_no_model_allows_numbers_without_an_end() -> None:
    """JSON's reader refuses NaN and infinities; no other way into a model lets them in either."""
    assert [model for model in MODELS if model.model_config.get("allow_inf_nan") is not False] == []
    for value in (float("nan"), float("inf"), float("-inf")):
        with pytest.raises(ValidationError):
            EarlyStop(min_delta=value)


@pytest.mark.parametrize("value", [0, -1, 1e10, float("inf"), float("nan")])
def test_seconds_fit_every_clock(value: float) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Seconds).validate_python(value)
    assert TypeAdapter(Finite).validate_python(1e308) == 1e308


@pytest.mark.parametrize("field", ["epochs", "steps"])
def test_runs_have_an_end(field: str) -> None:
    job = {
        "model": {"layers": ["ReLU"]},
        "data": {"kind": "builtin", "name": "iris"},
        "objective": {"loss": "CrossEntropyLoss"},
    }
    parse_job(job | {"training": {field: MAX_STEPS}})
    with pytest.raises(InvalidInput):
        parse_job(job | {"training": {field: MAX_STEPS + 1}})


def test_counts_end_at_64_bits() -> None:
    document = {"a": [10**30, {"b": (-(10**30), 1.5, True, "x", None)}], "c": MAX_INT64}
    bounded = {"a": [MAX_INT64, {"b": [-MAX_INT64, 1.5, True, "x", None]}], "c": MAX_INT64}
    assert bounded_counts(document) == bounded
    assert bounded_count(10**4000) == MAX_INT64
