"""Deleted jobs: hidden at once, brought back for a while, removed for good."""

import pytest

from app.jobs.states import TERMINAL_STATUSES, Status
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import SPEC, create_checkpoint, create_job_in_status, create_running_job, finish_job

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def listed(client: Client, **params: str) -> list[str]:
    return [item["id"] for item in client.get("/v1/jobs", params=params).json()["items"]]


def test_a_deleted_job_is_hidden_and_comes_back(api: Api, anna: Client) -> None:
    db, store = api.services.db, api.services.store
    job, other = create_running_job(db), create_job_in_status(db, Status.QUEUED)
    checkpoint = create_checkpoint(db, store, job, 5, {"model.py": b"x"})
    path = f"/v1/jobs/{finish_job(db, job)}"
    before = anna.get(path).json()
    assert anna.delete(path).status_code == 204
    assert_problem(anna.get(path), 404, "not_found")
    assert_problem(anna.delete(path), 404, "not_found")
    for noun in ("metrics", "events", "stream", "checkpoints", "weights", "network"):
        assert_problem(anna.get(f"{path}/{noun}"), 404, "not_found")
    for verb in ("cancel", "pause", "resume", "retry"):
        assert_problem(anna.post(f"{path}/{verb}"), 404, "not_found")
    assert_problem(anna.get(f"/v1/checkpoints/{checkpoint}"), 404, "not_found")
    start = SPEC | {"start_from": {"checkpoint": checkpoint}}
    document = assert_problem(anna.post("/v1/jobs", json=start), 422, "invalid_input")
    assert document["errors"][0]["code"] == "unknown_checkpoint"
    assert (listed(anna), listed(anna, deleted="true")) == ([other], [job.id])
    assert anna.get("/v1/jobs?deleted=true").json()["items"][0]["deleted_at"] is not None
    assert_problem(api.client("bert").post(f"{path}/restore"), 404, "not_found")
    for _ in range(2):
        restored = anna.post(f"{path}/restore")
        assert restored.status_code == 200
    changed = {"version", "updated_at"}
    assert {key: value for key, value in restored.json().items() if key not in changed} == {
        key: value for key, value in before.items() if key not in changed
    }
    assert anna.get(f"/v1/checkpoints/{checkpoint}/files/model.py").content == b"x"
    assert listed(anna, deleted="true") == []


def test_purging_removes_rows_and_files_at_once(api: Api, anna: Client) -> None:
    db, store = api.services.db, api.services.store
    ids = []
    for _ in range(2):
        job = create_running_job(db)
        create_checkpoint(db, store, job, 5, {"model.py": b"x"})
        ids.append(finish_job(db, job))
    assert anna.delete(f"/v1/jobs/{ids[0]}?purge=true").status_code == 204
    anna.delete(f"/v1/jobs/{ids[1]}")
    assert [key.split("/")[1] for key in store.keys("jobs/")] == [ids[1]]
    assert anna.delete(f"/v1/jobs/{ids[1]}?purge=true").status_code == 204  # out of the trash
    assert list(store.keys("jobs/")) == []
    for job_id in ids:
        assert_problem(anna.post(f"/v1/jobs/{job_id}/restore"), 404, "not_found")


@SQLITE
def test_without_a_trash_deleting_is_for_good(serve: StartApp) -> None:
    api = serve(trash_seconds=0)
    anna = api.client()
    job_id = create_job_in_status(api.services.db, Status.SUCCEEDED)
    assert anna.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert_problem(anna.post(f"/v1/jobs/{job_id}/restore"), 404, "not_found")


@SQLITE
@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("purge", ["true", "false"])
def test_only_what_has_ended_is_deleted(api: Api, anna: Client, status: Status, purge: str) -> None:
    response = anna.delete(f"/v1/jobs/{create_job_in_status(api.services.db, status)}", params={"purge": purge})
    if status in TERMINAL_STATUSES:
        assert response.status_code == 204
    else:
        assert_problem(response, 409, "state_forbids")
