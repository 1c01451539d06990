"""Mistakes in the form of an edit, and what is said of them."""

from typing import Any

import pytest

from app.api.http.bodies import validate_model
from app.errors import InvalidInput
from app.spec.edits.edit import Edit

LR = {"op": "set", "path": "training.optimizer.lr", "value": 0.1}


def narrow(**fields: Any) -> dict[str, Any]:
    return {"operations": [{"op": "narrow", "node": "fc1", **fields}]}


@pytest.mark.parametrize(
    ("document", "pointer", "code", "hint"),
    [
        (narrow(to=0), "/operations/0/to", "out_of_range", "use at least 1"),
        (narrow(to=-3), "/operations/0/to", "out_of_range", "use at least 1"),
        (narrow(keep=[2, 1, 1]), "/operations/0", "contradiction", "name each once"),
        ({"operations": ["widen"]}, "/operations/0", "not_an_object", 'write an object with an "op"'),
        ({"operations": [LR], "at": {}}, "/at", "contradiction", "name step, epoch or when"),
        ({"operations": [LR], "at": {"step": 1, "epoch": 1}}, "/at", "contradiction", "name step, epoch or when"),
        ({"operations": [LR], "at": "later"}, "/at", "invalid_value", '{"step": 1000}'),
        ({"operations": [LR], "at": None}, "/at", "invalid_value", '{"step": 1000}'),
        ({"operations": [LR], "at": 100}, "/at", "invalid_value", '{"step": 1000}'),
        ({"operations": [LR], "at": {"steps": 1}}, "/at/steps", "unknown_field", "step"),
    ],
)
def test_mistakes_have_their_place_and_a_hint(document: Any, pointer: str, code: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        validate_model(Edit, document)
    [problem] = refused.value.problems
    assert (problem.pointer, problem.code) == (pointer, code), problem
    assert hint in problem.hint
