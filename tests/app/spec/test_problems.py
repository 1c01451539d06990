"""Every mistake of form is told once, where it was made, with the nearest right word."""

from typing import Any

import pytest

from app.errors import InvalidInput, Problem
from app.spec import problems as spec_problems
from app.spec.hints.names import MAX_SEARCHES, did_you_mean
from app.spec.job import parse_job
from app.spec.network.nodes import NODE_KINDS
from app.spec.problems import MAX_REPORTED_PROBLEMS, MAX_TRANSLATED_ERRORS, json_pointer, limit_problems

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


# (parts of the job, pointer, code, detail, hint)
PARTS: list[tuple[dict[str, Any], str, str, str, str]] = [
    ({"model": {"layers": []}}, "/model/layers", "too_few", "too few items, the minimum is 1", "add at least 1"),
    (
        {"model": 3},
        "/model",
        "not_an_object",
        "an object is expected here",
        "write an object, with one of: layers, inputs, nodes, outputs, blocks",
    ),
    (
        {"model": {"layer": []}},
        "/model/layer",
        "unknown_field",
        'there is no field "layer" here',
        'did you mean "layers"?',
    ),
    (
        {"data": {"kind": "builtn"}},
        "/data/kind",
        "unknown_kind",
        'there is no kind "builtn"',
        'did you mean "builtin"?',
    ),
    ({"data": {"kind": "builtin"}}, "/data/name", "missing", '"name" is required', 'add "name": "iris"'),
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
        "remove epochs or steps",
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
        "Input should be less than 1",
        "use less than 1",
    ),
    (
        {"objective": {}},
        "/objective",
        "missing",
        "an objective has a loss, or several heads",
        'add "loss": "CrossEntropyLoss"',
    ),
    ({"objective": {"heads": {}}}, "/objective/heads", "too_few", "too few items, the minimum is 1", "add at least 1"),
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
        "use more than 0",
    ),
    (
        {"objective": {"loss": {"kind": "MSELoss"}, "metrics": [], "heads": {"a": {"loss": {"kind": "MSELoss"}}}}},
        "/objective",
        "contradiction",
        "with heads, loss, metrics belong to each head",
        "move them into the heads, or remove heads",
    ),
    ({"objective": {"heads": {"a": {}}}}, "/objective/heads/a/loss", "missing", '"loss" is required', 'add "loss": …'),
    ({"modle": 1}, "/modle", "unknown_field", 'there is no field "modle" here', "remove it: /model is there"),
    (
        {"model": {"a/b~c": 1}},
        "/model/a~1b~0c",
        "unknown_field",
        'there is no field "a/b~c" here',
        "remove it; there are: blocks, inputs, layers, nodes, outputs",
    ),
    ({"priority": 1000}, "/priority", "out_of_range", "Input should be less than or equal to 100", "use at most 100"),
    (
        {"objective": {"loss": {"kind": "MSELoss"}, "metrics": [0]}},
        "/objective/metrics/0",
        "invalid_value",
        "Input should be a valid string",
        "",
    ),
    ({"metadata": {"a": 3}}, "/metadata/a", "invalid_value", "Input should be a valid string", 'use "3"'),
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


def test_of_very_many_mistakes_the_first_are_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    translated: list[object] = []
    original = spec_problems._Translation.problem

    def counted(self: Any, item: Any) -> Problem:
        translated.append(item)
        return original(self, item)

    monkeypatch.setattr(spec_problems._Translation, "problem", counted)
    found = problems(**{f"a{number}": 1 for number in range(3000)})
    assert len(translated) == MAX_TRANSLATED_ERRORS
    assert len(found) == MAX_REPORTED_PROBLEMS + 1
    count = int(found[-1][2].split()[2].replace(",", ""))
    assert count + MAX_REPORTED_PROBLEMS >= 3000


def test_the_first_mistakes_alone_are_worth_a_search() -> None:
    found = problems(model={"layers": [layer("Linaer", out_features=3)] * 20})
    searched = [hint for *_, hint in found if hint.startswith("did you mean")]
    assert len(searched) == MAX_SEARCHES
    assert all(hint for *_, hint in found)


def test_a_search_among_very_many_words_compares_few() -> None:
    words = [f"n{place}" for place in range(5000)]
    assert did_you_mean("N17", words) == 'did you mean "n17"?'
    assert did_you_mean("q", words) == ""
