"""What is told of outputs, by the loss that a network was trained with."""

import math
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from app.spec.data import features
from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.data.sequence_features import TagsFeature
from app.spec.prediction import PredictionOptions
from app.spec.training.losses import LOSS_CLASSES, OUTPUT_LOSS, TORCH_LOSSES, TaskType
from app.spec.training.objective import Head
from workers.data.features.scaling import Scaling
from workers.prediction import heads
from workers.prediction.meaning import ACTIVATIONS, PREDICTION_DECODERS, PredictionDecoder, json_values

LOGITS = torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]])
PROBABILITIES = LOGITS.softmax(1)


def decode_rows(
    meaning: PredictionDecoder, raw: Tensor, *outputs: str, top: int | None = None, lengths: Any = None
) -> list[Any]:
    """Return what is told, as JSON has it."""
    asked = PredictionOptions.model_validate({"outputs": outputs or ("labels",), "top": top})
    return [{name: _plain(value) for name, value in row.items()} for row in meaning.decode(raw, asked, lengths)]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {name: _plain(item) for name, item in value.items()} if isinstance(value, dict) else value


def make_decoder(
    kind: str, target: Column, part: Any = None, place: str = "first", **settings: Any
) -> PredictionDecoder:
    """Return the meaning of an output that a loss compares with a target."""
    head = Head.model_validate({"loss": {"kind": kind, **settings}, "classes": place, "scores": "y"})
    schema = DataSchema(columns=(target,), rows={}, inputs=())
    return heads.prediction_decoder(
        head, target, ResolvedFeatures(schema, {"y": part or features.TensorFeature(column="y")}, {})
    )


def classes(labels: tuple[str, ...] | None = None) -> Column:
    return Column(name="y", dtype="int64", classes=3, labels=labels)


def test_every_loss_has_a_meaning() -> None:
    assert ACTIVATIONS.keys() == TORCH_LOSSES.keys()
    assert {make_decoder(kind, classes()).about for kind in LOSS_CLASSES} <= PREDICTION_DECODERS.keys()
    assert {"raw", *get_args(TaskType)} == PREDICTION_DECODERS.keys()


def test_scores_beside_a_loss_of_one_s_own() -> None:
    found = decode_rows(make_decoder(OUTPUT_LOSS, classes(("a", "b", "c"))), LOGITS, "labels", "probabilities")
    assert [row["label"] for row in found] == ["a", "b"]
    assert found[0]["probabilities"] == pytest.approx(PROBABILITIES[0].tolist())


def test_what_a_network_decides_itself() -> None:
    decided = make_decoder(OUTPUT_LOSS, classes(("a", "b", "c")))
    assert decode_rows(decided, torch.tensor([2, 0])) == [{"label": "c"}, {"label": "a"}]
    assert decode_rows(decided, torch.tensor([7, 0]))[0] == {"label": 7}
    assert decode_rows(decided, torch.tensor([-1]))[0] == {"raw": -1}
    assert decode_rows(decided, torch.tensor([1]), "raw") == [{"raw": 1}]


def test_classes_have_words() -> None:
    found = decode_rows(
        make_decoder("CrossEntropyLoss", classes(("a", "b", "c"))), LOGITS, "labels", "probabilities", "raw", top=2
    )
    assert [row["label"] for row in found] == ["a", "b"]
    assert found[0]["probability"] == pytest.approx(float(PROBABILITIES[0, 0]))
    assert found[0]["probabilities"] == pytest.approx(PROBABILITIES[0].tolist())
    assert found[0]["raw"] == LOGITS[0].tolist()
    assert [(each["label"], each["probability"]) for each in found[0]["top"]] == [
        ("a", pytest.approx(float(PROBABILITIES[0, 0]))),
        ("c", pytest.approx(float(PROBABILITIES[0, 2]))),
    ]


def test_classes_without_words_are_numbers() -> None:
    assert [row["label"] for row in decode_rows(make_decoder("CrossEntropyLoss", classes()), LOGITS)] == [0, 1]
    wider = torch.tensor([[0.0, 0.0, 0.0, 9.0]])  # more outputs than labels
    assert decode_rows(make_decoder("CrossEntropyLoss", classes(("a", "b", "c"))), wider)[0]["label"] == 3
    assert len(decode_rows(make_decoder("CrossEntropyLoss", classes()), LOGITS, top=100)[0]["top"]) == 3


def test_losses_of_classes_agree_about_probabilities() -> None:
    from_logs = decode_rows(make_decoder("NLLLoss", classes()), LOGITS.log_softmax(1), "labels", "probabilities")
    assert from_logs[0]["probabilities"] == pytest.approx(PROBABILITIES[0].tolist())
    scores = decode_rows(make_decoder("MultiMarginLoss", classes()), LOGITS, "labels", "probabilities", top=2)
    assert scores == [{"label": 0}, {"label": 1}]
    assert decode_rows(make_decoder("MultiMarginLoss", classes()), LOGITS, "probabilities") == [
        {"raw": LOGITS[0].tolist()},
        {"raw": LOGITS[1].tolist()},
    ]


def test_a_class_for_every_place() -> None:
    found = decode_rows(
        make_decoder("CrossEntropyLoss", classes(("a", "b", "c"))), LOGITS[:, :, None, None].expand(2, 3, 1, 2)
    )
    assert found[1]["label"] == [["b", "b"]]
    assert np.shape(found[1]["probability"]) == (1, 2)


