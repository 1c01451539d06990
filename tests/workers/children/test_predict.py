"""Requests to a predictor: answered into a file, by networks that are kept."""

import gc
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from app.spec.data.sources import BUILTIN_SCHEMAS
from tests.workers.data.schemas import stored_schema
from tests.workers.prediction.checkpoints import DIGITS, make_job, write_checkpoint
from workers.children import predict
from workers.children.server import Handlers, handle_request
from workers.data.loading.sources import load_source
from workers.prediction.network import NetworkCache
from workers.protocol.child_requests import (
    REQUESTS,
    RESPONSES,
    CheckpointRequest,
    CheckpointResponse,
    ChildResponse,
    FailureResponse,
    InvalidResponse,
    PredictRequest,
    PredictResponse,
    RefusedResponse,
)

ROW = {"image": torch.zeros(1, 8, 8).tolist()}
MIB = 1 << 20


@pytest.fixture
def request_(tmp_path: Path) -> PredictRequest:
    """A request about a network on the digits."""
    split = load_source({"kind": "builtin", "name": "digits"}, root=tmp_path, allow_downloads=False).splits["train"]
    source, _ = write_checkpoint(tmp_path, DIGITS, BUILTIN_SCHEMAS["digits"], split)
    (tmp_path / "body").write_text(json.dumps({"rows": [ROW]}))
    return PredictRequest(
        checkpoint="ckpt_" + "1" * 32,
        job=source.spec,
        schema=source.schema,
        metadata={"step": 3},
        weights=source.weights,
        preparation=source.preparation,
        body=tmp_path / "body",
        media_type="application/json",
        form="document",
        options={},
        as_csv=False,
        target=tmp_path / "target",
        max_rows=10,
        max_bytes=MIB,
        device="cpu",
    )


def respond(cache: NetworkCache, request: PredictRequest | CheckpointRequest) -> ChildResponse:
    handlers: Handlers = {
        PredictRequest: partial(predict.handle, cache),
        CheckpointRequest: predict.requested_checkpoint,
    }
    response = RESPONSES.decode(handle_request(REQUESTS.encode(request), handlers))
    assert gc.isenabled()
    return response


def test_rows_that_are_longer_than_what_the_network_reads_are_told(tmp_path: Path, request_: PredictRequest) -> None:
    schema = stored_schema(
        rows=3, note={"type": "text", "longest": 9}, label={"type": "category", "labels": ("a", "b")}
    )
    tokenizer = {"kind": "word", "vocabulary": 10, "min_count": 1}
    features = {
        "words": {"kind": "text", "column": "note", "max_length": 4, "tokenizer": tokenizer},
        "label": {"kind": "class", "column": "label"},
    }
    layers = [
        {"kind": "Embedding", "embedding_dim": 2},
        {"kind": "mean", "dim": 1},
        {"kind": "Linear", "out_features": 2},
    ]
    spec = make_job({"inputs": ["words"], "layers": layers}, "CrossEntropyLoss", features=features)
    spec["objective"]["target"] = "label"
    source, _ = write_checkpoint(tmp_path, spec, schema, {"note": ["one two", "two", "one"], "label": ["a", "b", "a"]})
    request = replace(request_, job=source.spec, schema=source.schema)

    def warnings(*notes: str) -> list[dict[str, str]]:
        request.body.write_text(json.dumps({"rows": [{"note": note} for note in notes]}))
        assert respond(NetworkCache(MIB), request) == PredictResponse()
        found: list[dict[str, str]] = json.loads(request.target.read_bytes())["warnings"]
        return found

    assert warnings("one two one two", "") == []
    [told] = warnings("one", "one two one two one", "two " * 7)
    assert (told["pointer"], told["code"]) == ("/columns/note", "truncated")
    assert told["detail"].startswith('column "note": 2 rows are longer than what the network reads')
    assert "to a length of 4" in told["detail"]


def test_the_result_is_a_file(request_: PredictRequest) -> None:
    assert respond(NetworkCache(MIB), request_) == PredictResponse()
    document = json.loads(request_.target.read_bytes())
    assert document["step"] == 3
    assert document["outputs"]["output"]["about"] == "classes"
    assert len(document["predictions"]) == 1
    table = replace(request_, as_csv=True, options={"outputs": ["probabilities"]})
    assert respond(NetworkCache(MIB), table) == PredictResponse()
    assert request_.target.read_text().startswith("output.probabilities.0,")


def test_a_network_that_is_kept_needs_no_files(request_: PredictRequest) -> None:
    cache = NetworkCache(MIB)
    assert respond(cache, request_) == PredictResponse()
    before = request_.target.read_bytes()
    request_.weights.unlink()
    assert respond(cache, request_) == PredictResponse()
    assert request_.target.read_bytes() == before
    other = respond(cache, replace(request_, checkpoint="other"))
    assert isinstance(other, FailureResponse)
    assert other.reason.startswith("FileNotFoundError")


def test_a_document_names_another_checkpoint(request_: PredictRequest) -> None:
    other = "ckpt_" + "2" * 32
    named = CheckpointRequest(request_.body, request_.media_type, request_.max_rows)
    request_.body.write_text(json.dumps({"rows": [ROW], "checkpoint": other}))
    assert respond(NetworkCache(MIB), request_) == PredictResponse(other)
    assert respond(NetworkCache(MIB), named) == CheckpointResponse(other)
    assert respond(NetworkCache(MIB), replace(request_, checkpoint=other)) == PredictResponse()
    request_.body.write_text(json.dumps({"rows": [ROW]}))
    assert respond(NetworkCache(MIB), named) == CheckpointResponse(None)


@pytest.mark.parametrize(
    ("body", "change", "code"),
    [
        ('{"rows": [', {}, "malformed"),
        (json.dumps({"rows": [ROW] * 11}), {}, "too_large"),
        (json.dumps({"rows": [ROW] * 10}), {"max_bytes": 200}, "too_large"),
        (json.dumps({"rows": [ROW]}), {"device": "cuda"}, "not_predictable"),
        ("rows: []", {"media_type": "text/html"}, "unsupported_media_type"),
    ],
)
def test_what_is_refused(request_: PredictRequest, body: str, change: dict[str, Any], code: str) -> None:
    if change.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    request_.body.write_text(body)
    response = respond(NetworkCache(MIB), replace(request_, **change))
    assert isinstance(response, RefusedResponse)
    assert response.code == code
    assert response.detail


def test_problems_are_responses(request_: PredictRequest) -> None:
    request_.body.write_text(json.dumps({"rows": [{"image": 3}, {}]}))
    response = respond(NetworkCache(MIB), request_)
    assert isinstance(response, InvalidResponse)
    assert [problem.pointer for problem in response.problems] == ["/rows/0/image", "/rows/1/image"]
