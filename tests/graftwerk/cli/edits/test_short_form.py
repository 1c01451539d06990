"""The short form of operations says what an edit's JSON says, and the grammar accepts it."""

from typing import Any

import pytest
import typer

from app.spec.edits.edit import parse_edit
from app.spec.edits.operations import Operation
from graftwerk.cli.edits.short_form import FORMS, parse_operations
from graftwerk.cli.edits.tables import format_operation

CONV = {"kind": "Conv2d", "out_channels": 10, "kernel_size": 3, "padding": 1}


@pytest.mark.parametrize(
    ("words", "operation"),
    [
        (
            "insert relu1 Conv2d out_channels=10 kernel_size=3 padding=1 --init identity",
            {"op": "insert", "after": "relu1", "node": CONV, "init": "identity"},
        ),
        ("insert Dropout p=0.2 --before fc1", {"op": "insert", "before": "fc1", "node": {"kind": "Dropout", "p": 0.2}}),
        (
            "insert --between relu1,fc1 Linear out_features=4 bias=false id=extra",
            {
                "op": "insert",
                "between": ["relu1", "fc1"],
                "node": {"kind": "Linear", "out_features": 4, "bias": False, "id": "extra"},
            },
        ),
        (
            "insert a Conv1d out_channels=3 kernel_size=[3] padding=same",
            {
                "op": "insert",
                "after": "a",
                "node": {"kind": "Conv1d", "out_channels": 3, "kernel_size": [3], "padding": "same"},
            },
        ),
        ("remove drop2", {"op": "remove", "node": "drop2"}),
        ("replace relu2 GELU", {"op": "replace", "node": "relu2", "with": {"kind": "GELU"}}),
        ("rename a b", {"op": "rename", "node": "a", "to": "b"}),
        ("widen fc1 256", {"op": "widen", "node": "fc1", "to": 256}),
        ("widen fc1 1.5x --noise=0.01", {"op": "widen", "node": "fc1", "by": 1.5, "noise": 0.01}),
        ("narrow fc2 64 --by magnitude", {"op": "narrow", "node": "fc2", "to": 64, "by": "magnitude"}),
        ("narrow fc2 --fraction 0.25", {"op": "narrow", "node": "fc2", "fraction": 0.25}),
        ("narrow fc2 --keep 0,2,5", {"op": "narrow", "node": "fc2", "keep": [0, 2, 5]}),
        ("deepen block2 id=block3", {"op": "deepen", "after": "block2", "id": "block3"}),
        (
            "grow_vocabulary words 200 --init mean",
            {"op": "grow_vocabulary", "node": "words", "to": 200, "init": "mean"},
        ),
        ("grow-classes head 12", {"op": "grow_classes", "node": "head", "to": 12}),
        ("freeze stem loop.body.fc1", {"op": "freeze", "nodes": ["stem", "loop.body.fc1"]}),
        ("unfreeze stem", {"op": "unfreeze", "nodes": ["stem"]}),
        ("reinit head --init zero", {"op": "reinit", "node": "head", "init": "zero"}),
        ("set training.optimizer.lr 3e-4", {"op": "set", "path": "training.optimizer.lr", "value": 0.0003}),
        ("set training.schedule null", {"op": "set", "path": "training.schedule", "value": None}),
        ("swap_optimizer SGD lr=0.1", {"op": "swap_optimizer", "to": {"kind": "SGD", "lr": 0.1}}),
    ],
)
def test_words_and_what_they_mean(words: str, operation: dict[str, Any]) -> None:
    assert parse_operations(words.split()) == [operation]
    parse_edit({"operations": [operation]})
    again = format_operation(operation)
    assert again.split()[0] == operation["op"]
    assert all(str(value) in again for value in operation.values() if isinstance(value, str | int | float))


def test_every_operation_of_the_language_has_a_short_form() -> None:
    models = Operation.__args__[0].__args__  # type: ignore[attr-defined]
    assert set(FORMS) == {model.model_fields["op"].annotation.__args__[0] for model in models}
    for name, form in FORMS.items():
        example = form.example.partition(" (")[0]
        [operation] = parse_operations(example.split())
        assert operation["op"] == name
        parse_edit({"operations": [operation]})


def test_operations_follow_each_other() -> None:
    words = ["widen", "fc1", "256", "--init", "zero", "--then", "freeze", "stem", "--then", "remove", "drop2"]
    assert [each["op"] for each in parse_operations(words)] == ["widen", "freeze", "remove"]
    assert parse_operations(words)[0]["init"] == "zero"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("shrink fc1 3", "shrink is no operation; operations are insert, remove"),
        ("remove", "remove is written: remove drop2"),
        ("remove a b", "remove is written"),
        ("remove a --init zero", "remove has no --init; its options: none"),
        ("widen fc1 wide", "wide is no number"),
        ("widen fc1", "widen is written: widen fc1 256"),
        ("widen fc1 8 --init", "--init of widen needs a value"),
        ("insert Conv2d", "insert takes one place"),
        ("insert a Conv2d --before b", "insert takes one place"),
        ("narrow fc2", "narrow takes one of"),
        ("narrow fc2 8 --fraction 0.5", "narrow takes one of"),
        ("remove a --then", "an operation is missing"),
    ],
)
def test_mistakes_say_how_it_is_written(words: str, message: str) -> None:
    with pytest.raises(typer.BadParameter, match=message.replace("(", r"\(")):
        parse_operations(words.split())
