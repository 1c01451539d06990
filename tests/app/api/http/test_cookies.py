"""The cookie of a session, and a browser that has none."""

import pytest

from app.access import keys
from app.access.first_key import OWNER
from app.api.http.cookies import COOKIE_PREFIX
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def new_key(api: Api) -> str:
    return api.services.db.run(keys.create, "anna", "laptop", keys.SCOPES)[1]


def test_nobody_is_signed_in(serve: StartApp) -> None:
    api = serve(rate_limit="3/minute")
    nobody = api.client(None)
    for _ in range(3):
        response = nobody.get("/v1/session")
        assert (response.status_code, response.content) == (204, b"")
    assert_problem(nobody.get("/v1/session"), 429, "rate_limited")  # as often as anybody may ask without a key
    api.services.access_log.close()
    actions = [entry["action"] for entry in api.client(OWNER).get("/v1/audit").json()["items"]]
    assert "refused" not in actions


def test_services_on_one_host_keep_their_own_sessions(api: Api) -> None:
    first, second = ("http://service:8000", "http://service:8001")
    cookies = {}
    for origin in (first, second):
        response = api.client(None).post(f"{origin}/v1/session", json={"key": new_key(api)})
        cookies |= dict(response.cookies)
    assert set(cookies) == {f"{COOKIE_PREFIX}_8000", f"{COOKIE_PREFIX}_8001"}
    both = "; ".join(f"{name}={value}" for name, value in cookies.items())  # a browser knows no ports of cookies
    tab = Client(api.app, api.portal, Cookie=both, **{"Sec-Fetch-Site": "same-origin"})
    ids = [tab.get(f"{origin}/v1/session").json()["key_id"] for origin in (first, second)]
    assert ids[0] != ids[1]
    proof = {"X-CSRF-Token": tab.get(f"{first}/v1/session").json()["csrf_token"]}
    assert tab.delete(f"{first}/v1/session", headers=proof).status_code == 204
    assert_problem(tab.get(f"{first}/v1/jobs"), 401, "unauthenticated")
    assert tab.get(f"{second}/v1/jobs").status_code == 200
    assert tab.get("/v1/session").status_code == 204  # without a port
