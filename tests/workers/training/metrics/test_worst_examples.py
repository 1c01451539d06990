"""The worst examples are those with the largest loss of all rows, with what was said of them and their values."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as nn_functional

from app.storage.local import LocalStore
from tests.workers.data.schemas import stored_schema
from tests.workers.training.datasets import DatasetHarness, dataset_job, tagging_dataset, text_dataset
from tests.workers.training.harness import TrainingHarness, digits_job
from tests.workers.training.metrics.reports.test_classification_report import stored_report
from tests.workers.training.metrics.test_metrics import COLUMNS, PARTS, build_case, example
from workers.data.loading import examples as module
from workers.data.loading.examples import ExampleSet, StoredRows
from workers.training.metrics import worst_examples
from workers.training.metrics.worst_examples import MAX_EXAMPLES, WorstExamples, describe_worst


def worst_of(what: str, output: torch.Tensor, target: torch.Tensor, kind: str | None = None) -> list[dict[str, Any]]:
    decoder, cast = build_case(what, kind)
    target = cast(target)
    worst = WorstExamples(decoder)
    for part in PARTS:
        worst.add(decoder.decode_labelled(output[part], target[part], what == "tags"), len(target[part]))
    return worst.to_list()


def row_losses(what: str, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the loss of every row by torch's own functions."""
    if what in ("classes", "tags"):
        losses = nn_functional.cross_entropy(output.double(), target, reduction="none", ignore_index=-100)
        kept = target != -100
        return losses.reshape(len(target), -1).sum(1) / kept.reshape(len(target), -1).sum(1)
    if what == "numbers":
        return (output - target).double().abs().mean(1)
    losses = nn_functional.binary_cross_entropy_with_logits(output.double(), target.double(), reduction="none")
    return losses.reshape(len(target), -1).mean(1)


@pytest.mark.parametrize("what", COLUMNS)
def test_they_are_those_with_the_largest_losses(what: str) -> None:
    output, target = example(what)
    found = worst_of(what, output, target)
    expected = row_losses(what, output, target).topk(MAX_EXAMPLES)
    assert [each["position"] for each in found] == expected.indices.tolist()
    assert [each["wrongness"] for each in found] == pytest.approx(expected.values.tolist(), rel=1e-5)


def test_classes_are_said_in_words_with_the_probability_of_what_is_true() -> None:
    output, target = example("decisions")
    first = worst_of("decisions", output, target)[0]
    row = first["position"]
    assert first["target"] == ("yes" if target[row] else "no")
    assert first["predicted"] == ("yes" if output[row] > 0 else "no")
    yes = float(output[row].double().sigmoid())
    assert first["probability"] == pytest.approx(yes if target[row] else 1 - yes)


def test_labels_are_lists() -> None:
    output, target = example("labels")
    first = worst_of("labels", output, target)[0]
    row = first["position"]
    assert first["target"] == ["abcd"[code] for code in target[row].nonzero().flatten().tolist()]
    assert first["predicted"] == ["abcd"[code] for code in (output[row] > 0).nonzero().flatten().tolist()]


def test_tags_are_listed_without_the_ignored_ones() -> None:
    output, target = example("tags")
    labels = COLUMNS["tags"].labels or ()
    for each in worst_of("tags", output, target):
        row = each["position"]
        kept = target[row] != -100
        assert each["target"] == [labels[code] for code in target[row][kept].tolist()]
        assert each["predicted"] == [labels[code] for code in output[row].argmax(0)[kept].tolist()]


def test_what_is_right_is_no_bad_example() -> None:
    target = torch.arange(7)
    assert worst_of("numbers", target.double().unsqueeze(1), target.double().unsqueeze(1)) == []


def test_what_is_no_number_is_the_worst() -> None:
    output, target = example("numbers")
    output[7] = torch.nan
    assert worst_of("numbers", output, target)[0]["position"] == 7


def test_many_batches_are_compared_from_time_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worst_examples, "MAX_PARTS", 2)
    output, target = example("classes")
    decoder, _ = build_case("classes")
    worst = WorstExamples(decoder)
    for row in range(60):
        worst.add(decoder.decode_labelled(output[row : row + 1], target[row : row + 1], False), 1)
        assert len(worst._parts) <= 2
    assert worst.to_list() == worst_of("classes", output, target)


def test_positions_are_turned_into_rows_of_the_data() -> None:
    columns = {"word": ["a", "b", "c"]}
    stored = StoredRows("train", torch.tensor([10, 20, 30]), columns, stored_schema("word", word="text"))
    rows = ExampleSet({"x": torch.zeros(3, 1)}, {}, torch.tensor([2, 0, 1]), stored)
    found = describe_worst([{"position": 0, "wrongness": 1.0}], rows)
    assert found == [{"row": 30, "split": "train", "values": {"word": "c"}, "wrongness": 1.0}]


def test_of_very_many_rows_only_the_numbers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STORED_ROWS", 2)
    stored = StoredRows.of("test", {"word": ["a", "b", "c"]}, stored_schema("word", word="text"))
    rows = ExampleSet({"x": torch.zeros(3, 1)}, {}, None, stored)
    assert describe_worst([{"position": 1}], rows) == [{"row": 1, "split": "test", "values": None}]


def test_a_job_names_the_rows_of_its_data(laboratory: TrainingHarness) -> None:
    saved = laboratory.run(digits_job()).context.saved[-1]
    (head,) = stored_report(laboratory, saved)["heads"]
    first = head["worst"][0]
    assert first["split"] == "train"
    assert first["values"]["label"] == int(first["target"])
    assert len(head["worst"]) == MAX_EXAMPLES


@pytest.mark.parametrize("tagged", [False, True])
def test_texts_and_tags_are_told_as_they_are_stored(tmp_path: Path, tagged: bool) -> None:
    corpus = tagging_dataset() if tagged else text_dataset()
    reading = DatasetHarness(tmp_path, LocalStore(tmp_path / "store"), corpus=corpus)
    name = "words" if tagged else "text"
    nodes = [
        {"id": "embed", "kind": "Embedding", "inputs": [name], "num_embeddings": 25_000, "embedding_dim": 6},
        {"id": "pooled", "kind": "pool_sequence", "inputs": ["embed", f"{name}_length"]},
        {"id": "scores", "kind": "Linear", "inputs": ["embed" if tagged else "pooled"], "out_features": 2},
    ]
    inputs = [name] if tagged else [name, f"{name}_length"]
    job = dataset_job({"inputs": inputs, "nodes": nodes[::2] if tagged else nodes}, bucket=name)
    if tagged:
        job["objective"]["classes"] = "last"
    (head,) = stored_report(reading, reading.run(job).context.saved[-1])["heads"]
    for each in head["worst"]:
        assert each["values"][name] == corpus.split[name][each["row"]]
        target = corpus.split["tags" if tagged else "label"][each["row"]]
        assert each["target"] == (target[0] if tagged and len(target) == 1 else target)