def test_scores_of_classes_may_come_last() -> None:
    last = make_decoder("CrossEntropyLoss", classes(("a", "b", "c")), place="last")
    assert [row["label"] for row in decode_rows(last, LOGITS[:, None, :])] == [["a"], ["b"]]
    assert [row["label"] for row in decode_rows(last, LOGITS)] == ["a", "b"]


def test_tags_are_told_of_tokens_and_not_of_padding() -> None:
    target = Column(name="y", shape=(9,), dtype="int64", classes=3, labels=("N", "V", "X"), ragged=True)
    tags = make_decoder("CrossEntropyLoss", target, TagsFeature(column="y", of="words"))
    raw = torch.stack([LOGITS.T, LOGITS.T])  # (rows, classes, tokens)
    found = decode_rows(tags, raw, "labels", "probabilities", lengths=[2, 1])
    assert [row["tags"] for row in found] == [["N", "V"], ["N"]]
    assert [len(row["probability"]) for row in found] == [2, 1]
    assert found[1]["probabilities"][0] == pytest.approx(PROBABILITIES[0].tolist())
    assert tags.describe()["about"] == "tags"


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_yes_or_no(shape: tuple[int, ...]) -> None:
    raw = torch.tensor([2.0, -1.0]).reshape(shape)
    words = Column(name="y", dtype="int64", classes=2, labels=("bad", "good"))
    found = decode_rows(make_decoder("BCEWithLogitsLoss", words), raw, "labels", "probabilities")
    assert [row["label"] for row in found] == ["good", "bad"]
    yes, no = 1 / (1 + math.exp(-2)), 1 - 1 / (1 + math.exp(1))
    assert [row["probability"] for row in found] == pytest.approx([yes, no])
    assert found[1]["probabilities"] == pytest.approx([no, 1 - no])
    plain_target = Column(name="y", dtype="int64")
    assert [row["label"] for row in decode_rows(make_decoder("BCELoss", plain_target), raw.sigmoid())] == [1, 0]
    truth = Column(name="y", dtype="bool")
    assert [row["label"] for row in decode_rows(make_decoder("BCELoss", truth), raw.sigmoid())] == [True, False]
    assert [row["label"] for row in decode_rows(make_decoder("SoftMarginLoss", plain_target), raw)] == [1, -1]


@pytest.mark.parametrize("kind", ["BCEWithLogitsLoss", "MultiLabelSoftMarginLoss"])
def test_several_labels(kind: str) -> None:
    target = Column(name="y", shape=(3,), dtype="float32", labels=("a", "b", "c"))
    found = decode_rows(make_decoder(kind, target), torch.tensor([[2.0, -2.0, 1.0], [-1.0, -1.0, -1.0]]))
    assert [[each["label"] for each in row["labels"]] for row in found] == [["a", "c"], []]
    assert found[0]["labels"][1]["probability"] == pytest.approx(1 / (1 + math.exp(-1)))


def test_numbers() -> None:
    target = Column(name="y", shape=(1,))
    for raw in (torch.tensor([1.5, 2.5]), torch.tensor([[1.5], [2.5]])):
        assert decode_rows(make_decoder("MSELoss", target), raw, "labels", "probabilities") == [
            {"value": 1.5},
            {"value": 2.5},
        ]
    assert decode_rows(make_decoder("MSELoss", target), LOGITS)[0] == {"value": LOGITS[0].tolist()}
    assert decode_rows(make_decoder("MSELoss", target), LOGITS, "raw")[0] == {"raw": LOGITS[0].tolist()}
    rate = decode_rows(make_decoder("PoissonNLLLoss", target), torch.zeros(1))
    assert rate == [{"value": 1.0}]
    assert decode_rows(make_decoder("PoissonNLLLoss", target, log_input=False), torch.ones(1)) == [{"value": 1.0}]
    assert decode_rows(make_decoder("KLDivLoss", target), torch.zeros(1)) == [{"value": 1.0}]
    assert decode_rows(make_decoder("KLDivLoss", target, log_target=True), torch.zeros(1)) == [{"value": 0.0}]


def test_numbers_are_in_the_units_of_the_data() -> None:
    scaling = Scaling(torch.tensor([10.0, 20.0]), torch.tensor([2.0, 4.0]))
    scaled = PredictionDecoder("numbers", scaling=scaling)
    assert decode_rows(scaled, torch.tensor([[1.0, 1.0]])) == [{"value": [12.0, 24.0]}]
    one = PredictionDecoder("numbers", scaling=Scaling(torch.tensor(0.0), torch.tensor(16.0)))
    assert decode_rows(one, torch.tensor([[0.5]])) == [{"value": 8.0}]
    assert decode_rows(one, torch.tensor([[0.5, 1.0]])) == [{"value": [8.0, 16.0]}]


def test_an_output_without_a_loss_is_told_as_it_is() -> None:
    assert decode_rows(PredictionDecoder("raw"), torch.tensor([[1, 2]])) == [{"raw": [1, 2]}]


def test_what_is_not_finite_is_a_word() -> None:
    assert json_values(torch.tensor([[1.0, float("nan")], [float("inf"), -float("inf")]])) == [
        [1.0, "NaN"],
        ["Infinity", "-Infinity"],
    ]
    assert (
        decode_rows(make_decoder("CrossEntropyLoss", classes()), torch.tensor([[float("nan")] * 3]))[0]["probability"]
        == "NaN"
    )
