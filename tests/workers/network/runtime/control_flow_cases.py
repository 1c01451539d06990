"""Networks of every kind with bodies, as JSON, with their columns and fitting examples."""

from typing import Any

import torch
from torch import Tensor

from tests.workers.network.networks import Columns, Model, make_examples

VECTOR = {"x": (6,)}
LINEAR = {"layers": [{"kind": "Linear", "out_features": 6}, {"kind": "Tanh"}]}
CELL = {
    "inputs": ["h", "x"],
    "outputs": {"h": "new", "y": "out"},
    "nodes": [
        {"id": "joined", "kind": "cat", "inputs": ["h", "x"]},
        {"id": "mixed", "kind": "Linear", "inputs": ["joined"], "out_features": 4},
        {"id": "new", "kind": "Tanh", "inputs": ["mixed"]},
        {"id": "out", "kind": "Linear", "inputs": ["new"], "out_features": 2},
    ],
}
PER_EXAMPLE_CONDITION: dict[str, Any] = {
    "inputs": ["x"],
    "outputs": {"go": "less"},
    "nodes": [
        {"id": "size", "kind": "amax", "inputs": ["x"], "dim": 1},
        {"id": "less", "kind": "lt", "inputs": ["size"], "scalar": 5.0},
    ],
}
BATCH_CONDITION = PER_EXAMPLE_CONDITION | {
    "nodes": [*PER_EXAMPLE_CONDITION["nodes"], {"id": "any", "kind": "any", "inputs": ["less"]}],
    "outputs": {"go": "any"},
}
GROWING_BODY = {
    "inputs": ["x"],
    "outputs": {"x": "y"},
    "nodes": [
        {"id": "more", "kind": "Linear", "inputs": ["x"], "out_features": 6},
        {"id": "part", "kind": "sigmoid", "inputs": ["more"]},
        {"id": "y", "kind": "add", "inputs": ["x", "part"]},
    ],
}
LEAF = {
    "inputs": ["v"],
    "outputs": {"h": "h", "c": "c"},
    "nodes": [
        {"id": "c", "kind": "Linear", "inputs": ["v"], "out_features": 3},
        {"id": "h", "kind": "tanh", "inputs": ["c"]},
    ],
}
NODE = {
    "inputs": ["v", "h", "c"],
    "outputs": {"h": "newh", "c": "newc"},
    "nodes": [
        {"id": "hs", "kind": "sum", "inputs": ["h"], "dim": 1},
        {"id": "cs", "kind": "mean", "inputs": ["c"], "dim": 1},
        {"id": "all", "kind": "cat", "inputs": ["v", "hs", "cs"]},
        {"id": "newc", "kind": "Linear", "inputs": ["all"], "out_features": 3},
        {"id": "newh", "kind": "tanh", "inputs": ["newc"]},
    ],
}


def graph_spec(*made: dict[str, Any], inputs: tuple[str, ...] = ("x",), **more: Any) -> dict[str, Any]:
    return {"inputs": list(inputs), "nodes": list(made), **more}


def single_node_spec(
    kind: str, inputs: tuple[str, ...] = ("x",), reads: tuple[str, ...] = ("x",), **fields: Any
) -> dict[str, Any]:
    return graph_spec({"id": "flow", "kind": kind, "inputs": list(reads), **fields}, inputs=inputs)


PREDICATE = [
    {"id": "size", "kind": "mean", "inputs": ["x"]},
    {"id": "large", "kind": "gt", "inputs": ["size"], "scalar": 0.2},
]
IF_NODE = {"id": "flow", "kind": "If", "inputs": ["x"], "predicate": "large", "then": LINEAR}
IF = graph_spec(*PREDICATE, IF_NODE | {"else": LINEAR})
ROUTE = single_node_spec("Route", ("x", "which"), selector="which", cases=[LINEAR, LINEAR, LINEAR])
TREES: dict[str, Any] = {
    "inputs": ["value", "children"],
    "nodes": [{"id": "flow", "kind": "Fold", "over": "value", "children": "children", "leaf": LEAF, "node": NODE}],
}
TREE_COLUMNS = {"value": (7, 5), "children": ((7, 2), "int64")}

