"""Every error is a problem document."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from fastapi import Request

from app import errors
from app.api.children.inspector import InspectionError
from app.api.http.parameters import InvalidParameter
from app.db.session import Database
from app.errors import GraftwerkError, Problem
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import SPEC, create_queued_job

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def every(kind: type[GraftwerkError]) -> Iterator[type[GraftwerkError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from every(child)


EXPECTED = {
    "csrf_failed": 403,
    "internal": 500,
    "not_found": 404,
    "refused": 400,
    "malformed": 400,
    "invalid_input": 422,
    "conflict": 409,
    "state_forbids": 409,
    "idempotency_key_in_use": 409,
    "wrong_offset": 409,
    "precondition_failed": 412,
    "stale_fence": 409,
    "stale_revision": 409,
    "behind_pending": 409,
    "edited_meanwhile": 409,
    "edit_diverged": 409,
    "idempotency_key_reused": 422,
    "too_large": 413,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "unknown_parameter": 400,
    "invalid_parameter": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "unavailable": 503,
    "database_unavailable": 503,
    "database_full": 503,
    "overloaded": 503,
    "rate_limited": 429,
    "training_failed": 500,
    "build_failed": 500,
    "data_invalid": 500,
    "loss_not_finite": 500,
    "out_of_memory": 500,
    "loader_died": 500,
    "storage_full": 507,
    "body_timeout": 408,
    "not_exportable": 409,
    "secret_sealed": 409,
    "not_installed": 501,
    "checkpoint_damaged": 500,
    "not_predictable": 409,
    "quota_exceeded": 403,
    "too_many_waiting": 429,
    "too_many_pending": 429,
    "backup_refused": 500,
}
PROBLEM = Problem("/a", "x", "y", "z")
MADE: dict[type[GraftwerkError], GraftwerkError] = {
    **{kind: kind([PROBLEM]) for kind in (errors.InvalidInput, errors.NotExportable, InvalidParameter)},
    InspectionError: InspectionError([PROBLEM], {"nodes": []}),
    errors.WrongOffset: errors.WrongOffset(7),
    errors.RangeNotSatisfiable: errors.RangeNotSatisfiable(7),
    errors.TooManyRequests: errors.TooManyRequests(6.2),
}
RETRIED_SOON = ("overloaded", "unavailable", "database_unavailable", "database_full", "idempotency_key_in_use")
HEADERS = {
    "wrong_offset": ("upload-offset", "7"),
    "range_not_satisfiable": ("content-range", "bytes */7"),
    "rate_limited": ("retry-after", "7"),
    **dict.fromkeys(RETRIED_SOON, ("retry-after", "2")),
    "unauthenticated": ("www-authenticate", 'Bearer realm="graftwerk"'),
}
KINDS = sorted(set(every(GraftwerkError)), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_a_problem(api: Api, kind: type[GraftwerkError]) -> None:
    error = MADE.get(kind) or kind("it went wrong", pointer="/a", hint="do it")

    def fail(request: Request) -> None:
        raise error

    api.app.add_api_route("/v1/fail", fail)
    response = api.client(None).get("/v1/fail")
    document = assert_problem(response, EXPECTED[kind.code], kind.code)
    assert document["detail"] == error.detail
    assert ("partial_graph" in document) == (kind is InspectionError)
    name, value = HEADERS.get(kind.code, ("x-content-type-options", "nosniff"))
    assert response.headers[name] == value
    assert ("retry-after" in response.headers) == (kind.retryable and response.status_code in (409, 429, 503))


def test_every_error_has_a_status_on_purpose() -> None:
    assert {kind.code for kind in KINDS} == set(EXPECTED)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/none.js", 404, "no_such_route"),
        ("GET", "/v1", 404, "no_such_route"),
        ("GET", "/v1/jobs/", 404, "no_such_route"),
        ("POST", "/", 405, "method_not_allowed"),
        ("GET", "/v1/jobs//metrics", 404, "no_such_route"),
        ("PATCH", "/v1/jobs", 405, "method_not_allowed"),
        ("POST", "/livez", 405, "method_not_allowed"),
        ("BREW", "/v1/keys", 405, "method_not_allowed"),
        ("GET", "/v1/jobs/nothing", 401, "unauthenticated"),
        ("GET", "/v1/jobs?x=1", 400, "unknown_parameter"),
    ],
)
def test_the_router_s_own_errors(api: Api, method: str, path: str, status: int, code: str) -> None:
    assert_problem(api.client(None)(method, path), status, code)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/v1/jobs", "GET, POST"), ("/v1/jobs/x", "DELETE, GET"), ("/v1/jobs/x/weights", "GET, HEAD"), ("/livez", "GET")],
)
def test_all_methods_of_a_path_are_told(api: Api, path: str, allowed: str) -> None:
    assert api.client(None)("PATCH", path).headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/validate", "/v1/datasets", "/v1/keys"])
def test_bodies(serve: StartApp, path: str) -> None:
    anna = serve(body_limit=2048).client()
    large = json.dumps({"name": "x" * 3000}).encode()
    assert_problem(anna.post(path, content=large), 413, "too_large")
    assert_problem(anna.post(path, content=pieces(large)), 413, "too_large")  # without a Content-Length
    assert_problem(anna.post(path, content=large, headers={"Content-Length": "9" * 30}), 413, "too_large")
    assert_problem(
        anna.post(path, content=b"a: 1", headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type"
    )
    assert_problem(anna.post(path, content=b"{", headers=JSON), 400, "malformed")
    assert_problem(anna.post(path, content=b"", headers=JSON), 400, "malformed")
    document = assert_problem(anna.post(path, content=b'{"a": NaN}', headers=JSON), 422, "invalid_input")
    assert [item["pointer"] for item in document["errors"]] == ["/a"]
    document = assert_problem(
        anna.post(path, content=b'{"\\ud800": 1, "\\ud800": 2}', headers=JSON), 422, "invalid_input"
    )
    assert {item["code"] for item in document["errors"]} == {"duplicate_key", "invalid_text"}
    document = assert_problem(anna.post(path, json={"nmae": "x"}), 422, "invalid_input")
    assert any("name" in item["hint"] for item in document["errors"] if item["pointer"] == "/nmae")


async def pieces(content: bytes) -> Any:
    for start in range(0, len(content), 100):
        yield content[start : start + 100]


@pytest.mark.parametrize("length", ["-1", "", "1e3", "²", "0x10", "9" * 5000])
def test_a_length_that_is_none_is_no_trouble(anna: Client, length: str) -> None:
    headers = {"Content-Length": length.encode("latin-1")}
    response = anna.post("/v1/jobs/validate", content=json.dumps(SPEC).encode(), headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/v1/jobs?limit=0", "/limit"),
        ("/v1/jobs?limit=1001", "/limit"),
        ("/v1/jobs?limit=x", "/limit"),
        ("/v1/jobs?after=x", "/after"),
        ("/v1/jobs?status=gone", "/status/0"),
        ("/v1/datasets?after=job_1", "/after"),
        ("/v1/jobs/{job}?wait=x", "/wait"),
        ("/v1/jobs/{job}/events?after=-1", "/after"),
        ("/v1/jobs/{job}/events?after=99999999999999999999", "/after"),
        ("/v1/jobs/{job}/metrics?x=y", "/x"),
        ("/v1/jobs/{job}/metrics?from=nan", "/from"),
        ("/v1/jobs/{job}/metrics?to=inf", "/to"),
        ("/v1/jobs/{job}/metrics?smooth=1", "/smooth"),
        ("/v1/jobs/{job}/metrics?smooth=nan", "/smooth"),
        ("/v1/jobs/{job}/metrics?max_points=0", "/max_points"),
        ("/v1/jobs/{job}/weights?format=exe", "/format"),
        ("/v1/jobs/{job}/weights?which=worst", "/which"),
    ],
)
def test_parameters(api: Api, anna: Client, path: str, pointer: str) -> None:
    document = assert_problem(anna.get(path.format(job=create_queued_job(api.services.db))), 400, "invalid_parameter")
    assert [item["pointer"] for item in document["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/v1/jobs?stauts=running", 'did you mean "status"?'),
        ("/v1/jobs?metdata[a]=b", ""),
        ("/v1/usage?a=b", "none"),
        ("/v1/jobs?metadata=b", "metadata[key]"),
        ("/livez?a=b", "none"),
        ("/v1/jobs/x/weights?wich=best", "which"),
    ],
)
def test_an_unknown_parameter_is_refused(anna: Client, path: str, hint: str) -> None:
    document = assert_problem(anna.get(path), 400, "unknown_parameter")
    assert hint in document["errors"][0]["hint"]


@pytest.mark.parametrize("query", ["name=%00", "after=%00", "metadata[a]=%00", "metadata[%00]=a", "%00=a"])
def test_nul_is_refused(anna: Client, query: str) -> None:
    assert assert_problem(anna.get(f"/v1/jobs?{query}"), 400, anna.get(f"/v1/jobs?{query}").json()["code"])


@pytest.mark.parametrize("host", ["[", "a b", "http://x", "é", ""])
def test_a_strange_host_is_no_trouble(api: Api, anna: Client, host: str) -> None:
    for _ in range(2):
        create_queued_job(api.services.db)
    headers = {"Host": host.encode()}
    assert anna.get("/v1/jobs?limit=1", headers=headers).headers["link"].startswith("</v1/jobs?limit=1&after=job_")
    assert_problem(anna.get("/v1/jobs/x", headers=headers), 404, "not_found")
    assert_problem(anna.get("/v1/jobs/", headers=headers), 404, "no_such_route")


def test_a_mistake_of_ours(serve: StartApp, monkeypatch: pytest.MonkeyPatch) -> None:
    api = serve()
    anna = api.client()

    def broken(*args: Any, **options: Any) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("app.jobs.listing.page", broken)
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        response = anna.get("/v1/jobs", headers={"X-Request-ID": "mine-1"})
    (line,) = [line for line in lines if line["event"] == "bug"]
    assert (line["request_id"], type(line["exc_info"])) == ("mine-1", ZeroDivisionError)
    document = assert_problem(response, 500, "internal")
    assert document["request_id"] == "mine-1"
    assert "secret" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert 'route="/v1/jobs",status="500"' in anna.get("/metrics").text


def test_a_database_that_is_away(serve: StartApp, postgres: Any) -> None:
    url = postgres.create("test_away")
    gone = Database(url)
    api = serve(other={"db": gone})
    anna = api.client()
    path = f"/v1/jobs/{create_queued_job(gone)}"
    assert anna.get(path).status_code == 200
    postgres.drop("test_away")
    for ask in (lambda: anna.get(path), lambda: anna.post("/v1/jobs", json=SPEC), lambda: anna.get("/readyz")):
        began = time.monotonic()
        response = ask()
        assert_problem(response, 503, "database_unavailable")
        assert time.monotonic() - began < 2
        assert response.headers["retry-after"] == "2"
    assert anna.get("/livez").status_code == 200
    assert "graftwerk_jobs" not in anna.get("/metrics").text
    gone.close()


def test_a_database_that_cannot_be_reached(serve: StartApp) -> None:
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    response = serve(other={"db": nowhere}).client_with_token("gw_a_b").get("/v1/jobs")
    assert_problem(response, 503, "database_unavailable")
    nowhere.close()


def test_a_crowded_database_is_no_mistake(serve: StartApp, postgres: Any) -> None:
    small = Database(postgres.create("test_crowded"), pool_size=1)
    anna = serve(other={"db": small}).client()
    with small.begin() as one, small.begin() as two:
        assert one.connection()
        assert two.connection()
        response = anna.get("/v1/jobs")
    assert_problem(response, 503, "overloaded")
    assert response.headers["retry-after"] == "2"
    assert anna.get("/v1/jobs").status_code == 200
    small.close()
    postgres.drop("test_crowded")
