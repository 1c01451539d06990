import json

import httpx
import pytest

from graftwerk.errors import NotFound, Unreachable
from graftwerk.http.stream import stream_events
from tests.graftwerk.scripted_transport import ChunkedStream, ScriptedTransport, problem_response, transport_for


def message(seq: int, kind: str = "phase", **data: object) -> bytes:
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def events(*pieces: bytes, broken: bool = False) -> httpx.Response:
    return httpx.Response(
        200, headers={"Content-Type": "text/event-stream"}, stream=ChunkedStream(*pieces, broken=broken)
    )


DONE = b'event: done\ndata: {"status": "succeeded"}\n\n'


@pytest.mark.parametrize("broken", [True, False])
def test_a_break_loses_and_doubles_nothing(broken: bool) -> None:
    first = events(message(1), message(2)[:20], broken=broken)
    second = events(message(1), message(2), b": ping\n\n", message(3), DONE)
    script = ScriptedTransport(first, httpx.ConnectError("restarting"), problem_response(503), second)
    transport, pauses = transport_for(script)
    heard = list(stream_events(transport, "/v1/jobs/job_1/stream"))
    assert [(event.seq, event.kind) for event in heard] == [(1, "phase"), (2, "phase"), (3, "phase"), (0, "done")]
    assert heard[-1].data == {"status": "succeeded"}
    assert [request.headers.get("Last-Event-ID") for request in script.requests] == [None, "1", "1", "1"]
    assert len(pauses) == 3


def test_it_starts_where_it_is_told() -> None:
    script = ScriptedTransport(events(message(6), DONE))
    transport, _ = transport_for(script)
    assert [event.seq for event in stream_events(transport, "/x", after=5)] == [6, 0]
    assert script.requests[0].headers["Last-Event-ID"] == "5"


def test_a_service_that_stays_away_is_given_up() -> None:
    transport, pauses = transport_for(ScriptedTransport(events(message(1)), *[httpx.ConnectError("gone")] * 10))
    heard = stream_events(transport, "/x")
    assert next(heard).seq == 1
    with pytest.raises(Unreachable):
        next(heard)
    assert len(pauses) == transport.attempts - 1


def test_a_job_that_does_not_exist_is_told_at_once() -> None:
    transport, pauses = transport_for(ScriptedTransport(problem_response(404, "not_found")))
    with pytest.raises(NotFound):
        next(stream_events(transport, "/x"))
    assert pauses == []
