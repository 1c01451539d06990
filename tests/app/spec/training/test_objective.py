"""One loss or several heads: names, targets, metrics, and what a training with everything keeps."""

from typing import Any

import pytest

from app.spec.data.columns import Column, DataSchema
from app.spec.job import head_targets, parse_job, resolve_job_features, resume_problems
from app.spec.job_checks import check_job
from app.spec.training.losses import LOSS_CLASSES, LOSSES, OUTPUT_LOSS, task_type
from app.spec.training.metrics import GENERATED_METRICS, METRICS, SPAN_METRICS, metric_mismatch
from app.spec.training.objective import Objective

TABLE = DataSchema(
    columns=(
        Column(name="x", shape=(4,)),
        Column(name="label", dtype="int64", classes=3),
        Column(name="price", type="number", dtype="float64"),
        Column(name="words", type="words", labels=("B-PER", "I-PER", "O"), longest=9),
        Column(name="odd name", type="category", labels=("a", "b")),
        Column(name="kraków", type="category", labels=("c", "d")),
    ),
    rows={"train": 90, "validation": 10},
    inputs=("x",),
    target="label",
)
NODES = [
    {"id": "a", "kind": "Linear", "inputs": ["x"], "out_features": 3},
    {"id": "b", "kind": "Linear", "inputs": ["x"], "out_features": 1},
]
CROSS, SQUARES = {"kind": "CrossEntropyLoss"}, {"kind": "MSELoss"}
TWO_HEADS = {
    "heads": {
        "kind": {"loss": CROSS, "output": "first", "metrics": ["accuracy"]},
        "price": {"loss": SQUARES, "output": "second", "target": "price", "weight": 0.5},
    }
}


def job(objective: Any, **parts: Any) -> Any:
    return parse_job(
        {
            "model": {"nodes": NODES, "outputs": {"first": "a", "second": "b"}},
            "data": {"kind": "dataset", "id": "ds_" + "0" * 32},
            "objective": objective,
        }
        | parts
    )


def problems(objective: Any, **parts: Any) -> list[tuple[str, str, str]]:
    found = check_job(job(objective, **parts), TABLE, 10)
    return [(each.pointer, each.code, each.hint) for each in found]


def head(**fields: Any) -> dict[str, Any]:
    return {"heads": {"one": {"loss": CROSS} | fields}}


def test_one_loss_is_a_head_without_a_name() -> None:
    plain = Objective.model_validate({"loss": CROSS, "metrics": ["f1"], "output": "first"})
    assert list(plain.all_heads()) == [""]
    assert plain.all_heads()[""].metrics == ("f1",)
    assert plain.series_names() == ("train/loss", "val/loss", "val/f1")
    assert Objective.model_validate(TWO_HEADS).series_names() == (
        "train/loss",
        "val/loss",
        "train/kind/loss",
        "val/kind/loss",
        "val/kind/accuracy",
        "train/price/loss",
        "val/price/loss",
    )


def test_each_head_has_its_target() -> None:
    two = job(TWO_HEADS)
    features = resolve_job_features(two, TABLE)
    assert not features.problems
    targets = head_targets(two, TABLE, features)
    assert [column.name for column in targets.values() if column] == ["label", "price"]
    assert features.schema.inputs == ("x",)
    assert check_job(two, TABLE, 10) == []


def test_names_that_are_no_names_stay_apart() -> None:
    both = job(
        {
            "heads": {
                "a": {"loss": CROSS, "target": "odd name"},
                "b": {"loss": CROSS, "target": "kraków"},
                "c": {"loss": CROSS, "target": "odd name"},
            }
        }
    )
    targets = [
        column.labels for column in head_targets(both, TABLE, resolve_job_features(both, TABLE)).values() if column
    ]
    assert targets == [("a", "b"), ("c", "d"), ("a", "b")]
    words = TABLE.model_copy(
        update={
            "columns": (
                *TABLE.columns,
                Column(name="№", dtype="int64", classes=5),
                Column(name="§", dtype="int64", classes=6),
            )
        }
    )
    both = job({"heads": {"a": {"loss": CROSS, "target": "№"}, "b": {"loss": CROSS, "target": "§"}}})
    assert [c.classes for c in head_targets(both, words, resolve_job_features(both, words)).values() if c] == [5, 6]


