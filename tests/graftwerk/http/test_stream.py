import json

import httpx
import pytest

from graftwerk.errors import NotFound, Unreachable
from graftwerk.http.stream import stream_events
from tests.graftwerk.client_kinds import ClientKind
from tests.graftwerk.scripted_transport import ChunkedStream, ScriptedTransport, problem_response


def message(seq: int, kind: str = "phase", **data: object) -> bytes:
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def events(*pieces: bytes, broken: bool = False) -> httpx.Response:
    return httpx.Response(
        200, headers={"Content-Type": "text/event-stream"}, stream=ChunkedStream(*pieces, broken=broken)
    )


DONE = b'event: done\ndata: {"status": "succeeded"}\n\n'


@pytest.mark.parametrize("broken", [True, False])
def test_a_break_loses_and_doubles_nothing(api: ClientKind, broken: bool) -> None:
    first = events(message(1), message(2)[:20], broken=broken)
    second = events(message(1), message(2), b": ping\n\n", message(3), DONE)
    script = ScriptedTransport(first, httpx.ConnectError("restarting"), problem_response(503), second)
    transport = api.transport(script)
    heard = list(api.iterate(stream_events(transport, "/v1/jobs/job_1/stream")))
    assert [(event.seq, event.kind) for event in heard] == [(1, "phase"), (2, "phase"), (3, "phase"), (0, "done")]
    assert heard[-1].data == {"status": "succeeded"}
    assert [request.headers.get("Last-Event-ID") for request in script.requests] == [None, "1", "1", "1"]
    assert len(api.pauses) == 3


def test_it_starts_where_it_is_told(api: ClientKind) -> None:
    script = ScriptedTransport(events(message(6), DONE))
    transport = api.transport(script)
    assert [event.seq for event in api.iterate(stream_events(transport, "/x", after=5))] == [6, 0]
    assert script.requests[0].headers["Last-Event-ID"] == "5"


def test_a_service_that_stays_away_is_given_up(api: ClientKind) -> None:
    transport = api.transport(ScriptedTransport(events(message(1)), *[httpx.ConnectError("gone")] * 10))
    heard = api.iterate(stream_events(transport, "/x"))
    assert next(heard).seq == 1
    with pytest.raises(Unreachable):
        next(heard)
    assert len(api.pauses) == transport.attempts - 1


def test_a_job_that_does_not_exist_is_told_at_once(api: ClientKind) -> None:
    transport = api.transport(ScriptedTransport(problem_response(404, "not_found")))
    with pytest.raises(NotFound):
        next(api.iterate(stream_events(transport, "/x")))
    assert api.pauses == []
