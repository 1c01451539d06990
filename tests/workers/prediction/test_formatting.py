"""Predictions as JSON, by the loss that a network was trained with."""

import math
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from app.spec.data import features
from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.prediction import PredictionOptions
from app.spec.training.losses import OUTPUT_LOSS, TORCH_LOSSES, TaskType
from app.spec.training.objective import Head
from workers.data.features.scaling import Scaling
from workers.prediction.formatting import FIELD_FORMATTERS, OutputFormatter, head_formatter, json_values
from workers.training.metrics.metrics import MetricAccumulator
from workers.training.objective.decode import DECODERS

LOGITS = torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]])
PROBABILITIES = LOGITS.softmax(1)


def decode_rows(
    formatter: OutputFormatter, raw: Tensor, *outputs: str, top: int | None = None, lengths: Any = None
) -> list[Any]:
    """Return the fields of every row as JSON holds them."""
    options = PredictionOptions.model_validate({"outputs": outputs or ("labels",), "top": top})
    return [{name: _plain(value) for name, value in row.items()} for row in formatter.format(raw, options, lengths)]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {name: _plain(item) for name, item in value.items()} if isinstance(value, dict) else value


def make_formatter(
    kind: str, target: Column, part: Any = None, place: str = "first", **settings: Any
) -> OutputFormatter:
    """Return how an output is written that a loss compares with a target."""
    head = Head.model_validate({"loss": {"kind": kind, **settings}, "classes": place, "scores": "y"})
    schema = DataSchema(columns=(target,), rows={}, inputs=())
    resolved = ResolvedFeatures(schema, {"y": part or features.TensorFeature(column="y")}, {})
    return head_formatter(head, "output", target, resolved)


def classes(labels: tuple[str, ...] | None = None) -> Column:
    return Column(name="y", dtype="int64", classes=3, labels=labels)


def test_every_loss_and_task_type_has_a_formatter() -> None:
    assert {make_formatter(kind, classes()).about for kind in (*TORCH_LOSSES, "CTCLoss")} <= FIELD_FORMATTERS.keys()
    assert set(get_args(TaskType)) == FIELD_FORMATTERS.keys() == DECODERS.keys()


def test_scores_beside_a_loss_of_one_s_own() -> None:
    rows = decode_rows(make_formatter(OUTPUT_LOSS, classes(("a", "b", "c"))), LOGITS, "labels", "probabilities")
    assert [row["label"] for row in rows] == ["a", "b"]
    assert rows[0]["probabilities"] == pytest.approx(PROBABILITIES[0].tolist())


def test_classes_as_whole_numbers() -> None:
    decided = make_formatter(OUTPUT_LOSS, classes(("a", "b", "c")))
    assert decode_rows(decided, torch.tensor([2, 0])) == [{"label": "c"}, {"label": "a"}]
    assert decode_rows(decided, torch.tensor([7, 0]))[0] == {"label": 7}
    assert decode_rows(decided, torch.tensor([-1]))[0] == {"raw": -1}
    assert decode_rows(decided, torch.tensor([1]), "raw") == [{"raw": 1}]


def test_classes_have_labels() -> None:
    rows = decode_rows(
        make_formatter("CrossEntropyLoss", classes(("a", "b", "c"))), LOGITS, "labels", "probabilities", "raw", top=2
    )
    assert [row["label"] for row in rows] == ["a", "b"]
    assert rows[0]["probability"] == pytest.approx(float(PROBABILITIES[0, 0]))
    assert rows[0]["probabilities"] == pytest.approx(PROBABILITIES[0].tolist())
    assert rows[0]["raw"] == LOGITS[0].tolist()
    assert [(each["label"], each["probability"]) for each in rows[0]["top"]] == [
        ("a", pytest.approx(float(PROBABILITIES[0, 0]))),
        ("c", pytest.approx(float(PROBABILITIES[0, 2]))),
    ]


def test_classes_without_labels_are_numbers() -> None:
    assert [row["label"] for row in decode_rows(make_formatter("CrossEntropyLoss", classes()), LOGITS)] == [0, 1]
    wider = torch.tensor([[0.0, 0.0, 0.0, 9.0]])  # more outputs than labels
    assert decode_rows(make_formatter("CrossEntropyLoss", classes(("a", "b", "c"))), wider)[0]["label"] == 3
    assert len(decode_rows(make_formatter("CrossEntropyLoss", classes()), LOGITS, top=100)[0]["top"]) == 3


def test_losses_of_classes_agree_about_probabilities() -> None:
    from_logs = decode_rows(make_formatter("NLLLoss", classes()), LOGITS.log_softmax(1), "labels", "probabilities")
    assert from_logs[0]["probabilities"] == pytest.approx(PROBABILITIES[0].tolist())
    scores = decode_rows(make_formatter("MultiMarginLoss", classes()), LOGITS, "labels", "probabilities", top=2)
    assert scores == [{"label": 0}, {"label": 1}]
    assert decode_rows(make_formatter("MultiMarginLoss", classes()), LOGITS, "probabilities") == [
        {"raw": LOGITS[0].tolist()},
        {"raw": LOGITS[1].tolist()},
    ]


