"""Sequences of labels that are read from longer series: connectionist temporal classification."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from app.errors import BuildError, NumericError
from app.spec.data.columns import Column
from app.spec.training.losses import LOSS_CLASSES
from app.storage.local import LocalStore
from tests.workers.data.schemas import series_column, stored_schema
from tests.workers.training.datasets import DatasetHarness, InMemoryDataset, dataset_job
from tests.workers.training.harness import rows_of
from tests.workers.training.test_resume import train_in_pieces
from workers.training.objective.losses import target_cast
from workers.training.objective.sequences import (
    END,
    blank_behind,
    build_sequence_loss,
    greedy_decode,
    sequence_distances,
)

LETTERS = ("a", "b", "c", "d")
SPOKEN = ["wave", "wave_length"]


@pytest.fixture
def reading(tmp_path: Path) -> DatasetHarness:
    return DatasetHarness(tmp_path, LocalStore(tmp_path / "store"))


def speech_dataset(rows: int = 120, text: bool = False) -> InMemoryDataset:
    """Return series in which each letter lasts for some steps, with noise, and silence between them."""
    drawn = random.Random(5)
    waves, words = [], []
    for _ in range(rows):
        spelt = drawn.choices(LETTERS, k=drawn.randint(1, 5))
        steps: list[list[float]] = []
        for letter in spelt:
            loud = [float(letter == each) for each in LETTERS]
            for frame in [loud] * drawn.randint(2, 4) + [[0.0] * 4] * drawn.randint(1, 2):
                steps.append([value + drawn.gauss(0, 0.2) for value in frame])
        waves.append(steps)
        words.append(spelt)
    wave = {"type": "series", "shape": (4,), "longest": 30}
    letters: dict[str, Any] = {"type": "text"} if text else {"type": "words", "labels": LETTERS, "longest": 5}
    schema = stored_schema("letters", rows=rows, wave=wave, letters=letters)
    spoken = ["".join(each) for each in words] if text else words
    return InMemoryDataset(schema, {"wave": series_column(*waves, width=4), "letters": spoken})


def network(classes: int = 5, **outputs: str) -> dict[str, Any]:
    nodes = [
        {"id": "read", "kind": "GRU", "inputs": SPOKEN, "hidden_size": 16, "bidirectional": True},
        {"id": "scores", "kind": "Linear", "inputs": ["read"], "out_features": classes},
        {"id": "logs", "kind": "LogSoftmax", "inputs": ["scores"], "dim": 2},
        {"id": "mean", "kind": "mean", "inputs": ["logs"], "dim": 1},
    ]
    return {"inputs": SPOKEN, "nodes": nodes, "outputs": outputs or {"logs": "logs", "steps": "wave_length"}}


CTC = {"kind": "CTCLoss", "input_lengths": "steps"}
METRICS = ["token_error_rate", "edit_distance", "exact_match"]


def speech_job(model: Any = None, loss: Any = None, training: Any = None, **data: Any) -> dict[str, Any]:
    plan = {"steps": 60, "batch_size": 32, "statistics": False, **(training or {})}
    objective = {"loss": loss or CTC, "output": "logs", "classes": "last", "metrics": METRICS}
    job: dict[str, Any] = dataset_job(model or network(), training=plan, **data)
    return job | {"objective": objective}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("blank", [0, 2, 4])
@pytest.mark.parametrize("last", [True, False])
def test_the_loss_is_that_of_torch_and_a_mean_of_parts(reduction: str, blank: int, last: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    logs = torch.randn(5, 9, 5, generator=generator).log_softmax(2)
    steps = torch.tensor([9, 4, 7, 9, 1])
    lists = [[0, 1, 1], [3], [2, 0], [], [1]]
    column = Column(name="y", shape=(4,), dtype="int64", classes=4, labels=LETTERS, padded=True)
    spec: Any = LOSS_CLASSES["CTCLoss"].model_validate({**CTC, "blank": blank, "reduction": reduction})
    codes = torch.tensor([[*each, *[-100] * (4 - len(each))] for each in lists])
    cast: Any = target_cast(spec, column)(codes)
    objective = build_sequence_loss(spec, "logs", "y", classes_last=last)
    shown = logs if last else logs.movedim(2, 1)
    room = [[code + (code >= blank) for code in each] for each in lists]
    flat = torch.tensor([code for each in room for code in each])
    lengths = torch.tensor([len(each) for each in room])
    expected = nn.CTCLoss(blank=blank, reduction=reduction)(logs.transpose(0, 1), flat, steps, lengths)
    whole = objective.batch_loss({"logs": shown, "steps": steps}, {"y": cast}, 1)
    assert whole.equal(expected)
    losses, sums, divisor = [], [], 0
    for part, rows in ((slice(0, 2), 2), (slice(2, 5), 3)):
        outputs, targets = {"logs": shown[part], "steps": steps[part]}, {"y": cast[part]}
        losses.append(objective.batch_loss(outputs, targets, rows / 5))
        total, count = objective.sum_and_divisor(outputs, targets, rows, False)
        sums.append(total)
        divisor += int(count) if count is not None else 0
    assert torch.isclose(torch.stack(losses).sum(), expected)
    assert torch.isclose(torch.stack(sums).sum() / (divisor or 1), expected)


def levenshtein(one: list[int], other: list[int]) -> int:
    row = list(range(len(other) + 1))
    for place, code in enumerate(one, 1):
        before, row[0] = row[0], place
        for column, each in enumerate(other, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (code != each))
    return row[-1]


def padded(lists: list[list[int]], width: int) -> torch.Tensor:
    return torch.tensor([[*each, *[END] * (width - len(each))] for each in lists]).reshape(len(lists), width)


def test_edit_distances_are_those_of_the_textbook() -> None:
    drawn = random.Random(0)
    lists = [[drawn.randrange(3) for _ in range(drawn.randint(0, 7))] for _ in range(200)]
    others = [[drawn.randrange(3) for _ in range(drawn.randint(0, 5))] for _ in range(200)]
    found = sequence_distances(padded(lists, 8), padded(others, 5))
    assert found.tolist() == [levenshtein(one, other) for one, other in zip(lists, others, strict=True)]
    assert sequence_distances(padded([[]], 0), padded([[1, 2]], 2)).tolist() == [2]
    assert sequence_distances(padded([[1]], 1), padded([[]], 0)).tolist() == [1]
    assert sequence_distances(padded([], 3), padded([], 2)).tolist() == []


def test_steps_are_decoded_greedily_up_to_the_end_of_their_row() -> None:
    best = torch.tensor([[1, 1, 0, 1, 2, 2, 0, 3], [0, 0, 0, 0, 0, 0, 0, 0], [2, 2, 2, 3, 3, 1, 1, 1]])
    scores = nn.functional.one_hot(best, 4).float()
    assert greedy_decode(scores, 0)[:, :5].tolist() == [[1, 1, 2, 3, -1], [-1] * 5, [2, 3, 1, -1, -1]]
    short = blank_behind(scores, torch.tensor([4, 8, 2]), 0)
    assert greedy_decode(short, 0)[:, :3].tolist() == [[1, 1, -1], [-1] * 3, [2, -1, -1]]


def test_letters_are_learned_and_evaluated_however_batches_are_cut(reading: DatasetHarness) -> None:
    reading.corpus = speech_dataset()
    attempt = reading.run(speech_job())
    values = {name: attempt.points(f"val/{name}")[-1][1] for name in ("loss", *METRICS)}
    assert values["token_error_rate"] < 0.1
    prepared = attempt.prepared
    held = rows_of(prepared).validation
    assert held is not None
    totals, rows, distance, letters = 0.0, 0, 0, 0
    with torch.no_grad():
        prepared.network.eval()
        for inputs, targets in held.iter_batches(1, torch.device("cpu")):
            target = next(iter(targets.values()))
            target = target[target >= 0]
            logs = prepared.network(inputs)["logs"]
            lengths = [torch.tensor([size]) for size in (logs.shape[1], len(target))]
            totals += float(nn.CTCLoss()(logs.transpose(0, 1), target[None], *lengths))
            best = logs[0].argmax(1).tolist()
            said = [code for place, code in enumerate(best) if code and [code] != best[place - 1 : place]]
            distance += levenshtein(said, target.tolist())
            letters, rows = letters + len(target), rows + 1
    assert values["loss"] == pytest.approx(totals / rows, rel=1e-5)
    assert values["token_error_rate"] == pytest.approx(distance / letters)
    assert values["edit_distance"] == pytest.approx(distance / rows)


def test_a_target_that_is_too_long_is_named_as_the_reason(reading: DatasetHarness) -> None:
    whole = speech_dataset(40)
    waves = series_column(*[[[0.0] * 4] * 5] * 40, width=4)
    letters = [["a"] * 5] * 40  # nine steps, with the blanks between them
    reading.corpus = InMemoryDataset(whole.schema, {"wave": waves, "letters": letters})
    with pytest.raises(NumericError) as caught:
        reading.run(speech_job(training={"epochs": 1, "steps": None, "batch_size": 8}))
    assert '"zero_infinity": true' in str(caught.value.hint)
    assert reading.run(speech_job(loss={**CTC, "zero_infinity": True}, training={"steps": 5})).points("train/loss")


def test_more_steps_than_there_are_have_their_place(reading: DatasetHarness) -> None:
    reading.corpus = speech_dataset(40)
    model = network()
    model["nodes"] += [
        {"id": "turned", "kind": "transpose", "inputs": ["logs"], "dim0": 1, "dim1": 2},
        {"id": "shorter", "kind": "AvgPool1d", "inputs": ["turned"], "kernel_size": 2},
    ]
    model["outputs"]["logs"] = "shorter"
    job = speech_job(model, features={"wave": {"kind": "series", "column": "wave", "min_length": 4}})
    job["objective"]["classes"] = "first"
    with pytest.raises(BuildError, match='"steps" says that a row') as caught:
        reading.run(job)
    assert caught.value.pointer == "/objective/loss/input_lengths"


def test_classes_in_the_last_dimension_are_seen(reading: DatasetHarness) -> None:
    reading.corpus = speech_dataset(40)
    job = speech_job()
    del job["objective"]["classes"]
    (problem,) = reading.inspect(job).problems
    assert '"classes"' in problem.hint
    assert '"last"' in problem.hint


def test_a_training_goes_on_to_the_bit(reading: DatasetHarness) -> None:
    reading.corpus = speech_dataset(40)
    job = speech_job(training={"steps": 6, "accumulate": 2, "batch_size": 8})
    whole, pieces = reading.run(job), train_in_pieces(reading, job, 2, 3)
    assert pieces[-1].weights() == whole.weights()
    assert [point for piece in pieces for point in piece.points("val/token_error_rate")] == whole.points(
        "val/token_error_rate"
    )


def test_characters_of_a_text_are_learned(reading: DatasetHarness) -> None:
    features = {
        "wave": {"kind": "series", "column": "wave"},
        "letters": {"kind": "text", "column": "letters", "tokenizer": {"kind": "character", "vocabulary": 6}},
    }
    reading.corpus = speech_dataset(text=True)
    attempt = reading.run(speech_job(network(6), features=features))
    assert attempt.points("val/token_error_rate")[-1][1] < 0.1


@pytest.mark.parametrize(
    ("model", "loss", "pointer"),
    [
        (None, {"kind": "CTCLoss"}, "/objective/loss/input_lengths"),
        (network(4), CTC, "/model/nodes/1/out_features"),
        (None, {**CTC, "input_lengths": "step"}, "/objective/loss/input_lengths"),
        (network(logs="logs", steps="mean"), CTC, "/objective/loss/input_lengths"),
        (network(logs="mean", steps="wave_length"), CTC, "/objective/loss"),
        (None, {**CTC, "blank": 5}, "/objective/loss/blank"),
    ],
)
def test_mistakes_have_their_place(reading: DatasetHarness, model: Any, loss: Any, pointer: str) -> None:
    reading.corpus = speech_dataset(40)
    problems = reading.inspect(speech_job(model, loss)).problems
    assert [problem.pointer for problem in problems] == [pointer]
    assert problems[0].hint
