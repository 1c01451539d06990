"""What does not fit into control flow is explained where it was written."""

import re

import pytest

from app.errors import InvalidInput
from tests.workers.network.networks import Columns, Model, parse_model, schema
from tests.workers.network.runtime.control_flow_cases import (
    CELL,
    IF_NODE,
    LEAF,
    LINEAR,
    PREDICATE,
    TREE_COLUMNS,
    TREES,
    VECTOR,
    graph_spec,
    single_node_spec,
)
from workers.network.runtime.build import build


def only_problem(model: Model, columns: Columns) -> tuple[str, str, str]:
    with pytest.raises(InvalidInput) as caught:
        build(parse_model(model), schema(columns), tuple(columns))
    (found,) = caught.value.problems
    return found.pointer, found.code, found.detail


WIDE = {"layers": [{"kind": "Linear", "out_features": 7}]}


@pytest.mark.parametrize(
    ("model", "columns", "place", "words"),
    [
        (
            graph_spec({"id": "flow", "kind": "If", "inputs": ["x"], "predicate": "x", "then": LINEAR}),
            VECTOR,
            "/nodes/0/predicate",
            "one bool for the batch",
        ),
        (graph_spec(*PREDICATE, IF_NODE | {"then": WIDE}), VECTOR, "/nodes/2", "6 per example of float32"),
        (
            single_node_spec("Route", ("x", "which"), selector="which", cases=[LINEAR, WIDE]),
            {"x": (6,), "which": ((), "int64")},
            "/nodes/0",
            "7 per example",
        ),
        (
            single_node_spec("Route", ("x", "which"), selector="which", cases=[LINEAR]),
            {"x": (6,), "which": (2,)},
            "/nodes/0/selector",
            "one integer per example",
        ),
        (single_node_spec("Repeat", times=2, body=WIDE), VECTOR, "/nodes/0", "the body's output"),
        (single_node_spec("While", condition=LINEAR, body=LINEAR), VECTOR, "/nodes/0/condition", "one bool"),
        (
            graph_spec({"id": "flow", "kind": "Scan", "over": ["h"], "carry": ["h"], "body": CELL}, inputs=("h",)),
            {"h": (4,)},
            "/nodes/0/body/nodes/0",
            "joined cannot combine",
        ),
        (
            single_node_spec(
                "Repeat", times=2, body={"layers": [{"kind": "Linear", "in_features": 5, "out_features": 6}]}
            ),
            VECTOR,
            "/nodes/0/body/layers/0/in_features",
            "expects 5 features",
        ),
        (single_node_spec("Repeat", times=2, body=CELL), VECTOR, "/nodes/0", r"takes 2 inputs \(h, x\) and receives 1"),
        (
            {"inputs": ["value", "children"], "nodes": [TREES["nodes"][0] | {"node": LEAF}]},
            TREE_COLUMNS,
            "/nodes/0",
            "takes 1 inputs",
        ),
        (
            {"inputs": ["value", "children"], "nodes": TREES["nodes"]},
            {"value": (7, 5), "children": (7, 2)},
            "/nodes/0/children",
            "integers",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(model: Model, columns: Columns, place: str, words: str) -> None:
    pointer, _, detail = only_problem(model, columns)
    assert pointer == place
    assert re.search(words, detail)
