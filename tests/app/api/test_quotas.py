"""Limits of keys: enforced, announced in headers, and counted."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.access import quotas
from app.jobs.states import Status
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import SPEC, create_checkpoint, create_queued_job, create_running_job, finish_job

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
UPLOAD = {"name": "y", "source": {"kind": "upload", "format": "csv"}}
ZEROS = "0" * 32
CSV = b"a,b\n1,x\n2,y\n"


def limited(api: Api, scopes: tuple[str, ...] = ("read", "write"), **limits: Any) -> Client:
    body = {"name": "limited", "scopes": scopes, "limits": limits}
    return api.client_with_token(api.client().post("/v1/keys", json=body).json()["token"])


def used(client: Client) -> dict[str, tuple[Any, Any]]:
    limits = client.get("/v1/usage").json()["limits"]
    return {item["name"]: (item["used"], item["limit"]) for item in limits}


def test_as_many_jobs_wait_as_may(api: Api, anna: Client) -> None:
    few = limited(api, queued_jobs=2, requests="100/minute")
    for left in (1, 0):
        response = few.post("/v1/jobs", json=SPEC)
        assert response.status_code == 201
        assert response.headers["ratelimit-policy"] == '"default";q=100;w=60, "queued";q=2;qu="jobs"'
        assert response.headers["ratelimit"].endswith(f', "queued";r={left}')
    refused = few.post("/v1/jobs", json=SPEC)
    document = assert_problem(refused, 429, "too_many_waiting")
    assert "2 jobs of this key are queued, at most 2 are allowed" in document["detail"]
    assert document["errors"][0]["hint"]
    assert int(refused.headers["retry-after"]) >= 1
    assert used(few)["queued_jobs"] == (2, 2)
    assert anna.post("/v1/jobs", json=SPEC).status_code == 201  # another key of the same owner
    job_id = few.get("/v1/jobs").json()["items"][1]["id"]
    few.post(f"/v1/jobs/{job_id}/cancel")
    assert few.post("/v1/jobs", json=SPEC).status_code == 201


@pytest.mark.parametrize(("away", "back"), [("pause", "resume"), ("cancel", "retry")])
def test_a_job_that_comes_back_waits_like_any_other(api: Api, away: str, back: str) -> None:
    few = limited(api, queued_jobs=1)
    job_id = few.post("/v1/jobs", json=SPEC).json()["id"]
    few.post(f"/v1/jobs/{job_id}/{away}")
    other = few.post("/v1/jobs", json=SPEC).json()["id"]
    status = few.get(f"/v1/jobs/{job_id}").json()["status"]
    assert_problem(few.post(f"/v1/jobs/{job_id}/{back}"), 429, "too_many_waiting")
    assert few.get(f"/v1/jobs/{job_id}").json()["status"] == status
    few.post(f"/v1/jobs/{other}/cancel")
    assert few.post(f"/v1/jobs/{job_id}/{back}").json()["status"] == "queued"


@SQLITE
def test_the_settings_limit_keys_without_limits_of_their_own(serve: StartApp) -> None:
    api = serve(limit_queued_jobs=1)
    anna = api.client()
    assert anna.post("/v1/jobs", json=SPEC).status_code == 201
    assert_problem(anna.post("/v1/jobs", json=SPEC), 429, "too_many_waiting")
    assert limited(api, queued_jobs=5).post("/v1/jobs", json=SPEC).status_code == 201


@SQLITE
def test_a_network_may_be_too_large_for_a_key(api: Api) -> None:
    small = limited(api, parameters=14)
    for path in ("/v1/jobs", "/v1/jobs/validate"):
        document = assert_problem(small.post(path, json=SPEC), 422, "invalid_input")
        (found,) = document["errors"]
        assert (found["pointer"], found["code"]) == ("/model", "too_many_parameters")
    assert limited(api, parameters=15).post("/v1/jobs", json=SPEC).status_code == 201


@SQLITE
def test_who_may_raise_a_priority(api: Api, anna: Client) -> None:
    urgent = SPEC | {"priority": 5}
    plain, trusted = limited(api), limited(api, priority=5)
    document = assert_problem(plain.post("/v1/jobs", json=urgent), 403, "forbidden")
    assert document["errors"][0]["pointer"] == "/priority"
    assert plain.post("/v1/jobs", json=SPEC | {"priority": -5}).status_code == 201
    assert trusted.post("/v1/jobs", json=urgent).status_code == 201
    assert_problem(trusted.post("/v1/jobs", json=SPEC | {"priority": 6}), 403, "forbidden")
    assert anna.post("/v1/jobs", json=SPEC | {"priority": 100}).status_code == 201  # which has the scope admin


def test_what_an_owner_stores_is_counted_once(api: Api, anna: Client) -> None:
    db, store = api.services.db, api.services.store
    job = create_running_job(db)
    create_checkpoint(db, store, job, 5, {"model.py": b"x" * 100}, private={"state": b"y" * 20})
    finish_job(db, job)
    for _ in range(2):  # the same content
        made = anna.post("/v1/datasets", json=UPLOAD).json()["id"]
        assert anna.put(f"/v1/datasets/{made}/content", content=CSV).status_code == 200
    piece = anna.post("/v1/datasets", json=UPLOAD).json()["id"]
    here = {"Content-Range": "bytes 0-3/12"}
    assert anna.put(f"/v1/datasets/{piece}/content", content=CSV[:4], headers=here).status_code == 202
    assert db.read(quotas.stored_bytes, "anna") == 120 + len(CSV) + 4
    assert db.read(quotas.stored_bytes, "bert") == 0
    assert used(anna)["stored_bytes"] == (136, None)
    assert used(anna)["unfinished_uploads"] == (1, 100)


def test_a_full_owner_stores_nothing_more(api: Api, anna: Client) -> None:
    full = limited(api, stored_bytes=len(CSV) + 5)
    made = [full.post("/v1/datasets", json=UPLOAD).json()["id"] for _ in range(2)]
    assert full.put(f"/v1/datasets/{made[0]}/content", content=CSV).status_code == 200
    place = f"/v1/datasets/{made[1]}/content"
    other = CSV + b"3,z\n"
    assert_problem(full.put(place, content=other), 403, "quota_exceeded")
    assert_problem(full.put(place, content=stream(other)), 403, "quota_exceeded")  # without a Content-Length
    piece = {"Content-Range": f"bytes 0-3/{len(other)}"}
    assert_problem(full.put(place, content=other[:4], headers=piece), 403, "quota_exceeded")
    assert anna.put(place, content=other).status_code == 200
    document = assert_problem(full.post("/v1/jobs", json=SPEC), 403, "quota_exceeded")
    assert f"{len(CSV) + len(other)} of {len(CSV) + 5} bytes" in document["detail"]
    assert_problem(full.post("/v1/datasets", json=UPLOAD), 403, "quota_exceeded")
    full.delete(f"/v1/datasets/{made[1]}")
    assert full.post("/v1/jobs", json=SPEC).status_code == 201


async def stream(content: bytes) -> AsyncIterator[bytes]:
    yield content


@SQLITE
def test_uploads_without_an_end_are_bounded(serve: StartApp) -> None:
    anna = serve(limit_unfinished_uploads=2).client()
    made = [anna.post("/v1/datasets", json=UPLOAD).json()["id"] for _ in range(2)]
    document = assert_problem(anna.post("/v1/datasets", json=UPLOAD), 403, "quota_exceeded")
    assert "2 uploads" in document["detail"]
    builtin = {"name": "x", "source": {"kind": "builtin", "name": "iris"}}
    assert anna.post("/v1/datasets", json=builtin).status_code == 201
    anna.put(f"/v1/datasets/{made[0]}/content", content=CSV)
    assert anna.post("/v1/datasets", json=UPLOAD).status_code == 201


@SQLITE
def test_a_key_has_a_rate_of_its_own(serve: StartApp) -> None:
    api = serve(rate_limit="100/minute")
    slow = limited(api, requests="2/minute")
    for _ in range(2):
        assert slow.get("/v1/jobs").headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert_problem(slow.get("/v1/jobs"), 429, "rate_limited")


def test_running_jobs_are_counted(api: Api) -> None:
    key = limited(api, running_jobs=1)
    key_id = key.get("/v1/usage").json()["key"]["id"]
    create_running_job(api.services.db, key_id=key_id)
    create_queued_job(api.services.db, key_id=key_id)
    assert used(key)["running_jobs"] == (1, 1)
    assert api.services.db.read(quotas.count_jobs, key_id, Status.QUEUED) == 1


@SQLITE
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/jobs"),
        ("POST", "/v1/models/inspect"),
        ("POST", "/v1/keys"),
        ("PUT", f"/v1/datasets/ds_{ZEROS}/content"),
        ("POST", f"/v1/jobs/job_{ZEROS}/predict"),
    ],
)
def test_a_body_is_not_read_before_the_key(api: Api, method: str, path: str) -> None:
    asked = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            asked.append(1)
            yield b"x" * 1000

    for client in (api.client(None), api.client_with_token("gw_no_key")):
        assert_problem(client(method, path, content=endless()), 401, "unauthenticated")
    assert len(asked) <= 2 * 2  # what the test's transport reads ahead


def test_limits_are_the_key_s_where_it_has_some(api: Api) -> None:
    limits = quotas.effective_limits(api.services.settings, {"queued_jobs": 0, "priority": 7}, admin=False)
    assert (limits.queued_jobs, limits.priority, limits.running_jobs) == (0, 7, None)