MISTAKES: list[tuple[Any, tuple[str, str, str]]] = [
    (head(target="prise"), ("/objective/heads/one/target", "unknown_column", 'did you mean "price"?')),
    ({"loss": CROSS, "target": "lable"}, ("/objective/target", "unknown_column", 'did you mean "label"?')),
    (head(output="fisrt"), ("/objective/heads/one/output", "unknown_output", 'did you mean "first"?')),
    (head(scores="second"), ("/objective/heads/one/scores", "contradiction", "remove scores")),
    (
        head(loss={"kind": OUTPUT_LOSS}, scores="thrid"),
        ("/objective/heads/one/scores", "unknown_output", "one of: first, second"),
    ),
    (
        head(loss={"kind": OUTPUT_LOSS}, metrics=["accuracy"]),
        (
            "/objective/heads/one/metrics/0",
            "contradiction",
            'set "scores" to the output that metrics compare with the target',
        ),
    ),
    (
        head(loss=SQUARES, target="price", metrics=["mae", "f1"]),
        (
            "/objective/heads/one/metrics/1",
            "contradiction",
            "one of: mae, mse, rmse, mape, smape, r2, explained_variance, pearson, spearman",
        ),
    ),
]


@pytest.mark.parametrize(("objective", "expected"), MISTAKES)
def test_a_mistake(objective: Any, expected: tuple[str, str, str]) -> None:
    assert problems(objective) == [expected]


def test_a_head_that_compares_needs_a_target() -> None:
    bare = TABLE.model_copy(update={"target": None})
    own = {"heads": {"mine": {"loss": {"kind": OUTPUT_LOSS}}, "one": {"loss": CROSS}, "two": {"loss": SQUARES}}}
    found = [(each.pointer, each.code) for each in check_job(job(own), bare, 10)]
    assert found == [("/objective/heads/one/target", "missing"), ("/objective/heads/two/target", "missing")]
    assert check_job(job({"loss": {"kind": OUTPUT_LOSS}}), bare, 10) == []


@pytest.mark.parametrize("name", ["x", "№", "odd name"])
def test_what_is_read_can_be_learned_whatever_its_name(name: str) -> None:
    pictures = TABLE.model_copy(update={"columns": (Column(name=name, shape=(4,)),), "inputs": (name,), "target": name})
    copied = job({"loss": SQUARES}, model={"layers": [{"kind": "Linear", "out_features": 4}]})
    features = resolve_job_features(copied, pictures)
    (target,) = head_targets(copied, pictures, features).values()
    assert target is not None
    assert target.shape == (4,)
    assert features.schema.inputs == (() if name == "№" else (target.name,))


def test_unknown_metrics_have_the_nearest_as_hint() -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is, it has problems
        job({"loss": CROSS, "metrics": ["accurracy"]})
    (found,) = caught.value.problems  # type: ignore[attr-defined]
    assert (found.pointer, found.code) == ("/objective/metrics/0", "unknown_value")
    assert '"accuracy"' in found.hint


@pytest.mark.parametrize("monitor", Objective.model_validate(TWO_HEADS).series_names())
def test_every_series_can_be_monitored(monitor: str) -> None:
    plan = {
        "early_stop": {"monitor": monitor},
        "checkpoint": {"monitor": monitor},
        "schedule": {"kind": "ReduceLROnPlateau", "monitor": monitor},
    }
    assert problems(TWO_HEADS, training=plan) == []


def test_unknown_series_have_the_nearest_as_hint() -> None:
    place = "/training/early_stop/monitor"
    ((pointer, code, hint),) = problems(TWO_HEADS, training={"early_stop": {"monitor": "val/kind/acuracy"}})
    assert (pointer, code) == (place, "unknown_series")
    assert hint.startswith('did you mean "val/kind/accuracy"')
    assert problems(TWO_HEADS, training={"early_stop": {"monitor": "val/accuracy"}})[0][:2] == (place, "unknown_series")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"kind": {"metrics": ["f1"]}}, None),
        ({"price": {"weight": 2.0}}, "/objective/heads/price/weight"),
        ({"kind": {"loss": CROSS | {"label_smoothing": 0.1}}}, "/objective/heads/kind/loss"),
        ({"kind": {"output": "second"}}, "/objective/heads/kind/output"),
        ({"price": {"target": "label"}}, "/objective/heads/price/target"),
        ({"kind": {"classes": "last"}}, "/objective/heads/kind/classes"),
        ({"new": {"loss": CROSS}}, "/objective/heads"),
    ],
)
def test_a_training_goes_on_with_the_same_heads(change: dict[str, Any], place: str | None) -> None:
    heads = {name: TWO_HEADS["heads"].get(name, {}) | change.get(name, {}) for name in {**TWO_HEADS["heads"], **change}}
    found = resume_problems(job({"heads": heads}), job(TWO_HEADS))
    assert [each.pointer for each in found] == ([place] if place else [])


