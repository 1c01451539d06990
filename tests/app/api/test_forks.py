"""Forks over the API: a new job that keeps what it starts from."""

from typing import Any

import pytest

from app import checkpoints
from app.db.tables import JobRow
from tests.app.api.client import Api, Client
from tests.app.api.job_factories import SPEC, create_checkpoint, create_running_job, finish_job
from workers.host.assignments import build_assignment
from workers.protocol.messages import Ending

TRAINED = SPEC | {"training": {"epochs": 2, "checkpoint": {"keep_last": 1, "keep_best": 0}}}


@pytest.fixture
def trained(api: Api) -> tuple[str, list[str]]:
    """A job that is running, with two checkpoints."""
    job = create_running_job(api.services.db, spec=TRAINED)
    made = [
        create_checkpoint(api.services.db, api.services.store, job, step, {"weights.safetensors": b"x"}, 0.5)
        for step in (3, 6)
    ]
    return job.id, made


def test_a_fork_starts_from_the_newest_checkpoint_with_changes(api: Api, anna: Client, trained: Any) -> None:
    job_id, made = trained
    response = anna.post(f"/v1/jobs/{job_id}/fork", json={"changes": {"name": "second", "priority": 7}})
    assert response.status_code == 201, response.text
    forked = response.json()
    assert (forked["name"], forked["priority"], forked["status"]) == ("second", 7, "queued")
    assert forked["spec"]["start_from"] == {"checkpoint": made[1], "what": "everything"}
    with api.services.db.begin() as session:
        assignment = build_assignment(session, session.get_one(JobRow, forked["id"]), api.services.settings, None)
    assert assignment.start_from is not None
    assert (assignment.start_from.id, assignment.start_from.step) == (made[1], 6)


def test_what_a_fork_needs_stays(api: Api, anna: Client, trained: Any) -> None:
    job_id, made = trained
    forked = anna.post(f"/v1/jobs/{job_id}/fork", json={"from_step": 3, "what": "weights"}).json()
    surplus = api.services.db.run(checkpoints.prunable_checkpoints, job_id, 1, 0, "val/loss", "min")
    assert [row.id for row in surplus] == []
    finish_job(api.services.db, api.services.db.read(lambda session: session.get_one(JobRow, job_id)), Ending.SUCCEEDED)
    refused = anna.delete(f"/v1/jobs/{job_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "state_forbids")
    anna.post(f"/v1/jobs/{forked['id']}/cancel")
    assert [
        row.id for row in api.services.db.run(checkpoints.prunable_checkpoints, job_id, 1, 0, "val/loss", "min")
    ] == [made[0]]
    assert anna.delete(f"/v1/jobs/{job_id}").status_code == 204


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        ({"from_step": 4}, 422, "/from_step"),
        ({"changes": {"training": {"optimizer": {"kind": "SGD"}}}}, 422, "/training/optimizer"),
        ({"changes": {"objective": None}}, 422, "/objective"),
        ({"what": "half"}, 422, "/what"),
    ],
)
def test_forks_that_cannot_be(anna: Client, trained: Any, body: Any, status: int, place: str) -> None:
    response = anna.post(f"/v1/jobs/{trained[0]}/fork", json=body)
    assert response.status_code == status
    assert place in [problem["pointer"] for problem in response.json()["errors"]]


def test_a_fork_is_made_once_per_key(anna: Client, trained: Any) -> None:
    headers = {"Idempotency-Key": "once"}
    answers = [anna.post(f"/v1/jobs/{trained[0]}/fork", json={}, headers=headers) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]


def test_another_owners_checkpoint_is_not_there(anna: Client, bert: Client, trained: Any) -> None:
    start = {"start_from": {"checkpoint": trained[1][0]}}
    response = bert.post("/v1/jobs", json=SPEC | start)
    assert [problem["pointer"] for problem in response.json()["errors"]] == ["/start_from/checkpoint"]
    assert bert.post(f"/v1/jobs/{trained[0]}/fork", json={}).status_code == 404


def test_a_fork_goes_on_with_a_changed_network(api: Api, anna: Client) -> None:
    model = {"layers": [{"kind": "Linear", "out_features": 3, "id": "head"}]}
    job = create_running_job(api.services.db, spec=TRAINED | {"model": model})
    create_checkpoint(api.services.db, api.services.store, job, 3, {"weights.safetensors": b"x"}, 0.5)
    finish_job(api.services.db, job, Ending.SUCCEEDED)
    layer = {"op": "insert", "before": "head", "node": {"kind": "Linear", "id": "grown", "out_features": 4}}
    changes = {"start_from": {"edits": [layer]}, "training": {"epochs": 4}}
    response = anna.post(f"/v1/jobs/{job.id}/fork", json={"changes": changes})
    assert response.status_code == 201, response.text
    forked = response.json()
    assert forked["spec"]["model"] == model | {"layers": [model["layers"][0]]}
    (edit,) = anna.get(f"/v1/jobs/{forked['id']}/edits").json()["items"]
    assert (edit["state"], edit["at"], edit["operations"]) == ("accepted", "now", [layer])
    wrong = anna.post(f"/v1/jobs/{job.id}/fork", json={"changes": {"start_from": {"edits": [layer | {"before": "x"}]}}})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"].startswith("/start_from/edits/0")
