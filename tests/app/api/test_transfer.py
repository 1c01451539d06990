"""Transfer over the API: weights that fit are taken, and what is left over is told before and after."""

from typing import Any

import pytest
import torch
from safetensors.torch import load
from torch import nn

from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.test_starts import SPEC, stored
from tests.app.api.trained_jobs import train_job, train_job_cached
from tests.app.api.uploads import register_upload


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def checkpoint_of(anna: Client, job_id: str) -> str:
    return str(anna.get(f"/v1/jobs/{job_id}/checkpoints").json()["items"][0]["id"])


def with_head(classes: int, **start: Any) -> dict[str, Any]:
    layers = [*SPEC["model"]["layers"][:-1], {"kind": "Linear", "id": "head", "out_features": classes}]
    return SPEC | {"model": {"layers": layers}, "start_from": start}


def warnings_of(anna: Client, spec: dict[str, Any]) -> dict[str, str]:
    answer = anna.post("/v1/jobs/validate", json=spec)
    assert answer.status_code == 200, answer.text
    return {item["code"]: f"{item['pointer']}: {item['detail']}" for item in answer.json()["warnings"]}


def test_what_is_left_over_is_told_before_and_after(api: Api, anna: Client) -> None:
    begun = train_job_cached(api, anna, SPEC)
    spec = with_head(10, checkpoint=checkpoint_of(anna, begun), match="shapes")
    spec["training"] = spec["training"] | {"seed": 1, "groups": [{"nodes": ["linear1", "head.bias"], "frozen": True}]}
    told = warnings_of(anna, spec)
    assert told["begun_anew"] == (
        "/start_from/checkpoint: 2 of the network's 9 tensors begin anew: head.weight, head.bias"
    )
    assert told["left_out"].endswith("2 of the checkpoint's 9 tensors are left out: linear2.bias, linear2.weight")
    assert told["frozen_at_random"] == "/training/groups: frozen, and begun anew: head.bias"
    job_id = train_job(api, anna, spec)
    row = anna.get(f"/v1/jobs/{job_id}").json()
    assert {"begun_anew", "left_out"} <= {item["code"] for item in row["warnings"]}
    old, new = (load(anna.get(f"/v1/jobs/{each}/weights?which=latest").content) for each in (begun, job_id))
    assert torch.equal(old["linear1.weight"], new["linear1.weight"])  # the rate is too small to move it
    assert not torch.equal(old["linear2.weight"], new["head.weight"])


def test_weights_of_another_naming_are_mapped(api: Api, anna: Client) -> None:
    network = nn.Sequential()
    network.add_module("backbone", nn.Sequential(nn.Linear(64, 16), nn.BatchNorm1d(16)))
    network.add_module("classifier", nn.Linear(16, 5))
    file = stored(anna, network.state_dict())
    rename = {"backbone.0": "linear1", "backbone.1.": "batchnorm1d1."}
    spec = with_head(10, dataset=file, match="shapes", rename=rename)
    assert "classifier.bias, classifier.weight" in warnings_of(anna, spec)["left_out"]
    found = load(anna.get(f"/v1/jobs/{train_job(api, anna, spec)}/weights?which=latest").content)
    assert torch.equal(found["linear1.weight"], network.state_dict()["backbone.0.weight"])


def test_other_shapes_are_told_with_both_shapes_and_parts_by_name(anna: Client) -> None:
    state = {"linear1.weight": torch.rand(16, 64), "head.weight": torch.rand(5, 16), "head.bias": torch.rand(10)}
    told = warnings_of(anna, with_head(10, dataset=stored(anna, state), match="shapes"))
    assert "head.weight ([5, 16] in the file, [10, 16] in the network)" in told["begun_anew"]
    assert told["partly_taken"].endswith("partly taken and partly begun anew: linear1, head")


