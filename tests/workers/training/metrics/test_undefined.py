"""Metrics that cannot be measured are told from the targets, and end no job."""

import math
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor

from app.spec.data.sources import UploadSource
from app.spec.training.plan import Training
from tests.workers.data.formats.uploads import schema
from tests.workers.training.harness import TrainingHarness
from tests.workers.training.metrics.test_metrics import COLUMNS, applicable, build_case, example
from workers.data.columns import RaggedTensor
from workers.data.files.content import Upload
from workers.protocol.assignment import DatasetRef
from workers.protocol.messages import Ending
from workers.training.metrics.metrics import METRIC_DEFINITIONS, MetricAccumulator
from workers.training.metrics.undefined import UNDEFINED_RULES, known_targets, undefined_metrics, undefined_reason
from workers.training.objective.objective import ObjectiveHead
from workers.training.objective.training_loss import OutputLoss

ONLY_IGNORED = "all held-out targets are ignored"


def cases(what: str) -> dict[str, Tensor]:
    """Return targets that leave something open, and the usual ones."""
    usual = example(what)[1]
    found = {"usual": usual, "one row": usual[:1], "alike": torch.ones_like(usual), "zero": torch.zeros_like(usual)}
    if what == "labels":
        found["one-sided"] = torch.tensor([[1.0, 0, 0, 1]] * 5)
    if what in ("classes", "tags"):
        found["ignored"] = torch.full_like(usual, -100)
    return found


@pytest.mark.parametrize("what", COLUMNS)
def test_what_cannot_be_measured_is_not_measured_and_the_other_way_round(what: str) -> None:
    decoder, cast = build_case(what)
    names = [name for name in METRIC_DEFINITIONS[what] if name in applicable(what)]  # type: ignore[index]
    torch.manual_seed(0)
    for case, target in cases(what).items():
        targets = cast(target)
        known = known_targets(decoder, targets)
        assert known is not None
        undefined = {name for name in names if undefined_reason(known, UNDEFINED_RULES[decoder.task_type].get(name))}
        outputs = [torch.randn_like(example(what)[0][: len(target)]) for _ in range(3)]
        if decoder.task_type == "numbers" and len(target) > 1:
            outputs.append(targets + torch.randn(len(targets), 1))
        for output in outputs:
            accumulator = MetricAccumulator(names, decoder)
            accumulator.add(decoder.decode_labelled(output, targets, what == "tags" or case == "ignored"))
            measured = accumulator.values()
            assert {name for name, value in measured.items() if math.isnan(value)} == undefined, case


def head(what: str, metrics: tuple[str, ...]) -> ObjectiveHead:
    return ObjectiveHead("", OutputLoss("output"), 1.0, build_case(what)[0], metrics)


def test_a_monitor_is_pointed_at_and_other_metrics_are_told_where_they_are_named() -> None:
    plan = Training.model_validate({"early_stop": {"monitor": "val/auroc", "mode": "max"}})
    found = list(undefined_metrics([head("decisions", ("accuracy", "mcc", "auroc"))], {"y": torch.ones(9)}, plan))
    assert [(each.pointer, each.code) for each in found] == [
        ("/objective/metrics/1", "undefined_metric"),
        ("/training/early_stop/monitor", "undefined_metric"),
    ]
    assert found[1].detail == (
        "val/auroc cannot be measured: all held-out rows are of one class; what follows it waits, and the job goes on"
    )


def test_padding_and_ignored_targets_are_no_class() -> None:
    rows = RaggedTensor.from_rows([torch.tensor([2, -100]), torch.tensor([2])], pad=-100)
    (found,) = undefined_metrics([head("tags", ("auroc",))], {"y": rows}, Training())
    assert "one class" in found.detail
    (found,) = undefined_metrics([head("classes", ("accuracy",))], {"y": torch.full((3,), -100)}, Training())
    assert ONLY_IGNORED in found.detail


def write_one_class(path: Path) -> None:
    """80 rows of two classes to train on, and 20 of one class that are held out."""
    drawn = numpy.random.default_rng(0)
    arrays: dict[str, Any] = {"train/x": drawn.normal(size=(80, 4)), "test/x": drawn.normal(size=(20, 4))}
    labels = {"train/y": numpy.arange(80) % 2, "test/y": numpy.ones(20, numpy.int64)}
    numpy.savez(path, **{name: values.astype(numpy.float32) for name, values in arrays.items()}, **labels)


MONITOR = {"monitor": "val/auroc", "mode": "max"}


@pytest.mark.parametrize(
    ("training", "rates"),
    [
        ({"early_stop": MONITOR | {"patience": 1}}, {0.1}),
        ({"schedule": {"kind": "ReduceLROnPlateau", "patience": 0, **MONITOR}}, {0.1}),
        ({"checkpoint": MONITOR | {"every_seconds": None, "keep_best": 1}}, {0.1}),
    ],
)
def test_a_monitor_without_a_value_neither_ends_nor_slows_a_job(
    laboratory: TrainingHarness, training: dict[str, Any], rates: set[float]
) -> None:
    path = laboratory.folder / "one-class.npz"
    write_one_class(path)
    found = schema(Upload(path, UploadSource(kind="upload")))
    laboratory.store.put_file("contents/1", path)
    job = {
        "model": {"layers": [{"kind": "Linear", "out_features": 2}]},
        "data": {"kind": "dataset", "id": "ds_" + "0" * 32, "validation": {"split": "test"}},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["auroc", "accuracy"]},
        "training": {"epochs": 5, "device": "cpu", "optimizer": {"kind": "SGD", "lr": 0.1}} | training,
    }
    source = DatasetRef({"kind": "upload", "format": "npz"}, "contents/1")
    attempt = laboratory.run(job, schema=found, dataset=source)
    assert attempt.outcome.ending == Ending.SUCCEEDED
    assert attempt.outcome.result is not None
    assert (attempt.outcome.result["step"], attempt.outcome.result["stopped_early"]) == (10, False)
    assert {value for _, value in attempt.points("train/lr")} == rates
    assert all(math.isnan(value) for _, value in attempt.points("val/auroc"))
    place = f"/training/{next(iter(training))}/monitor"
    first, *last = attempt.events("warning")
    assert (first["pointer"], first["code"]) == (place, "undefined_metric")
    expected = [] if "schedule" in training else [(place, "unmeasured_monitor")]
    assert [(warning["pointer"], warning["code"]) for warning in last] == expected
    if "checkpoint" in training:
        assert attempt.outcome.result["best"] == {"monitor": "val/auroc", "value": None, "step": None}
        assert "the last checkpoint is taken for the best one" in last[0]["detail"]
