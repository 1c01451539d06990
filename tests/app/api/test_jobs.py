"""Jobs over HTTP: submit, check, list, wait, cancel, delete."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from app.jobs.dispatch import Waker
from app.jobs.states import TERMINAL_STATUSES, Status
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import (
    ERROR,
    SPEC,
    create_checkpoint,
    create_job_in_status,
    create_queued_job,
    create_running_job,
    curve_block,
    finish_job,
    record_message,
)
from workers.protocol.messages import ProgressReport

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
UNKNOWN = "job_" + "0" * 32
KEY = {"Idempotency-Key": "once"}


def count(anna: Client) -> int:
    return len(anna.get("/v1/jobs", params={"limit": 1000}).json()["items"])


def test_a_job_is_accepted_and_waits(anna: Client) -> None:
    metadata = {"team": "vision", "ours/run.2": "ünï/~\"'"}
    spec = SPEC | {"metadata": metadata, "priority": 3, "resources": {"queue": "small"}}
    response = anna.post("/v1/jobs", json=spec)
    assert response.status_code == 201
    job = response.json()
    assert response.headers["location"] == f"/v1/jobs/{job['id']}" == job["urls"]["self"]
    assert (job["status"], job["phase"], job["wish"], job["error"]) == ("queued", "", None, None)
    assert (job["queue"], job["priority"], job["metadata"]) == ("small", 3, metadata)
    assert job["spec"] == spec
    assert job["inspection"]["totals"]["parameters"] == 15
    read = anna.get(response.headers["location"])
    assert read.json() == job | {"position": 1, "held_by": "no_worker"}  # which a submission does not ask for
    assert read.headers["etag"] == f'"{job["version"]}.1"'


def test_shorthands_are_written_out_in_what_is_checked_and_stored(anna: Client) -> None:
    short = SPEC | {
        "objective": {"loss": "CrossEntropyLoss", "metrics": "accuracy"},
        "data": {"kind": "builtin", "name": "iris", "validation": 0.2},
        "training": {"optimizer": "SGD", "lr": 0.1},
    }
    full = SPEC | {"training": {"optimizer": {"kind": "SGD", "lr": 0.1}}}
    assert anna.post("/v1/jobs/validate", json=short).json()["spec"] == full
    job = anna.post("/v1/jobs", json=short).json()
    assert job["spec"] == full
    assert anna.get(f"/v1/jobs/{job['id']}").json()["spec"] == full


@SQLITE
def test_a_broker_that_never_answers_delays_nothing(serve: StartApp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, Waker(f"redis://127.0.0.1:{port(silent)}/0") as waker:
        anna = serve(other={"waker": waker}).client()
        began = time.monotonic()
        for _ in range(3):
            assert anna.post("/v1/jobs", json=SPEC).status_code == 201
        assert time.monotonic() - began < 1.5
        silent.close()  # or the waker would wait for it


def port(server: socket.socket) -> int:
    number: int = server.getsockname()[1]
    return number


@SQLITE
def test_what_needs_a_gpu_goes_to_that_queue(anna: Client) -> None:
    for parts in ({"resources": {"gpus": 1}}, {"training": {"device": "cuda"}}):
        assert anna.post("/v1/jobs", json=SPEC | parts).json()["queue"] == "gpu"


@SQLITE
@pytest.mark.parametrize("kind", ["application/yaml", "application/x-yaml", "text/yaml; charset=utf-8"])
def test_yaml_is_read_like_json(anna: Client, kind: str) -> None:
    spec = SPEC | {"training": {"optimizer": {"kind": "SGD", "lr": 1e-3}}}
    response = anna.post("/v1/jobs", content=yaml.safe_dump(spec), headers={"Content-Type": kind})
    assert response.status_code == 201, response.text
    assert response.json()["spec"] == spec


@SQLITE
def test_checking_stores_nothing(anna: Client) -> None:
    report = anna.post("/v1/jobs/validate", json=SPEC)
    assert report.status_code == 200
    assert report.json()["valid"] is True
    assert report.json()["queue"] == "default"
    assert report.json()["data_schema"]["rows"] == {"train": 150}
    assert report.json()["inspection"]["nodes"]
    assert_problem(anna.post("/v1/jobs/validate", json={}), 422, "invalid_input")
    assert count(anna) == 0


@SQLITE
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/validate"])
def test_problems_of_form_come_all_at_once(anna: Client, path: str) -> None:
    spec = SPEC | {"epochs": 3, "training": {"epochs": -1, "optimizer": {"kind": "Adaam"}}, "priority": 1000}
    document = assert_problem(anna.post(path, json=spec), 422, "invalid_input")
    found = {item["pointer"]: item for item in document["errors"]}
    assert set(found) == {"/epochs", "/training/epochs", "/training/optimizer/kind", "/priority"}
    assert "Adam" in found["/training/optimizer/kind"]["hint"]


@SQLITE
def test_problems_of_the_network_come_with_the_part_that_is_right(anna: Client) -> None:
    layers = [{"kind": "Linear", "out_features": 4}, {"kind": "Conv2d", "out_channels": 1, "kernel_size": 3}]
    spec = SPEC | {"model": {"layers": layers}, "training": {"early_stop": {"monitor": "val/f1"}}}
    document = assert_problem(anna.post("/v1/jobs", json=spec), 422, "invalid_input")
    assert {item["pointer"] for item in document["errors"]} == {"/model/layers/1", "/training/early_stop/monitor"}
    assert [node["id"] for node in document["partial_graph"]["nodes"]] == ["linear1"]
    assert count(anna) == 0


@SQLITE
def test_problems_of_the_plan_are_those_of_this_network(anna: Client) -> None:
    plan = {
        "groups": [{"nodes": ["linaer1"], "lr": 0.1}, {"nodes": ["linear1"], "nesterov": True}],
        "optimizer": {"kind": "SGD", "momentum": 0},
        "average": {"kind": "ema", "start_step": 10**6},
    }
    document = assert_problem(anna.post("/v1/jobs", json=SPEC | {"training": plan}), 422, "invalid_input")
    found = {item["pointer"]: item for item in document["errors"]}
    assert set(found) == {"/training/groups/0/nodes/0", "/training/groups/1", "/training/average"}
    assert found["/training/groups/0/nodes/0"]["hint"] == 'did you mean "linear1"?'
    assert count(anna) == 0


@SQLITE
@pytest.mark.parametrize("body", [b"null", b"[]", b'"job"', b"3"])
def test_a_job_is_an_object(anna: Client, body: bytes) -> None:
    document = assert_problem(anna.post("/v1/jobs", content=body), 422, "invalid_input")
    assert [item["pointer"] for item in document["errors"]] == [""]


def test_one_key_makes_one_job(anna: Client, bert: Client) -> None:
    first = anna.post("/v1/jobs", json=SPEC, headers=KEY)
    again = anna.post("/v1/jobs", json=SPEC, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    other = anna.post("/v1/jobs", json=SPEC | {"name": "other"}, headers=KEY)
    assert_problem(other, 422, "idempotency_key_reused")
    assert count(anna) == 1
    assert bert.post("/v1/jobs", json=SPEC, headers=KEY).json()["id"] != first.json()["id"]


def test_concurrent_duplicates_make_one_job(anna: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: anna.post("/v1/jobs", json=SPEC, headers=KEY), range(8)))
    assert {response.status_code for response in found} == {201}
    assert len({response.json()["id"] for response in found}) == 1
    assert sum("idempotency-replayed" in response.headers for response in found) == 7
    assert count(anna) == 1


def test_a_refused_request_leaves_its_key_unused(serve: StartApp) -> None:
    api = serve(max_queued=1)
    anna = api.client()
    waiting = create_queued_job(api.services.db)
    response = anna.post("/v1/jobs", json=SPEC, headers=KEY)
    assert_problem(response, 503, "overloaded")
    assert int(response.headers["retry-after"]) > 0
    assert count(anna) == 1
    anna.post(f"/v1/jobs/{waiting}/cancel")
    assert anna.post("/v1/jobs", json=SPEC | {"name": "other"}, headers=KEY).status_code == 201
    assert_problem(anna.post("/v1/jobs", json=SPEC), 503, "overloaded")


@SQLITE
@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "a\x7f"])
def test_a_key_has_a_form(anna: Client, key: str) -> None:
    assert_problem(anna.post("/v1/jobs", json=SPEC, headers={"Idempotency-Key": key}), 400, "invalid_parameter")


@pytest.mark.parametrize("status", list(Status))
def test_every_status_can_be_read(api: Api, anna: Client, status: Status) -> None:
    job = anna.get(f"/v1/jobs/{create_job_in_status(api.services.db, status)}").json()
    assert job["status"] == status
    assert (job["finished_at"] is not None) == (status in TERMINAL_STATUSES)
    assert [move["to"] for move in job["transitions"]][-1:] == ([] if status == Status.QUEUED else [status])
    if status == Status.FAILED:
        assert job["error"] == ERROR
    listed = anna.get("/v1/jobs").json()["items"]
    assert listed == [{name: job[name] for name in listed[0]}]


@pytest.mark.parametrize("status", list(Status))
def test_cancelling(api: Api, anna: Client, status: Status) -> None:
    db = api.services.db
    path = f"/v1/jobs/{create_job_in_status(db, status)}/cancel"
    if status in TERMINAL_STATUSES - {Status.CANCELLED}:
        return assert_problem(anna.post(path), 409, "state_forbids") and None
    for _ in range(2):
        response = anna.post(path)
        assert response.status_code == 200, response.text
        told = response.json()
        wished = status == Status.RUNNING
        assert (told["status"], told["wish"]) == (("running", "cancel") if wished else ("cancelled", None))
    return None


@pytest.mark.parametrize("status", list(Status))
def test_only_an_ended_job_can_be_deleted(api: Api, anna: Client, status: Status) -> None:
    path = f"/v1/jobs/{create_job_in_status(api.services.db, status)}"
    if status not in TERMINAL_STATUSES:
        assert_problem(anna.delete(path), 409, "state_forbids")
        assert anna.get(path).status_code == 200
        return
    response = anna.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    assert_problem(anna.get(path), 404, "not_found")
    assert_problem(anna.delete(path), 404, "not_found")


def test_a_removed_job_leaves_nothing(api: Api, anna: Client, tmp_path: Path) -> None:
    db, store = api.services.db, api.services.store
    job, other = create_running_job(db), create_running_job(db)
    record_message(db, job, ProgressReport(series={"train/loss": curve_block(range(1, 10))}))
    checkpoint = create_checkpoint(db, store, job, 5, {"model.py": b"x"})
    kept = create_checkpoint(db, store, other, 5, {"model.py": b"x"})
    finish_job(db, job)
    assert anna.delete(f"/v1/jobs/{job.id}?purge=true").status_code == 204
    assert [key.split("/")[1] for key in store.keys("jobs/")] == [other.id]
    assert_problem(anna.get(f"/v1/checkpoints/{checkpoint}"), 404, "not_found")
    assert anna.get(f"/v1/checkpoints/{kept}").status_code == 200
    for noun in ("metrics", "events", "stream", "checkpoints", "weights"):
        assert_problem(anna.get(f"/v1/jobs/{job.id}/{noun}"), 404, "not_found")


@SQLITE
@pytest.mark.parametrize("job_id", [UNKNOWN, "job_x", "job_" + "A" * 32, "x" * 500, "%00", "job_%ff"])
def test_an_unknown_job_is_not_found(anna: Client, job_id: str) -> None:
    assert_problem(anna.get(f"/v1/jobs/{job_id}"), 404, "not_found")