# Networks of every kind with bodies, with their columns. `which` holds 0..2, see `values`.
CASES: dict[str, tuple[Model, Columns]] = {
    "block": (
        graph_spec(
            {"id": "a", "kind": "block", "name": "Part", "inputs": ["x"]},
            {"id": "b", "kind": "block", "name": "Part", "inputs": ["a"]},
            blocks={"Part": LINEAR},
        ),
        VECTOR,
    ),
    "block in layers": (
        {"layers": [{"kind": "block", "name": "Part"}, {"kind": "ReLU"}], "blocks": {"Part": LINEAR}},
        VECTOR,
    ),
    "shared block": (
        graph_spec(
            {"id": "a", "kind": "block", "name": "Part", "inputs": ["x"], "share": "one"},
            {"id": "b", "kind": "block", "name": "Part", "inputs": ["a"], "share": "one"},
            blocks={"Part": LINEAR},
        ),
        VECTOR,
    ),
    "nested block": (
        {
            "layers": [{"kind": "block", "name": "Outer"}],
            "blocks": {
                "Outer": {"layers": [{"kind": "block", "name": "Part"}, {"kind": "block", "name": "Part"}]},
                "Part": LINEAR,
            },
        },
        VECTOR,
    ),
    "several outputs": (
        graph_spec(
            {"id": "a", "kind": "block", "name": "Two", "inputs": ["x"]},
            {"id": "sum", "kind": "add", "inputs": ["a.left", "a.right"]},
            outputs={"y": "sum", "left": "a"},
            blocks={
                "Two": {
                    "inputs": ["v"],
                    "outputs": {"left": "l", "right": "r"},
                    "nodes": [
                        {"id": "l", "kind": "Linear", "inputs": ["v"], "out_features": 3},
                        {"id": "r", "kind": "Linear", "inputs": ["v"], "out_features": 3},
                    ],
                }
            },
        ),
        VECTOR,
    ),
    "If": (IF, VECTOR),
    "If without else": (graph_spec(*PREDICATE, IF_NODE), VECTOR),
    "Route": (ROUTE, {"x": (6,), "which": ((), "int64")}),
    "Route by a bool": (
        single_node_spec("Route", ("x", "which"), predicate="which", then=LINEAR, **{"else": LINEAR}),
        {"x": (6,), "which": ((), "bool")},
    ),
    "Repeat": (single_node_spec("Repeat", times=3, body=LINEAR), VECTOR),
    "Repeat apart": (single_node_spec("Repeat", times=3, body=LINEAR, share=False), VECTOR),
    "Repeat as told": (
        graph_spec(
            {"id": "n", "kind": "amax", "inputs": ["which"]},
            {"id": "flow", "kind": "Repeat", "times": "n", "inputs": ["x"], "body": LINEAR},
            inputs=("x", "which"),
        ),
        {"x": (6,), "which": ((), "int64")},
    ),
    "While": (single_node_spec("While", condition=BATCH_CONDITION, body=GROWING_BODY), VECTOR),
    "While each": (
        single_node_spec("While", condition=PER_EXAMPLE_CONDITION, body=GROWING_BODY, halt="per_example"),
        VECTOR,
    ),
    "Scan": (
        graph_spec(
            {"id": "flow", "kind": "Scan", "over": ["x"], "carry": ["h"], "body": CELL},
            inputs=("x", "h"),
            outputs={"last": "flow", "all": "flow.y"},
        ),
        {"x": (5, 6), "h": (4,)},
    ),
    "Scan ragged": (
        graph_spec(
            {"id": "flow", "kind": "Scan", "over": ["x"], "carry": ["h"], "lengths": "n", "body": CELL},
            inputs=("x", "h", "n"),
            outputs={"last": "flow", "all": "flow.y"},
        ),
        {"x": (5, 6), "h": (4,), "n": ((), "int64")},
    ),
    "Scan backwards": (
        graph_spec(
            {"id": "flow", "kind": "Scan", "over": ["x"], "carry": ["h"], "body": CELL, "reverse": True},
            inputs=("x", "h"),
            outputs={"all": "flow.y"},
        ),
        {"x": (5, 6), "h": (4,)},
    ),
    "Fold": (TREES, TREE_COLUMNS),
    "Fold of every node": (
        {
            "inputs": ["value", "children"],
            "outputs": {"h": "flow.h"},
            "nodes": [TREES["nodes"][0] | {"returns": "nodes"}],
        },
        TREE_COLUMNS,
    ),
    "Fold by cell": (
        {
            "inputs": ["value", "children", "cell"],
            "nodes": [
                {
                    "id": "flow",
                    "kind": "Fold",
                    "over": "value",
                    "children": "children",
                    "cell": "cell",
                    "leaf": LEAF,
                    "cases": [NODE, NODE],
                }
            ],
        },
        TREE_COLUMNS | {"cell": ((7,), "int64")},
    ),
}
CHILDREN = [
    [[1, 2], [3, 4], [-1, -1], [-1, -1], [-1, 5], [-1, -1], [-1, -1]],
    [[1, -1], [2, 3], *[[-1, -1]] * 5],
    [[-1, -1]] * 7,
]
CELLS = [[0, 1, 0, 0, 1, 0, -1], [1, 0, 0, 0, -1, -1, -1], [0, -1, -1, -1, -1, -1, -1]]


def example_values(columns: Columns) -> dict[str, Tensor]:
    found = make_examples(columns, 3)
    known = {"which": [2, 0, 1], "n": [5, 2, 1], "children": CHILDREN, "cell": CELLS}
    return {
        name: torch.tensor(known[name]).to(value.dtype) if name in known else value for name, value in found.items()
    }
