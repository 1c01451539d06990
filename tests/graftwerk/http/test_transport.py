from typing import Any

import httpx
import pytest

from graftwerk import errors
from graftwerk.http.transport import MAX_BACKOFF_SECONDS, retry_delay
from tests.graftwerk.client_kinds import ClientKind
from tests.graftwerk.scripted_transport import ScriptedTransport, problem_response

OK = httpx.Response(200, json={"fine": True})


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        problem_response(429),
        problem_response(503),
        problem_response(502),
        problem_response(409, "idempotency_key_in_use"),
    ],
)
def test_what_passes_by_itself_is_asked_again(api: ClientKind, trouble: Any) -> None:
    script = ScriptedTransport(trouble, trouble, OK)
    transport = api.transport(script)
    answer = api.run(transport.json("POST", "/v1/jobs", json={}, headers={"Idempotency-Key": "one"}))
    assert answer == {"fine": True}
    assert [request.headers["Idempotency-Key"] for request in script.requests] == ["one"] * 3
    assert len(api.pauses) == 2


@pytest.mark.parametrize("trouble", [httpx.ConnectError("refused"), problem_response(503), problem_response(408)])
def test_a_post_without_a_key_is_sent_once(api: ClientKind, trouble: Any) -> None:
    script = ScriptedTransport(trouble, OK)
    transport = api.transport(script)
    with pytest.raises(errors.GraftwerkClientError):
        api.run(transport.json("POST", "/v1/keys", json={}))
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequest),
        (401, errors.AccessDenied),
        (403, errors.AccessDenied),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (422, errors.InvalidRequest),
        (500, errors.ServerError),
    ],
)
def test_a_refusal_is_told_at_once(api: ClientKind, status: int, kind: type[errors.ApiStatusError]) -> None:
    script = ScriptedTransport(problem_response(status, "some_code", request_id="r1"))
    transport = api.transport(script)
    with pytest.raises(kind) as caught:
        api.run(transport.json("GET", "/v1/jobs/job_1"))
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (status, "some_code", "r1")


def test_every_problem_is_readable(api: ClientKind) -> None:
    found = [{"pointer": "/model/layers/0/kind", "code": "unknown_kind", "detail": "no such kind", "hint": "Linear?"}]
    transport = api.transport(ScriptedTransport(problem_response(422, "invalid_input", errors=found)))
    with pytest.raises(errors.InvalidRequest) as caught:
        api.run(transport.json("POST", "/v1/jobs", json={}))
    assert str(caught.value).splitlines() == [
        "it is invalid_input (422 invalid_input)",
        "  /model/layers/0/kind: no such kind",
        "    hint: Linear?",
    ]
    assert caught.value.errors[0].code == "unknown_kind"


def test_an_answer_from_something_else_is_told_in_its_words(api: ClientKind) -> None:
    page = httpx.Response(502, text="<h1>Bad gateway</h1>")
    transport = api.transport(ScriptedTransport(*[page] * 7))
    with pytest.raises(errors.ServerError, match="Bad gateway"):
        api.run(transport.json("GET", "/v1/jobs"))
    assert len(api.pauses) == 6


def test_nobody_there(api: ClientKind) -> None:
    transport = api.transport(ScriptedTransport(*[httpx.ConnectError("refused")] * 7))
    with pytest.raises(errors.Unreachable, match=r"http://graftwerk\.test.*refused.*graftwerk doctor"):
        api.run(transport.json("GET", "/v1/jobs"))
    assert len(api.pauses) == 6


def test_retry_after_is_obeyed(api: ClientKind) -> None:
    transport, api.pauses = (
        api.transport(ScriptedTransport(problem_response(429, headers={"Retry-After": "7"}), OK)),
        api.pauses,
    )
    api.run(transport.json("GET", "/v1/jobs"))
    assert api.pauses == [7.0]


def test_a_very_long_retry_after_is_an_error_instead(api: ClientKind) -> None:
    transport, api.pauses = (
        api.transport(ScriptedTransport(problem_response(503, headers={"Retry-After": "3600"}), OK)),
        api.pauses,
    )
    with pytest.raises(errors.ServerError):
        api.run(transport.json("GET", "/v1/jobs"))
    assert api.pauses == []


def test_pauses_grow_to_a_bound() -> None:
    pauses = [retry_delay(attempt) or 0.0 for attempt in range(1, 12)]
    assert all(0.125 * 2**n <= pause <= 0.25 * 2**n for n, pause in enumerate(pauses[:5]))
    assert MAX_BACKOFF_SECONDS / 2 <= max(pauses) <= MAX_BACKOFF_SECONDS


def test_a_retry_after_in_the_past_or_of_nonsense_costs_nothing() -> None:
    assert (retry_delay(1, "Wed, 21 Oct 2015 07:28:00 GMT") or 9) <= 0.25
    assert (retry_delay(1, "soon") or 9) <= 0.25


def test_the_key_is_sent_and_not_shown(api: ClientKind) -> None:
    script = ScriptedTransport(OK)
    transport = api.transport(script)
    api.run(transport.json("GET", "/v1/jobs", params={"status": None, "limit": 2}))
    assert script.requests[0].headers["Authorization"] == "Bearer gw_test"
    assert str(script.requests[0].url).endswith("/v1/jobs?limit=2")
