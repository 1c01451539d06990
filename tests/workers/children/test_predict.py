"""Requests to a predictor: answered into a file, by networks that are kept."""

import gc
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from app.spec.data.sources import BUILTIN_SCHEMAS
from tests.workers.prediction.checkpoints import DIGITS, write_checkpoint
from workers.children.predict import catch_errors, predict, requested_checkpoint
from workers.children.server import handle_request
from workers.data.loading.sources import load_source
from workers.prediction.network import NetworkCache

ROW = {"image": torch.zeros(1, 8, 8).tolist()}
MIB = 1 << 20


@pytest.fixture
def request_(tmp_path: Path) -> dict[str, Any]:
    """A request about a network on the digits."""
    split = load_source({"kind": "builtin", "name": "digits"}, root=tmp_path, allow_downloads=False).splits["train"]
    source, _ = write_checkpoint(tmp_path, DIGITS, BUILTIN_SCHEMAS["digits"], split)
    (tmp_path / "body").write_text(json.dumps({"rows": [ROW]}))
    return {
        "checkpoint": "ckpt_" + "1" * 32,
        "job": source.spec,
        "schema": source.schema,
        "told": {"step": 3},
        "weights": str(source.weights),
        "preparation": str(source.preparation),
        "body": str(tmp_path / "body"),
        "media_type": "application/json",
        "form": "document",
        "asked": {},
        "table": False,
        "target": str(tmp_path / "target"),
        "most_rows": 10,
        "most_bytes": MIB,
        "device": "cpu",
    }


def asked(cache: NetworkCache, request: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = catch_errors(partial(predict, cache))(request)
    assert gc.isenabled()
    return found


def test_the_answer_is_a_file(request_: dict[str, Any]) -> None:
    assert asked(NetworkCache(MIB), request_) == {}
    document = json.loads(Path(request_["target"]).read_bytes())
    assert document["step"] == 3
    assert document["outputs"]["output"]["about"] == "classes"
    assert len(document["predictions"]) == 1
    assert asked(NetworkCache(MIB), request_ | {"table": True, "asked": {"outputs": ["probabilities"]}}) == {}
    assert Path(request_["target"]).read_text().startswith("output.probabilities.0,")


def test_a_network_that_is_kept_needs_no_files(request_: dict[str, Any]) -> None:
    cache = NetworkCache(MIB)
    assert asked(cache, request_) == {}
    before = Path(request_["target"]).read_bytes()
    Path(request_["weights"]).unlink()
    assert asked(cache, request_) == {}
    assert Path(request_["target"]).read_bytes() == before
    other = handle_request(
        json.dumps(request_ | {"ask": "predict", "checkpoint": "other"}).encode(),
        {"predict": catch_errors(partial(predict, cache))},
    )
    assert json.loads(other)["failure"].startswith("FileNotFoundError")


def test_a_document_names_another_checkpoint(request_: dict[str, Any]) -> None:
    other = "ckpt_" + "2" * 32
    Path(request_["body"]).write_text(json.dumps({"rows": [ROW], "checkpoint": other}))
    assert asked(NetworkCache(MIB), request_) == {"checkpoint": other}
    assert catch_errors(requested_checkpoint)(request_) == {"checkpoint": other}
    assert asked(NetworkCache(MIB), request_ | {"checkpoint": other}) == {}
    Path(request_["body"]).write_text(json.dumps({"rows": [ROW]}))
    assert catch_errors(requested_checkpoint)(request_) == {"checkpoint": None}


@pytest.mark.parametrize(
    ("body", "change", "code"),
    [
        ('{"rows": [', {}, "malformed"),
        (json.dumps({"rows": [ROW] * 11}), {}, "too_large"),
        (json.dumps({"rows": [ROW] * 10}), {"most_bytes": 200}, "too_large"),
        (json.dumps({"rows": [ROW]}), {"device": "cuda"}, "not_predictable"),
        ("rows: []", {"media_type": "text/html"}, "unsupported_media_type"),
    ],
)
def test_what_is_refused(request_: dict[str, Any], body: str, change: dict[str, Any], code: str) -> None:
    if change.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    Path(request_["body"]).write_text(body)
    found = asked(NetworkCache(MIB), request_ | change)
    assert found["refused"]["code"] == code
    assert found["refused"]["detail"]


def test_problems_are_answers(request_: dict[str, Any]) -> None:
    Path(request_["body"]).write_text(json.dumps({"rows": [{"image": 3}, {}]}))
    found = asked(NetworkCache(MIB), request_)
    assert [each["pointer"] for each in found["problems"]] == ["/rows/0/image", "/rows/1/image"]
