"""Every mistake of form is told once, where it was made, with the nearest right word."""

import math
from typing import Any

import pytest

from app.errors import InvalidInput, Problem
from app.spec.job import parse_job
from app.spec.network.nodes import NODE_KINDS
from app.spec.problems import MAX_HINT_SEARCHES, MAX_REPORTED_PROBLEMS, did_you_mean, json_pointer, limit_problems

JOB: dict[str, Any] = {
    "model": {"layers": [{"kind": "Linear", "out_features": 3}]},
    "data": {"kind": "builtin", "name": "iris"},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}},
}


def problems(**parts: Any) -> list[tuple[str, str, str, str]]:
    """Return the problems of a job with these parts: pointer, code, detail, hint."""
    with pytest.raises(InvalidInput) as caught:
        parse_job(JOB | parts)
    return [(found.pointer, found.code, found.detail, found.hint) for found in caught.value.problems]


def layer(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, **fields}


def test_a_job_without_mistakes_has_none() -> None:
    assert parse_job(JOB).model.layers is not None


# (layer, place within it, code, detail, hint)
LAYERS: list[tuple[Any, str, str, str, str]] = [
    (layer("Linaer", out_features=3), "/kind", "unknown_kind", 'there is no kind "Linaer"', 'did you mean "Linear"?'),
    (layer("linear", out_features=3), "/kind", "unknown_kind", 'there is no kind "linear"', 'did you mean "Linear"?'),
    ({"out_features": 3}, "/kind", "missing", '"kind" is required', ""),
    (layer("Linear"), "/out_features", "missing", '"out_features" is required', ""),
    (
        layer("Linear", out_features=3, in_feature=3),
        "/in_feature",
        "unknown_field",
        'there is no field "in_feature" here',
        'did you mean "in_features" or "out_features"?',
    ),
    (
        layer("Linear", out_features=3, zzz=3),
        "/zzz",
        "unknown_field",
        'there is no field "zzz" here',
        "remove it; there are: bias, id, in_features, inputs, kind, out_features",
    ),
    (
        layer("Linear", out_features=-3),
        "/out_features",
        "out_of_range",
        "Input should be greater than or equal to 1",
        "",
    ),
    (
        layer("Linear", out_features=0),
        "/out_features",
        "out_of_range",
        "Input should be greater than or equal to 1",
        "",
    ),
    *(
        (
            layer("Linear", out_features=size),
            "/out_features",
            "out_of_range",
            "Input should be less than or equal to 2147483647",
            "",
        )
        for size in (2**31, 2**40, 2**200)
    ),
    *(
        (layer("Linear", out_features=size), "/out_features", "invalid_value", "Input should be a valid integer", "")
        for size in (math.nan, math.inf, 3.0, "3", True, None, [3])
    ),
    *(
        (layer("Dropout", p=p), "/p", "out_of_range", "Input should be a finite number", "")
        for p in (math.nan, math.inf)
    ),
    (layer("Dropout", p=1.5), "/p", "out_of_range", "Input should be less than or equal to 1", ""),
    (layer("ELU", alpha=-math.inf), "/alpha", "out_of_range", "Input should be a finite number", ""),
    (layer("Linear", out_features=3, id=3), "/id", "invalid_value", "Input should be a valid string", ""),
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
        "",
    ),
    (
        layer("Conv2d", out_channels=3, kernel_size=[3, 0]),
        "/kernel_size/1",
        "out_of_range",
        "Input should be greater than or equal to 1",
        "",
    ),
    (layer("Conv2d", out_channels=3, kernel_size=[3]), "/kernel_size/1", "missing", "there are too few items", ""),
    (
        layer("Conv2d", out_channels=3, kernel_size=[3, 3, 3]),
        "/kernel_size",
        "too_many",
        "too many items, the maximum is 2",
        "",
    ),
    (
        layer("Conv2d", out_channels=3, kernel_size={"a": 1}),
        "/kernel_size",
        "invalid_value",
        "Input should be a valid integer",
        "",
    ),
    (
        layer("Conv2d", out_channels=3, kernel_size=3, padding="sane"),
        "/padding",
        "unknown_value",
        "Input should be 'same' or 'valid'",
        'did you mean "same"?',
    ),
    (layer("permute", dims=3), "/dims", "invalid_value", "a list is expected here", ""),
    (layer("reshape", shape=[0, -2]), "/shape/1", "out_of_range", "Input should be greater than or equal to -1", ""),
    (
        layer("Parameter", shape=[1], init=layer("norml")),
        "/init/kind",
        "unknown_kind",
        'there is no kind "norml"',
        'did you mean "normal" or "uniform"?',
    ),
    (
        layer("Parameter", shape=[1], init=layer("normal", sd=1)),
        "/init/sd",
        "unknown_field",
        'there is no field "sd" here',
        'did you mean "std"?',
    ),
    *((each, "", "not_an_object", "an object is expected here", "") for each in (3, None, [], "Linear")),
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


