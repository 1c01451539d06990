"""Rules of `training.edits` are tried on the meta device when a job is submitted."""

from typing import Any

import pytest

from tests.workers.jobs import LIMITS
from workers.children.inspect import inspect_job

RULES = [
    {"at": {"step": 1}, "operations": [{"op": "insert", "after": "first", "node": {"id": "more", "kind": "ReLU"}}]},
    {"at": {"step": 2}, "operations": [{"op": "remove", "node": "more"}]},
    {"on": "nan", "operations": [{"op": "scale", "path": "training.optimizer.lr", "by": 0.5}]},
]


@pytest.mark.parametrize(
    ("operation", "pointer"),
    [
        ({"op": "remove", "node": "absent"}, "/training/edits/3/operations/0/node"),
        ({"op": "scale", "path": "training.device", "by": 2}, "/training/edits/3/operations/0/path"),
    ],
)
def test_rules_are_tried_when_a_job_is_submitted(operation: dict[str, Any], pointer: str) -> None:
    layers = [
        {"kind": "Flatten"},
        {"kind": "Linear", "id": "first", "out_features": 4},
        {"kind": "Linear", "out_features": 10},
    ]
    document = {
        "model": {"layers": layers},
        "data": {"kind": "builtin", "name": "digits"},
        "objective": {"loss": "CrossEntropyLoss"},
        "training": {"edits": RULES},
    }
    assert inspect_job(document, None, LIMITS).problems == ()
    goes_on = document | {"start_from": {"checkpoint": f"ckpt_{'0' * 32}", "what": "everything"}}
    document["training"] = {"edits": [*RULES, {"every": {"steps": 5}, "operations": [operation]}]}
    (problem,) = inspect_job(document, None, LIMITS).problems
    assert problem.pointer == pointer
    goes_on["training"] = document["training"]  # of a job whose rules may have been applied
    response = inspect_job(goes_on, None, LIMITS)
    assert (response.problems, [warning.pointer for warning in response.warnings]) == ((), [pointer])
