"""Webhooks as the client sees them, and how a receiver verifies messages."""

import time
from typing import Any

import httpx
import pytest

from app.webhooks.signature import new_secret, signed_headers
from graftwerk import NotVerified, verify
from tests.graftwerk.client_kinds import ClientKind

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"type": "job.succeeded", "data": {"name": "ä"}}'
HOOK: dict[str, Any] = {
    "id": "whk_1",
    "name": "x",
    "url": "https://example.com",
    "events": ["job.failed"],
    "jobs": "all",
    "status": "active",
}
MESSAGE: dict[str, Any] = {"id": "msg_1", "type": "job.failed", "status": "pending", "attempts": [], "next_at": None}


def headers(at: float | None = None, under: str = SECRET, body: str = BODY) -> dict[str, str]:
    return signed_headers("msg_1", time.time() if at is None else at, body, [under])


@pytest.mark.parametrize("body", [BODY, BODY.encode()])
def test_what_the_service_signs_is_verified(body: str | bytes) -> None:
    told = {name.title(): value for name, value in headers().items()}
    assert verify(body, told, SECRET)["data"] == {"name": "ä"}


def test_one_signature_of_several_is_enough() -> None:
    at = time.time()
    both = signed_headers("msg_1", at, BODY, [new_secret(), SECRET])
    assert verify(BODY, both, SECRET)
    assert verify(BODY, both | {"webhook-signature": "v2,x v1,!! " + headers(at)["webhook-signature"]}, SECRET)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_2"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v2" + headers()["webhook-signature"][2:]},
        {"webhook-timestamp": str(int(time.time()) - 1)},
        {"webhook-timestamp": "now"},
    ],
)
def test_what_was_changed_is_not_verified(changed: dict[str, str]) -> None:
    with pytest.raises(NotVerified):
        verify(BODY, headers() | changed, SECRET)


def test_another_body_or_secret_is_not_verified() -> None:
    for body, secret in ((BODY + " ", SECRET), (BODY.replace("ä", "a"), SECRET), (BODY, new_secret())):
        with pytest.raises(NotVerified):
            verify(body, headers(), secret)
    for name in headers():
        with pytest.raises(NotVerified):
            verify(BODY, {key: value for key, value in headers().items() if key != name}, SECRET)


@pytest.mark.parametrize("age", [-400, 400])
def test_what_is_old_or_from_the_future_is_not_verified(age: float) -> None:
    told = headers(time.time() - age)
    with pytest.raises(NotVerified, match="clock"):
        verify(BODY, told, SECRET)
    assert verify(BODY, told, SECRET, tolerance=500)


def test_the_client_asks_what_the_routes_expect(api: ClientKind) -> None:
    client, script = api.client(
        httpx.Response(201, json=HOOK | {"secret": SECRET}),
        httpx.Response(200, json={"items": [HOOK], "has_more": False}),
        httpx.Response(200, json=HOOK),
        httpx.Response(200, json=HOOK | {"secret": "whsec_new"}),
        httpx.Response(200, json=HOOK),
        httpx.Response(202, json=MESSAGE),
        httpx.Response(200, json={"items": [MESSAGE], "has_more": False}),
        httpx.Response(202, json=MESSAGE),
        httpx.Response(204),
    )
    webhooks = client.webhooks
    made = webhooks.create("https://example.com", events=["job.failed"], jobs="named")
    assert made.secret == SECRET
    assert SECRET not in repr(made)
    assert [hook.id for hook in webhooks.list()] == ["whk_1"]
    assert webhooks.get("whk_1").secret is None
    assert webhooks.rotate("whk_1").secret == "whsec_new"
    assert webhooks.enable("whk_1").status == "active"
    assert webhooks.ping("whk_1").id == "msg_1"
    assert [item.type for item in webhooks.deliveries("whk_1", "failed")] == ["job.failed"]
    assert webhooks.resend("whk_1", "msg_1").status == "pending"
    webhooks.delete("whk_1")
    asked = [(request.method, request.url.raw_path.decode()) for request in script.requests]
    here = "/v1/webhooks/whk_1"
    assert asked == [
        ("POST", "/v1/webhooks"),
        ("GET", "/v1/webhooks"),
        ("GET", here),
        ("POST", f"{here}/rotate"),
        ("POST", f"{here}/enable"),
        ("POST", f"{here}/ping"),
        ("GET", f"{here}/deliveries?status=failed"),
        ("POST", f"{here}/deliveries/msg_1/resend"),
        ("DELETE", here),
    ]
    assert script.requests[0].content == b'{"url":"https://example.com","jobs":"named","events":["job.failed"]}'
