"""Operations that integers do not have are problems of the scalar; floats have them."""

import pytest

from tests.workers.network.networks import infer_model


@pytest.mark.parametrize(
    ("kind", "scalar", "detail", "hint"),
    [
        ("remainder", 0, "it divides integers by 0", "give another number"),
        ("fmod", 0, "it divides integers by 0", "give another number"),
        ("pow", -2, "it cannot raise integers to the power -2", "-2.0 converts them to floats"),
    ],
)
def test_whole_numbers_have_limits(kind: str, scalar: int, detail: str, hint: str) -> None:
    model = {"nodes": [{"id": "it", "kind": kind, "inputs": ["x"], "scalar": scalar}]}
    (problem,) = infer_model(model, {"x": ((4,), "int64")}).problems
    assert (problem.pointer, problem.code, problem.detail, problem.hint) == (
        "/nodes/0/scalar",
        "invalid_value",
        detail,
        hint,
    )
    assert infer_model(model, {"x": (4,)}).problems == []
