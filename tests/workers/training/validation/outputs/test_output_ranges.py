"""What a network ends with, and what its loss compares."""

from typing import Any

import pytest

from app.spec.data.columns import Column, DataSchema
from tests.workers.jobs import LIMITS, make_job
from workers.children.inspect import inspect_job

SCORES = {"kind": "Linear", "out_features": 1}
CLASS_SCORES = {"kind": "Linear", "out_features": 2}


def found(loss: str, *layers: Any, **data: Any) -> list[str]:
    words = loss in ("CrossEntropyLoss", "MultiMarginLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss", "SoftMarginLoss")
    labels = {"labels": ("no", "yes"), "classes": 2} if words else {}
    y = Column(name="y", type="category" if words else "number", **labels)
    columns = (Column(name="n", type="number"), y)
    schema = DataSchema(columns=columns, rows={"train": 50}, inputs=("n",), target="y")
    source = {"kind": "dataset", "id": "ds_" + "0" * 32, **data}
    job = make_job({"layers": list(layers)}, objective={"loss": {"kind": loss}}, data=source)
    response = inspect_job(job, schema, LIMITS)
    assert not response.problems
    return [each.code for each in response.warnings]


@pytest.mark.parametrize(
    ("loss", "layers"),
    [
        ("CrossEntropyLoss", [CLASS_SCORES, {"kind": "Softmax", "dim": 1}]),
        ("BCEWithLogitsLoss", [SCORES, {"kind": "Sigmoid"}]),
        ("SoftMarginLoss", [SCORES, {"kind": "ReLU"}, {"kind": "Flatten"}]),
        ("NLLLoss", [CLASS_SCORES]),
        ("NLLLoss", [CLASS_SCORES, {"kind": "Softmax", "dim": 1}]),
        ("BCELoss", [SCORES]),
        ("MSELoss", [SCORES, {"kind": "ReLU"}]),
        ("L1Loss", [SCORES, {"kind": "Sigmoid"}]),
        ("HuberLoss", [SCORES, {"kind": "Tanh"}]),
    ],
    ids=str,
)
def test_an_output_of_another_range_is_a_warning(loss: str, layers: list[Any]) -> None:
    assert found(loss, *layers) == ["output_range"]


@pytest.mark.parametrize(
    ("loss", "layers"),
    [
        ("CrossEntropyLoss", [CLASS_SCORES, {"kind": "LogSoftmax", "dim": 1}]),
        ("NLLLoss", [CLASS_SCORES, {"kind": "LogSoftmax", "dim": 1}]),
        ("BCELoss", [SCORES, {"kind": "Sigmoid"}]),
        ("MSELoss", [{"kind": "ReLU"}, SCORES]),
        ("PoissonNLLLoss", [SCORES]),
    ],
    ids=str,
)
def test_an_output_that_the_loss_compares(loss: str, layers: list[Any]) -> None:
    assert not found(loss, *layers)


def test_more_scores_than_labels_are_told() -> None:
    assert found("CrossEntropyLoss", CLASS_SCORES | {"out_features": 3}) == ["unused_scores"]


def test_numbers_as_they_are_may_be_positive() -> None:
    features = {"y": {"kind": "numbers", "columns": ["y"], "scale": "none"}}
    assert not found("MSELoss", SCORES, {"kind": "ReLU"}, features=features)


@pytest.mark.parametrize(("source", "codes"), [("softmax", ["output_range"]), ("softmax.loss", [])])
def test_a_log_probability_that_would_be_minimised(source: str, codes: list[str]) -> None:
    y = Column(name="y", type="category", labels=("a", "b", "c"), classes=3)
    columns = (Column(name="n", type="number"), y)
    schema = DataSchema(columns=columns, rows={"train": 50}, inputs=("n",), target="y")
    softmax = {"kind": "AdaptiveLogSoftmaxWithLoss", "n_classes": 3, "cutoffs": [1]}
    nodes = [
        {"id": "hidden", "kind": "Linear", "inputs": ["x"], "out_features": 4},
        {"id": "softmax", "inputs": ["hidden", "y"], **softmax},
    ]
    model = {"inputs": ["x", "y"], "nodes": nodes, "outputs": {"loss": source}}
    job = make_job(model, objective={"loss": "Output"}, data={"kind": "dataset", "id": "ds_" + "0" * 32, "target": "y"})
    response = inspect_job(job, schema, LIMITS)
    assert not response.problems
    assert [each.code for each in response.warnings] == codes
