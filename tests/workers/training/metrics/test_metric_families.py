"""Metrics with settings: those of scikit-learn, and how a job says them."""

import math
import warnings
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from sklearn import metrics as sklearn

from app.spec.training.metric_families import family_example, parse_metric
from app.spec.training.objective import Objective
from tests.workers.training.metrics.test_metrics import CLASSES, accumulated_metrics, example

CROSS_ENTROPY = {"kind": "CrossEntropyLoss"}


@pytest.mark.parametrize("beta", [0.5, 2, 3.25])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("what", ["classes", "decisions", "labels"])
def test_f_beta_is_that_of_scikit_learn(what: str, beta: float, average: str) -> None:
    output, target = example(what)
    name = f"f{beta:g}" + ("" if average == "macro" else f"_{average}")
    predicted = output.argmax(1) if what == "classes" else (output > 0).long()
    expected = sklearn.fbeta_score(target.long(), predicted, beta=beta, average=average, zero_division=0)
    assert accumulated_metrics(what, [name], output, target)[name] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("beta", [0.5, 2])
def test_f_beta_of_yes(beta: float) -> None:
    output, target = example("decisions")
    expected = sklearn.fbeta_score(target, output > 0, beta=beta)
    name = f"f{beta:g}_positive"
    assert accumulated_metrics("decisions", [name], output, target)[name] == pytest.approx(expected, abs=1e-6)
    nothing = accumulated_metrics("decisions", [name], output, torch.zeros_like(target))
    assert math.isnan(nothing[name])


@pytest.mark.parametrize("k", [1, 2, 3, 7, 50])
def test_top_k_accuracy_is_that_of_scikit_learn(k: int) -> None:
    output, target = example("classes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of k that is as large as the number of classes
        expected = sklearn.top_k_accuracy_score(target, output, k=k, labels=range(CLASSES))
    name = f"top{k}_accuracy"
    assert accumulated_metrics("classes", [name], output, target)[name] == pytest.approx(expected)


def test_several_of_a_family_beside_each_other() -> None:
    output, target = example("classes")
    names = ["f0.5", "f1", "f2", "f2_micro", "top2_accuracy", "top5_accuracy", "precision"]
    together = accumulated_metrics("classes", names, output, target)
    for name in names:
        assert accumulated_metrics("classes", [name], output, target) == {name: together[name]}
    assert len(set(together.values())) == len(names)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ({"kind": "fbeta", "beta": 2}, "f2"),
        ({"kind": "fbeta", "beta": 0.5, "average": "weighted"}, "f0.5_weighted"),
        ({"kind": "fbeta", "beta": 1.0}, "f1"),
        ({"kind": "top_accuracy", "k": 3}, "top3_accuracy"),
        ({"kind": "accuracy"}, "accuracy"),
        ("f2", "f2"),
        ("top10_accuracy", "top10_accuracy"),
    ],
)
def test_an_object_is_a_name_in_series(written: Any, name: str) -> None:
    objective = Objective.model_validate({"loss": CROSS_ENTROPY, "metrics": [written]})
    assert objective.metrics == (name,)
    assert f"val/{name}" in objective.series_names()
    assert Objective.model_validate_json(objective.model_dump_json()) == objective


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"kind": "fbeta"}, "beta"),
        ("fbeta", "no metric"),
        ({"kind": "fbeta", "beta": -1}, "beta"),
        ({"kind": "top_accuracy", "k": 0}, "k"),
        ({"kind": "top_accuracy", "k": 2, "n": 3}, "n"),
        ({"kind": "accuracy", "k": 2}, "settings"),
        ("f02", "no metric"),
        ("f0", "no metric"),
        ("top0_accuracy", "no metric"),
        ("f2_none", "no metric"),
    ],
)
def test_mistakes(written: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Objective.model_validate({"loss": CROSS_ENTROPY, "metrics": [written]})
    assert parse_metric("accuracy") is None


def test_a_family_without_its_setting_has_the_object_as_hint() -> None:
    assert family_example("fbeta") == 'write it with its setting: {"kind": "fbeta", "beta": 2}'
    assert family_example("accuracy") == ""
