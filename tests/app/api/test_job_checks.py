"""Checks of a job before it is stored: what is refused, and what is warned of, over HTTP."""

import json
from functools import reduce
from typing import Any

import pytest
from safetensors.torch import save
from torch import nn

from app import heartbeat
from app.heartbeat import WorkerState
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import SPEC, create_checkpoint, create_running_job

ROUTES = ("/v1/jobs/validate", "/v1/jobs")


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def nested_repeats(innermost: str, depth: int) -> dict[str, Any]:
    return reduce(
        lambda node, _: {"kind": "Repeat", "times": 1000, "body": {"layers": [node]}}, range(depth), {"kind": innermost}
    )


@pytest.mark.parametrize(
    ("innermost", "depth", "code"),
    [
        ("Tanh", 6, "too_much_memory"),
        ("Tanh", 12, "too_much_memory"),
        ("Identity", 6, "too_complex"),
        ("Dropout", 6, "too_much_memory"),
    ],
)
@pytest.mark.parametrize("route", ROUTES)
def test_loops_in_loops_are_refused_with_counts_that_json_holds(
    anna: Client, route: str, innermost: str, depth: int, code: str
) -> None:
    """1,000 iterations in each other, six times: more operations than 64 bits count."""
    layers = [nested_repeats(innermost, depth), {"kind": "Linear", "out_features": 3}]
    response = anna.post(route, json=SPEC | {"model": {"layers": layers}})
    problems = assert_problem(response, 422, "invalid_input")["errors"]
    assert code in [problem["code"] for problem in problems]
    assert max(integers(json.loads(response.content))) <= 2**63 - 1
    assert anna.get("/v1/jobs").json()["items"] == []


def test_loops_in_loops_of_a_network_alone_have_counts_that_json_holds(anna: Client) -> None:
    document = {"model": {"layers": [nested_repeats("Tanh", 7)]}, "inputs": {"x": {"shape": [4]}}}
    response = anna.post("/v1/models/inspect", json=document)
    assert response.status_code == 200, response.text
    assert response.json()["totals"]["flops"] == 2**63 - 1


def test_a_checkpoint_that_does_not_fit_is_told_by_name(api: Api, anna: Client) -> None:
    """By the header of its file: the names and shapes that torch itself would complain of."""
    wide = SPEC | {"model": {"layers": [{"kind": "Linear", "out_features": 4}, {"kind": "Linear", "out_features": 3}]}}
    made = checkpoint_of(api, wide, nn.Linear(4, 4), nn.Linear(4, 3))
    start = {"start_from": {"checkpoint": made}}
    for route in ROUTES:
        response = anna.post(route, json=SPEC | start)
        problems = assert_problem(response, 422, "invalid_input")["errors"]
        assert {problem["pointer"] for problem in problems} == {"/start_from/checkpoint"}
        assert sorted((problem["code"], problem["detail"]) for problem in problems) == [
            ("shape_mismatch", '"linear1.bias" has shape [4] in the checkpoint, and [3] in the network'),
            ("shape_mismatch", '"linear1.weight" has shape [4, 4] in the checkpoint, and [3, 4] in the network'),
            ("unexpected_weight", 'the network has no "linear2.bias"'),
            ("unexpected_weight", 'the network has no "linear2.weight"'),
        ]
    assert anna.post("/v1/jobs/validate", json=wide | start).status_code == 200
    assert anna.post("/v1/jobs", json=wide | start).status_code == 201


@pytest.mark.parametrize("content", [b"", b"\x10\0\0\0\0\0\0\0{", b"\xff" * 16, b"\x02\0\0\0\0\0\0\0[]"])
def test_a_file_that_cannot_be_read_is_left_to_the_attempt(api: Api, anna: Client, content: bytes) -> None:
    job = create_running_job(api.services.db, spec=SPEC)
    made = create_checkpoint(api.services.db, api.services.store, job, 1, {"weights.safetensors": content})
    assert anna.post("/v1/jobs", json=SPEC | {"start_from": {"checkpoint": made}}).status_code == 201