def test_a_class_for_every_place() -> None:
    rows = decode_rows(
        make_formatter("CrossEntropyLoss", classes(("a", "b", "c"))), LOGITS[:, :, None, None].expand(2, 3, 1, 2)
    )
    assert rows[1]["label"] == [["b", "b"]]
    assert np.shape(rows[1]["probability"]) == (1, 2)


def test_scores_of_classes_may_come_last() -> None:
    last = make_formatter("CrossEntropyLoss", classes(("a", "b", "c")), place="last")
    assert [row["label"] for row in decode_rows(last, LOGITS[:, None, :])] == [["a"], ["b"]]
    assert [row["label"] for row in decode_rows(last, LOGITS)] == ["a", "b"]


def test_tags_are_those_of_tokens_and_not_of_padding() -> None:
    target = Column(name="y", shape=(9,), dtype="int64", classes=3, labels=("N", "V", "X"), ragged=True)
    tags = make_formatter("CrossEntropyLoss", target, features.TagsFeature(column="y", of="words"))
    raw = torch.stack([LOGITS.T, LOGITS.T])  # (rows, classes, tokens)
    rows = decode_rows(tags, raw, "labels", "probabilities", lengths=[2, 1])
    assert [row["tags"] for row in rows] == [["N", "V"], ["N"]]
    assert [len(row["probability"]) for row in rows] == [2, 1]
    assert rows[1]["probabilities"][0] == pytest.approx(PROBABILITIES[0].tolist())
    assert tags.describe()["about"] == "tags"


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_yes_or_no(shape: tuple[int, ...]) -> None:
    raw = torch.tensor([2.0, -1.0]).reshape(shape)
    words = Column(name="y", dtype="int64", classes=2, labels=("bad", "good"))
    rows = decode_rows(make_formatter("BCEWithLogitsLoss", words), raw, "labels", "probabilities")
    assert [row["label"] for row in rows] == ["good", "bad"]
    yes, no = 1 / (1 + math.exp(-2)), 1 - 1 / (1 + math.exp(1))
    assert [row["probability"] for row in rows] == pytest.approx([yes, no])
    assert rows[1]["probabilities"] == pytest.approx([no, 1 - no])
    plain_target = Column(name="y", dtype="int64")
    assert [row["label"] for row in decode_rows(make_formatter("BCELoss", plain_target), raw.sigmoid())] == [1, 0]
    truth = Column(name="y", dtype="bool")
    assert [row["label"] for row in decode_rows(make_formatter("BCELoss", truth), raw.sigmoid())] == [True, False]
    assert [row["label"] for row in decode_rows(make_formatter("SoftMarginLoss", plain_target), raw)] == [1, -1]
    assert [row["label"] for row in decode_rows(make_formatter("SoftMarginLoss", words), raw)] == ["good", "bad"]


@pytest.mark.parametrize("kind", ["BCEWithLogitsLoss", "MultiLabelSoftMarginLoss"])
def test_several_labels(kind: str) -> None:
    target = Column(name="y", shape=(3,), dtype="float32", labels=("a", "b", "c"))
    rows = decode_rows(make_formatter(kind, target), torch.tensor([[2.0, -2.0, 1.0], [-1.0, -1.0, -1.0]]))
    assert [[each["label"] for each in row["labels"]] for row in rows] == [["a", "c"], []]
    assert rows[0]["labels"][1]["probability"] == pytest.approx(1 / (1 + math.exp(-1)))


def test_numbers() -> None:
    target = Column(name="y", shape=(1,))
    for raw in (torch.tensor([1.5, 2.5]), torch.tensor([[1.5], [2.5]])):
        assert decode_rows(make_formatter("MSELoss", target), raw, "labels", "probabilities") == [
            {"value": 1.5},
            {"value": 2.5},
        ]
    assert decode_rows(make_formatter("MSELoss", target), LOGITS)[0] == {"value": LOGITS[0].tolist()}
    assert decode_rows(make_formatter("MSELoss", target), LOGITS, "raw")[0] == {"raw": LOGITS[0].tolist()}
    rate = decode_rows(make_formatter("PoissonNLLLoss", target), torch.zeros(1))
    assert rate == [{"value": 1.0}]
    assert decode_rows(make_formatter("PoissonNLLLoss", target, log_input=False), torch.ones(1)) == [{"value": 1.0}]
    assert decode_rows(make_formatter("KLDivLoss", target), torch.zeros(1)) == [{"value": 1.0}]
    assert decode_rows(make_formatter("KLDivLoss", target, log_target=True), torch.zeros(1)) == [{"value": 0.0}]


