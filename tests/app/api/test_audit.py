"""Who did what: noted with the effect, or not at all."""

from collections import Counter
from typing import Any

import pytest

from app.jobs.states import Status
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import SPEC, create_job_in_status

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def entries(client: Client, **params: Any) -> list[dict[str, Any]]:
    response = client.get("/v1/audit", params=params)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


def test_every_change_is_noted(api: Api, anna: Client) -> None:
    job = anna.post("/v1/jobs", json=SPEC, headers={"X-Request-ID": "mine"}).json()["id"]
    for verb in ("pause", "resume", "cancel", "retry", "cancel"):
        assert anna.post(f"/v1/jobs/{job}/{verb}").status_code == 200
    for method, path in (("DELETE", ""), ("POST", "/restore"), ("DELETE", "?purge=true")):
        assert anna(method, f"/v1/jobs/{job}{path}").status_code in (200, 204)
    key = anna.post("/v1/keys", json={"name": "x"}).json()["id"]
    anna("PATCH", f"/v1/keys/{key}", json={"name": "y"})
    anna.post(f"/v1/keys/{key}/rotate")
    anna.delete(f"/v1/keys/{key}")
    data = anna.post("/v1/datasets", json={"name": "y", "source": {"kind": "upload", "format": "csv"}}).json()["id"]
    anna.put(f"/v1/datasets/{data}/content", content=b"a,b\n1,x\n2,y\n")
    anna.delete(f"/v1/datasets/{data}")
    found = entries(anna)[::-1]
    assert [(entry["action"], entry["target"]) for entry in found] == [
        *((f"job.{verb}", job) for verb in ("create", "pause", "resume", "cancel", "retry", "cancel", "delete")),
        ("job.restore", job),
        ("job.delete", job),
        *((f"key.{verb}", key) for verb in ("create", "change", "rotate", "revoke")),
        *((f"dataset.{verb}", data) for verb in ("create", "upload", "delete")),
    ]
    mine = anna.get("/v1/usage").json()["key"]["id"]
    assert {(entry["key_id"], entry["owner"]) for entry in found} == {(mine, "anna")}
    assert found[0]["request_id"] == "mine"
    assert (found[6]["data"], found[8]["data"]) == ({"purge": False}, {"purge": True})
    assert [entry["target"] for entry in entries(anna, action=["key.create", "job.create"])] == [key, job]
    assert len(entries(anna, target=key)) == 4
    assert entries(anna, key="key_other") == []
    assert "gw_" not in anna.get("/v1/audit").text


@SQLITE
def test_pages_follow_each_other(api: Api, anna: Client) -> None:
    job = create_job_in_status(api.services.db, Status.QUEUED)
    for _ in range(5):
        anna.post(f"/v1/jobs/{job}/cancel")
    page = anna.get("/v1/audit?limit=3&action=job.cancel")
    assert page.json()["has_more"]
    rest = anna.get(page.headers["link"][1:].partition(">")[0]).json()
    assert (len(rest["items"]), rest["has_more"]) == (2, False)
    assert {item["id"] for item in page.json()["items"]}.isdisjoint(item["id"] for item in rest["items"])


@SQLITE
def test_what_is_refused_or_repeated_is_not_noted_as_done(api: Api, anna: Client) -> None:
    job = create_job_in_status(api.services.db, Status.SUCCEEDED)
    assert_problem(anna.post(f"/v1/jobs/{job}/cancel"), 409, "state_forbids")
    assert_problem(anna.post("/v1/jobs", json={}), 422, "invalid_input")
    for _ in range(2):
        anna.post("/v1/jobs", json=SPEC, headers={"Idempotency-Key": "once"})
    assert [entry["action"] for entry in entries(anna)] == ["job.create"]


@SQLITE
def test_owners_see_their_own(api: Api, anna: Client) -> None:
    api.client("bert").post("/v1/jobs", json=SPEC)
    assert entries(anna) == []
    assert_problem(api.client("anna", ("read", "write")).get("/v1/audit"), 403, "forbidden")


def test_refusals_are_counted(api: Api, anna: Client) -> None:
    reader = api.client("anna", ("read",))
    token = anna.post("/v1/keys", json={"name": "x"}).json()["token"]
    for _ in range(3):
        assert_problem(reader.post("/v1/jobs", json=SPEC), 403, "forbidden")
    for _ in range(2):
        assert_problem(api.client_with_token(token + "x").get("/v1/jobs"), 401, "unauthenticated")
    api.services.access_log.close()
    found = entries(anna, action="refused")
    counts = Counter[str]()
    for entry in found:  # more than one of a kind where the journal was written in between
        counts[entry["data"]["code"]] += entry["data"]["count"]
    assert counts == {"forbidden": 3, "unauthenticated": 2}
    assert all(entry["key_id"] for entry in found)


@SQLITE
def test_a_flood_of_refusals_is_a_few_rows(api: Api) -> None:
    operator = api.client("operator")
    for number in range(300):
        api.services.access_log.record_refusal("unauthenticated", f"key_{number}", f"10.0.0.{number}", "req")
    api.services.access_log.close()
    found = entries(operator, action="refused", limit=1000)
    assert len(found) == 101
    assert sum(entry["data"]["count"] for entry in found) == 300
