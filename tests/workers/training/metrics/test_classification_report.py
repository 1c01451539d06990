"""Reports tell what the evaluation saw, travel with its checkpoint, and change nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn import metrics as sklearn

from app.spec.data.columns import Column
from app.spec.training.losses import LOSS_CLASSES
from app.spec.training.objective import Head as HeadSpec
from app.storage.local import LocalStore
from tests.workers.training.corpora import Reading, tagged
from tests.workers.training.flowers import CROSS, HEADS, OWN, flowers, four, network, spec
from tests.workers.training.laboratory import Attempt, Laboratory, job, resumed
from tests.workers.training.metrics.test_metrics import COLUMNS, KINDS, PARTS, example
from workers.protocol.messages import Ending, Saved
from workers.training.metrics import tallies
from workers.training.metrics.classification_report import report
from workers.training.objective.decode import cast_of, read
from workers.training.objective.objective import Head, Own


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path, LocalStore(tmp_path / "store"), corpus=flowers())


def stored(place: Laboratory, saved: Saved) -> Any:
    """Return the report of a checkpoint; `None` if it has none."""
    paths = [file.path for file in saved.files if file.name == "report.json" and file.public]
    return json.loads((place.folder / "store" / paths[0]).read_text()) if paths else None


def told(what: str, output: torch.Tensor, target: torch.Tensor, column: Column | None = None) -> Any:
    """Return the report on some rows, in batches."""
    kind = KINDS[what]
    head = HeadSpec.model_validate({"loss": LOSS_CLASSES[kind].model_validate({"kind": kind})})
    column = column or COLUMNS[what]
    how, target = read(head, column, "output", "y"), cast_of(head, column)(target)
    tally = tallies.TALLIES[how.about](how)
    for part in PARTS:
        tally.add(how.answers(output[part], target[part], what == "tags"))
    whole = report(3, len(target), [(Head("", Own("output"), 1.0, how), tally)])
    assert whole is not None
    assert {name: whole[name] for name in ("version", "step", "rows")} == {"version": 1, "step": 3, "rows": len(target)}
    return json.loads(json.dumps(whole["heads"][0], allow_nan=False))


def test_classes_are_told_as_scikit_learn_tells_them() -> None:
    output, target = example("classes")
    found = told("classes", output, target)
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
    found = told("decisions", output, target)
    assert [row["label"] for row in found["classes"]] == ["no", "yes"]
    assert found["confusion"] == sklearn.confusion_matrix(target, output > 0).tolist()
    words = Column(name="y", dtype="int64", classes=2, labels=("cat", "dog"))
    assert [row["label"] for row in told("decisions", output, target, words)["classes"]] == ["cat", "dog"]


def test_labels_are_counted_one_by_one() -> None:
    output, target = example("labels")
    found = told("labels", output, target)
    pairs = sklearn.multilabel_confusion_matrix(target, output > 0)
    for row, (pair, label) in zip(found["labels"], zip(pairs, "abcd", strict=True), strict=True):
        assert row["label"] == label
        assert (row["right"], row["predicted"] - row["right"], row["support"] - row["right"]) == (
            pair[1, 1], pair[0, 1], pair[1, 0],
        )  # fmt: skip
    for name in ("macro", "micro", "weighted"):
        expected = sklearn.f1_score(target, output > 0, average=name)
        assert found["averages"][name]["f1"] == pytest.approx(expected)
    assert found["right"] == int(((output > 0) == target.bool()).all(1).sum())


def test_tags_are_told_as_tokens_and_as_entities() -> None:
    output, target = example("tags")
    found = told("tags", output, target)
    kept = target != -100
    assert found["count"] == int(kept.sum())
    assert found["confusion"] == sklearn.confusion_matrix(target[kept], output.argmax(1)[kept]).tolist()
    assert [row["label"] for row in found["spans"]["types"]] == ["LOC", "PER"]
    assert found["spans"]["averages"]["micro"]["f1"] == pytest.approx(
        2 * sum(row["right"] for row in found["spans"]["types"])
        / sum(row["support"] + row["predicted"] for row in found["spans"]["types"])
    )  # fmt: skip
    nouns = COLUMNS["tags"].model_copy(update={"labels": tuple("abcde")})
    assert told("tags", output, target, nouns)["spans"] is None


def test_numbers_are_told_by_their_errors() -> None:
    output, target = example("numbers")
    found = told("numbers", output, target)
    errors = (output - target).double().flatten()
    assert found["count"] == 60
    assert found["error"]["mean"] == pytest.approx(float(errors.mean()), rel=1e-5)
    assert found["error"]["mean_absolute"] == pytest.approx(float(errors.abs().mean()), rel=1e-5)
    shares = torch.tensor([each["share"] for each in found["error"]["quantiles"]], dtype=torch.float64)
    told_ = [each["error"] for each in found["error"]["quantiles"]]
    assert told_ == pytest.approx(torch.quantile(errors, shares).tolist(), rel=1e-5)
    assert found["notes"] == []


def test_of_many_numbers_some_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MOST_ERRORS", 50)
    output, target = torch.arange(1000.0).unsqueeze(1), torch.zeros(1000, 1)
    found = told("numbers", output, target)
    assert found["notes"] == ["quantiles are those of every 32th number"]
    quantiles = {each["share"]: each["error"] for each in found["error"]["quantiles"]}
    assert (quantiles[0.0], quantiles[1.0]) == (0, 999)
    assert quantiles[0.5] == pytest.approx(500, abs=20)
    assert found["error"]["mean"] == pytest.approx(499.5)


def test_of_too_many_classes_only_what_is_right_is_told() -> None:
    target = torch.arange(60)
    column = Column(name="y", dtype="int64", classes=1001)
    found = told("classes", torch.eye(1001)[target], target, column)
    assert (found["right"], found["count"], found["classes"], found["confusion"]) == (60, 60, None, None)
    assert "1,001 classes" in found["notes"][0]


def test_what_is_no_number_is_nothing() -> None:
    found = told("numbers", torch.full((9, 1), float("nan")), torch.zeros(9, 1))
    assert found["error"]["mean"] is None


def test_every_head_has_its_part(reading: Reading) -> None:
    attempt = reading.run(four())
    found = stored(reading, attempt.context.saved[-1])
    assert [head["head"] for head in found["heads"]] == list(HEADS)
    assert [head["about"] for head in found["heads"]] == ["classes", "numbers", "decisions", "labels"]
    assert [row["label"] for row in found["heads"][0]["classes"]] == ["often", "rare", "usual"]
    assert found["step"] == attempt.context.saved[-1].step
    values = attempt.context.saved[-1].values
    assert found["heads"][0]["averages"]["macro"]["f1"] == pytest.approx(values["val/kind/f1"])
    assert found["heads"][3]["averages"]["macro"]["f1"] == pytest.approx(values["val/colours/f1"])
    assert found["heads"][3]["right"] / found["rows"] == pytest.approx(values["val/colours/exact_match"])


def test_tags_of_a_job(reading: Reading) -> None:
    reading.corpus = tagged()
    model = {
        "inputs": ["words"],
        "nodes": [
            {"id": "embed", "kind": "Embedding", "inputs": ["words"], "num_embeddings": 25_000, "embedding_dim": 6},
            {"id": "scores", "kind": "Linear", "inputs": ["embed"], "out_features": 2},
        ],
    }
    attempt = reading.run(spec({"loss": CROSS, "classes": "last"}, model))
    (head,) = stored(reading, attempt.context.saved[-1])["heads"]
    assert head["about"] == "tags"
    assert [row["label"] for row in head["classes"]] == ["O", "PER"]


@pytest.mark.parametrize("parts", [
    {"data": {"kind": "builtin", "name": "digits"}}, {"objective": {"loss": OWN, "output": "output"}},
], ids=["nothing is held out", "nothing is compared"])  # fmt: skip
def test_without_anything_to_compare_there_is_no_report(laboratory: Laboratory, parts: dict[str, Any]) -> None:
    layers = [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10 if "data" in parts else 1}]
    assert stored(laboratory, laboratory.run(job(layers, **parts)).context.saved[-1]) is None


def test_only_checkpoints_of_an_evaluation_have_one(laboratory: Laboratory) -> None:
    plan = {"checkpoint": {"every_steps": 3, "every_seconds": None, "keep_best": 0}, "evaluate": {"every_steps": 6}}
    saved = laboratory.run(job(training=plan)).context.saved
    assert {each.step: (stored(laboratory, each) or {}).get("step") for each in saved} == {
        3: None, 6: 6, 9: None, 12: 12, 15: 15,
    }  # fmt: skip


def reports(place: Laboratory, *attempts: Attempt) -> dict[int, Any]:
    return {saved.step: stored(place, saved) for attempt in attempts for saved in attempt.context.saved}


def test_a_resumed_training_reports_the_same(laboratory: Laboratory) -> None:
    plan = job(training={"checkpoint": {"every_steps": 6, "every_seconds": None, "keep_best": 0}})
    whole = laboratory.run(plan)
    first = laboratory.run(plan, {8: "cancel"})
    second = laboratory.run(plan, resume=resumed(*first.context.saved))
    assert second.outcome.ending is Ending.SUCCEEDED
    expected = reports(laboratory, whole)
    assert reports(laboratory, first, second) == expected
    assert expected[12] is not None


def test_a_crash_after_the_last_checkpoint_keeps_the_report(laboratory: Laboratory) -> None:
    whole = laboratory.run(job())
    again = laboratory.run(job(), resume=resumed(*whole.context.saved))
    assert reports(laboratory, again) == reports(laboratory, whole)
    assert reports(laboratory, again)[15] is not None


def test_another_jobs_report_is_not_taken_over(reading: Reading) -> None:
    first = reading.run(four(steps=6))
    (start,) = resumed(first.context.saved[-1])
    plan = four(steps=6) | {"start_from": {"checkpoint": "ckpt_" + "0" * 32, "what": "everything"}}
    assert stored(reading, reading.run(plan, start=start).context.saved[-1]) is None


def test_a_report_changes_no_bit(reading: Reading) -> None:
    model = network(kinds=3)
    often = {"checkpoint": {"every_steps": 1, "every_seconds": None}, "evaluate": {"every_steps": 1}}
    seldom = reading.run(spec({"loss": CROSS}, model))
    assert reading.run(spec({"loss": CROSS}, model, **often)).weights() == seldom.weights()
