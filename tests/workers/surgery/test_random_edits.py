"""Random operations on graphs, blocks and loops: they are refused with a place and a hint, or give a sound revision."""

import random
from typing import Any

import pytest

from app.errors import InvalidInput, Problem
from app.spec.data.columns import DataSchema
from app.spec.job import parse_job
from tests.full import FULL
from tests.workers.network.networks import make_examples, schema
from tests.workers.surgery.edits import (
    CHAIN,
    IMAGES,
    OPERATIONS,
    apply_changes,
    build_job,
    image_job,
    largest_difference,
    network_job,
)
from tests.workers.surgery.operations.test_insert import CONV, GRAPH, LOOPS, RESIDUAL
from workers.network.runtime.build import BuiltNetwork
from workers.surgery.draft import open_draft
from workers.surgery.node_places import node_paths
from workers.surgery.revise import revise
from workers.training.optim.parameter_groups import split_parameters

TOLERANCE = 1e-5
LINEAR = {"kind": "Linear", "out_features": 4}
# Every kind of control flow: a body in place, one by its name, one that two uses share, and one inside another.
FLOWS: dict[str, Any] = {
    "inputs": ["x"],
    "nodes": [
        {"id": "mean", "kind": "mean", "inputs": ["x"], "dim": None},
        {"id": "flag", "kind": "gt", "inputs": ["mean"], "scalar": 0.1},
        {
            "id": "choice",
            "kind": "If",
            "predicate": "flag",
            "then": "Cell",
            "else": {"layers": [LINEAR, "Tanh"]},
            "inputs": ["x"],
        },
        {"id": "one", "kind": "block", "name": "Cell", "share": "tied", "inputs": ["choice"]},
        {"id": "two", "kind": "block", "name": "Cell", "share": "tied", "inputs": ["one"]},
        {"id": "pick", "kind": "argmax", "inputs": ["two"], "dim": 1},
        {
            "id": "route",
            "kind": "Route",
            "selector": "pick",
            "cases": ["Cell", "Outer", {"layers": [LINEAR]}, {"layers": [LINEAR, "ReLU"]}],
            "inputs": ["two"],
        },
        {
            "id": "loop",
            "kind": "While",
            "condition": {
                "inputs": ["x"],
                "nodes": [
                    {"id": "mean", "kind": "mean", "inputs": ["x"], "dim": None},
                    {"id": "more", "kind": "gt", "inputs": ["mean"], "scalar": 0.2},
                ],
                "outputs": {"more": "more"},
            },
            "body": {"layers": [LINEAR, "Tanh"]},
            "max_iterations": 3,
            "at_limit": "stop",
            "inputs": ["route"],
        },
        {"id": "step", "kind": "unsqueeze", "dim": 1, "inputs": ["loop"]},
        {"id": "steps", "kind": "expand", "size": [-1, 3, -1], "inputs": ["step"]},
        {
            "id": "scan",
            "kind": "Scan",
            "over": ["steps"],
            "carry": ["loop"],
            "body": {
                "inputs": ["h", "x"],
                "nodes": [
                    {"id": "new", "kind": "add", "inputs": ["h", "x"]},
                    {"id": "fc", "inputs": ["new"], **LINEAR},
                ],
                "outputs": {"h": "fc", "y": "fc"},
            },
        },
        {"id": "total", "kind": "sum", "inputs": ["scan.y"], "dim": 1},
        {"id": "end", "kind": "add", "inputs": ["total", "scan"]},
    ],
    "outputs": {"a": "end", "b": "scan.h"},
    "blocks": {
        "Cell": {"layers": [LINEAR, "Tanh"]},
        "Outer": {"layers": [{"kind": "block", "name": "Cell"}, LINEAR, {"kind": "block", "name": "Cell"}]},
    },
}
HAS_NO_HINT = "shape_mismatch"  # not everywhere, of control flow
JOBS: list[tuple[dict[str, Any], DataSchema]] = [
    (image_job(CHAIN), IMAGES),
    (image_job({**GRAPH, "blocks": {**GRAPH["blocks"], "New": RESIDUAL}}), IMAGES),
    (network_job(LOOPS), schema({"x": (4,)})),
    (network_job(FLOWS), schema({"x": (4,)})),
]
NODES: list[dict[str, Any]] = [
    CONV,
    {**CONV, "bias": False},
    LINEAR,
    {"kind": "Linear", "out_features": 3},
    {"kind": "add", "scalar": 0},
    {"kind": "block", "name": "Part"},
    {"kind": "block", "name": "New"},
    {"kind": "block", "name": "Outer"},
    {"kind": "Parameter", "shape": [3]},
    {"kind": "Repeat", "times": 2, "body": {"layers": [LINEAR]}},
    {"kind": "Repeat", "times": 2, "share": False, "body": {"layers": ["Tanh"]}},
    *({"kind": kind} for kind in ("ReLU", "Tanh", "BatchNorm2d", "Dropout", "Identity", "PReLU")),
]
OPERATION_NAMES = ("insert", "insert", "remove", "rename", "replace", "reinit", "freeze", "unfreeze", "set")


