"""Reports hold the counts of an evaluation, are files of its checkpoint, and change nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn

from app.spec.data.columns import Column
from app.spec.training.losses import LOSS_CLASSES, equivalent_loss
from app.spec.training.objective import Head as HeadSpec
from app.storage.local import LocalStore
from tests.workers.training.datasets import DatasetHarness, tagging_dataset
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, digits_job, resume_candidates
from tests.workers.training.metrics.test_metrics import CLASSES, COLUMNS, KINDS, PARTS, example
from tests.workers.training.multi_head import (
    CROSS_ENTROPY,
    HEAD_SPECS,
    OUTPUT_LOSS,
    flower_dataset,
    flower_job,
    four_head_job,
    network,
)
from workers.protocol.messages import Ending, SavedCheckpoint
from workers.training.metrics import samples
from workers.training.metrics.reports.classification_report import ACCUMULATORS, evaluation_report
from workers.training.objective.decode import build_decoder
from workers.training.objective.losses import target_cast
from workers.training.objective.objective import ObjectiveHead
from workers.training.objective.training_loss import OutputLoss


@pytest.fixture
def reading(tmp_path: Path) -> DatasetHarness:
    return DatasetHarness(tmp_path, LocalStore(tmp_path / "store"), corpus=flower_dataset())


def stored_report(place: TrainingHarness, saved: SavedCheckpoint) -> Any:
    """Return the report of a checkpoint; `None` if it has none."""
    paths = [file.path for file in saved.files if file.name == "report.json" and file.public]
    return json.loads((place.folder / "store" / paths[0]).read_text()) if paths else None


def report_of(
    what: str, output: torch.Tensor, target: torch.Tensor, column: Column | None = None, kind: str | None = None
) -> Any:
    """Return the report on some rows, in batches."""
    kind = kind or KINDS[what]
    head = HeadSpec.model_validate({"loss": LOSS_CLASSES[kind].model_validate({"kind": kind})})
    column = column or COLUMNS[what]
    decoder, targets = (
        build_decoder(head, column, "output", "y"),
        target_cast(equivalent_loss(head.loss, column), column)(target),
    )
    assert isinstance(targets, torch.Tensor)
    accumulator = ACCUMULATORS[decoder.task_type](decoder)
    for part in PARTS:
        accumulator.add(decoder.decode_labelled(output[part], targets[part], what == "tags"))
    built = ObjectiveHead("", OutputLoss("output"), 1.0, decoder)
    report = evaluation_report(3, len(target), [(built, accumulator)])
    assert report is not None
    assert {name: report[name] for name in ("version", "step", "rows")} == {
        "version": 1,
        "step": 3,
        "rows": len(target),
    }
    return json.loads(json.dumps(report["heads"][0], allow_nan=False))


def test_classes_are_those_of_scikit_learn() -> None:
    output, target = example("classes")
    found = report_of("classes", output, target)
    truth, choice = target.numpy(), output.argmax(1).numpy()
    assert found["confusion"] == sklearn.confusion_matrix(truth, choice).tolist()
    expected = sklearn.classification_report(truth, choice, output_dict=True, zero_division=0)
    for row in found["classes"]:
        theirs = expected[row["label"]]
        assert (row["precision"], row["recall"], row["f1"], row["support"]) == pytest.approx(
            (theirs["precision"], theirs["recall"], theirs["f1-score"], theirs["support"])
        )
    for name in ("macro", "weighted"):
        assert found["averages"][name]["f1"] == pytest.approx(expected[f"{name} avg"]["f1-score"])
    assert found["right"] / found["count"] == pytest.approx(expected["accuracy"])
    assert (found["head"], found["output"], found["target"], found["about"]) == (None, "output", "y", "classes")


def test_decisions_are_no_and_yes() -> None:
    output, target = example("decisions")
    found = report_of("decisions", output, target)
    assert [row["label"] for row in found["classes"]] == ["no", "yes"]
    assert found["confusion"] == sklearn.confusion_matrix(target, output > 0).tolist()
    words = Column(name="y", dtype="int64", classes=2, labels=("cat", "dog"))
    assert [row["label"] for row in report_of("decisions", output, target, words)["classes"]] == ["cat", "dog"]


def test_labels_are_counted_one_by_one() -> None:
    output, target = example("labels")
    found = report_of("labels", output, target)
    pairs = sklearn.multilabel_confusion_matrix(target, output > 0)
    for row, (pair, label) in zip(found["labels"], zip(pairs, "abcd", strict=True), strict=True):
        assert row["label"] == label
        assert (row["right"], row["predicted"] - row["right"], row["support"] - row["right"]) == (
            pair[1, 1],
            pair[0, 1],
            pair[1, 0],
        )
    for name in ("macro", "micro", "weighted"):
        expected = sklearn.f1_score(target, output > 0, average=name)
        assert found["averages"][name]["f1"] == pytest.approx(expected)
    assert found["right"] == int(((output > 0) == target.bool()).all(1).sum())


def test_a_label_that_nobody_has_has_no_scores_and_does_not_count() -> None:
    target = torch.tensor([[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]]).float().repeat(4, 1)
    found = report_of("labels", target * 2 - 1, target)
    assert found["labels"][2] == {"label": "c", "support": 0, "predicted": 0, "right": 0} | dict.fromkeys(
        ("precision", "recall", "f1")
    )
    perfect = {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert found["averages"] == {"macro": perfect, "weighted": perfect, "micro": perfect}
    nothing = report_of("labels", torch.full_like(target, -1.0), torch.zeros_like(target))
    assert nothing["averages"] == {"macro": None, "weighted": None, "micro": None}


def test_a_class_that_nobody_has_has_no_scores_and_does_not_count() -> None:
    target = torch.arange(12).remainder(3)
    found = report_of("classes", torch.eye(CLASSES)[target], target)
    assert [row["f1"] for row in found["classes"]] == [1.0, 1.0, 1.0, None, None, None, None]
    assert found["averages"]["macro"]["f1"] == 1.0


def test_tags_are_counted_as_tokens_and_as_entities() -> None:
    output, target = example("tags")
    found = report_of("tags", output, target)
    kept = target != -100
    assert found["count"] == int(kept.sum())
    assert found["confusion"] == sklearn.confusion_matrix(target[kept], output.argmax(1)[kept]).tolist()
    assert [row["label"] for row in found["spans"]["types"]] == ["LOC", "PER"]
    assert found["spans"]["averages"]["micro"]["f1"] == pytest.approx(
        2
        * sum(row["right"] for row in found["spans"]["types"])
        / sum(row["support"] + row["predicted"] for row in found["spans"]["types"])
    )
    nouns = COLUMNS["tags"].model_copy(update={"labels": tuple("abcde")})
    assert report_of("tags", output, target, nouns)["spans"] is None


def test_numbers_are_compared_by_their_errors() -> None:
    output, target = example("numbers")
    found = report_of("numbers", output, target)
    errors = (output - target).double().flatten()
    assert found["count"] == 60
    assert found["error"]["mean"] == pytest.approx(float(errors.mean()), rel=1e-5)
    assert found["error"]["mean_absolute"] == pytest.approx(float(errors.abs().mean()), rel=1e-5)
    shares = torch.tensor([each["share"] for each in found["error"]["quantiles"]], dtype=torch.float64)
    quantiles = [each["error"] for each in found["error"]["quantiles"]]
    assert quantiles == pytest.approx(torch.quantile(errors, shares).tolist(), rel=1e-5)
    assert found["notes"] == []
    assert found["points"]["target"] == pytest.approx(target.flatten().tolist())
    assert found["points"]["predicted"] == pytest.approx(output.flatten().tolist(), abs=1e-4)
    histogram = found["error"]["histogram"]
    assert (histogram["edges"][0], histogram["edges"][-1]) == pytest.approx((quantiles[1], quantiles[-2]))
    assert histogram["counts"] == np.histogram(errors, histogram["edges"])[0].tolist()
    assert histogram["below"] + sum(histogram["counts"]) + histogram["above"] == 60


def test_of_many_numbers_some_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MAX_SAMPLED_NUMBERS", 50)
    output, target = torch.arange(1000.0).unsqueeze(1), torch.zeros(1000, 1)
    found = report_of("numbers", output, target)
    assert found["notes"] == ["quantiles are those of every 32th number; so are the histogram and the points"]
    assert found["points"]["predicted"] == [float(number) for number in range(0, 1000, 32)]
    quantiles = {each["share"]: each["error"] for each in found["error"]["quantiles"]}
    assert (quantiles[0.0], quantiles[1.0]) == (0, 999)
    assert quantiles[0.5] == pytest.approx(500, abs=20)
    assert found["error"]["mean"] == pytest.approx(499.5)


def test_of_too_many_classes_only_right_predictions_are_counted() -> None:
    target = torch.arange(60)
    column = Column(name="y", dtype="int64", classes=1001)
    found = report_of("classes", torch.eye(1001)[target], target, column)
    assert (found["right"], found["count"], found["classes"], found["confusion"]) == (60, 60, None, None)
    assert "1,001 classes" in found["notes"][0]


def test_numbers_that_are_not_finite_are_null() -> None:
    found = report_of("numbers", torch.full((9, 1), float("nan")), torch.zeros(9, 1))
    assert found["error"]["mean"] is None


def test_every_head_has_its_part(reading: DatasetHarness) -> None:
    attempt = reading.run(four_head_job())
    found = stored_report(reading, attempt.context.saved[-1])
    assert [head["head"] for head in found["heads"]] == list(HEAD_SPECS)
    assert [head["about"] for head in found["heads"]] == ["classes", "numbers", "decisions", "labels"]
    assert [row["label"] for row in found["heads"][0]["classes"]] == ["often", "rare", "usual"]
    assert found["step"] == attempt.context.saved[-1].step
    values = attempt.context.saved[-1].values
    assert found["heads"][0]["averages"]["macro"]["f1"] == pytest.approx(values["val/kind/f1"])
    assert found["heads"][3]["averages"]["macro"]["f1"] == pytest.approx(values["val/colours/f1"])
    assert found["heads"][3]["right"] / found["rows"] == pytest.approx(values["val/colours/exact_match"])


def test_tags_of_a_job(reading: DatasetHarness) -> None:
    reading.corpus = tagging_dataset()
    model = {
        "inputs": ["words"],
        "nodes": [
            {"id": "embed", "kind": "Embedding", "inputs": ["words"], "num_embeddings": 25_000, "embedding_dim": 6},
            {"id": "scores", "kind": "Linear", "inputs": ["embed"], "out_features": 2},
        ],
    }
    attempt = reading.run(flower_job({"loss": CROSS_ENTROPY, "classes": "last"}, model))
    (head,) = stored_report(reading, attempt.context.saved[-1])["heads"]
    assert head["about"] == "tags"
    assert [row["label"] for row in head["classes"]] == ["O", "PER"]


@pytest.mark.parametrize(
    "parts",
    [{"data": {"kind": "builtin", "name": "digits"}}, {"objective": {"loss": OUTPUT_LOSS, "output": "output"}}],
    ids=["nothing is held out", "nothing is compared"],
)
def test_without_anything_to_compare_there_is_no_report(laboratory: TrainingHarness, parts: dict[str, Any]) -> None:
    layers = [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10 if "data" in parts else 1}]
    assert stored_report(laboratory, laboratory.run(digits_job(layers, **parts)).context.saved[-1]) is None


def test_only_checkpoints_of_an_evaluation_have_one(laboratory: TrainingHarness) -> None:
    plan = {"checkpoint": {"every_steps": 3, "every_seconds": None, "keep_best": 0}, "evaluate": {"every_steps": 6}}
    saved = laboratory.run(digits_job(training=plan)).context.saved
    assert {each.step: (stored_report(laboratory, each) or {}).get("step") for each in saved} == {
        3: None,
        6: 6,
        9: None,
        12: 12,
        15: 15,
    }


def reports(place: TrainingHarness, *attempts: TrainingAttempt) -> dict[int, Any]:
    return {saved.step: stored_report(place, saved) for attempt in attempts for saved in attempt.context.saved}


def test_a_resumed_training_reports_the_same(laboratory: TrainingHarness) -> None:
    plan = digits_job(training={"checkpoint": {"every_steps": 6, "every_seconds": None, "keep_best": 0}})
    whole = laboratory.run(plan)
    first = laboratory.run(plan, {8: "cancel"})
    second = laboratory.run(plan, resume_from=resume_candidates(*first.context.saved))
    assert second.outcome.ending is Ending.SUCCEEDED
    expected = reports(laboratory, whole)
    assert reports(laboratory, first, second) == expected
    assert expected[12] is not None


def test_a_crash_after_the_last_checkpoint_keeps_the_report(laboratory: TrainingHarness) -> None:
    whole = laboratory.run(digits_job())
    again = laboratory.run(digits_job(), resume_from=resume_candidates(*whole.context.saved))
    assert reports(laboratory, again) == reports(laboratory, whole)
    assert reports(laboratory, again)[15] is not None


def test_another_jobs_report_is_not_taken_over(reading: DatasetHarness) -> None:
    first = reading.run(four_head_job(steps=6))
    (start,) = resume_candidates(first.context.saved[-1])
    plan = four_head_job(steps=6) | {"start_from": {"checkpoint": "ckpt_" + "0" * 32, "what": "everything"}}
    assert stored_report(reading, reading.run(plan, start_from=start).context.saved[-1]) is None


def test_a_report_changes_no_bit(reading: DatasetHarness) -> None:
    model = network(kinds=3)
    often = {"checkpoint": {"every_steps": 1, "every_seconds": None}, "evaluate": {"every_steps": 1}}
    seldom = reading.run(flower_job({"loss": CROSS_ENTROPY}, model))
    assert reading.run(flower_job({"loss": CROSS_ENTROPY}, model, **often)).weights() == seldom.weights()
