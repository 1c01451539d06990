"""Events of jobs, as a list and as they happen."""

import threading
import time
from typing import Any

import anyio
import pytest

from app import events
from app.api.lanes import Lane
from app.api.streams import event_stream
from app.jobs import repository, service
from app.jobs.states import Status
from tests.app.api.client import Api, Client, assert_problem, parse_sse_events
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import (
    create_checkpoint,
    create_job_in_status,
    create_queued_job,
    create_running_job,
    curve_block,
    finish_job,
    record_curve,
    record_message,
)
from tests.app.api.served import listening, server
from workers.protocol.messages import Ending, ProgressReport

BATCH_SIZE = 200
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_story_of_a_job(api: Api, anna: Client) -> None:
    db = api.services.db
    job = create_running_job(db)
    record_message(
        db, job, ProgressReport(phase="training", progress={"step": 3}, series={"train/loss": curve_block([1, 2, 3])})
    )
    checkpoint = create_checkpoint(db, api.services.store, job, 3, {})
    finish_job(db, job)
    items = anna.get(f"/v1/jobs/{job.id}/events").json()["items"]
    assert [item["id"] for item in items] == [1, 2, 3, 4, 5, 6]
    assert [item["kind"] for item in items] == ["created", "status", "metrics", "phase", "checkpoint", "status"]
    assert [item["fence"] for item in items] == [0, 1, 1, 1, 1, 1]
    assert items[2]["data"] == {"series": {"train/loss": [0, 3]}, "progress": {"step": 3}}
    assert items[4]["data"] == {"id": checkpoint, "step": 3}
    assert items[5]["data"] == {"verb": "succeed", "from": "running", "to": "succeeded"}
    assert sorted(item["at"] for item in items) == [item["at"] for item in items]
    chosen = anna.get(f"/v1/jobs/{job.id}/events?kinds=checkpoint,phase,unknown&limit=1")
    assert [item["id"] for item in chosen.json()["items"]] == [4]
    assert chosen.json()["has_more"]
    assert "kinds=checkpoint" in chosen.headers["link"]


@SQLITE
@pytest.mark.parametrize("beyond", [1, 96, 2**62])
def test_a_number_beyond_the_last_event_starts_from_the_first(api: Api, anna: Client, beyond: int) -> None:
    """As a client has it that saw events which a restored backup does not hold."""
    job = create_running_job(api.services.db)
    finish_job(api.services.db, job)
    path = f"/v1/jobs/{job.id}/stream"
    whole = anna.get(path)
    last = anna.get(f"/v1/jobs/{job.id}").json()["last_event"]
    again = anna.get(path, headers={"Last-Event-ID": str(last + beyond)})
    assert again.text.startswith(f": there is no event {last + beyond}, the last one is {last}: from the start")
    assert parse_sse_events(again) == parse_sse_events(whole)
    at_the_end = parse_sse_events(anna.get(path, headers={"Last-Event-ID": str(last)}))
    assert [(number, kind) for number, kind, _ in at_the_end] == [(str(last), "done")]


def test_a_stream_of_an_ended_job_tells_all_and_ends(api: Api, anna: Client) -> None:
    db = api.services.db
    job = create_running_job(db)
    record_curve(db, job, 3)
    finish_job(db, job, Ending.FAILED)
    response = anna.get(f"/v1/jobs/{job.id}/stream")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-accel-buffering"] == "no"
    stream = parse_sse_events(response)
    assert [(seq, kind) for seq, kind, _ in stream] == [
        ("1", "created"),
        ("2", "status"),
        ("3", "metrics"),
        ("4", "status"),
        ("4", "done"),
    ]
    assert stream[2][2]["points"] == {"train/loss": {"step": [1, 2, 3], "value": [1.0, 0.5, 1 / 3]}}
    assert stream[-1][2] == {"status": "failed"}


@pytest.mark.parametrize("last", [0, 1, 3, 4])
def test_a_stream_goes_on_after_the_last_known_event(api: Api, anna: Client, last: int) -> None:
    db = api.services.db
    job = create_running_job(db)
    record_curve(db, job, 3)
    finish_job(db, job)
    stream = parse_sse_events(anna.get(f"/v1/jobs/{job.id}/stream", headers={"Last-Event-ID": str(last)}))
    assert [seq for seq, _, _ in stream[:-1]] == [str(seq) for seq in range(last + 1, 5)]
    assert stream[-1] == ("4", "done", {"status": "succeeded"})


