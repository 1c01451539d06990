"""API keys over HTTP."""

import pytest

from app import keys
from tests.app.api.client import Api, Client, problem


def test_a_key_is_made_told_once_and_revoked(api: Api, anna: Client) -> None:
    response = anna.post("/v1/keys", json={"name": "laptop"})
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    made = response.json()
    assert (made["name"], made["scopes"], made["revoked_at"]) == ("laptop", ["read", "write"], None)
    laptop = api.holding(made["token"])
    assert laptop.get("/v1/jobs").status_code == 200
    listed = anna.get("/v1/keys")
    assert listed.json()["items"][0] == {name: made[name] for name in made if name != "token"}
    assert made["token"].split("_", 2)[2] not in listed.text
    for _ in range(2):
        assert anna.delete(f"/v1/keys/{made['id']}").status_code == 204
        problem(laptop.get("/v1/jobs"), 401, "unauthenticated")
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
    document = problem(anna.post("/v1/keys", json=body), 422, "invalid_input")
    assert {item["pointer"] for item in document["errors"]} == pointers
    assert len(anna.get("/v1/keys").json()["items"]) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_key_makes_no_key_for_others(api: Api, anna: Client) -> None:
    made = anna.post("/v1/keys", json={"name": "x", "scopes": ["admin", "read", "read"]}).json()
    assert made["scopes"] == ["read", "admin"]
    assert api.services.db.read(keys.authenticate, made["token"]).owner == "anna"
