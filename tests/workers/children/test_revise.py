"""Edits of jobs whose plan makes edits too."""

from typing import Any

import pytest

from app.spec.data.columns import DataSchema
from tests.workers.jobs import LIMITS
from workers.children.revise import OPERATIONS, EditCheck

SCHEMA = DataSchema.model_validate(
    {
        "columns": [
            {"name": "features", "shape": [4], "dtype": "float32"},
            {"name": "label", "shape": [], "dtype": "int64", "classes": 3},
        ],
        "rows": {"train": 100},
        "inputs": ["features"],
        "target": "label",
    }
)
LAYERS = [
    {"kind": "Linear", "out_features": 8, "id": "fc1"},
    {"kind": "ReLU", "id": "relu"},
    {"kind": "Linear", "out_features": 3, "id": "fc2"},
]
PLANNED = {"kind": "Linear", "out_features": 8, "id": "planned"}
INSERT = {"op": "insert", "after": "relu", "node": PLANNED, "init": "identity"}
NARROW = {"op": "narrow", "node": "fc1", "to": 5}


def document(layers: list[dict[str, Any]], *rules: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": {"layers": layers},
        "data": {"kind": "builtin", "name": "iris"},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}},
        "training": {"steps": 100, "edits": [{"at": {"step": 10}, "operations": [rule]} for rule in rules]},
    }


@pytest.mark.parametrize(
    ("layers", "rule", "spent", "codes"),
    [
        (LAYERS, INSERT, (), ["not_identity"]),  # the rule will meet the narrower network
        ([*LAYERS[:2], PLANNED, LAYERS[2]], INSERT, (), []),  # it has been applied, and cannot be once more
        (LAYERS, INSERT, (0,), []),
        (LAYERS, NARROW | {"to": 6}, (), ["invalid_value"]),
        (LAYERS, NARROW | {"to": 6}, (0,), []),
    ],
)
def test_an_edit_must_leave_room_for_the_rules_that_can_still_be_applied(
    layers: list[dict[str, Any]], rule: dict[str, Any], spent: tuple[int, ...], codes: list[str]
) -> None:
    check = EditCheck(document(layers, rule), SCHEMA, {}, LIMITS, spent)
    problems = check.check(OPERATIONS.validate_python([NARROW])).problems
    assert [problem.code for problem in problems] == codes