@SQLITE
@pytest.mark.parametrize("last", ["-1", "x", "", str(2**63)])
def test_a_last_event_is_a_number(api: Api, anna: Client, last: str) -> None:
    path = f"/v1/jobs/{create_job_in_status(api.services.db, Status.FAILED)}/stream"
    assert_problem(anna.get(path, headers={"Last-Event-ID": last}), 400, "invalid_parameter")


@SQLITE
def test_a_long_story_comes_in_batches(api: Api, anna: Client) -> None:
    db = api.services.db
    job = create_running_job(db)
    for count in (BATCH_SIZE - 3, 1, BATCH_SIZE):  # exactly one batch, then more
        db.run(lambda session, times=count: [events.append(session, job.id, "phase", {}) for _ in range(times)])
    finish_job(db, job)
    stream = parse_sse_events(anna.get(f"/v1/jobs/{job.id}/stream"))
    assert [int(seq) for seq, _, _ in stream] == [*range(1, 2 * BATCH_SIZE + 2), 2 * BATCH_SIZE + 1]


@SQLITE
def test_points_that_are_not_finite_are_words(api: Api, anna: Client) -> None:
    db = api.services.db
    job = create_running_job(db)
    record_curve(db, job, 2, lambda step: float("nan") if step == 1 else float("-inf"))
    finish_job(db, job)
    stream = parse_sse_events(anna.get(f"/v1/jobs/{job.id}/stream"))
    assert stream[2][2]["points"]["train/loss"]["value"] == ["NaN", "-Infinity"]


def test_a_job_that_ends_while_it_is_read_loses_no_event(
    api: Api, anna: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last event is written after the piece that holds all others was read, and before it is sent."""
    db = api.services.db
    job = create_running_job(db)
    read, ends = event_stream.read_piece, [lambda: finish_job(db, job)]

    def meanwhile(*args: Any) -> Any:
        piece = read(*args)
        if ends:
            ends.pop()()
        return piece

    monkeypatch.setattr(event_stream, "read_piece", meanwhile)
    stream = parse_sse_events(anna.get(f"/v1/jobs/{job.id}/stream"))
    assert [kind for _, kind, _ in stream] == ["created", "status", "status", "done"]


def open_streams(api: Api) -> int:
    return api.services.lanes.queues[Lane.STREAM].in_use


def test_too_many_streams(serve: StartApp) -> None:
    api = serve(max_streams=1)
    anna = api.client()
    ended = create_job_in_status(api.services.db, Status.FAILED)
    assert parse_sse_events(anna.get(f"/v1/jobs/{ended}/stream"))
    waiting = create_queued_job(api.services.db)
    open_stream = threading.Thread(target=anna.get, args=(f"/v1/jobs/{waiting}/stream",))
    open_stream.start()
    while not open_streams(api):
        time.sleep(0.01)
    response = anna.get(f"/v1/jobs/{ended}/stream")
    assert_problem(response, 503, "overloaded")
    assert response.headers["retry-after"]
    api.services.db.run(service.cancel, "anna", waiting)
    open_stream.join(timeout=10)
    assert parse_sse_events(anna.get(f"/v1/jobs/{ended}/stream"))
    assert open_streams(api) == 0


@SQLITE
def test_a_live_stream(api: Api, anna: Client) -> None:
    db = api.services.db
    job = create_running_job(db)
    with server(api) as url, listening(url, anna, job.id) as response:
        lines = response.iter_lines()
        seen = [line for line in (next(lines) for _ in range(8)) if line.startswith("event")]
        assert seen == ["event: created", "event: status"]
        record_curve(db, job, 3)
        assert next(line for line in lines if line.startswith("event")) == "event: metrics"
        finish_job(db, job)
        assert [line for line in lines if line.startswith("event")] == ["event: status", "event: done"]


@SQLITE
def test_a_stream_whose_job_is_deleted_ends(api: Api, anna: Client) -> None:
    db = api.services.db
    job_id = create_queued_job(db)
    with server(api) as url, listening(url, anna, job_id) as response:
        lines = response.iter_lines()
        next(lines)
        db.run(repository.delete_job, job_id)
        rest = list(lines)
    assert rest[-3:-1] == ['data: {"status":null}', "id: 1"]


@SQLITE
def test_a_stream_that_is_hung_up_is_no_longer_counted(api: Api, anna: Client) -> None:
    job_id = create_queued_job(api.services.db)
    with server(api) as url:
        with listening(url, anna, job_id) as response:
            lines = response.iter_lines()  # kept: httpx hangs up when nobody holds it any more
            next(lines)
            assert open_streams(api) == 1
        for _ in range(100):
            if open_streams(api) == 0:
                break
            api.portal.call(anyio.sleep, 0.05)
        assert open_streams(api) == 0
