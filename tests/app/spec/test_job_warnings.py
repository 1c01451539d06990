"""What a job says that has no effect, or none that is meant: classes that cannot be balanced, metrics, milestones."""

from types import MappingProxyType
from typing import Any

import pytest

from app.spec.data.columns import Column, DataSchema
from app.spec.job import parse_job, resolve_job_features
from app.spec.job_checks import job_column_roles, job_warnings

ROWS = 600
LABELS = tuple(f"class {number}" for number in range(200))
SCHEMA = DataSchema(
    columns=(
        Column(name="x", type="number"),
        Column(name="price", type="number"),
        Column(name="grade", type="number", dtype="int64", labels=("1", "2", "3"), classes=3),
        Column(name="many", type="category", labels=LABELS, classes=len(LABELS)),
        Column(name="y", type="category", labels=("no", "yes"), classes=2),
    ),
    rows={"train": ROWS},
    inputs=("x",),
    target="y",
)


def warned(objective: Any = MappingProxyType({}), training: Any = None, **data: Any) -> list[tuple[str, str]]:
    document = {
        "model": {"inputs": ["x"], "layers": [{"kind": "Linear", "out_features": 2}]},
        "data": {"kind": "dataset", "id": "ds_" + "0" * 32, "validation": None, **data},
        "objective": objective if "heads" in objective else {"loss": "CrossEntropyLoss", **objective},
        "training": training or {},
    }
    spec = parse_job(document)
    resolved = resolve_job_features(spec, SCHEMA)
    found = job_warnings(spec, SCHEMA, resolved, job_column_roles(spec, SCHEMA, resolved))
    return [(each.pointer, each.detail) for each in found if each.code in CODES]


CODES = ("many_classes", "no_information", "never_reached")


@pytest.mark.parametrize(
    ("sampler", "detail"),
    [
        ({"kind": "balanced"}, ""),
        ({"kind": "balanced", "column": "grade"}, ""),
        ({"kind": "weighted", "column": "price"}, ""),
        ({"kind": "balanced", "column": "price"}, 'the many different numbers of "price"'),
        ({"kind": "balanced", "column": "many"}, '"many" has 200 classes in 600 rows'),
    ],
)
def test_a_sampler_that_balances_hardly_any_classes(sampler: Any, detail: str) -> None:
    found = warned(sampler=sampler)
    assert [place for place, _ in found] == (["/data/sampler/column"] if detail else [])
    assert all(detail in text for _, text in found)


def test_balanced_weights_of_hardly_any_classes() -> None:
    balanced = {"loss": {"kind": "CrossEntropyLoss", "weight": "balanced"}}
    assert warned(balanced) == []
    [(place, detail)] = warned({**balanced, "target": "many"})
    assert place == "/objective/loss/weight"
    assert '"many" has 200 classes in 600 rows' in detail


def test_a_class_among_all_classes_is_always_right() -> None:
    metrics = ["top1_accuracy", "top2_accuracy", {"kind": "top_accuracy", "k": 3}]
    found = warned({"metrics": metrics})
    assert [place for place, _ in found] == ["/objective/metrics/1", "/objective/metrics/2"]
    assert "2 classes" in found[0][1]
    assert [place for place, _ in warned({"metrics": metrics, "target": "grade"})] == ["/objective/metrics/2"]


def schedule(kind: str, milestones: list[int], **settings: Any) -> dict[str, Any]:
    parts = {"schedulers": ["ConstantLR"] * (len(milestones) + 1)} if kind == "SequentialLR" else {}
    return {"kind": kind, "milestones": milestones, **parts, **settings}


# 600 rows in batches of 64 are 10 steps an epoch.
@pytest.mark.parametrize(
    ("plan", "spec", "places"),
    [
        ({"epochs": 30}, schedule("MultiStepLR", [10, 29]), []),
        ({"epochs": 30}, schedule("MultiStepLR", [10, 30, 40]), [1, 2]),
        ({"epochs": 3}, schedule("MultiStepLR", [29, 30], interval="step"), [1]),
        ({"steps": 95}, schedule("MultiStepLR", [9, 10]), [1]),
        ({"epochs": 2, "batch_size": 300, "accumulate": 2}, schedule("MultiStepLR", [1, 2], interval="step"), [1]),
        ({"epochs": 2, "batch_size": 512, "drop_last": True}, schedule("MultiStepLR", [1, 2], interval="step"), [1]),
        ({}, schedule("SequentialLR", [1]), [0]),
    ],
)
def test_milestones_beyond_the_end(plan: Any, spec: Any, places: list[int]) -> None:
    found = warned(training={**plan, "schedule": spec})
    assert [place for place, _ in found] == [f"/training/schedule/milestones/{place}" for place in places]


def test_milestones_of_parts_and_of_each_update() -> None:
    chained = {"kind": "ChainedScheduler", "schedulers": [{"kind": "ExponentialLR", "gamma": 0.9}]}
    chained["schedulers"].append(schedule("MultiStepLR", [200], interval="step"))  # type: ignore[attr-defined]
    updates = [{"loss": "only", "parameters": ["linear1"], "optimizer": "Adam", "schedule": chained}]
    heads = {"heads": {"only": {"loss": "CrossEntropyLoss"}}}
    [(place, detail)] = warned(heads, training={"steps": 100, "updates": updates})
    assert place == "/training/updates/0/schedule/schedulers/1/milestones/0"
    assert "ends after 100 steps" in detail
    drawn = {"sampler": {"kind": "balanced", "samples": 128}}  # two steps an epoch
    sequence = schedule("MultiStepLR", [2], interval="step")
    assert len(warned(training={"epochs": 1, "schedule": sequence}, **drawn)) == 1
    assert warned(training={"epochs": 1, "schedule": sequence}) == []


# 600 rows in batches of 64 are 10 steps an epoch.
@pytest.mark.parametrize(
    ("plan", "rule", "place"),
    [
        ({"epochs": 3}, {"at": {"epoch": 2}}, ""),
        ({"epochs": 3}, {"at": {"epoch": 3}}, "/at/epoch"),
        ({"epochs": 3}, {"at": {"step": 29}}, ""),
        ({"epochs": 3}, {"at": {"step": 30}}, "/at/step"),
        ({"steps": 20}, {"every": {"epochs": 1}}, ""),
        ({"steps": 20}, {"every": {"steps": 20}}, "/every/steps"),
        ({"steps": 20}, {"at": {"when": {"metric": "val/loss", "below": 0.1}}}, ""),
    ],
)
def test_edits_of_the_plan_beyond_the_end(plan: Any, rule: Any, place: str) -> None:
    operations = [{"op": "unfreeze", "nodes": ["linear1"]}]
    found = warned(training={**plan, "edits": [{**rule, "operations": operations}]})
    assert [each for each, _ in found] == ([f"/training/edits/0{place}"] if place else [])
