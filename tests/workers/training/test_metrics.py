import math
from typing import Any

import pytest
import torch
from torch import Tensor

import workers.torch_setup  # noqa: F401 - comes before torchmetrics, which imports torchvision
from app.spec.objective import METRICS
from workers.training.metrics import CLASS_METRICS, SUM_METRICS, Meter

from torchmetrics.functional import classification, regression  # isort: skip

CLASSES = 7
ORACLES: dict[str, Any] = {
    "accuracy": lambda p, t: classification.multiclass_accuracy(p, t, CLASSES, average="micro"),
    "top5_accuracy": lambda p, t: classification.multiclass_accuracy(p, t, CLASSES, average="micro", top_k=5),
    "f1": lambda p, t: classification.multiclass_f1_score(p, t, CLASSES, average="macro"),
    "precision": lambda p, t: classification.multiclass_precision(p, t, CLASSES, average="macro"),
    "recall": lambda p, t: classification.multiclass_recall(p, t, CLASSES, average="macro"),
    "mae": regression.mean_absolute_error,
    "mse": regression.mean_squared_error,
    "r2": regression.r2_score,
}


def measured(
    kind: str, names: list[str], output: Tensor, target: Tensor, ignored: int | None = None
) -> dict[str, float]:
    meter = Meter(names, kind, ignored)
    for part in (slice(0, 5), slice(5, 6), slice(6, None)):  # batches of unlike size
        meter.add(output[part], target[part])
    return meter.values()


def test_language_and_workers_know_the_same_names() -> None:
    assert CLASS_METRICS.keys() | SUM_METRICS.keys() == METRICS.keys() == ORACLES.keys()


@pytest.mark.parametrize("name", CLASS_METRICS)
@pytest.mark.parametrize("missing", [False, True])
def test_class_metrics_agree_with_torchmetrics(name: str, missing: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    output = torch.randn(60, CLASSES, generator=generator)
    target = torch.randint(0, CLASSES, (60,), generator=generator)
    if missing:  # a class neither predicted nor true does not count
        output[:, 6], target = -9.0, target.clamp(max=5)
    value = measured("CrossEntropyLoss", [name], output, target)[name]
    assert value == pytest.approx(float(ORACLES[name](output, target)), abs=1e-6)


@pytest.mark.parametrize("name", SUM_METRICS)
def test_number_metrics_agree_with_torchmetrics(name: str) -> None:
    generator = torch.Generator().manual_seed(2)
    output, noise = torch.randn(60, 1, generator=generator), torch.randn(60, generator=generator)
    target = output.squeeze(1) + noise + 100
    value = measured("MSELoss", [name], output, target)[name]
    assert value == pytest.approx(float(ORACLES[name](output.squeeze(1).double(), target.double())), rel=1e-5)


def test_yes_or_no_outputs_are_decided_at_one_half() -> None:
    logits, target = torch.tensor([-1.0, 2.0, 0.5, -0.1, 3.0, -3.0, 1.0]), torch.tensor([0.0, 1, 0, 1, 1, 0, 1])
    names = ["accuracy", "f1"]
    expected = {"accuracy": 5 / 7, "f1": float(classification.multiclass_f1_score((logits > 0).int(), target.int(), 2))}
    assert measured("BCEWithLogitsLoss", names, logits.unsqueeze(1), target) == pytest.approx(expected)
    assert measured("BCELoss", names, logits.sigmoid().unsqueeze(1), target) == pytest.approx(expected)
    assert measured("SoftMarginLoss", names, logits.unsqueeze(1), target * 2 - 1) == pytest.approx(expected)


def test_sequences_ignored_classes_and_probabilities() -> None:
    output = torch.randn(9, CLASSES, 4)
    target = output.argmax(1)
    target[:, 0] = -100
    assert measured("CrossEntropyLoss", ["accuracy"], output, target, -100) == {"accuracy": 1.0}
    soft = torch.nn.functional.one_hot(output[..., 0].argmax(1), CLASSES).float()
    assert measured("CrossEntropyLoss", ["accuracy"], output[..., 0], soft) == {"accuracy": 1.0}


def test_the_coefficient_of_determination_of_a_constant_is_no_number() -> None:
    assert math.isnan(measured("MSELoss", ["r2"], torch.zeros(8), torch.zeros(8))["r2"])


def test_no_metrics_no_values() -> None:
    assert measured("MSELoss", [], torch.zeros(8), torch.zeros(8)) == {}
