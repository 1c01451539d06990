"""Edit distances, and metrics of texts that are generated without a teacher, in a training."""

import random
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from app.storage.catalog import open_store
from tests.workers.data.schemas import stored_schema
from tests.workers.training.datasets import LIMITS, DatasetHarness, InMemoryDataset, dataset_job
from tests.workers.training.harness import rows_of
from tests.workers.training.metrics.reports.test_classification_report import stored_report
from workers.children.inspect import inspect_job
from workers.network.runtime.free_run import free_run
from workers.training.objective.sequences import edit_distances

METRICS = ("exact_match", "token_error_rate")
TOKENIZER = {"kind": "character", "vocabulary": 10}
SCORES = {"id": "scores", "kind": "Linear", "inputs": ["new"], "out_features": 10}


def distance(left: list[int], right: list[int]) -> int:
    """Return the Levenshtein distance, by its definition."""
    if not left or not right:
        return len(left) + len(right)
    change = distance(left[1:], right[1:]) + (left[0] != right[0])
    return min(change, distance(left[1:], right) + 1, distance(left, right[1:]) + 1)


def test_edit_distances_are_those_of_the_definition() -> None:
    words = [list(word) for length in range(5) for word in product((4, 5), repeat=length)]
    pairs = list(product(words, words))
    left, right = (torch.tensor([[*pair[side], *[9] * (4 - len(pair[side]))] for pair in pairs]) for side in (0, 1))
    lengths = [torch.tensor([len(pair[side]) for pair in pairs]) for side in (0, 1)]
    assert edit_distances(left, lengths[0], right, lengths[1]).tolist() == [distance(*pair) for pair in pairs]


def reversal_dataset() -> InMemoryDataset:
    """Return words and the same words from the end."""
    draw = random.Random(0)
    words = ["".join(draw.choices("ab", k=draw.randint(1, 4))) for _ in range(60)]
    text = {"type": "text", "longest": 4}
    return InMemoryDataset(
        stored_schema("turned", rows=60, word=text, turned=text),
        {"word": words, "turned": [each[::-1] for each in words]},
    )


def reversal_job(
    generate: Any = None, metrics: tuple[str, ...] = ("exact_match", "token_error_rate"), **next_: Any
) -> Any:
    """Return a job that learns to turn words around."""
    model = {
        "inputs": ["word", "word_length", "turned"],
        "nodes": [
            {"id": "vectors", "kind": "Embedding", "inputs": ["word"], "embedding_dim": 8, "padding_idx": 0},
            {"id": "code", "kind": "GRU", "inputs": ["vectors", "word_length"], "hidden_size": 16, "returns": "state"},
            {
                "id": "write",
                "kind": "Scan",
                "over": "turned",
                "carry": "code",
                "generate": {"max_length": 6} if generate is None else generate,
                "body": {
                    "inputs": ["h", "token"],
                    "nodes": [
                        {"id": "vector", "kind": "Embedding", "inputs": ["token"], "embedding_dim": 8},
                        {"id": "new", "kind": "GRUCell", "inputs": ["vector", "h"], "hidden_size": 16},
                        SCORES,
                    ],
                    "outputs": {"h": "new", "scores": "scores"},
                },
            },
        ],
        "outputs": {"scores": "write.scores"},
    }
    if not generate and generate is not None:
        del model["nodes"][2]["generate"]  # type: ignore[attr-defined]
    features = {
        "word": {"kind": "text", "column": "word", "tokenizer": TOKENIZER},
        "turned": {"kind": "text", "column": "turned", "tokenizer": TOKENIZER, "next": True, **next_},
    }
    job = dataset_job(model, features=features)
    job["objective"] = {
        "loss": "CrossEntropyLoss",
        "target": "turned_next",
        "classes": "last",
        "metrics": list(metrics),
    }
    return job


def test_metrics_of_an_evaluation_are_of_texts_without_a_teacher(tmp_path: Path) -> None:
    harness = DatasetHarness(tmp_path, open_store(str(tmp_path / "store"), {}), corpus=reversal_dataset())
    job = reversal_job()
    job["training"] |= {"steps": 60, "optimizer": {"kind": "Adam", "lr": 0.03}, "evaluate": {"every_steps": 60}}
    attempt = harness.run(job)
    held = rows_of(attempt.prepared).validation
    assert held is not None
    inputs, targets = next(iter(held.iter_batches(len(held), torch.device("cpu"))))
    (target,) = targets.values()
    settings = {"max_length": 6, "stop": 3, "exclude": (0, 1, 2)}
    made = free_run(attempt.prepared.network, {**inputs, "turned": inputs["turned"][:, :1]}, settings)
    rows = zip(made.tokens.tolist(), made.lengths.tolist(), made.ended.tolist(), target.tolist(), strict=True)
    texts = [
        (tokens[: length - ended], [token for token in true if token > 3], ended)
        for tokens, length, ended, true in rows
    ]
    distances = [distance(text, true) for text, true, _ in texts]
    ((_, match),) = attempt.points("val/exact_match")
    ((_, rate),) = attempt.points("val/token_error_rate")
    assert match == sum(text == true and ended for text, true, ended in texts) / len(texts)
    assert rate == pytest.approx(sum(distances) / sum(len(true) for _, true, _ in texts))
    assert 0 < rate < 1


def test_the_report_names_tokens_not_their_numbers(tmp_path: Path) -> None:
    harness = DatasetHarness(tmp_path, open_store(str(tmp_path / "store"), {}), corpus=reversal_dataset())
    job = reversal_job(metrics=("accuracy",))
    job["training"] |= {"steps": 2, "evaluate": {"every_steps": 2}}
    (head,) = stored_report(harness, harness.run(job).context.saved[-1])["heads"]
    names = [row["label"] for row in head["classes"]]
    assert names[:4] == ["[PAD]", "[UNK]", "[BEGIN]", "[END]"]
    assert sorted(names[4:6]) == ["a", "b"]  # of which the more frequent one is the first
    assert head["worst"]
    for each in head["worst"]:
        assert "".join(each["target"]) == each["values"]["turned"] + "[END]"
        assert len(each["predicted"]) == len(each["target"])


@pytest.mark.parametrize(
    ("generate", "settings", "metrics", "detail"),
    [
        ({}, {}, ("exact_match",), 'no node goes on with "turned"'),
        (None, {"end": False}, ("token_error_rate",), "needs a text with [BEGIN] and [END]"),
    ],
)
def test_metrics_that_need_a_text_of_the_network_s_own(
    generate: Any, settings: dict[str, Any], metrics: tuple[str, ...], detail: str
) -> None:
    found = inspect_job(reversal_job(generate, metrics, **settings), reversal_dataset().schema, LIMITS)
    assert [each.pointer for each in found.problems] == ["/objective/metrics/0"]
    assert detail in found.problems[0].detail
