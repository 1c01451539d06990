"""Events in pieces: what streams send is the same wherever the pieces end, and each is small."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pytest
from fastapi.sse import format_sse_event
from sqlalchemy import delete
from sqlalchemy.orm import Session

from app import curves, events
from app.api.http.responses import json_number
from app.api.streams import pieces
from app.api.streams.pieces import PIECE_BYTES, Piece, Position, read_piece
from app.db.session import Database
from app.db.tables import EventRow
from app.events import EventKind
from tests.app.api.job_factories import create_running_job


def make_points(count: int, first: int = 1) -> curves.Points:
    points = np.zeros(count, curves.POINT_DTYPE)
    points["step"] = np.arange(first, first + count)
    points["value"] = 1 / points["step"]
    return points


def record_points(database: Database, job_id: str, series: Mapping[str, curves.Points]) -> None:
    def unit(session: Session) -> None:
        ranges = curves.append(session, job_id, series)
        data = {"series": {name: list(each) for name, each in ranges.items()}, "progress": {"step": 1}}
        events.append(session, job_id, EventKind.METRICS, data)

    database.run(unit)


def read_pieces(database: Database, job_id: str, seq: int = 0) -> list[bytes]:
    """Return the pieces from an event to the newest one."""
    found, position = [], Position(seq)
    while True:
        piece = database.read(read_piece, job_id, position)
        assert piece.following is not None
        if not piece.content:
            return found
        found.append(piece.content)
        position = piece.following


def whole_event(session: Session, row: EventRow) -> str:
    """Return an event as it would be sent at once."""
    data: dict[str, Any] = row.data
    if row.kind == EventKind.METRICS:
        series = {}
        for name, (start, stop) in data["series"].items():
            points = curves.read_points(session, row.job_id, name, start, stop)
            values = [json_number(value) for value in points["value"].tolist()]
            series[name] = {"step": points["step"].tolist(), "value": values}
        data = data | {"points": series}
    return format_sse_event(data_str=orjson.dumps(data).decode(), event=row.kind, id=str(row.seq)).decode()


@pytest.mark.parametrize("piece_bytes", [1, 100, PIECE_BYTES])
def test_pieces_together_are_the_events(database: Database, monkeypatch: pytest.MonkeyPatch, piece_bytes: int) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", piece_bytes)
    monkeypatch.setattr(pieces, "PART_POINTS", 7)
    job = create_running_job(database)
    record_points(database, job.id, {})
    record_points(database, job.id, {"train/loss": make_points(20), 'ü"\\\n': make_points(7), "c": make_points(1)})
    strange = make_points(30, 21)
    strange["value"][::9] = [np.nan, np.inf, -np.inf, np.nan]
    record_points(database, job.id, {"c": make_points(0), "train/loss": strange})
    expected = database.read(
        lambda session: [whole_event(session, row) for row in events.list_events(session, job.id, 0, 100)]
    )
    found = read_pieces(database, job.id)
    assert b"".join(found).decode() == "".join(expected)
    assert b"".join(read_pieces(database, job.id, 3)).decode() == "".join(expected[3:])
    assert len(found) > 10 or piece_bytes > 1


def test_no_piece_is_long_however_many_points_an_event_has(database: Database) -> None:
    job = create_running_job(database)
    record_points(database, job.id, {"train/loss": make_points(60_000)})
    for _ in range(300):
        database.run(events.append, job.id, "phase", {"phase": "x" * 500})
    found = read_pieces(database, job.id)
    assert max(map(len, found)) < 2 * PIECE_BYTES
    assert sum(map(len, found)) > 30 * PIECE_BYTES
    assert len(found) < 2 * sum(map(len, found)) / PIECE_BYTES
    ids = [int(number) for number in re.findall(rb"\nid: (\d+)\n", b"".join(found))]
    assert ids == list(range(1, 304))


def amid_an_event(database: Database, job_id: str) -> Position:
    """Return a position among the points of the third event."""
    piece: Piece = database.read(read_piece, job_id, Position(2))
    assert piece.following is not None
    assert piece.following.event == 3
    return piece.following


def test_points_that_are_written_anew_do_not_end_the_event_of_older_ones(database: Database) -> None:
    job = create_running_job(database)
    record_points(database, job.id, {"train/loss": make_points(10_000)})
    position = amid_an_event(database, job.id)

    def resume(session: Session) -> None:
        curves.rewind(session, job.id, 9_000)
        events.append(session, job.id, EventKind.REWOUND, {"step": 9_000})

    assert database.read(read_piece, job.id, position).following is not None
    database.run(resume)
    assert database.read(read_piece, job.id, position) == Piece(b"", None)
    again = database.read(read_piece, job.id, amid_an_event(database, job.id))  # a new request has the points of now
    assert again.following is not None


def test_an_event_that_is_removed_while_it_is_sent_is_not_ended(database: Database) -> None:
    job = create_running_job(database)
    record_points(database, job.id, {"train/loss": make_points(10_000)})
    position = amid_an_event(database, job.id)
    database.run(events.append, job.id, "phase", {})
    database.run(lambda session: session.execute(delete(EventRow).where(EventRow.seq == 3)))
    assert database.read(read_piece, job.id, position) == Piece(b"", None)
    database.run(lambda session: session.execute(delete(EventRow).where(EventRow.seq == 4)))
    assert database.read(read_piece, job.id, position) == Piece(b"", None)


def test_events_that_are_removed_are_passed_over(database: Database) -> None:
    job = create_running_job(database)
    database.run(lambda session: session.execute(delete(EventRow).where(EventRow.seq == 2)))
    assert database.read(read_piece, job.id, Position(1)) == Piece(b"", Position(2))