# (parts of the job, pointer, code, detail, hint)
PARTS: list[tuple[dict[str, Any], str, str, str, str]] = [
    ({"model": {"layers": []}}, "/model/layers", "too_few", "too few items, the minimum is 1", ""),
    ({"model": 3}, "/model", "not_an_object", "an object is expected here", ""),
    (
        {"model": {"layer": []}},
        "/model/layer",
        "unknown_field",
        'there is no field "layer" here',
        'did you mean "layers" or "num_layers"?',
    ),
    (
        {"data": {"kind": "builtn"}},
        "/data/kind",
        "unknown_kind",
        'there is no kind "builtn"',
        'did you mean "builtin"?',
    ),
    ({"data": {"kind": "builtin"}}, "/data/name", "missing", '"name" is required', ""),
    (
        {"training": {"epoch": 3}},
        "/training/epoch",
        "unknown_field",
        'there is no field "epoch" here',
        'did you mean "epochs"?',
    ),
    (
        {"training": {"epochs": 3, "steps": 3}},
        "/training",
        "contradiction",
        "a plan is measured in epochs or in steps, not in both",
        "remove one",
    ),
    (
        {"training": {"optimizer": {"kind": "Adm"}}},
        "/training/optimizer/kind",
        "unknown_kind",
        'there is no kind "Adm"',
        'did you mean "Adam" or "RAdam"?',
    ),
    (
        {"training": {"optimizer": {"kind": "Adam", "learning": 1}}},
        "/training/optimizer/learning",
        "unknown_field",
        'there is no field "learning" here',
        "remove it; there are: amsgrad, betas, decoupled_weight_decay, eps, kind, lr, weight_decay",
    ),
    (
        {"training": {"optimizer": {"kind": "Adam", "betas": [0.9, 1.1]}}},
        "/training/optimizer/betas/1",
        "out_of_range",
        "Input should be less than or equal to 1",
        "",
    ),
    (
        {"objective": {}},
        "/objective",
        "missing",
        "an objective has a loss, or several heads",
        'add "loss": {"kind": …}',
    ),
    ({"objective": {"heads": {}}}, "/objective/heads", "too_few", "too few items, the minimum is 1", ""),
    (
        {"objective": {"heads": {"flow": {"loss": {"kind": "MSELoss"}}}}},
        "/objective/heads/flow",
        "reserved_id",
        'a head cannot be called "flow": series have that name',
        "choose another name",
    ),
    (
        {"objective": {"heads": {"a": {"loss": {"kind": "MSELoss"}, "weight": 0}}}},
        "/objective/heads/a/weight",
        "out_of_range",
        "Input should be greater than 0",
        "",
    ),
    (
        {"objective": {"loss": {"kind": "MSELoss"}, "metrics": [], "heads": {"a": {"loss": {"kind": "MSELoss"}}}}},
        "/objective",
        "contradiction",
        "with heads, loss, metrics belong to each head",
        "move them into the heads, or remove heads",
    ),
    ({"objective": {"heads": {"a": {}}}}, "/objective/heads/a/loss", "missing", '"loss" is required', ""),
    ({"modle": 1}, "/modle", "unknown_field", 'there is no field "modle" here', 'did you mean "model"?'),
    ({"model": {"a/b~c": 1}}, "/model/a~1b~0c", "unknown_field", 'there is no field "a/b~c" here', "remove it"),
    ({"priority": 1000}, "/priority", "out_of_range", "Input should be less than or equal to 100", ""),
    ({"metadata": {"a": 3}}, "/metadata/a", "invalid_value", "Input should be a valid string", ""),
]


