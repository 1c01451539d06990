"""Rows become texts: prompts of unlike lengths together, settings of a request over those of the job, and limits."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from app.errors import InvalidInput, NotPredictable
from app.spec.prediction import PredictionOptions
from tests.workers.data.schemas import stored_schema
from tests.workers.prediction.checkpoints import make_job, write_checkpoint
from workers.network.runtime.build import BuiltNetwork
from workers.network.runtime.free_run import free_run
from workers.network.runtime.generation import uniform_numbers
from workers.prediction.forward import predict_rows, prepare_rows
from workers.prediction.generation import MAX_TOKENS
from workers.prediction.inputs.rows import split_from_rows
from workers.prediction.network import TrainedNetwork, load_network

SCHEMA = stored_schema(rows=40, text={"type": "text", "longest": 12}, topic={"type": "category", "labels": ("a", "b")})
CLASSES, LENGTH = 16, 12
Loaded = tuple[TrainedNetwork, BuiltNetwork]


def make_network(kind: str) -> dict[str, Any]:
    """Return a GRU over a text that is about a topic, as a Scan or as a block."""
    scores = {"id": "scores", "kind": "Linear", "inputs": ["new"], "out_features": CLASSES}
    vector = {"id": "vector", "kind": "Embedding", "inputs": ["token"], "embedding_dim": 8}
    about = {"id": "about", "kind": "Embedding", "inputs": ["topic"], "embedding_dim": 8}
    if kind == "block":
        read = {"id": "new", "kind": "GRU", "inputs": ["vector"], "hidden_size": 8}
        body = {"inputs": ["token"], "nodes": [vector, read, scores]}
        node: dict[str, Any] = {"id": "write", "kind": "block", "name": "Decoder", "inputs": ["text"], "generate": {}}
        label = {"id": "label", "kind": "Linear", "inputs": ["about"], "out_features": 2}
        model = {"inputs": ["topic", "text"], "nodes": [about, node, label], "blocks": {"Decoder": body}}
        return model | {"outputs": {"text": "write", "label": "label"}}
    read = {"id": "new", "kind": "GRUCell", "inputs": ["vector", "h"], "hidden_size": 8}
    body = {"inputs": ["h", "token"], "nodes": [vector, read, scores], "outputs": {"h": "new", "scores": "scores"}}
    node = {
        "id": "write",
        "kind": "Scan",
        "over": "text",
        "carry": "about",
        "body": body,
        "generate": {"max_length": 5},
    }
    return {"inputs": ["topic", "text"], "nodes": [about, node], "outputs": {"text": "write.scores"}}


def load(folder: Path, model: dict[str, Any]) -> Loaded:
    """Return a network with random weights, as predictions load it, and as it was built."""
    draw = random.Random(0)
    texts = ["".join(draw.choices("abcdefgh", k=draw.randint(0, 9))) for _ in range(40)]
    tokenizer = {"kind": "character", "vocabulary": CLASSES}
    text = {"kind": "text", "column": "text", "max_length": LENGTH, "tokenizer": tokenizer, "next": True}
    features = {"topic": {"kind": "category", "column": "topic"}, "text": text}
    spec = make_job(model, "CrossEntropyLoss", features=features)
    spec["objective"] |= {"target": "text_next", "classes": "last", "output": "text"}
    source, network = write_checkpoint(folder, spec, SCHEMA, {"text": texts, "topic": ["a", "b"] * 20})
    return load_network(source, torch.device("cpu")), network.eval()


@pytest.fixture(params=["Scan", "block"])
def loaded(request: pytest.FixtureRequest, tmp_path: Path) -> Loaded:
    """A network of either form."""
    return load(tmp_path, make_network(request.param))


def predict(trained: TrainedNetwork, rows: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    split = split_from_rows(rows, trained.required_columns, trained.dataset_columns)
    return predict_rows(trained, prepare_rows(trained, split, len(rows)), PredictionOptions.model_validate(options))


ROWS = [{"topic": "a", "text": "abc"}, {"topic": "b", "text": ""}, {"topic": "b"}, {"topic": "a", "text": "hgf"}]


@pytest.mark.parametrize("method", [{"kind": "greedy"}, {"kind": "sample", "top_k": 6}, {"kind": "beam", "beams": 3}])
def test_each_row_is_what_the_network_makes_of_it_alone(loaded: Loaded, method: dict[str, Any]) -> None:
    trained, network = loaded
    made = predict(trained, ROWS, generate={"method": method, "max_length": 5}, seed=7, batch_size=2)
    assert trained.generator is not None
    assert trained.generator.texts is not None
    known = trained.generator.texts.tokenizer.get_vocab_size()
    settings = {"max_length": 5, "stop": 3, "exclude": (0, 1, 2, *range(known, CLASSES)), "method": method["kind"]}
    settings |= {name: value for name, value in method.items() if name != "kind"}
    for place, row in enumerate(ROWS):
        split = split_from_rows([row], trained.required_columns, trained.dataset_columns)
        inputs = prepare_rows(trained, split, 1).inputs
        values = {name: column.index_select(0, torch.tensor([0])) for name, column in inputs.items()}  # type: ignore[union-attr]
        own = {"draws": uniform_numbers(4, 5, 7)[[place]]} if method["kind"] == "sample" else {}
        expected = free_run(network, values, {**settings, **own})
        fields = made[place]["text"]
        names = [trained.generator.texts.tokenizer.id_to_token(token) for token in expected.tokens[0].tolist()]
        assert fields["tokens"] == names
        assert fields["text"] == "".join(name for name in names if name != "[END]")
        assert fields["log_probabilities"] == pytest.approx(expected.log_probabilities[0].tolist(), abs=1e-6)
        assert fields["ended"] == ("stop" if names[-1] == "[END]" else "max_length")
    if method["kind"] != "sample":  # which has numbers of its own for each row
        assert made[1]["text"] == made[2]["text"]  # a text that is missing begins as an empty one


def test_the_same_seed_gives_the_same_texts(loaded: Loaded) -> None:
    trained, _ = loaded
    rows = [{"topic": "a", "text": "ab"}] * 8
    sampled = {"generate": {"method": "sample", "max_length": 5}}
    made = [[row["text"]["text"] for row in predict(trained, rows, seed=seed, **sampled)] for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    assert len(set(made[0])) > 1  # each row has numbers of its own


def test_without_generation_there_are_scores_at_each_place(loaded: Loaded) -> None:
    trained, _ = loaded
    (row,) = predict(trained, ROWS[:1], generate=False, outputs=["raw"])
    assert row["text"]["raw"].shape == (4, CLASSES)
    assert trained.generator is not None
    assert trained.generator.texts is not None
    names = trained.generator.texts.tokenizer.id_to_token
    (said,) = predict(trained, ROWS[:1], generate=False)
    best = row["text"]["raw"].argmax(1).tolist()
    assert said["text"]["label"] == [names(code) or code for code in best]


@pytest.mark.parametrize(
    ("row", "options", "pointer", "detail"),
    [
        ({"topic": "a", "text": "abcdefghabcdefgh"}, {}, "/rows", "more than 12 tokens"),
        ({"topic": "a"}, {"generate": {"max_length": 10_000}}, "/generate/max_length", ""),
        ({"topic": "a"}, {"outputs": ["raw"]}, "/outputs", "no probabilities of labels"),
        ({"topic": "a"}, {"top": 3}, "/top", "no probabilities of labels"),
    ],
)
def test_limits(loaded: Loaded, row: dict[str, Any], options: dict[str, Any], pointer: str, detail: str) -> None:
    trained, _ = loaded
    assert trained.generator is not None
    rows = [row] * (MAX_TOKENS // 10_000 + 1)
    with pytest.raises(InvalidInput) as refused:
        predict(trained, rows, **options)
    (problem,) = refused.value.problems
    assert problem.pointer == pointer
    assert detail in problem.detail


def test_a_block_makes_no_longer_texts_than_it_has_read(loaded: Loaded) -> None:
    trained, _ = loaded
    assert trained.generator is not None
    rows = [{"topic": "a", "text": "abcdefgh"}]
    if trained.generator.is_scan:
        assert len(predict(trained, rows, generate={"max_length": 40})[0]["text"]["tokens"]) <= 40
        return
    assert len(predict(trained, rows)[0]["text"]["tokens"]) <= 4  # [BEGIN] and 8 letters, of 12; one more is never read
    with pytest.raises(InvalidInput) as refused:
        predict(trained, rows, generate={"max_length": 5})
    assert refused.value.problems[0].hint == "use at most 4, or shorten the row"


def test_a_block_that_sees_later_tokens_is_refused(tmp_path: Path) -> None:
    model = make_network("block")
    vector, _, scores = model["blocks"]["Decoder"]["nodes"]
    convolution = {"kind": "Conv1d", "out_channels": 8, "kernel_size": 3, "padding": 1}
    model["blocks"]["Decoder"]["nodes"] = [
        vector,
        {"id": "turned", "kind": "movedim", "inputs": ["vector"], "source": 2, "destination": 1},
        {"id": "read", "inputs": ["turned"], **convolution},
        {"id": "new", "kind": "movedim", "inputs": ["read"], "source": 1, "destination": 2},
        scores,
    ]
    trained, _ = load(tmp_path, model)
    with pytest.raises(NotPredictable, match="is not causal"):
        predict(trained, [{"topic": "a", "text": "abc"}], generate={"method": "sample"})