@pytest.mark.parametrize(
    ("start", "pointer", "code"),
    [
        ({"checkpoint": "ckpt_" + "0" * 32}, "/start_from/checkpoint", "unknown_checkpoint"),
        ({"checkpoint": "x"}, "/start_from/checkpoint", "invalid_name"),
        ({"checkpoint": None}, "/start_from", "contradiction"),
        ("x", "/start_from", "not_an_object"),
    ],
)
def test_validation_answers_like_a_submission(anna: Client, start: Any, pointer: str, code: str) -> None:
    answers = [anna.post(route, json=SPEC | {"start_from": start}) for route in ROUTES]
    assert [answer.status_code for answer in answers] == [422, 422]
    found, again = (answer.json()["errors"] for answer in answers)
    assert found == again
    assert [(problem["pointer"], problem["code"]) for problem in found] == [(pointer, code)]


def test_a_resumed_training_that_differs_is_told_by_both(api: Api, anna: Client, bert: Client) -> None:
    made = checkpoint_of(api, SPEC, nn.Linear(4, 3))
    start = {"start_from": {"checkpoint": made, "what": "everything"}}
    for route in ROUTES:
        response = anna.post(route, json=SPEC | start | {"training": {"batch_size": 9}})
        problems = assert_problem(response, 422, "invalid_input")["errors"]
        assert [(problem["pointer"], problem["code"]) for problem in problems] == [
            ("/training/batch_size", "not_the_same")
        ]
        assert bert.post(route, json=SPEC | start).json()["errors"][0]["code"] == "unknown_checkpoint"


def test_what_no_worker_has_is_warned_of_by_both_and_shown_while_the_job_waits(api: Api, anna: Client) -> None:
    figures = {"devices": ["cpu"]}
    api.services.db.run(heartbeat.record_heartbeat, "w1", ["default"], 1, WorkerState("0.1", 1, 0.0, figures))
    spec = SPEC | {"training": {"precision": "fp16"}}
    checked, created = (anna.post(route, json=spec).json() for route in ("/v1/jobs/validate", "/v1/jobs"))
    assert checked["warnings"] == created["warnings"]
    (warning,) = [each for each in created["warnings"] if each["code"] == "no_device"]
    assert warning["pointer"] == "/training/precision"
    assert "a GPU, as fp16 needs one" in warning["detail"]
    read = anna.get(f"/v1/jobs/{created['id']}").json()
    assert (read["status"], read["held_by"], read["warnings"]) == ("queued", "no_device", created["warnings"])
    assert anna.get("/v1/workers").json()["items"][0]["devices"] == ["cpu"]


def test_a_batch_of_one_is_refused_and_a_single_held_out_row_warned_of(anna: Client) -> None:
    """Iris has 150 rows: 149 in batches of 74 leave one alone, and one is held out."""
    data = SPEC["data"] | {"validation": {"fraction": 0.001}}
    layers = [{"kind": "Linear", "out_features": 3}, {"kind": "BatchNorm1d"}]
    spec = SPEC | {
        "model": {"layers": layers},
        "data": data,
        "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["auroc"]},
    }
    for route in ROUTES:
        response = anna.post(route, json=spec | {"training": {"batch_size": 74}})
        (problem,) = assert_problem(response, 422, "invalid_input")["errors"]
        assert (problem["pointer"], problem["code"]) == ("/training/batch_size", "batch_of_one")
        assert problem["hint"] == 'set "drop_last": true, or "batch_size": 73'
        answer = anna.post(route, json=spec | {"training": {"batch_size": 73}})
        codes = [warning["code"] for warning in answer.json()["warnings"]]
        assert "undefined_metric" in codes


def checkpoint_of(api: Api, spec: dict[str, Any], *layers: nn.Module) -> str:
    """Return a checkpoint of a running job: the weights of layers, named as the service names them."""
    weights = {
        f"linear{place}.{name}": value
        for place, layer in enumerate(layers, start=1)
        for name, value in layer.state_dict().items()
    }
    job = create_running_job(api.services.db, spec=spec)
    return create_checkpoint(api.services.db, api.services.store, job, 1, {"weights.safetensors": save(weights)})


def integers(value: Any) -> list[int]:
    """Return every integer of a document."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [found for part in parts for found in integers(part)]
    return [value] if isinstance(value, int) else []
