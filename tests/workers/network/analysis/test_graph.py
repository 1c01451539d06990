"""Networks as JSON: nodes with the shapes of their parameters, and bodies that are equal, once."""

from typing import Any

import pytest

from tests.workers.network.networks import infer_model
from workers.network.analysis.graph import describe_graph

ROUTE = {
    "inputs": ["x"],
    "nodes": [
        {"id": "scores", "kind": "Linear", "inputs": ["x"], "out_features": 3},
        {"id": "chosen", "kind": "argmax", "inputs": ["scores"], "dim": 1},
        {"id": "experts", "kind": "Route", "selector": "chosen", "inputs": ["x"], "cases": ["Part", "Other", "Part"]},
    ],
    "blocks": {
        "Part": {"layers": [{"kind": "Linear", "out_features": 2}]},
        "Other": {"layers": [{"kind": "Linear", "out_features": 2, "bias": False}]},
    },
}


@pytest.fixture(scope="module")
def nodes() -> dict[str, Any]:
    """The nodes of the network by id."""
    return {node["id"]: node for node in describe_graph(infer_model(ROUTE, {"x": (5,)}), "/model")["nodes"]}


def test_nodes_have_the_shapes_of_their_own_parameters(nodes: dict[str, Any]) -> None:
    assert nodes["scores"]["weights"] == {"weight": [3, 5], "bias": [3]}
    assert "weights" not in nodes["chosen"]
    assert "weights" not in nodes["experts"]


def test_equal_bodies_are_described_once_with_all_their_names(nodes: dict[str, Any]) -> None:
    bodies = nodes["experts"]["bodies"]
    assert {name: body["names"] for name, body in bodies.items()} == {"0": ["0", "2"], "1": ["1"]}
    assert bodies["0"]["nodes"][0]["weights"] == {"weight": [2, 5], "bias": [2]}
    assert nodes["experts"]["parameters"] == 2 * 12 + 10
