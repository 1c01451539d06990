"""Routes and keys: what every route answers to every kind of key, generated from the application's own routes."""

from typing import Any

import pytest

from app.access import keys
from app.api.main import ROUTERS
from app.api.pages.sites import SITES
from app.db.tables import KeyRow, now
from tests.app.api.client import Api, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.route_cases import ROUTE_CASES, create_objects, request_options, route_scopes
from tests.app.webhooks.factories import update_row

DECLARED = dict(route_scopes())
GUARDED = sorted(route for route, scope in DECLARED.items() if scope is not None)
WHO = "GET /v1/session"  # says that nobody is signed in
OF_AN_OBJECT = [route for route in GUARDED if "{" in route]
OPEN = sorted(route for route, scope in DECLARED.items() if scope is None)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def api(serve: StartApp) -> Api:
    return serve(webhook_private=True)


def test_every_route_has_a_row_and_declares_its_scope() -> None:
    """Whoever adds a route says here, a second time, who may use it."""
    assert {route: row.scope for route, row in ROUTE_CASES.items()} == DECLARED


def test_every_route_is_walked(api: Api) -> None:
    described = api.app.openapi()["paths"]
    assert {f"{method.upper()} {path}" for path, methods in described.items() for method in methods} == set(DECLARED)
    assert len(api.app.routes) == len(ROUTERS) + len(SITES)  # there is none beside them


def test_only_these_are_open() -> None:
    assert OPEN == ["GET /livez", "GET /metrics", "GET /readyz", "POST /v1/session"]
    assert len(GUARDED) > 40


def tokens(api: Api, owner: str) -> dict[str, str]:
    """Return what is no valid key, by what is wrong with it."""
    db = api.services.db
    revoked, old = db.run(keys.create, owner, "old", keys.SCOPES)
    db.run(keys.revoke, owner, revoked.id)
    whole = db.run(keys.create, owner, "new", keys.SCOPES)[1]
    found = {
        "revoked": old,
        "short": whole[:-1],
        "long": whole + "x",
        "upper": whole.upper(),
        "empty secret": "gw__",
        "no such key": "gw_x_y",
        "empty": "",
        "huge": "x" * 5000,
        "beyond ASCII": "é",
    }
    expired, found["expired"] = db.run(keys.create, owner, "late", keys.SCOPES)
    update_row(db, KeyRow, expired.id, expires_at=now() - 1)
    return found


@pytest.mark.parametrize("route", GUARDED)
def test_what_is_no_key_opens_nothing(api: Api, route: str) -> None:
    method, path = route.split(" ")
    place, body = path.format(**create_objects(api, "anna")), request_options(ROUTE_CASES[route])
    before = everything(api, "anna")
    headers = {name: f"Bearer {token}" for name, token in tokens(api, "anna").items()}
    whole = api.services.db.run(keys.create, "anna", "new", keys.SCOPES)[1]
    headers |= {"bare": whole, "basic": f"Basic {whole}", "token": f"Token {whole}", "nothing": ""}
    for authorization in headers.values():
        response = api.client(None)(method, place, headers={"Authorization": authorization.encode()}, **body)
        refused(method, response, 401, "unauthenticated")
        assert response.headers["www-authenticate"].startswith("Bearer")
    for others in ({}, {"Cookie": f"key={whole}"}):
        response = api.client(None)(method, place, headers=others, **body)
        if route == WHO:
            assert (response.status_code, response.content) == (204, b"")
        else:
            refused(method, response, 401, "unauthenticated")
    wrong = tuple({"read", "write"} - {ROUTE_CASES[route].scope})
    refused(method, api.client("anna", wrong)(method, place, **body), 403, "forbidden")
    assert everything(api, "anna") == before


@pytest.mark.parametrize("route", GUARDED)
def test_a_key_with_the_scope_opens(api: Api, route: str) -> None:
    method, path = route.split(" ")
    row = ROUTE_CASES[route]
    for scope in (str(row.scope), "admin"):
        place = path.format(**create_objects(api, "anna"))  # the ones before may be gone now
        response = api.client("anna", (scope,))(method, place, **request_options(row))
        assert response.status_code == row.status, response.text


@pytest.mark.parametrize("route", OF_AN_OBJECT)
def test_another_owner_s_object_is_not_found(api: Api, route: str) -> None:
    method, path = route.split(" ")
    theirs = create_objects(api, "bert")
    before = everything(api, "bert")
    response = api.client("anna")(method, path.format(**theirs), **request_options(ROUTE_CASES[route]))
    refused(method, response, 404, "not_found")
    assert everything(api, "bert") == before


@pytest.mark.parametrize("route", OPEN)
def test_an_open_route_needs_no_key(api: Api, route: str) -> None:
    method, path = route.split(" ")
    for client in (api.client(None), api.client_with_token("nonsense")):
        response = client(method, path, **request_options(ROUTE_CASES[route]))
        assert response.status_code == ROUTE_CASES[route].status


def refused(method: str, response: Any, status: int, code: str) -> None:
    if method == "HEAD":  # which has no body
        assert (response.status_code, response.content) == (status, b"")
    else:
        assert_problem(response, status, code)


def everything(api: Api, owner: str) -> list[Any]:
    """All that an owner can see."""
    client = api.client(owner)
    listed = [client.get(f"/v1/{noun}").json()["items"] for noun in ("jobs", "datasets", "keys", "webhooks")]
    return [[item for item in items if item.get("name") not in ("test", "new", "old", "late")] for items in listed]
