"""Browsers that are signed in: what opens a session, what its cookie can do, and what ends it."""

import threading
import time
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from app.access import keys, sessions
from app.access.first_key import OWNER
from app.api.http.cookies import COOKIE_PREFIX
from app.api.key_cache import KeyCache
from app.db.session import Database
from app.db.tables import SessionRow, now
from app.settings import Settings
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import SPEC, create_queued_job
from tests.app.api.served import server

HOUR = 3600.0
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
FOREIGN = ("cross-site", "same-site", "something")


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What the database does is tested on both in tests/app/access/test_sessions.py."""
    return sqlite_url


def new_key(api: Api, *scopes: str) -> tuple[str, str]:
    row, token = api.services.db.run(keys.create, "anna", "laptop", scopes or ("read", "write", "admin"))
    return row.id, token


def sign_in(api: Api, **body: str) -> httpx.Response:
    return api.client(None).post("/v1/session", json=body)


def browser(api: Api, response: httpx.Response, **headers: str) -> Client:
    """Return a client with the session's cookie, and no proof unless it is in the headers."""
    assert response.status_code == 201, response.text
    return Client(api.app, api.portal, Cookie=f"{COOKIE_PREFIX}={response.cookies[COOKIE_PREFIX]}", **headers)


def page(api: Api, response: httpx.Response) -> Client:
    """Return a client that sends what the page does."""
    return browser(api, response, **{"X-CSRF-Token": response.json()["csrf_token"]})


def test_a_key_signs_in(api: Api) -> None:
    key_id, token = new_key(api, "read", "write")
    response = sign_in(api, key=token)
    document = response.json()
    assert (document["owner"], document["key_id"], document["key_name"]) == ("anna", key_id, "laptop")
    assert document["scopes"] == ["read", "write"]
    assert token not in response.text
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE_PREFIX}=gws_")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "secure" not in cookie.lower()  # it came without TLS
    assert "domain" not in cookie.lower()
    anna = page(api, response)
    assert anna.get("/v1/session").json() == document
    assert anna.post("/v1/jobs", json=SPEC).status_code == 201
    assert anna.get("/v1/usage").json()["key"]["id"] == key_id
    assert_problem(anna.get("/v1/keys"), 403, "forbidden")  # the scopes are the key's


def test_the_cookie_is_secure_where_the_request_came_by_tls(api: Api) -> None:
    response = api.client(None).post("https://service/v1/session", json={"key": new_key(api)[1]})
    assert "; Secure" in response.headers["set-cookie"]


@pytest.mark.parametrize("body", [{"key": "gw_x_y"}, {"key": ""}, {"link": "gwl_x_y"}, {"link": "gw_x_y"}])
def test_what_is_no_key_signs_nobody_in(api: Api, body: dict[str, str]) -> None:
    response = sign_in(api, **body)
    assert_problem(response, 401, "unauthenticated")
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("body", [{}, {"key": "a", "link": "b"}, {"key": 1}, {"keys": "a"}, [], "x"])
def test_what_signs_in_is_one_of_two(api: Api, body: Any) -> None:
    assert_problem(api.client(None).post("/v1/session", json=body), 422, "invalid_input")


def test_a_key_that_may_not_read_signs_nobody_in(api: Api) -> None:
    assert_problem(sign_in(api, key=new_key(api, "write")[1]), 403, "forbidden")


