"""Outputs that are acted by: what they may read, and what their shapes say of the layer to change."""

from copy import deepcopy
from typing import Any

import pytest

from app.errors import Problem
from tests.app.spec.data.environments.acting_jobs import ACTOR, CONTINUOUS_MODEL, continuous_job, discrete_job
from tests.workers.jobs import LIMITS
from workers.children.inspect import inspect_job


def problems_of(document: dict[str, Any]) -> list[Problem]:
    return [each for each in inspect_job(document, None, LIMITS).problems if each.code != "nothing_to_train"]


def acting(*nodes: dict[str, Any], action: str, **others: str) -> dict[str, Any]:
    """Return the job of `discrete_job` with more nodes, and other outputs."""
    document = deepcopy(discrete_job())
    document["model"]["nodes"] += nodes
    document["model"]["outputs"] |= {"action": action, **others}
    return document


def node(name: str, kind: str, *inputs: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "kind": kind, "inputs": list(inputs)} | fields


@pytest.mark.parametrize("document", [continuous_job(), discrete_job(), continuous_job({"behaviour": "action"})])
def test_outputs_that_fit(document: dict[str, Any]) -> None:
    assert problems_of(document) == []


def test_an_actor_that_is_too_wide_is_told_its_layer() -> None:
    """The width is set by the last Linear of a block, three nodes before the output."""
    model = deepcopy(CONTINUOUS_MODEL)
    model["blocks"]["Actor"]["layers"] = [
        {**layer, "out_features": 3} if layer.get("id") == "last" else layer for layer in ACTOR["layers"]
    ]
    told = {each.pointer: each for each in problems_of(continuous_job() | {"model": model})}
    problem = told["/model/blocks/Actor/layers/2/out_features"]
    assert (problem.code, problem.hint) == ("shape_mismatch", "set out_features of last to 1")
    assert problem.detail == (
        "action gives 3 per example of float32, and the environment takes 1 per example of float32"
    )


NARROW = node("flat", "select", "policy", dim=1, index=0)
WIDE = [node("twice", "cat", "policy", "policy")]
COLUMN = [node("rows", "unsqueeze", "policy", dim=1)]
ROUNDED = [node("whole", "to", "policy", dtype="int64")]


@pytest.mark.parametrize(
    ("nodes", "output", "code", "hint"),
    [
        ([NARROW], "flat", "shape_mismatch", 'insert {"kind": "unsqueeze", "dim": 1} after flat'),
        (WIDE, "twice", "shape_mismatch", 'insert {"kind": "Linear", "out_features": 1} after twice'),
        (COLUMN, "rows", "shape_mismatch", 'insert {"kind": "reshape", "shape": [1]} after rows'),
        (ROUNDED, "whole", "dtype_mismatch", "let done be an output of float32"),
    ],
)
def test_an_action_of_another_shape(nodes: list[dict[str, Any]], output: str, code: str, hint: str) -> None:
    document = deepcopy(continuous_job({"action": "done"}))
    document["model"]["nodes"] += nodes
    document["model"]["outputs"]["done"] = output
    [problem] = problems_of(document)
    place = f"/model/nodes/{len(document['model']['nodes']) - 1}"
    assert (problem.pointer, problem.code, problem.hint) == (place, code, hint)


@pytest.mark.parametrize(
    ("nodes", "output", "pointer", "code", "hint"),
    [
        ([], "scores", "/model/nodes/2", "dtype_mismatch", 'insert {"kind": "argmax", "dim": 1} after scores'),
        (
            [],
            "worth",
            "/model/nodes/4/out_features",
            "dtype_mismatch",
            'set out_features of worth to 2, and insert {"kind": "argmax", "dim": 1} after worth',
        ),
        (
            [node("row", "argmax", "scores", dim=1, keepdim=True)],
            "row",
            "/model/nodes/9",
            "shape_mismatch",
            'insert {"kind": "squeeze", "dim": 1} after row',
        ),
        (
            [node("likely", "gt", "largest", scalar=-0.5)],
            "likely",
            "/model/nodes/9",
            "dtype_mismatch",
            'insert {"kind": "to", "dtype": "int64"} after likely',
        ),
        (
            [node("more", "Linear", "relu", out_features=3), node("most", "argmax", "more", dim=1)],
            "most",
            "/model/nodes/9/out_features",
            "shape_mismatch",
            "set out_features of more to 2",
        ),
    ],
)
def test_class_numbers_are_expected(
    nodes: list[dict[str, Any]], output: str, pointer: str, code: str, hint: str
) -> None:
    [problem] = problems_of(acting(*nodes, action=output))
    assert (problem.pointer, problem.code) == (pointer, code)
    assert problem.hint.startswith(hint)


def test_what_is_not_seen_before_an_action_is_told_with_the_node_that_reads_it() -> None:
    seen = [node("mixed", "add", "scores", "advantage"), node("done", "argmax", "mixed", dim=1)]
    [problem] = problems_of(acting(*seen, action="done"))
    assert (problem.pointer, problem.code) == ("/model/nodes/9", "unseen_column")
    assert problem.detail.startswith('action depends on "advantage" through mixed')


def test_a_column_is_no_action() -> None:
    [problem] = problems_of(continuous_job() | {"model": CONTINUOUS_MODEL | {"outputs": OWN_ACTION}})
    assert (problem.pointer, problem.code) == ("/data/action", "unseen_column")


OWN_ACTION = CONTINUOUS_MODEL["outputs"] | {"action": "action"}


@pytest.mark.parametrize(
    ("source", "code"), [("scores", "shape_mismatch"), ("best", "dtype_mismatch"), ("square", "unseen_column")]
)
def test_values_and_reports_are_one_number_for_each_example(source: str, code: str) -> None:
    document = acting(action="best", value=source)
    document["data"]["report"] = ["scores"]
    told = [(each.code, each.detail.partition(" ")[0]) for each in problems_of(document)]
    assert told == [(code, "value"), ("shape_mismatch", "scores")]
