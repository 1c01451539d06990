"""The description of the API is complete, and true."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.api.openapi.routes import EVENT_STREAM
from app.api.openapi.schemas import KIND_UNIONS
from app.spec.catalog import KIND_GROUPS, build_catalog
from app.spec.data.images.transforms import MIXING_TRANSFORMS
from app.spec.network.nodes import NODE_CLASSES
from tests.app.api.described import DOCUMENT, OPERATIONS, resolved

GUARDED = [item for item in OPERATIONS if item[1].startswith("/v1/") and item[2]["operationId"] != "sign_in"]
PROBLEM = {"$ref": "#/components/schemas/Problem"}
MAX_LINES = 21_000


def named(operations: list[Any]) -> Any:
    ids = [operation["operationId"] for _, _, operation in operations]
    return pytest.mark.parametrize(("method", "path", "operation"), operations, ids=ids)


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


@named(GUARDED)
def test_a_guarded_route_says_how_it_refuses(method: str, path: str, operation: Any) -> None:
    assert operation["security"] == [{"key": []}, {"session": []}]
    assert {"400", "401", "403", "429", "500", "503"} <= set(operation["responses"])
    assert ("{" in path) <= ("404" in operation["responses"])
    if "requestBody" in operation:
        assert {"413", "422"} <= set(operation["responses"])
        assert "application/octet-stream" in operation["requestBody"]["content"] or "415" in operation["responses"]


@named(OPERATIONS)
def test_an_error_is_a_problem(method: str, path: str, operation: Any) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    for status, declared in operation["responses"].items():
        response = resolved(declared)
        assert response["description"]
        if int(status) >= 400:
            assert declared.keys() == {"$ref"}
            assert response["content"] == {"application/problem+json": {"schema": PROBLEM}}


@named(OPERATIONS)
def test_parameters_are_explained(method: str, path: str, operation: Any) -> None:
    for parameter in operation.get("parameters", []):
        assert parameter.get("description"), parameter["name"]
    declared = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
    assert declared == set(re.findall(r"{(\w+)}", path))


@named(OPERATIONS)
def test_an_answer_has_a_schema_with_a_name(method: str, path: str, operation: Any) -> None:
    for status, response in operation["responses"].items():
        if int(status) < 300 and status != "204":
            assert response["content"], status
        for kind, content in resolved(response).get("content", {}).items():
            if kind == EVENT_STREAM:
                assert content == {}
                continue
            schema = content["schema"]
            assert set(schema) == ({"$ref"} if "json" in kind and "ndjson" not in kind else {"type", "format"})


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for item in node.values():
            yield from references(item)
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def test_every_reference_leads_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    named = {f"#/components/{part}/{name}" for part, items in DOCUMENT["components"].items() for name in items}
    assert set(references(DOCUMENT)) <= named
    assert all(re.fullmatch(r"[A-Za-z_0-9]+", name) and "__" not in name for name in schemas)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def test_the_document_is_small() -> None:
    """People read it, and compare its versions: what the catalogue has is not in it a second time."""
    assert json.dumps(DOCUMENT, indent=1).count("\n") <= MAX_LINES
    assert not set(DOCUMENT["components"]["schemas"]) & {part.__name__ for part in NODE_CLASSES.values()}


def test_kinds_are_those_of_the_catalogue() -> None:
    """A place for a kind takes any object with a `kind`, or a kind's bare name if that is enough.

    What else it has, the catalogue's schema of the kind says.
    """
    schemas, catalog = DOCUMENT["components"]["schemas"], build_catalog()
    groups = {group for _, text in KIND_UNIONS.values() for group in re.findall(r"\w+", text) if group != "or"}
    assert groups == KIND_GROUPS.keys() - {"initialiser", "parametrization", "generation"}  # which only nodes have
    for name, text in KIND_UNIONS.values():
        assert "/v1/catalog" in schemas[name]["description"]
        check = Draft202012Validator(schemas[name])
        for kind in (each for each in catalog["kinds"] if each["group"] in text):
            assert check.is_valid(kind["example"]), kind["kind"]
            required = catalog["schemas"][kind["schema"]["$ref"].rpartition("/")[2]]["required"]
            bare = check.is_valid(kind["kind"])
            assert bare <= (required == ["kind"] or name == "NodeKind"), kind["kind"]
            assert bare or required != ["kind"] or kind["kind"] in MIXING_TRANSFORMS, kind["kind"]
        assert not check.is_valid({})


# A label, or a number; or lists of them, as deep as the network's output.
UNTYPED = {f"Predicted.{field}" for field in ("label", "tags", "probability", "value", "probabilities", "raw")}
UNTYPED |= {"Set.value", "SwapOptimizer.to"}  # what a spec has at the place that is set


def untyped(schema: Any, place: str) -> Iterator[str]:
    """Yield every place where a generated client could only say `Any`: a schema without type, reference or members."""
    if not {"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"} & schema.keys():
        yield place
    parts = [schema[name] for name in ("items", "additionalProperties") if isinstance(schema.get(name), dict)]
    parts += [part for name in ("anyOf", "oneOf", "allOf", "prefixItems") for part in schema.get(name, ())]
    for part in [*parts, *schema.get("patternProperties", {}).values()]:
        yield from untyped(part, place)
    for name, part in schema.get("properties", {}).items():
        yield from untyped(part, f"{place}.{name}")


def test_clients_made_from_it_are_typed() -> None:
    """What may be anything has no schema; nothing else has none, and every other object is closed."""
    schemas = DOCUMENT["components"]["schemas"]
    assert {place for name, schema in schemas.items() for place in untyped(schema, name)} == UNTYPED
    forms = {name: (schema, *schema.get("anyOf", ())) for name, schema in schemas.items()}
    opened = {name for name, each in forms.items() if any(form.get("additionalProperties") is True for form in each)}
    assert opened == {name for name, _ in KIND_UNIONS.values()} | {"JsonObject"}


ANSWERS = {
    "DryRun",
    "Edit",
    "EditDetail",
    "EditPage",
    "Histograms",
    "NetworkStatistics",
    "NetworkDiff",
    "Job",
    "JobEvaluation",
    "JobPage",
    "Curves",
    "EventPage",
    "Checkpoint",
    "CheckpointPage",
    "Dataset",
    "DatasetPage",
    "NewKey",
    "KeyPage",
    "Key",
    "Usage",
    "AuditPage",
    "Catalog",
    "JobReport",
    "Predictions",
    "Proposal",
    "Report",
    "Inspection",
    "Problem",
    "Liveness",
    "Readiness",
    "SessionLink",
    "SignedIn",
    "Webhook",
    "NewWebhook",
    "WebhookPage",
    "Delivery",
    "DeliveryPage",
    "WorkerPage",
}


def test_answers_are_closed() -> None:
    """What is not described is not answered: a field with a typo cannot hide."""
    answers = [*references(DOCUMENT["paths"]), *references(DOCUMENT["components"]["responses"])]
    answered = {reference.rpartition("/")[2] for reference in answers if "/schemas/" in reference}
    sent = {
        "JobSpec",
        "NewDataset",
        "KeyRequest",
        "KeyChange",
        "KeyRotation",
        "WebhookRequest",
        "SignIn",
        "JsonObject",
        "Question",
        "Fork",
        "Prediction",
        "EvaluationRequest",
        "ProposalRequest",
        "EditRequest",
        "Rollback",
        "Status",
        "DatasetStatus",
        "DeliveryStatus",
        "Action",
    }
    assert answered - sent == ANSWERS
    for name in ANSWERS:
        assert DOCUMENT["components"]["schemas"][name]["additionalProperties"] is False