REQUIRED: dict[str, dict[str, Any]] = {
    "GaussianNLLLoss": {"var": "variance"},
    "QuantileLoss": {"quantiles": [0.1, 0.5, 0.9]},
}


@pytest.mark.parametrize("loss", LOSS_CLASSES)
@pytest.mark.parametrize("metric", METRICS)
def test_metrics_are_about_what_the_loss_is_about(loss: str, metric: str) -> None:
    what = LOSSES[loss].task_type or "classes"
    target = {
        "classes": Column(name="y", dtype="int64", classes=3),
        "numbers": Column(name="y"),
        "decisions": Column(name="y", dtype="bool"),
        "sequences": Column(name="y", shape=(5,), dtype="int64", labels=("a", "b"), padded=True),
    }[what]
    part = LOSS_CLASSES[loss].model_validate({"kind": loss, **REQUIRED.get(loss, {})})
    assert task_type(part, target) == what  # type: ignore[arg-type]
    found = metric_mismatch(metric, part, target)  # type: ignore[arg-type]
    if metric in SPAN_METRICS or what not in METRICS[metric].task_types:
        assert found is not None
        assert "is about" in found[0]
        assert metric not in found[1].removeprefix("one of: ").split(", ")
    elif metric in GENERATED_METRICS and what == "classes":
        assert found is not None
        assert "[BEGIN]" in found[0]
    elif METRICS[metric].requires == "quantiles" and loss != "QuantileLoss":
        assert found is not None
        assert "quantiles" in found[0]
    elif METRICS[metric].requires == "probabilities" and loss == "MultiMarginLoss":
        assert found is not None
        assert "probabilities" in found[0]
    else:
        assert found is None


@pytest.mark.parametrize(
    ("loss", "column", "what"),
    [
        ("BCEWithLogitsLoss", Column(name="y", shape=(3,)), "labels"),
        ("BCEWithLogitsLoss", Column(name="y", shape=(1,)), "decisions"),
        ("BCEWithLogitsLoss", Column(name="y", shape=(1, 8, 8)), "decisions"),
        ("CrossEntropyLoss", Column(name="y", shape=(9,), dtype="int64", labels=("a", "b"), padded=True), "tags"),
        ("CrossEntropyLoss", Column(name="y", shape=(9,), dtype="int64", padded=True), "classes"),
        (OUTPUT_LOSS, Column(name="y", shape=(3,), labels=("a", "b", "c")), "labels"),
        (OUTPUT_LOSS, Column(name="y", shape=(3,)), "numbers"),
        (OUTPUT_LOSS, Column(name="y", dtype="bool"), "decisions"),
        (OUTPUT_LOSS, Column(name="y", shape=(9,), dtype="int64", labels=("a", "b"), padded=True), "tags"),
    ],
)
def test_targets_tell_what_outputs_are_about(loss: str, column: Column, what: str) -> None:
    assert task_type(LOSS_CLASSES[loss].model_validate({"kind": loss}), column) == what  # type: ignore[arg-type]


def test_entities_need_tags_of_their_form() -> None:
    loss: Any = LOSS_CLASSES["CrossEntropyLoss"].model_validate(CROSS)
    tags = Column(name="y", shape=(9,), dtype="int64", labels=("B-PER", "I-PER", "O"), padded=True)
    assert metric_mismatch("span_f1", loss, tags) is None
    nouns = tags.model_copy(update={"labels": ("NOUN", "VERB")})
    found = metric_mismatch("span_f1", loss, nouns)
    assert found is not None
    assert "B-PER" in found[0]
    assert metric_mismatch("accuracy", loss, nouns) is None
