"""Webhooks over HTTP."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from app.db.tables import DeliveryRow, WebhookRow
from app.jobs.states import Status
from app.webhooks import deliveries
from app.webhooks.deliveries import DeliveryResult
from app.webhooks.targets import TargetPolicy
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import SPEC, create_job_in_status
from tests.app.webhooks.factories import update_row

PUBLIC = "93.184.215.14"
URL = "https://example.com/hook?token=abc"
NOBODY = "0" * 32


def resolve(host: str, port: int) -> Sequence[str]:
    """A world with three names."""
    known = {"example.com": (PUBLIC,), "inside.example": ("10.0.0.1",), "both.example": (PUBLIC, "127.0.0.1")}
    return known.get(host, (host,) if host[0].isdigit() or ":" in host else ())


@pytest.fixture
def api(serve: StartApp) -> Api:
    return serve(other={"targets": TargetPolicy(http=False, private=False, resolve=resolve)})


def made(client: Client, **more: Any) -> dict[str, Any]:
    response = client.post("/v1/webhooks", json={"url": URL} | more)
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/v1/webhooks/{document['id']}"
    assert response.headers["cache-control"] == "no-store"
    return document


def test_a_webhook_is_made_told_its_secret_once_and_deleted(anna: Client) -> None:
    new = made(anna)
    secret = new.pop("secret")
    assert secret.startswith("whsec_")
    assert (new["url"], new["status"], new["jobs"]) == (URL, "active", "all")
    assert new["events"] == ["job.succeeded", "job.failed", "job.cancelled"]
    here = f"/v1/webhooks/{new['id']}"
    for text in (anna.get("/v1/webhooks").text, anna.get(here).text):
        assert secret not in text
        assert "secret" not in text
    assert anna.get(here).json() == new
    assert anna.get("/v1/webhooks").json() == {"items": [new], "has_more": False}
    assert anna.delete(here).status_code == 204
    assert_problem(anna.get(here), 404, "not_found")


def test_a_secret_is_rotated(anna: Client) -> None:
    new = made(anna)
    response = anna.post(f"/v1/webhooks/{new['id']}/rotate")
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert response.json()["secret"] != new["secret"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {("/url", "missing")}),
        ({"url": ""}, {("/url", "invalid_value")}),
        ({"url": 3}, {("/url", "invalid_value")}),
        ({"url": "http://example.com/"}, {("/url", "unknown_scheme")}),
        ({"url": "https://u:p@example.com/"}, {("/url", "credentials")}),
        ({"url": "https://inside.example/"}, {("/url", "private_address")}),
        ({"url": "https://both.example/"}, {("/url", "private_address")}),
        ({"url": "https://127.0.0.1/"}, {("/url", "private_address")}),
        ({"url": "https://[::ffff:10.0.0.1]/"}, {("/url", "private_address")}),
        ({"url": "https://2130706433/"}, {("/url", "invalid_host")}),
        ({"url": "https://nowhere.example/"}, {("/url", "unknown_host")}),
        ({"url": URL, "events": []}, {("/events", "too_few")}),
        ({"url": URL, "events": ["job.ended"]}, {("/events/0", "invalid_value")}),
        ({"url": URL, "jobs": "some"}, {("/jobs", "unknown_value")}),
        ({"url": URL, "secret": "whsec_x"}, {("/secret", "unknown_field")}),
    ],
)
def test_a_webhook_has_a_form(anna: Client, body: object, expected: set[tuple[str, str]]) -> None:
    document = assert_problem(anna.post("/v1/webhooks", json=body), 422, "invalid_input")
    assert {(item["pointer"], item["code"]) for item in document["errors"]} == expected
    assert anna.get("/v1/webhooks").json()["items"] == []


def test_deliveries_are_logged_and_sent_again(api: Api, anna: Client) -> None:
    db = api.services.db
    new = made(anna)
    here = f"/v1/webhooks/{new['id']}"
    job = create_job_in_status(db, Status.FAILED)
    ping = anna.post(f"{here}/ping")
    assert ping.status_code == 202
    assert (ping.json()["type"], ping.json()["job_id"]) == ("webhook.ping", None)
    claimed = db.run(deliveries.claim)
    assert claimed is not None
    db.run(deliveries.record_result, claimed, DeliveryResult(503, 0.25, "refused", "the receiver answered 503"))
    page = anna.get(f"{here}/deliveries").json()
    assert [item["type"] for item in page["items"]] == ["webhook.ping", "job.failed"]
    failed = page["items"][1]
    assert (failed["job_id"], failed["status"], failed["message"]["type"]) == (job, "pending", "job.failed")
    assert failed["next_at"] > failed["created_at"]
    (attempt,) = failed["attempts"]
    assert attempt["at"].endswith("Z")
    assert attempt | {"at": ""} == {
        "at": "",
        "seconds": 0.25,
        "status": 503,
        "error": "refused",
        "detail": "the receiver answered 503",
    }
    assert anna.get(here).json()["status"] == "failing"
    one = anna.get(f"{here}/deliveries?limit=1")
    assert one.json()["has_more"]
    assert one.headers["link"] == f'<{here}/deliveries?limit=1&after={ping.json()["id"]}>; rel="next"'
    assert anna.get(f"{here}/deliveries?after={ping.json()['id']}").json()["items"] == [failed]
    update_row(db, DeliveryRow, failed["id"], status="failed", ended_at=2.0)
    assert [item["id"] for item in anna.get(f"{here}/deliveries?status=failed").json()["items"]] == [failed["id"]]
    again = anna.post(f"{here}/deliveries/{failed['id']}/resend")
    assert again.status_code == 202
    assert (again.json()["id"], again.json()["status"], again.json()["ended_at"]) == (failed["id"], "pending", None)
    assert again.json()["next_at"] < failed["next_at"]
    assert_problem(anna.post(f"{here}/deliveries/msg_{NOBODY}/resend"), 404, "not_found")


def test_a_disabled_webhook_says_so_and_is_enabled(api: Api, anna: Client) -> None:
    new = made(anna)
    here = f"/v1/webhooks/{new['id']}"
    update_row(api.services.db, WebhookRow, new["id"], failing_since=1.0, disabled_at=2.0, disabled_reason="it is gone")
    found = anna.get(here).json()
    assert (found["status"], found["disabled_reason"]) == ("disabled", "it is gone")
    document = assert_problem(anna.post(f"{here}/ping"), 409, "state_forbids")
    assert "it is gone" in document["detail"]
    for _ in range(2):
        assert anna.post(f"{here}/enable").json()["status"] == "active"
    assert anna.post(f"{here}/ping").status_code == 202


def test_a_job_names_a_webhook(anna: Client) -> None:
    named, all_ = made(anna, jobs="named", events=["job.created"]), made(anna, events=["job.created"])
    job = anna.post("/v1/jobs", json=SPEC | {"webhook": named["id"]}).json()
    anna.post("/v1/jobs", json=SPEC)
    heard = [anna.get(f"/v1/webhooks/{hook['id']}/deliveries").json()["items"] for hook in (named, all_)]
    assert [len(each) for each in heard] == [1, 2]
    assert heard[0][0]["message"]["data"]["job"] == {
        "id": job["id"],
        "name": "iris",
        "status": "queued",
        "metadata": {},
    }


@pytest.mark.parametrize("place", ["/v1/jobs", "/v1/jobs/validate"])
def test_a_job_names_a_webhook_that_is_there(api: Api, anna: Client, bert: Client, place: str) -> None:
    for strange in (f"whk_{NOBODY}", made(bert)["id"]):
        document = assert_problem(anna.post(place, json=SPEC | {"webhook": strange}), 422, "invalid_input")
        assert [(item["pointer"], item["code"]) for item in document["errors"]] == [("/webhook", "unknown_webhook")]
    document = assert_problem(anna.post(place, json=SPEC | {"webhook": "https://example.com"}), 422, "invalid_input")
    assert [item["pointer"] for item in document["errors"]] == ["/webhook"]


def test_a_secret_is_in_no_message(api: Api, anna: Client) -> None:
    new = made(anna)
    create_job_in_status(api.services.db, Status.FAILED)
    assert new["secret"] not in json.dumps(anna.get(f"/v1/webhooks/{new['id']}/deliveries").json())
