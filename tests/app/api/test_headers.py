"""Every answer keeps browsers and caches careful: all routes, whatever they answer."""

import pytest

from app.api.middleware import SECURITY_HEADERS
from tests.app.api.client import Api, Client
from tests.app.api.conftest import StartApp
from tests.app.api.route_cases import ROUTE_CASES, ROUTES_DELETE_LAST, create_objects, request_options

DOWNLOADS = ("/weights", "/files/{name}", "/exports/{form}")


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def api(serve: StartApp) -> Api:
    return serve(webhook_private=True)


def careful(response: object) -> None:
    headers = response.headers  # type: ignore[attr-defined]
    assert {name: headers[name] for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)
    assert "server" not in headers
    assert "set-cookie" not in headers
    assert "access-control-allow-origin" not in headers  # no other site may read
    cache = headers["cache-control"]
    assert cache == "no-store" or cache.startswith("private, ")
    assert ("etag" in headers) == cache.startswith("private, ")


def test_answers_are_careful(api: Api) -> None:
    there, nobody, bert, anna = create_objects(api, "anna"), api.client(None), api.client("bert"), api.client("anna")
    for route in ROUTES_DELETE_LAST:
        method, path = route.split(" ")
        place, row = path.format(**there), ROUTE_CASES[route]
        careful(nobody("TRACE", place))
        careful(nobody(method, place + "/nowhere"))
        careful(anna(method, place, **(request_options(row) | {"params": {"unknown": "x"}})))
        for client in (nobody, bert, anna):
            response = client(method, place, **request_options(row))
            careful(response)
        assert response.status_code in (row.status, 409), (route, response.text)  # what was done before may forbid it
        download = path.endswith(DOWNLOADS)
        assert response.headers.get("content-disposition", "").startswith("attachment") == download, route
        if "etag" in response.headers and method == "GET":
            again = anna.get(place, params=dict(row.query), headers={"If-None-Match": response.headers["etag"]})
            assert again.status_code == 304
            careful(again)


def test_what_has_a_secret_lies_in_no_cache(anna: Client) -> None:
    made = anna.post("/v1/webhooks", json={"url": "https://127.0.0.1/"}).json()
    for response in (anna.post("/v1/keys", json={"name": "x"}), anna.post(f"/v1/webhooks/{made['id']}/rotate")):
        assert response.headers["cache-control"] == "no-store"


def test_a_mistake_of_the_service_is_careful_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.api.routes import health

    monkeypatch.setattr(health.schemas, "Liveness", None)
    response = api.client(None).get("/livez")
    assert response.status_code == 500
    careful(response)
