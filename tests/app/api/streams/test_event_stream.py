"""Many streams of one job: they share what is read, and whoever reads slowly holds one piece."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest

from app.api.streams import event_stream
from app.api.streams.event_stream import EventStreams
from app.api.streams.job_watcher import JobWatch, JobWatcher
from app.api.streams.pieces import PIECE_BYTES, Position, read_piece
from app.db.session import Database
from app.errors import DatabaseUnavailable
from tests.app.api.job_factories import create_running_job, finish_job, record_curve
from tests.app.api.streams.test_pieces import make_points, read_pieces, record_points

Scene = Callable[[JobWatcher, EventStreams], Awaitable[Any]]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is read is tested on both databases in test_pieces."""
    return sqlite_url


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Position]:
    """The positions of all pieces that are read."""
    positions: list[Position] = []

    def read(session: Any, job_id: str, position: Position) -> Any:
        positions.append(position)
        return read_piece(session, job_id, position)

    monkeypatch.setattr(event_stream, "read_piece", read)
    return positions


def play(database: Database, scene: Scene) -> Any:
    async def run() -> Any:
        watcher = JobWatcher(database)
        result = await scene(watcher, EventStreams(database))
        assert not watcher.watches
        return result

    return asyncio.run(run())


async def open_watch(watcher: JobWatcher, job_id: str) -> JobWatch:
    watch = watcher.watch(job_id, "anna", None)
    with watch:
        await watch.look()
    return watch


async def read_all(watcher: JobWatcher, streams: EventStreams, job_id: str) -> bytes:
    return b"".join([content async for content in streams.stream(await open_watch(watcher, job_id), 0)])


def test_streams_of_one_job_share_every_piece(database: Database, reads: list[Position]) -> None:
    job = create_running_job(database)
    record_points(database, job.id, {"train/loss": make_points(20_000)})
    finish_job(database, job)
    pieces = read_pieces(database, job.id)

    async def scene(watcher: JobWatcher, streams: EventStreams) -> None:
        found = await asyncio.gather(*(read_all(watcher, streams, job.id) for _ in range(50)))
        assert set(found) == {b"".join(pieces) + b'event: done\ndata: {"status":"succeeded"}\nid: 4\n\n'}

    play(database, scene)
    assert len(pieces) > 10
    assert len(reads) == len(pieces)


def test_a_reader_that_stops_holds_one_piece(database: Database, reads: list[Position]) -> None:
    job = create_running_job(database)
    record_points(database, job.id, {"train/loss": make_points(20_000)})

    async def scene(watcher: JobWatcher, streams: EventStreams) -> None:
        async with aclosing(streams.stream(await open_watch(watcher, job.id), 0)) as stream:
            assert len(await anext(stream)) < 2 * PIECE_BYTES
            await asyncio.sleep(0.3)
            assert len(reads) == 1

    play(database, scene)


def test_pieces_are_kept_up_to_a_number_of_bytes(
    database: Database, reads: list[Position], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "CACHE_BYTES", 3 * PIECE_BYTES)
    job = create_running_job(database)
    record_points(database, job.id, {"train/loss": make_points(20_000)})
    finish_job(database, job)

    async def scene(watcher: JobWatcher, streams: EventStreams) -> None:
        assert await read_all(watcher, streams, job.id) == await read_all(watcher, streams, job.id)
        assert streams._pieces.stored_bytes <= 3 * PIECE_BYTES

    play(database, scene)
    assert len(reads) == 2 * len(read_pieces(database, job.id))


def test_a_database_that_is_away_is_told_and_then_the_stream_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "DATABASE_RETRY_SECONDS", 0.1)
    job = create_running_job(database)
    record_curve(database, job, 3)
    finish_job(database, job)
    failures = [DatabaseUnavailable()]

    def read(session: Any, job_id: str, position: Position) -> Any:
        if failures:
            raise failures.pop()
        return read_piece(session, job_id, position)

    monkeypatch.setattr(event_stream, "read_piece", read)
    content = play(database, lambda watcher, streams: read_all(watcher, streams, job.id))
    assert content.startswith(b": the database does not answer\n\nevent: created\n")
    assert content.endswith(b'event: done\ndata: {"status":"succeeded"}\nid: 4\n\n')
