from typing import Any

import pytest
from pydantic import ValidationError

from app.spec.edits.edit import Edit, parse_edit
from app.spec.problems import from_validation

MISTAKES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"op": "instert", "after": "x", "node": "ReLU"}, "/op", "unknown_value", 'did you mean "insert"?'),
    ({"op": "insert", "after": "x", "node": "ReLu"}, "/node", "unknown_kind", 'did you mean "ReLU" or "relu"?'),
    ({"op": "insert", "after": "x"}, "/node", "missing", 'add "node": …'),
    ({"op": "insert", "node": "ReLU"}, "", "contradiction", "name after, before or between"),
    ({"op": "insert", "after": "x", "before": "y", "node": "ReLU"}, "", "contradiction", "name after"),
    ({"op": "insert", "after": "x", "node": "ReLU", "init": "identiy"}, "/init", "unknown_value", '"identity"?'),
    ({"op": "replace", "node": "x", "with": {"kind": "Linear"}}, "/with/out_features", "missing", "out_features"),
    ({"op": "replace", "node": "x", "with": "ReLU", "by": 3}, "/by", "unknown_field", "init, node, op, with"),
    ({"op": "rename", "node": "x", "to": "a b"}, "/to", "invalid_name", 'use "a_b"'),
    ({"op": "freeze", "nodes": []}, "/nodes", "too_few", "add at least 1"),
    (
        {"op": "set", "path": "training.updates/0/every", "value": 2},
        "/path",
        "invalid_name",
        '"training.updates.0.every"',
    ),
    ({"op": "freeze", "nodes": ["encoder/fc1"]}, "/nodes/0", "invalid_name", 'use "encoder.fc1"'),
    ({"op": "set", "path": "training.lr"}, "/value", "missing", 'add "value"'),
    ({"node": "x"}, "/op", "missing", 'add "op"'),
]


@pytest.mark.parametrize(("operation", "place", "code", "hint"), MISTAKES)
def test_mistakes(operation: dict[str, Any], place: str, code: str, hint: str) -> None:
    document = {"operations": [operation]}
    with pytest.raises(ValidationError) as caught:
        parse_edit(document)
    (problem,) = from_validation(caught.value, document, Edit)
    assert (problem.pointer, problem.code) == (f"/operations/0{place}", code)
    assert hint in problem.hint


def test_one_node_may_be_written_without_a_list() -> None:
    (operation,) = parse_edit({"operations": [{"op": "freeze", "nodes": "stem"}]}).operations
    assert operation.model_dump()["nodes"] == ("stem",)