@pytest.mark.parametrize(
    ("start", "place", "code"),
    [
        ({"match": "shapes"}, "/start_from/dataset", "nothing_matches"),
        ({"match": "shapes", "rename": {"no": "linear1"}}, "/start_from/rename", "unknown_weight"),
        ({"match": "shapes", "rename": {"a": "x", "b": "x"}}, "/start_from/rename", "duplicate_weight"),
        ({"rename": {"a": "linear1"}}, "/start_from/dataset", "missing_weight"),
        ({"match": "size"}, "/start_from/match", "unknown_value"),
        ({"preparation": "checkpoint"}, "/start_from", "contradiction"),
    ],
)
def test_what_fits_nowhere_is_refused(anna: Client, start: dict[str, Any], place: str, code: str) -> None:
    file = stored(anna, {"a.weight": torch.rand(16, 3), "b.weight": torch.rand(2), "a.count": torch.tensor(3)})
    document = assert_problem(anna.post("/v1/jobs", json=with_head(10, dataset=file, **start)), 422, "invalid_input")
    assert (place, code) in [(item["pointer"], item["code"]) for item in document["errors"]]
    assert all(item["hint"] for item in document["errors"])


def test_everything_is_never_partial(anna: Client) -> None:
    start = {"checkpoint": "ckpt_" + "0" * 32, "what": "everything", "match": "shapes"}
    document = assert_problem(anna.post("/v1/jobs", json=SPEC | {"start_from": start}), 422, "invalid_input")
    assert [item["code"] for item in document["errors"]] == ["contradiction"]


def rows_of(anna: Client, *labels: str) -> str:
    """Upload texts with these labels; returns the id of the data set."""
    words = {label: f"{label} says {label}ish things" for label in labels}
    content = "text,kind,label\n" + "".join(f"{words[label]},{label}y,{label}\n" for label in labels * 20)
    place = register_upload(anna, target="label", types={"text": "text", "kind": "category"})
    answer = anna.put(f"{place}/content", content=content.encode())
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def text_spec(dataset: str, **parts: Any) -> dict[str, Any]:
    nodes = [
        {"id": "words", "kind": "EmbeddingBag", "inputs": "text", "embedding_dim": 4},
        {"id": "kinds", "kind": "Embedding", "inputs": "kind", "embedding_dim": 4},
        {"id": "sum", "kind": "add", "inputs": ["words", "kinds"]},
        {"id": "head", "kind": "Linear", "inputs": "sum", "out_features": 2},
    ]
    text = {"kind": "text", "column": "text", "tokenizer": {"vocabulary": 20}}
    return {
        "model": {"inputs": ["text", "kind"], "nodes": nodes},
        "data": {"kind": "dataset", "id": dataset, "features": {"text": text, "kind": "category"}},
        "objective": {"loss": "CrossEntropyLoss"},
        "training": {"steps": 1, "device": "cpu"},
        **parts,
    }


def test_words_and_classes_of_another_meaning_are_told(api: Api, anna: Client) -> None:
    begun = train_job(api, anna, text_spec(rows_of(anna, "cat", "dog")))
    start = {"checkpoint": checkpoint_of(anna, begun), "match": "shapes"}
    other = rows_of(anna, "car", "bus")
    told = warnings_of(anna, text_spec(other, start_from=start))
    assert told["other_vocabulary"].startswith("/start_from/preparation")
    assert told["other_categories"].startswith("/start_from/checkpoint")
    assert told["other_classes"].startswith("/objective: the classes here begin")
    kept = text_spec(other, start_from=start | {"preparation": "checkpoint"})
    assert "other_vocabulary" not in warnings_of(anna, kept)
    kept["data"]["features"]["text"]["tokenizer"] = {"vocabulary": 20, "kind": "character"}
    document = assert_problem(anna.post("/v1/jobs", json=kept), 422, "invalid_input")
    assert ("/start_from/preparation", "contradiction") in [(i["pointer"], i["code"]) for i in document["errors"]]
    same = text_spec(rows_of(anna, "cat", "dog"), start_from=start)
    assert not {"other_categories", "other_classes"} & warnings_of(anna, same).keys()