@pytest.mark.parametrize("site", FOREIGN)
def test_another_site_signs_nobody_in(api: Api, site: str) -> None:
    token = new_key(api)[1]
    client = api.client(None)
    refused = client.post("/v1/session", json={"key": token}, headers={"Sec-Fetch-Site": site})
    assert_problem(refused, 403, "csrf_failed")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        body = f'{{"key": "{token}"}}'
        response = client.post("/v1/session", content=body, headers={"Content-Type": kind})
        assert_problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize("headers", [{}, SAME_ORIGIN, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": "é"}])
def test_a_change_needs_the_proof(api: Api, headers: dict[str, str]) -> None:
    """The cookie alone does nothing, and the browser's word is not enough."""
    response = sign_in(api, key=new_key(api)[1])
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    job = create_queued_job(api.services.db)
    for method, path in (("POST", "/v1/jobs"), ("POST", f"/v1/jobs/{job}/cancel"), ("DELETE", "/v1/session")):
        assert_problem(browser(api, response)(method, path, headers=raw), 403, "csrf_failed")
    assert browser(api, response, **SAME_ORIGIN).get(f"/v1/jobs/{job}").json()["status"] == "queued"
    assert page(api, response).post(f"/v1/jobs/{job}/cancel").status_code == 200


def test_another_session_s_proof_proves_nothing(api: Api) -> None:
    token = new_key(api)[1]
    first, second = sign_in(api, key=token), sign_in(api, key=token)
    mixed = browser(api, first, **{"X-CSRF-Token": second.json()["csrf_token"]})
    assert_problem(mixed.post("/v1/jobs", json=SPEC), 403, "csrf_failed")


@pytest.mark.parametrize(
    ("headers", "opens"),
    [
        (SAME_ORIGIN, True),
        ({"Sec-Fetch-Site": "none"}, True),
        *(({"Sec-Fetch-Site": site}, False) for site in FOREIGN),
        ({}, False),
        ({"Referer": "http://service/jobs"}, True),  # browsers without TLS say nothing else
        ({"Referer": "http://service.example/jobs"}, False),
        ({"Referer": "http://service:8000/jobs"}, False),
        ({"Referer": "https://service/jobs"}, False),
        ({"Referer": "http://service/jobs", "Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_a_read_comes_from_the_page(api: Api, headers: dict[str, str], opens: bool) -> None:
    client = browser(api, sign_in(api, key=new_key(api)[1]), **headers)
    if opens:
        assert client.get("/v1/jobs").status_code == 200
    else:
        assert_problem(client.get("/v1/jobs"), 403, "csrf_failed")


def test_an_authorization_counts_alone(api: Api) -> None:
    response = sign_in(api, key=new_key(api)[1])
    cookie = response.cookies[COOKIE_PREFIX]
    signed_in = page(api, response)
    for header in ("Bearer gw_x_y", "Basic eDp5", "", f"Bearer {cookie}"):
        assert_problem(signed_in.get("/v1/jobs", headers={"Authorization": header}), 401, "unauthenticated")
    by_key = {"Authorization": f"Bearer {new_key(api)[1]}", "Cookie": f"{COOKIE_PREFIX}={cookie}"}
    assert Client(api.app, api.portal, **by_key).post("/v1/jobs", json=SPEC).status_code == 201  # needs no proof
    key_as_cookie = {"Cookie": f"{COOKIE_PREFIX}={new_key(api)[1]}", **SAME_ORIGIN}
    assert_problem(Client(api.app, api.portal, **key_as_cookie).get("/v1/jobs"), 401, "unauthenticated")


def test_signing_out_ends_all_tabs(api: Api) -> None:
    response = sign_in(api, key=new_key(api)[1])
    one, other = page(api, response), page(api, response)
    signed_out = one.delete("/v1/session")
    assert signed_out.status_code == 204
    assert "Max-Age=0" in signed_out.headers["set-cookie"]
    for client in (one, other):
        assert_problem(client.get("/v1/jobs"), 401, "unauthenticated")
        assert_problem(client.get("/v1/session"), 401, "unauthenticated")


def test_signing_in_again_ends_the_session_before(api: Api) -> None:
    token = new_key(api)[1]
    before = page(api, sign_in(api, key=token))
    after = before.post("/v1/session", json={"key": token})
    assert_problem(before.get("/v1/jobs"), 401, "unauthenticated")
    assert page(api, after).get("/v1/jobs").status_code == 200


def test_a_link_signs_in_once(api: Api) -> None:
    key_id, token = new_key(api)
    url, _, link = api.client_with_token(token).post("/v1/session/links").json()["url"].partition("#link=")
    assert url == "http://service/sign-in"
    response = sign_in(api, link=link)
    assert response.json()["key_id"] == key_id
    assert_problem(sign_in(api, link=link), 401, "unauthenticated")
    again = page(api, response).post("/v1/session/links").json()["url"].partition("#link=")[2]
    assert sign_in(api, link=again).json()["key_id"] == key_id


@pytest.mark.parametrize("by", ["sign-out", "revocation"])
def test_a_session_that_is_known_ends_at_once(serve: StartApp, database: Database, by: str) -> None:
    cache = KeyCache(database, Settings(), max_age=HOUR)
    api = serve(other={"key_cache": cache})
    key_id, token = new_key(api)
    response = sign_in(api, key=token)
    anna = page(api, response)
    assert anna.get("/v1/jobs").status_code == 200
    assert cache.find(response.cookies[COOKIE_PREFIX]) is not None
    if by == "sign-out":
        assert anna.delete("/v1/session").status_code == 204
    else:
        assert api.client("anna").delete(f"/v1/keys/{key_id}").status_code == 204
    assert_problem(anna.get("/v1/jobs"), 401, "unauthenticated")


def test_a_session_is_not_known_for_longer_than_it_lasts(api: Api, database: Database) -> None:
    token = sign_in(api, key=new_key(api)[1]).cookies[COOKIE_PREFIX]
    late = now() - sessions.IDLE_SECONDS + 60
    database.run(lambda session: session.execute(update(SessionRow).values(last_used_at=late)))
    cache = KeyCache(database, Settings(), max_age=HOUR)
    session_id = cache.authenticate(token).session_id
    assert cache._keys[session_id].until <= time.monotonic() + 60


@pytest.mark.parametrize("ending", ["signed out", "key revoked"])
def test_a_stream_and_a_long_poll_end_with_the_session(serve: StartApp, ending: str) -> None:
    """Also where another process ends it."""
    api, other = serve(), serve()
    key_id, token = new_key(api)
    response = sign_in(api, key=token)
    reader = browser(api, response, **SAME_ORIGIN)
    job_id = create_queued_job(api.services.db)
    polled: list[httpx.Response] = []
    with server(api) as url:
        place = f"{url}/v1/jobs/{job_id}/stream"
        with httpx.stream("GET", place, headers=reader.headers | {"Host": "service"}, timeout=60) as stream:
            lines = stream.iter_lines()
            next(lines)
            polling = threading.Thread(target=lambda: polled.append(reader.get(f"/v1/jobs/{job_id}?wait=30")))
            polling.start()
            time.sleep(0.3)
            if ending == "signed out":
                assert page(other, response).delete("/v1/session").status_code == 204
            else:
                assert other.client("anna").delete(f"/v1/keys/{key_id}").status_code == 204
            ended = time.monotonic()
            rest = list(lines)
            assert time.monotonic() - ended < 2
            polling.join(10)
            assert time.monotonic() - ended < 2.5
        assert rest[-2] == ": the key is no longer valid"
        assert_problem(polled[0], 401, "unauthenticated")
        assert_problem(httpx.get(place, headers=reader.headers, timeout=10), 401, "unauthenticated")


def test_attempts_are_counted_by_host(serve: StartApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.auth.SIGN_IN_RATE", "3/minute")
    api = serve(rate_limit="1000/minute")
    for _ in range(3):
        assert_problem(sign_in(api, key="gw_x_y"), 401, "unauthenticated")
    refused = sign_in(api, key=new_key(api)[1])
    assert_problem(refused, 429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0
    assert api.client().get("/v1/jobs").status_code == 200


def test_a_session_has_the_rate_of_its_key(serve: StartApp) -> None:
    api = serve(rate_limit="3/minute")
    token = new_key(api)[1]
    signed_in, by_key = page(api, sign_in(api, key=token)), api.client_with_token(token)
    assert [client.get("/v1/jobs").status_code for client in (signed_in, by_key, signed_in)] == [200] * 3
    assert_problem(signed_in.get("/v1/jobs"), 429, "rate_limited")


def test_an_effect_is_once_for_the_owner(api: Api) -> None:
    token = new_key(api)[1]
    once = {"Idempotency-Key": "x"}
    first = page(api, sign_in(api, key=token)).post("/v1/jobs", json=SPEC, headers=once)
    again = api.client_with_token(token).post("/v1/jobs", json=SPEC, headers=once)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"


def test_the_audit_has_it_all(api: Api) -> None:
    key_id, token = new_key(api)
    admin = api.client_with_token(token)
    link = admin.post("/v1/session/links").json()["url"].partition("#link=")[2]
    page(api, sign_in(api, link=link)).delete("/v1/session")
    response = sign_in(api, key=token)
    browser(api, response).get("/v1/jobs")
    job = page(api, response).post("/v1/jobs", json=SPEC).json()["id"]
    api.services.access_log.close()
    entries = admin.get("/v1/audit").json()["items"][::-1]
    actions = ["session.link", "session.create", "session.delete", "session.create", "job.create", "refused"]
    assert [entry["action"] for entry in entries] == actions
    assert [entry["data"] for entry in entries[1:4]] == [{"by": "link"}, {}, {"by": "key"}]
    assert entries[1]["target"] == entries[2]["target"]
    assert {(entry["owner"], entry["key_id"]) for entry in entries} == {("anna", key_id)}
    assert (entries[4]["target"], entries[5]["data"]) == (job, {"code": "csrf_failed", "count": 1})
    assert "gw" not in str([entry["data"] for entry in entries])


def test_without_authentication_everybody_is_signed_in(serve: StartApp) -> None:
    api = serve(auth=False)
    nobody = api.client(None)
    document = nobody.get("/v1/session").json()
    assert (document["owner"], document["key_id"], document["expires_at"]) == (OWNER, None, None)
    assert nobody.post("/v1/session", json={"key": "anything"}).json() == document
    assert nobody.post("/v1/session/links").json() == {"url": "http://service/", "expires_at": None}
    assert nobody.post("/v1/jobs", json=SPEC, headers={"Cookie": f"{COOKIE_PREFIX}=gws_x_y"}).status_code == 201
    assert nobody.delete("/v1/session").status_code == 204