def test_numbers_are_in_the_units_of_the_data() -> None:
    scaling = Scaling(torch.tensor([10.0, 20.0]), torch.tensor([2.0, 4.0]))
    plain = make_formatter("MSELoss", Column(name="y", shape=(2,)))
    assert plain.decoder is not None
    scaled = replace(plain, decoder=replace(plain.decoder, scaling=scaling))
    assert decode_rows(scaled, torch.tensor([[1.0, 1.0]])) == [{"value": [12.0, 24.0]}]
    one = replace(plain, decoder=replace(plain.decoder, scaling=Scaling(torch.tensor(0.0), torch.tensor(16.0))))
    assert decode_rows(one, torch.tensor([[0.5]])) == [{"value": 8.0}]
    assert decode_rows(one, torch.tensor([[0.5, 1.0]])) == [{"value": [8.0, 16.0]}]


def test_an_output_without_a_target_is_raw() -> None:
    assert decode_rows(OutputFormatter(), torch.tensor([[1, 2]])) == [{"raw": [1, 2]}]


def test_numbers_that_are_not_finite_are_words() -> None:
    assert json_values(torch.tensor([[1.0, float("nan")], [float("inf"), -float("inf")]])) == [
        [1.0, "NaN"],
        ["Infinity", "-Infinity"],
    ]
    assert (
        decode_rows(make_formatter("CrossEntropyLoss", classes()), torch.tensor([[float("nan")] * 3]))[0]["probability"]
        == "NaN"
    )


UNEQUAL = torch.tensor([[0.1, 0.1 + 1e-8], [0.1 + 1e-8, 0.1]])  # one float32 apart: the softmax in float32 is a tie
TINY = torch.tensor([1e-9, -1e-9, 0.0])  # the sigmoid in float32 is 0.5


@pytest.mark.parametrize("kind", ["CrossEntropyLoss", "MultiMarginLoss"])
def test_nearly_equal_scores_are_decided_as_in_evaluation(kind: str) -> None:
    assert UNEQUAL.softmax(1).unique().numel() == 1
    formatter = make_formatter(kind, Column(name="y", dtype="int64", classes=2))
    assert [row["label"] for row in decode_rows(formatter, UNEQUAL)] == [1, 0]
    assert evaluated(formatter, UNEQUAL, torch.tensor([1, 0])) == 1.0


@pytest.mark.parametrize("kind", ["BCEWithLogitsLoss", "MultiLabelSoftMarginLoss", "SoftMarginLoss"])
def test_logits_near_zero_are_decided_as_in_evaluation(kind: str) -> None:
    assert TINY.sigmoid().tolist() == [0.5] * 3
    formatter = make_formatter(kind, Column(name="y", dtype="int64", classes=2))
    no, yes = (-1, 1) if kind == "SoftMarginLoss" else (0, 1)
    assert [row["label"] for row in decode_rows(formatter, TINY)] == [yes, no, no]
    assert evaluated(formatter, TINY, torch.tensor([yes, no, no])) == 1.0


def test_small_probabilities_are_decided_as_in_evaluation() -> None:
    outputs = torch.tensor([1e-9, 0.5, 0.5000001, 1.0])
    formatter = make_formatter("BCELoss", Column(name="y", dtype="int64", classes=2))
    rows = decode_rows(formatter, outputs, "labels", "probabilities")
    assert [row["label"] for row in rows] == [0, 0, 1, 1]
    assert rows[0]["probabilities"] == [1.0, float(np.float32(1e-9))]
    assert evaluated(formatter, outputs, torch.tensor([0, 0, 1, 1])) == 1.0


def test_labels_near_zero_are_decided_as_in_evaluation() -> None:
    formatter = make_formatter("BCEWithLogitsLoss", Column(name="y", shape=(3,), labels=("a", "b", "c")))
    assert [[each["label"] for each in row["labels"]] for row in decode_rows(formatter, TINY.unsqueeze(0))] == [["a"]]
    assert evaluated(formatter, TINY.unsqueeze(0), torch.tensor([[1.0, 0.0, 0.0]])) == 1.0


def test_the_most_probable_class_is_the_label_where_scores_are_equal() -> None:
    equal = torch.tensor([[0.5] * 40])
    (row,) = decode_rows(make_formatter("CrossEntropyLoss", Column(name="y", dtype="int64")), equal, top=3)
    assert row["label"] == row["top"][0]["label"] == 0


def test_probabilities_of_no_keep_their_digits() -> None:
    formatter = make_formatter("BCEWithLogitsLoss", Column(name="y", dtype="int64", classes=2))
    (row,) = decode_rows(formatter, torch.tensor([20.0]), "probabilities")
    assert row["probabilities"][0] == pytest.approx(1 / (1 + math.exp(20)), rel=1e-6)  # in float32: 0


def evaluated(formatter: OutputFormatter, outputs: Tensor, target: Tensor) -> float:
    """Return the accuracy that evaluation reports of these outputs."""
    assert formatter.decoder is not None
    accumulator = MetricAccumulator(["accuracy"], formatter.decoder)
    accumulator.add(formatter.decoder.decode_labelled(outputs, target, False))
    return accumulator.values()["accuracy"]
