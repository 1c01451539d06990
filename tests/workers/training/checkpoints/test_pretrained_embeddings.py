"""Pretrained vectors are put into an Embedding: those of words that are known, before a training begins."""

from pathlib import Path
from typing import Any

import pytest
import torch

from app.errors import DataError
from app.spec.data.columns import Column, DataSchema
from app.storage.local import LocalStore
from tests.workers.training.datasets import LIMITS, DatasetHarness, dataset_job, text_dataset
from tests.workers.training.harness import resume_candidates
from tests.workers.training.test_sequences import GRU, text
from workers.children.inspect import inspect_job
from workers.protocol.assignment import DatasetRef
from workers.training.context import MemoryContext

SET = "ds_" + "1" * 32
WORDS = {"good": [1.0] * 8, "film": [2.0] * 8, "nowhere": [3.0] * 8, "[PAD]": [4.0] * 8, "GOOD": [5.0] * 8}


def features(into: str = "embed", **settings: Any) -> dict[str, Any]:
    return text(vectors={"dataset": SET, "into": into}, **settings)


@pytest.fixture
def reading(tmp_path: Path) -> DatasetHarness:
    return DatasetHarness(tmp_path, LocalStore(tmp_path / "store"), corpus=text_dataset())


def store_vectors(reading: DatasetHarness, words: dict[str, list[float]] = WORDS) -> dict[str, DatasetRef]:
    """Store a file of vectors, and return what an assignment has of it."""
    path = reading.folder / "vectors.txt"
    path.write_text("".join(f"{word} {' '.join(map(str, values))}\n" for word, values in words.items()))
    reading.store.put_file("vectors", path)
    return {SET: DatasetRef({"kind": "upload", "format": "vectors"}, "vectors")}


def rows(prepared: Any) -> dict[str, torch.Tensor]:
    """Return the vector of every token, and those of what is no word."""
    weight = prepared.network.get_submodule("embed").weight.detach()
    codes = prepared.saver.export.__closure__[0].cell_contents  # the files of every checkpoint
    assert "tokenizer.json" in codes
    from tokenizers import Tokenizer

    return {word: weight[code] for word, code in Tokenizer.from_str(codes["tokenizer.json"]).get_vocab().items()}


def test_known_words_get_their_vectors_and_others_stay(reading: DatasetHarness) -> None:
    spec = dataset_job(GRU, features=features(), target="label")
    plain = rows(reading.prepare(dataset_job(GRU, features=text(), target="label")))
    context = MemoryContext()
    loaded = rows(reading.prepare(spec, context, word_vectors=store_vectors(reading)))
    assert loaded.keys() == plain.keys()
    for word, vector in loaded.items():
        known = torch.tensor(WORDS[word]) if word in ("good", "film") else plain[word]
        assert vector.equal(known), word
    (event,) = [data for report in context.reports for kind, data in report.events if kind == "vectors"]
    share = event.pop("occurrences")
    assert event == {"feature": "text", "into": "embed", "tokens": len(loaded) - 2, "found": 2}
    assert 0.05 < share < 0.3


def test_a_resumed_attempt_keeps_what_it_has_learned(reading: DatasetHarness) -> None:
    spec = dataset_job(GRU, features=features(), target="label")
    whole = reading.run(spec, word_vectors=store_vectors(reading))
    first = reading.run(spec, {4: "pause"}, word_vectors=store_vectors(reading))
    second = reading.run(spec, resume_from=resume_candidates(*first.context.saved), word_vectors=store_vectors(reading))
    assert second.weights() == whole.weights()
    assert (len(whole.events("vectors")), len(second.events("vectors"))) == (1, 0)


def test_vectors_may_be_frozen(reading: DatasetHarness) -> None:
    plan = {"groups": [{"nodes": ["embed"], "frozen": True}]}
    attempt = reading.run(
        dataset_job(GRU, features=features(), target="label", training=plan), word_vectors=store_vectors(reading)
    )
    weight = attempt.prepared.network.get_submodule("embed").weight
    assert not weight.requires_grad  # type: ignore[union-attr]
    assert rows(attempt.prepared)["good"].eq(1).all()


def test_vectors_go_into_blocks(reading: DatasetHarness) -> None:
    block = {"inputs": ["t"], "nodes": [{"id": "look", "kind": "Embedding", "inputs": ["t"], "embedding_dim": 8}]}
    nodes = [{"id": "embed", "kind": "block", "name": "Lookup", "inputs": ["text"]}, *GRU["nodes"][1:]]
    spec = dataset_job(
        {**GRU, "nodes": nodes, "blocks": {"Lookup": block}}, features=features("embed.look"), target="label"
    )
    prepared = reading.run(spec, word_vectors=store_vectors(reading)).prepared
    assert prepared.network.get_submodule("embed.look").weight.shape == (300, 8)  # type: ignore[union-attr]


def problems_of(reading: DatasetHarness, spec: Any, width: int = 8) -> list[tuple[str, str, str]]:
    known = DataSchema(
        columns=(Column(name="word", type="text"), Column(name="vector", shape=(width,))),
        rows={"vectors": 5},
        inputs=(),
    )
    assert reading.corpus is not None
    schemas = {"/data/features/text/vectors/dataset": known}
    loaded = inspect_job(spec, reading.corpus.schema, LIMITS, schemas).problems
    return [(problem.pointer, problem.code, problem.hint) for problem in loaded]


VECTORS = "/data/features/text/vectors"


@pytest.mark.parametrize(
    ("part", "width", "problem"),
    [
        (features("embedd"), 8, (f"{VECTORS}/into", "unknown_node", 'did you mean "embed"?')),
        (features("read"), 8, (f"{VECTORS}/into", "unknown_node", "one of: embed")),
        (features(kind="bpe"), 8, (VECTORS, "contradiction", 'use "tokenizer": {"kind": "word"}')),
        (features(), 50, ("/model/nodes/0/embedding_dim", "shape_mismatch", "set embedding_dim to 50")),
    ],
)
def test_what_does_not_fit_is_told(
    reading: DatasetHarness, part: Any, width: int, problem: tuple[str, str, str]
) -> None:
    assert problems_of(reading, dataset_job(GRU, features=part, target="label"), width) == [problem]


def test_an_embedding_of_something_else_is_told(reading: DatasetHarness) -> None:
    part = {**text(), "other": {**features()["text"]}}
    (problem,) = problems_of(reading, dataset_job(GRU, features=part, target="label"))
    assert problem[:2] == ("/data/features/other/vectors/into", "contradiction")


def test_a_file_of_another_width_is_refused_in_training_too(reading: DatasetHarness) -> None:
    narrow = {word: values[:3] for word, values in WORDS.items()}
    with pytest.raises(DataError, match="has vectors of 8 numbers, the file has 3"):
        reading.prepare(
            dataset_job(GRU, features=features(), target="label"), word_vectors=store_vectors(reading, narrow)
        )
