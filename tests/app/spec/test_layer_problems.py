"""Every mistake in a layer is told once, where it was made, with the nearest right word."""

import math
from typing import Any

import pytest

from app.spec.hints.names import did_you_mean
from app.spec.network.nodes import NODE_CLASSES, NODE_KINDS
from tests.app.spec.test_problems import layer, problems

# (layer, place within it, code, detail, hint)
LAYERS: list[tuple[Any, str, str, str, str]] = [
    (layer("Linaer", out_features=3), "/kind", "unknown_kind", 'there is no kind "Linaer"', 'did you mean "Linear"?'),
    (
        layer("linear", out_features=3),
        "/out_features",
        "unknown_field",
        'there is no field "out_features" here',
        'set "kind" to "Linear"',
    ),
    ({"out_features": 3}, "/kind", "missing", '"kind" is required', 'add "kind": "Linear"'),
    (layer("Linear"), "/out_features", "missing", '"out_features" is required', 'add "out_features": …'),
    (
        layer("Linear", out_features=3, in_feature=3),
        "/in_feature",
        "unknown_field",
        'there is no field "in_feature" here',
        'did you mean "in_features"?',
    ),
    (
        layer("Linear", out_features=3, zzz=3),
        "/zzz",
        "unknown_field",
        'there is no field "zzz" here',
        "remove it; there are: bias, id, in_features, init, inputs, kind, out_features, parametrization, tie",
    ),
    (
        layer("Linear", out_features=-3),
        "/out_features",
        "out_of_range",
        "Input should be greater than or equal to 1",
        "use at least 1",
    ),
    (
        layer("Linear", out_features=0),
        "/out_features",
        "out_of_range",
        "Input should be greater than or equal to 1",
        "use at least 1",
    ),
    *(
        (
            layer("Linear", out_features=size),
            "/out_features",
            "out_of_range",
            "Input should be less than or equal to 2147483647",
            "use at most 2147483647",
        )
        for size in (2**31, 2**40, 2**200)
    ),
    *(
        (layer("Linear", out_features=size), "/out_features", "invalid_value", "Input should be a valid integer", hint)
        for size, hint in (
            (math.nan, "use a whole number"),
            (3.0, "use 3"),
            (2.5, "use 2 or 3"),
            ("3", "use 3"),
            (None, "use a whole number"),
            ([3], "use 3"),
        )
    ),
    *(
        (layer("Dropout", p=p), "/p", "out_of_range", "Input should be a finite number", "such as 0.5")
        for p in (math.nan, math.inf)
    ),
    (layer("Dropout", p=1.5), "/p", "out_of_range", "Input should be less than or equal to 1", "use at most 1"),
    (layer("ELU", alpha=-math.inf), "/alpha", "out_of_range", "Input should be a finite number", "such as 1.0"),
    (layer("Linear", out_features=3, id=3), "/id", "invalid_value", "Input should be a valid string", 'use "n3"'),
    (
        layer("GRU", hidden_size=3, returns="lst"),
        "/returns",
        "unknown_value",
        "Input should be 'sequence', 'last' or 'state'",
        'did you mean "last"?',
    ),
    # One problem for a place, although Pydantic tells of every type it could have had
    (
        layer("Conv2d", out_channels=3, kernel_size=-1),
        "/kernel_size",
        "out_of_range",
        "Input should be greater than or equal to 1",
        "use at least 1",
    ),
    (
        layer("Conv2d", out_channels=3, kernel_size=[3, 0]),
        "/kernel_size/1",
        "out_of_range",
        "Input should be greater than or equal to 1",
        "use at least 1",
    ),
    (
        layer("Conv2d", out_channels=3, kernel_size=[3]),
        "/kernel_size/1",
        "missing",
        "there are too few items",
        "add one more",
    ),
    (
        layer("Conv2d", out_channels=3, kernel_size=[3, 3, 3]),
        "/kernel_size",
        "too_many",
        "too many items, the maximum is 2",
        "use 3",
    ),
    (
        layer("Conv2d", out_channels=3, kernel_size={"a": 1}),
        "/kernel_size",
        "invalid_value",
        "Input should be a valid integer",
        "use 1",
    ),
    (
        layer("Conv2d", out_channels=3, kernel_size=3, padding="sane"),
        "/padding",
        "unknown_value",
        "Input should be 'same' or 'valid'",
        'did you mean "same"?',
    ),
    (layer("permute", dims=3), "/dims", "invalid_value", "a list is expected here", "use [3]"),
    (
        layer("reshape", shape=[0, -2]),
        "/shape/1",
        "out_of_range",
        "Input should be greater than or equal to -1",
        "use at least -1",
    ),
    (
        layer("Parameter", shape=[1], init=layer("norml")),
        "/init/kind",
        "unknown_kind",
        'there is no kind "norml"',
        'did you mean "normal"?',
    ),
    (
        layer("Parameter", shape=[1], init=layer("normal", sd=1)),
        "/init/sd",
        "unknown_field",
        'there is no field "sd" here',
        'did you mean "std"?',
    ),
    *(
        (each, "", "not_an_object", "an object is expected here", 'write an object with a "kind"')
        for each in (3, None, [])
    ),
    ("Linear", "/out_features", "missing", '"out_features" is required', 'use {"kind": "Linear", "out_features": …}'),
    ("Lineer", "", "unknown_kind", 'there is no kind "Lineer"', 'did you mean "Linear"?'),
]


@pytest.mark.parametrize(("mistaken", "place", "code", "detail", "hint"), LAYERS)
@pytest.mark.parametrize("position", [0, 2])
def test_a_mistake_in_a_layer(mistaken: Any, place: str, code: str, detail: str, hint: str, position: int) -> None:
    """Wherever it stands: that a network of wrong layers alone seems empty to Pydantic is nobody's mistake."""
    layers = [layer("ReLU")] * position + [mistaken]
    assert problems(model={"layers": layers}) == [(f"/model/layers/{position}{place}", code, detail, hint)]


def test_an_id_that_is_no_name() -> None:
    for name in ("a b", "1a", "", "a" * 65, "naïve", "a.b", "a/b"):
        ((place, code, _, _),) = problems(model={"layers": [layer("ReLU", id=name)]})
        assert (place, code) == ("/model/layers/0/id", "invalid_name")


@pytest.mark.parametrize("kind", NODE_KINDS)
def test_one_wrong_letter_in_a_kind_is_seen_through(kind: str) -> None:
    wrong = kind[:-1] + ("x" if kind[-1] != "x" else "y")
    ((_, code, _, hint),) = problems(model={"layers": [layer(wrong)]})
    assert code == "unknown_kind"
    if NODE_CLASSES[kind].is_suggested_in("layers"):
        assert hint.startswith("did you mean ") == bool(did_you_mean(wrong, NODE_KINDS))
    else:
        assert hint.startswith(("did you mean ", "write the network with nodes, with "))