def random_operation(chance: random.Random, paths: list[str]) -> dict[str, Any]:
    one, other = chance.choice(paths), chance.choice(paths)
    name, init = chance.choice(OPERATION_NAMES), chance.choice(("default", "identity", "zero"))
    place = chance.choice(({"after": one}, {"before": one}, {"between": [one, other]}))
    path = f"model.{one}.{chance.choice(('p', 'padding', 'bias', 'times', 'out_features', 'scalar'))}"
    fields: dict[str, dict[str, Any]] = {
        "insert": {"node": dict(chance.choice(NODES)), "init": init, **place},
        "remove": {"node": one},
        "rename": {"node": one, "to": chance.choice(("aa", "bb", "stem"))},
        "replace": {"node": one, "with": chance.choice(NODES), "init": init},
        "reinit": {"node": one, "init": init},
        "freeze": {"nodes": [one, other]},
        "unfreeze": {"nodes": [one]},
        "set": {"path": path, "value": chance.choice((0.1, 1, 2, "same"))},
    }
    return {"op": name, **fields[name]}


def keeps_function(operations: list[dict[str, Any]]) -> bool:
    return all(
        each["op"] in ("rename", "freeze", "unfreeze") or (each["op"] == "insert" and each["init"] == "identity")
        for each in operations
    )


def check_edit(network: BuiltNetwork, document: Any, of: DataSchema, operations: list[dict[str, Any]]) -> Any:
    """Return the next network and its document, or the same if the edit is refused."""
    problems: tuple[Problem, ...] = ()
    revision = None
    try:
        revision = revise(document, of, OPERATIONS.validate_python(operations))
    except InvalidInput as error:
        problems = error.problems
    assert all(each.pointer.startswith("/operations/") for each in problems)
    assert all(each.hint or each.code == HAS_NO_HINT for each in problems)
    if revision is None:
        return network, document
    new = apply_changes(network, revision)
    built = BuiltNetwork(open_draft(revision.document, of).infer().blueprint)
    assert built.state_dict().keys() == new.state_dict().keys()
    assert not split_parameters(new.blueprint, parse_job(dict(revision.document)).training).problems
    examples = make_examples({name: (of.column(name).shape, "float32") for name in of.inputs})  # type: ignore[union-attr]
    if keeps_function(operations):
        assert largest_difference(network, new, examples) <= TOLERANCE
    else:
        new(examples)
    return new, revision.document


@pytest.mark.parametrize("seed", range(200 if FULL else 12))
def test_random_edits(seed: int) -> None:
    chance = random.Random(seed)
    document, of = JOBS[seed % len(JOBS)]
    network = build_job(document, of)
    for _ in range(8):
        paths = list(node_paths(open_draft(document, of).model))
        operations = [random_operation(chance, paths) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        network, document = check_edit(network, document, of, operations)
