"""API keys over HTTP."""

import pytest
from sqlalchemy import update

from app.access import keys
from app.db.tables import KeyRow, now
from tests.app.api.client import Api, Client, assert_problem


def test_a_key_is_made_told_once_and_revoked(api: Api, anna: Client) -> None:
    response = anna.post("/v1/keys", json={"name": "laptop"})
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    made = response.json()
    assert (made["name"], made["scopes"], made["revoked_at"]) == ("laptop", ["read", "write"], None)
    laptop = api.client_with_token(made["token"])
    assert laptop.get("/v1/jobs").status_code == 200
    listed = anna.get("/v1/keys")
    assert listed.json()["items"][0] == {name: made[name] for name in made if name != "token"}
    assert made["token"].split("_", 2)[2] not in listed.text
    for _ in range(2):
        assert anna.delete(f"/v1/keys/{made['id']}").status_code == 204
        assert_problem(laptop.get("/v1/jobs"), 401, "unauthenticated")
    revoked = anna.get("/v1/keys").json()["items"][0]
    assert revoked["revoked_at"] >= revoked["created_at"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/name"}),
        ({"name": ""}, {"/name"}),
        ({"name": "x" * 201}, {"/name"}),
        ({"name": 3}, {"/name"}),
        ({"name": "a", "scopes": []}, {"/scopes"}),
        ({"name": "a", "scopes": ["read", "wirte", "all"]}, {"/scopes/1", "/scopes/2"}),
        ({"name": "a", "scopes": ["read"] * 4}, {"/scopes"}),
        ({"name": "a", "scopes": "read"}, {"/scopes"}),
        ({"name": "a", "scopes": [None]}, {"/scopes/0"}),
        ({"name": "a", "owner": "bert"}, {"/owner"}),
        ([], {""}),
        ("name", {""}),
    ],
)
def test_a_key_has_a_form(anna: Client, body: object, pointers: set[str]) -> None:
    document = assert_problem(anna.post("/v1/keys", json=body), 422, "invalid_input")
    assert {item["pointer"] for item in document["errors"]} == pointers
    assert len(anna.get("/v1/keys").json()["items"]) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_key_makes_no_key_for_others(api: Api, anna: Client) -> None:
    made = anna.post("/v1/keys", json={"name": "x", "scopes": ["admin", "read", "read"]}).json()
    assert made["scopes"] == ["read", "admin"]
    assert api.services.db.read(keys.authenticate, made["token"]).row.owner == "anna"


LATER = "2999-01-01T00:00:00Z"


def test_a_key_expires(api: Api, anna: Client) -> None:
    made = anna.post("/v1/keys", json={"name": "x", "expires_at": LATER}).json()
    assert made["expires_at"] == "2999-01-01T00:00:00.000Z"
    client = api.client_with_token(made["token"])
    assert client.get("/v1/jobs").status_code == 200
    assert_problem(
        anna.post("/v1/keys", json={"name": "x", "expires_at": "2020-01-01T00:00:00Z"}), 422, "invalid_input"
    )
    api.services.db.run(
        lambda session: session.execute(update(KeyRow).where(KeyRow.id == made["id"]).values(expires_at=now() - 1))
    )
    assert_problem(client.get("/v1/jobs"), 401, "unauthenticated")


def test_a_key_is_rotated_with_a_grace(api: Api, anna: Client) -> None:
    made = anna.post("/v1/keys", json={"name": "x"}).json()
    rotated = anna.post(f"/v1/keys/{made['id']}/rotate", json={"grace_seconds": 600})
    assert rotated.status_code == 200
    assert rotated.headers["cache-control"] == "no-store"
    again = rotated.json()
    assert (again["id"], again["name"]) == (made["id"], "x")
    assert again["token"] != made["token"]
    for token in (made["token"], again["token"]):
        assert api.client_with_token(token).get("/v1/jobs").status_code == 200
    last = anna.post(f"/v1/keys/{made['id']}/rotate", json={"grace_seconds": 0}).json()["token"]
    for token in (made["token"], again["token"]):
        assert_problem(api.client_with_token(token).get("/v1/jobs"), 401, "unauthenticated")
    assert api.client_with_token(last).get("/v1/jobs").status_code == 200
    anna.delete(f"/v1/keys/{made['id']}")
    assert_problem(api.client_with_token(last).get("/v1/jobs"), 401, "unauthenticated")
    assert_problem(anna.post(f"/v1/keys/{made['id']}/rotate"), 409, "state_forbids")


def test_a_key_is_changed(anna: Client) -> None:
    made = anna.post("/v1/keys", json={"name": "x", "limits": {"running_jobs": 2, "queued_jobs": 5}}).json()
    assert made["limits"] == {"running_jobs": 2, "queued_jobs": 5}
    path = f"/v1/keys/{made['id']}"
    changes = {"limits": {"running_jobs": None, "requests": "5/second"}, "expires_at": LATER}
    changed = anna("PATCH", path, json=changes).json()
    assert changed["limits"] == {"queued_jobs": 5, "requests": "5/second"}
    assert (changed["name"], changed["expires_at"][:4]) == ("x", "2999")
    changed = anna("PATCH", path, json={"name": "y", "expires_at": None}).json()
    assert (changed["name"], changed["expires_at"]) == ("y", None)
    assert changed["limits"] == {"queued_jobs": 5, "requests": "5/second"}
    anna.delete(path)
    assert_problem(anna("PATCH", path, json={"name": "z"}), 409, "state_forbids")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("limits", "pointer"),
    [
        ({"running_jobs": 0}, "/limits/running_jobs"),
        ({"running_jobs": True}, "/limits/running_jobs"),
        ({"queued_jobs": -1}, "/limits/queued_jobs"),
        ({"stored_bytes": 2**63}, "/limits/stored_bytes"),
        ({"priority": 101}, "/limits/priority"),
        ({"requests": "many"}, "/limits/requests"),
        ({"running": 1}, "/limits/running"),
    ],
)
def test_limits_have_a_form(anna: Client, limits: dict[str, object], pointer: str) -> None:
    made = anna.post("/v1/keys", json={"name": "x"}).json()
    answers = (
        anna.post("/v1/keys", json={"name": "x", "limits": limits}),
        anna("PATCH", f"/v1/keys/{made['id']}", json={"limits": limits}),
    )
    for answer in answers:
        document = assert_problem(answer, 422, "invalid_input")
        assert [item["pointer"] for item in document["errors"]] in ([pointer], [""])


def test_the_last_use_is_noted_now_and_then(api: Api, anna: Client) -> None:
    made = anna.post("/v1/keys", json={"name": "x"}).json()
    assert made["last_used_at"] is None
    client = api.client_with_token(made["token"])
    for _ in range(3):
        client.get("/v1/jobs")
    api.services.access_log.flush()
    noted = next(key for key in anna.get("/v1/keys").json()["items"] if key["id"] == made["id"])["last_used_at"]
    assert noted is not None
    client.get("/v1/jobs")
    api.services.access_log.flush()
    assert client.get("/v1/usage").json()["key"]["last_used_at"] == noted
