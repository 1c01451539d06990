"""The catalogue tells every kind, with a schema that its own example fits."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.spec.catalog import KIND_GROUPS, NODE_GROUPS, build_catalog
from app.spec.data.environments.catalog import ENVIRONMENTS
from app.spec.network.nodes import NODE_KINDS
from app.spec.training.metrics import METRICS


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return build_catalog()


def test_every_kind_is_told_once(told: dict[str, Any]) -> None:
    named = [(each["group"], each["kind"]) for each in told["kinds"]]
    expected = [(group, kind) for group, (table, _) in KIND_GROUPS.items() for kind in table]
    named_only = [("metric", name) for name in METRICS] + [("environment", name) for name in ENVIRONMENTS]
    assert named == expected + named_only
    assert {kind for group, kind in named if group in NODE_GROUPS} == NODE_KINDS.keys()


def test_nodes_fit_their_schemas(told: dict[str, Any]) -> None:
    for each in told["kinds"]:
        if each["group"] in NODE_GROUPS:
            schema = {"schemas": told["schemas"], **each["schema"]}
            Draft202012Validator(schema).validate(each["example"])
            with pytest.raises(Exception, match="Additional properties"):
                Draft202012Validator(schema).validate(each["example"] | {"no_such_field": 1})


def test_schemas_have_plain_names(told: dict[str, Any]) -> None:
    assert not [name for name in told["schemas"] if "__" in name]
