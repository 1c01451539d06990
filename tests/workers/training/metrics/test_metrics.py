"""Metrics over batches are those over all rows at once, of scikit-learn, scipy and the reference."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn
from torch import Tensor

from app.spec.data.columns import Column
from app.spec.training.losses import LOSS_CLASSES, equivalent_loss
from app.spec.training.metrics import GENERATED_METRICS, METRICS, SPAN_METRICS
from app.spec.training.objective import Head
from tests.workers.training import reference_metrics
from tests.workers.training.metrics.sklearn_metrics import sklearn_metrics
from workers.training.metrics.metrics import METRIC_DEFINITIONS, MetricAccumulator
from workers.training.objective.decode import OutputDecoder, build_decoder
from workers.training.objective.losses import target_cast

CLASSES = 7
KINDS = {
    "classes": "CrossEntropyLoss",
    "tags": "CrossEntropyLoss",
    "decisions": "BCEWithLogitsLoss",
    "labels": "BCEWithLogitsLoss",
    "numbers": "MSELoss",
}
COLUMNS = {
    "classes": Column(name="y", dtype="int64", classes=CLASSES),
    "tags": Column(
        name="y", shape=(9,), dtype="int64", classes=5, padded=True, labels=("B-LOC", "B-PER", "I-LOC", "I-PER", "O")
    ),
    "decisions": Column(name="y", dtype="bool"),
    "labels": Column(name="y", shape=(4,), dtype="float32", labels=("a", "b", "c", "d")),
    "numbers": Column(name="y", shape=(1,), dtype="float32"),
}
PARTS = (slice(0, 5), slice(5, 6), slice(6, None))  # batches of unlike size


def build_case(what: str, kind: str | None = None, **fields: Any) -> tuple[OutputDecoder, Any]:
    settings = {name: value for name, value in fields.items() if name not in Head.model_fields}
    loss = LOSS_CLASSES[kind or KINDS[what]].model_validate({"kind": kind or KINDS[what], **settings})
    head = Head.model_validate({"loss": loss, **{name: fields[name] for name in fields.keys() & Head.model_fields}})
    cast = target_cast(equivalent_loss(head.loss, COLUMNS[what]), COLUMNS[what])
    return build_decoder(head, COLUMNS[what], "output", "y"), cast


def accumulated_metrics(
    what: str, names: list[str], output: Tensor, target: Tensor, kind: str | None = None, **fields: Any
) -> Any:
    decoder, cast = build_case(what, kind, **fields)
    assert decoder.task_type == what
    target = cast(target)
    accumulator = MetricAccumulator(names, decoder)
    gaps = decoder.has_ignored_targets(target) or what == "tags"
    for part in PARTS:
        accumulator.add(decoder.decode_labelled(output[part], target[part], gaps))
    return accumulator.values()


def example(what: str, rows: int = 60) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    if what == "classes":
        target = torch.randint(0, CLASSES, (rows,), generator=generator)
        return torch.randn(rows, CLASSES, generator=generator) + torch.nn.functional.one_hot(target, CLASSES), target
    if what == "tags":
        target = torch.randint(0, 5, (rows, 9), generator=generator)
        target[::2, 6:] = -100
        return torch.randn(rows, 5, 9, generator=generator), target
    if what == "decisions":
        target = torch.rand(rows, generator=generator) < 0.3
        return torch.randn(rows, generator=generator) + target.float(), target
    if what == "labels":
        target = (torch.rand(rows, 4, generator=generator) < 0.3).float()
        return torch.randn(rows, 4, generator=generator) + target, target
    output = torch.randn(rows, 1, generator=generator)
    return output, output + torch.randn(rows, 1, generator=generator) + 100


def applicable(what: str) -> list[str]:
    """Return the metrics of a task whose outputs are neither quantiles nor generated texts."""
    left_out = GENERATED_METRICS if what == "classes" else frozenset()
    rows = {name: row for name, row in METRICS.items() if name not in left_out}
    return [name for name, row in rows.items() if what in row.task_types and row.requires != "quantiles"]


@pytest.mark.parametrize("what", COLUMNS)
def test_values_are_those_of_scikit_learn_and_scipy(what: str) -> None:
    output, target = example(what)
    expected = sklearn_metrics(what, output, target)
    names = [name for name in applicable(what) if name not in SPAN_METRICS]
    assert expected.keys() == set(names)
    together = accumulated_metrics(what, names, output, target)
    assert together == pytest.approx(expected, abs=2e-6)
    for name in names:
        assert accumulated_metrics(what, [name], output, target) == {name: together[name]}


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("CrossEntropyLoss", {}),
        ("CrossEntropyLoss", {"ignore_index": 2}),
        ("NLLLoss", {}),
        ("MultiMarginLoss", {}),
        ("BCEWithLogitsLoss", {}),
        ("BCELoss", {}),
        ("SoftMarginLoss", {}),
        ("MSELoss", {}),
        ("L1Loss", {}),
    ],
)
def test_values_are_those_of_the_reference(kind: str, settings: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(3)
    output, target = torch.randn(70, 6, generator=generator), torch.randint(0, 5, (70,), generator=generator)
    names, what = ["accuracy", "top5_accuracy", "f1", "precision", "recall"], "classes"
    if kind in ("MSELoss", "L1Loss"):
        output, target, names, what = output[:, :1], output[:, 1] + 50, ["mae", "mse", "r2"], "numbers"
    elif kind not in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"):
        output, target, what = output[:, :1], (output[:, 1] > 0).float(), "decisions"
        output = output.sigmoid() if kind == "BCELoss" else output
        names.remove("top5_accuracy")
    compared = target * 2 - 1 if kind == "SoftMarginLoss" else target
    expected = reference_metrics.reference_metrics(kind, names, output, compared, settings.get("ignore_index"))
    assert accumulated_metrics(what, names, output, target, kind, **settings) == pytest.approx(expected, rel=1e-6)


def test_classes_that_are_not_there_do_not_count() -> None:
    output, target = example("classes")
    output[:, 6], target = -9.0, target.clamp(max=5)  # neither predicted nor true
    names = ["f1", "balanced_accuracy", "auroc", "average_precision"]
    found = accumulated_metrics("classes", names, output, target)
    chances = output.double().softmax(1).numpy()
    hot = np.eye(6)[target.numpy()]
    assert found["f1"] == pytest.approx(sklearn.f1_score(target, output.argmax(1), average="macro"))
    assert found["auroc"] == pytest.approx(sklearn.roc_auc_score(hot, chances[:, :6]))
    assert found["average_precision"] == pytest.approx(sklearn.average_precision_score(hot, chances[:, :6]))
    output[:10, 6] = 9.0  # predicted alone: no recall, and so no part of the balanced accuracy
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = sklearn.balanced_accuracy_score(target, output.argmax(1))
    assert accumulated_metrics("classes", names, output, target)["balanced_accuracy"] == pytest.approx(expected)


def test_classes_in_the_last_dimension_and_chosen_already() -> None:
    output, target = example("tags")
    names = ["accuracy", "f1", "exact_match", "span_f1"]
    expected = accumulated_metrics("tags", names, output, target)
    assert accumulated_metrics("tags", names, output.movedim(1, -1), target, classes="last") == expected
    assert accumulated_metrics("tags", names, output.argmax(1), target, "Output", scores="tags") == expected


def test_probabilities_are_of_their_most_probable_class() -> None:
    output = torch.randn(9, CLASSES)
    soft = torch.nn.functional.one_hot(output.argmax(1), CLASSES).float()
    assert accumulated_metrics("classes", ["accuracy"], output, soft) == {"accuracy": 1.0}


def test_counts_and_probabilities_are_compared_and_not_their_logarithms() -> None:
    output, target = torch.rand(9, 1), torch.ones(9, 1)
    exponential = float((output.double().exp() - 1).abs().mean())
    assert accumulated_metrics("numbers", ["mae"], output, target, "PoissonNLLLoss") == pytest.approx(
        {"mae": exponential}
    )
    assert accumulated_metrics("numbers", ["mae"], output, target, "KLDivLoss") == pytest.approx({"mae": exponential})
    plain = float((output.double() - 1).abs().mean())
    assert accumulated_metrics("numbers", ["mae"], output, target, "PoissonNLLLoss", log_input=False) == {"mae": plain}
    assert accumulated_metrics("numbers", ["mae"], output, target, "KLDivLoss", log_target=True) == {"mae": plain}


@pytest.mark.parametrize("what", COLUMNS)
@pytest.mark.parametrize("rows", [1, 2])
def test_undefined_metrics_are_nan_and_no_error(what: str, rows: int) -> None:
    decoder, cast = build_case(what)
    output, target = example(what)
    for scores in (output[:rows], torch.full_like(output[:rows], math.nan), torch.zeros_like(output[:rows])):
        names = [name for name in METRIC_DEFINITIONS[decoder.task_type] if name in applicable(what)]
        accumulator = MetricAccumulator(names, decoder)
        accumulator.add(
            decoder.decode_labelled(scores, cast(target[:1].repeat(rows, *[1] * (target.ndim - 1))), what == "tags")
        )
        assert accumulator.values().keys() == set(names)


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("numbers", "r2"),
        ("numbers", "pearson"),
        ("numbers", "spearman"),
        ("numbers", "explained_variance"),
        ("decisions", "auroc"),
        ("decisions", "average_precision"),
        ("decisions", "recall_positive"),
        ("labels", "auroc"),
        ("labels", "f1_weighted"),
        ("classes", "auroc"),
    ],
)
def test_constant_targets_give_nan(what: str, name: str) -> None:
    output, target = example(what)
    value = accumulated_metrics(what, [name], output, torch.zeros_like(target))[name]
    assert math.isnan(value)


def test_all_targets_ignored_give_nan() -> None:
    output, target = example("classes")
    found = accumulated_metrics("classes", ["accuracy", "auroc"], output, torch.full_like(target, -100))
    assert all(math.isnan(value) for value in found.values())


def test_ranks_of_many_equal_numbers_do_not_overflow() -> None:
    target = torch.arange(200_000).remainder(2).float().unsqueeze(1)
    found = accumulated_metrics("numbers", ["spearman"], target + torch.linspace(0, 0.1, 200_000).unsqueeze(1), target)
    assert 0.8 < found["spearman"] < 1


def test_a_thousand_classes_are_counted_where_only_deterministic_algorithms_are_allowed() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        target = torch.arange(2000).remainder(1000)
        assert accumulated_metrics("classes", ["f1", "mcc"], torch.eye(1000)[target], target) == pytest.approx(
            {"f1": 1.0, "mcc": 1.0}
        )
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_a_margin_loss_ranks_without_probabilities() -> None:
    output, target = example("classes")
    decoder, cast = build_case("classes", "MultiMarginLoss")
    predictions = decoder.decode_labelled(output, cast(target), False)
    assert predictions.probabilities is None
    names = ["auroc", "average_precision", "top5_accuracy"]
    found = accumulated_metrics("classes", names, output, target, "MultiMarginLoss")
    assert found == accumulated_metrics("classes", names, output, target)
    shifted = output + torch.arange(len(output)).unsqueeze(1)  # which changes no margin
    assert accumulated_metrics("classes", names, shifted, target, "MultiMarginLoss") == pytest.approx(found)


@pytest.mark.parametrize("kind", ["SoftMarginLoss", "MultiLabelSoftMarginLoss"])
def test_soft_margin_losses_give_probabilities(kind: str) -> None:
    output, target = example("decisions")
    names = ["calibration_error", "auroc"]
    expected = accumulated_metrics("decisions", names, output, target)
    assert accumulated_metrics("decisions", names, output, target, kind) == pytest.approx(expected)


def test_no_metrics_no_values() -> None:
    assert accumulated_metrics("numbers", [], torch.zeros(8, 1), torch.zeros(8, 1)) == {}
