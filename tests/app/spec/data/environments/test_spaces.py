from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.spec.data.columns import Column
from app.spec.data.environments.spaces import BoxSpace, DiscreteSpace, Space, box, discrete

SPACE: TypeAdapter[Any] = TypeAdapter(Space)


def test_a_box_has_a_bound_for_each_element_of_its_last_dimension() -> None:
    one = SPACE.validate_python({"kind": "box", "shape": [4, 2], "low": -1, "high": [2, 3]})
    assert isinstance(one, BoxSpace)
    assert (one.lows, one.highs) == ((-1, -1), (2, 3))
    assert one.is_bounded
    assert one.classes is None
    assert one.column("action") == Column(name="action", shape=(4, 2), dtype="float32")
    assert one.description == "(N, 4, 2) in -1..2 or 3"
    assert not box(3).is_bounded
    assert box(3).lows == (None, None, None)
    assert box(3).description == "(N, 3)"


def test_a_discrete_space_counts_from_zero() -> None:
    one = SPACE.validate_python({"kind": "discrete", "n": 3})
    assert isinstance(one, DiscreteSpace)
    assert (one.shape, one.classes, one.is_bounded) == ((), 3, True)
    assert one.column("action") == Column(name="action", dtype="int64", classes=3)
    assert one.description == "0..2"
    assert one == discrete(3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "box", "shape": [2], "low": [0, 0, 0]},
        {"kind": "box", "shape": [2], "low": 1, "high": 1},
        {"kind": "box", "shape": [2], "low": [0, 2], "high": [1, 1]},
        {"kind": "box", "shape": [0]},
        {"kind": "box"},
        {"kind": "discrete", "n": 0},
        {"kind": "discrete", "n": 2.5},
    ],
)
def test_what_is_no_space(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SPACE.validate_python(wrong)
