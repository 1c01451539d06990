"""Checks of a job before it is stored: what is refused, and what is warned of, over HTTP."""

import json
from functools import reduce
from typing import Any

import pytest

from tests.app.api.client import Client, assert_problem
from tests.app.api.job_factories import SPEC


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def nested_repeats(innermost: str, depth: int) -> dict[str, Any]:
    return reduce(
        lambda node, _: {"kind": "Repeat", "times": 1000, "body": {"layers": [node]}}, range(depth), {"kind": innermost}
    )


@pytest.mark.parametrize(
    ("innermost", "depth", "code"),
    [
        ("Tanh", 6, "too_much_memory"),
        ("Tanh", 12, "too_much_memory"),
        ("Identity", 6, "too_complex"),
        ("Dropout", 6, "too_much_memory"),
    ],
)
@pytest.mark.parametrize("route", ["/v1/jobs", "/v1/jobs/validate"])
def test_loops_in_loops_are_refused_with_counts_that_json_holds(
    anna: Client, route: str, innermost: str, depth: int, code: str
) -> None:
    """1,000 iterations in each other, six times: more operations than 64 bits count."""
    layers = [nested_repeats(innermost, depth), {"kind": "Linear", "out_features": 3}]
    response = anna.post(route, json=SPEC | {"model": {"layers": layers}})
    problems = assert_problem(response, 422, "invalid_input")["errors"]
    assert code in [problem["code"] for problem in problems]
    assert max(integers(json.loads(response.content))) <= 2**63 - 1
    assert anna.get("/v1/jobs").json()["items"] == []


def test_loops_in_loops_of_a_network_alone_have_counts_that_json_holds(anna: Client) -> None:
    document = {"model": {"layers": [nested_repeats("Tanh", 7)]}, "inputs": {"x": {"shape": [4]}}}
    response = anna.post("/v1/models/inspect", json=document)
    assert response.status_code == 200, response.text
    assert response.json()["totals"]["flops"] == 2**63 - 1


def integers(value: Any) -> list[int]:
    """Return every integer of a document."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [found for part in parts for found in integers(part)]
    return [value] if isinstance(value, int) else []