@pytest.mark.parametrize(("parts", "place", "code", "detail", "hint"), PARTS)
def test_a_mistake_elsewhere(parts: dict[str, Any], place: str, code: str, detail: str, hint: str) -> None:
    assert problems(**parts) == [(place, code, detail, hint)]


def test_all_mistakes_at_once() -> None:
    layers = [layer("Linear", out_features=0), layer("ReLu"), layer("Conv2d", kernel_size=0, strides=1)]
    found = problems(model={"layers": layers}, data={"kind": "builtin", "name": 3}, training={"batch_size": 0})
    assert [place for place, *_ in found] == [
        "/model/layers/0/out_features",
        "/model/layers/1/kind",
        "/model/layers/2/out_channels",
        "/model/layers/2/kernel_size",
        "/model/layers/2/strides",
        "/data/name",
        "/training/batch_size",
    ]


def test_a_document_that_is_no_object() -> None:
    for document in ([], None, 3, "job"):
        with pytest.raises(InvalidInput) as caught:
            parse_job(document)
        assert caught.value.problems == (Problem("", "not_an_object", "a job is a JSON object", "see docs/spec.md"),)


def test_an_empty_document_lacks_three_parts() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_job({})
    assert [found.pointer for found in caught.value.problems] == ["/model", "/data", "/objective"]
    assert str(caught.value) == '3 problems: "model" is required (at /model)'


@pytest.mark.parametrize("kind", NODE_KINDS)
def test_one_wrong_letter_in_a_kind_is_seen_through(kind: str) -> None:
    wrong = kind[:-1] + ("x" if kind[-1] != "x" else "y")
    ((_, code, _, hint),) = problems(model={"layers": [layer(wrong)]})
    assert code == "unknown_kind"
    assert hint.startswith("did you mean ") == bool(did_you_mean(wrong, NODE_KINDS))


@pytest.mark.parametrize(("location", "expected"), [((), ""), (("a", 0), "/a/0"), (("a/b", "~", ""), "/a~1b/~0/")])
def test_pointers_are_those_of_the_standard(location: tuple[Any, ...], expected: str) -> None:
    assert json_pointer(location) == expected


def test_hints_name_at_most_two_words() -> None:
    assert did_you_mean("ReLU7", NODE_KINDS) == 'did you mean "ReLU" or "ReLU6"?'
    assert did_you_mean("RELU6", NODE_KINDS) == 'did you mean "ReLU6"?'
    assert did_you_mean("quux", NODE_KINDS) == ""


def test_a_hundred_problems_are_told_and_how_many_there_are() -> None:
    found = problems(model={"layers": [layer("Linear", out_features=0)] * 250})
    assert len(found) == MAX_REPORTED_PROBLEMS + 1
    assert found[-1] == ("", "too_many_problems", "there are 150 more problems", "fix these first")
    assert len(limit_problems([Problem("", "a", "b")] * MAX_REPORTED_PROBLEMS)) == MAX_REPORTED_PROBLEMS


def test_the_first_mistakes_alone_are_worth_a_search() -> None:
    found = problems(model={"layers": [layer("Linaer", out_features=3)] * 20})
    searched = [hint for *_, hint in found if hint.startswith("did you mean")]
    assert len(searched) == MAX_HINT_SEARCHES
    assert all(hint for *_, hint in found)


def test_a_search_among_very_many_words_compares_few() -> None:
    words = [f"n{place}" for place in range(5000)]
    assert did_you_mean("N17", words) == 'did you mean "n17"?'
    assert did_you_mean("q", words) == ""
