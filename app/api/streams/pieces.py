"""Events of a job as server-sent events, read and encoded in pieces of bounded size.

A piece ends anywhere, even among the points of one event: a job may have written a million of them with it. What a
piece holds follows from the position where it begins, so streams of one job share pieces.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson
from fastapi.sse import format_sse_event
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app import curves
from app.api.http.responses import json_number
from app.db.tables import EventRow, JobRow
from app.events import EventKind

PIECE_BYTES = 32 * 1024  # a piece ends with the part that reaches them
PART_POINTS = 1024  # points of one column in a part
ROWS_PER_FETCH = 16


class Position(NamedTuple):
    """A place in a job's events: after the whole event `seq`, and after some parts of the event `event`, if any.

    `known` is the newest event when the first of these parts was read.
    """

    seq: int
    event: int = 0
    parts: int = 0
    known: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a stream, and the position after them. `None`: the points of the event are no longer there."""

    content: bytes
    following: Position | None


def read_piece(session: Session, job_id: str, position: Position) -> Piece:
    """Return the piece that begins at a position; it is empty where no event follows.

    A resumed attempt removes points and writes them anew. That may happen between two pieces of one event, whose steps
    and values would then not belong together: such an event is not sent to its end.
    """
    known = session.scalar(select(JobRow.last_seq).where(JobRow.id == job_id)) or 0  # first: later events may be read
    content, seq = bytearray(), position.seq
    points = curves.PointReader(session, job_id)
    columns = (EventRow.seq, EventRow.kind, EventRow.data)
    query = select(*columns).where(EventRow.job_id == job_id, EventRow.seq > seq).order_by(EventRow.seq)
    with session.execute(query.execution_options(yield_per=ROWS_PER_FETCH)) as rows:
        for row in rows:
            skipped = position.parts if row.seq == position.event else 0
            if position.event and not skipped and seq == position.seq:
                return Piece(b"", None)  # old events are removed some time
            for number, part, last in _encode(row, points, skipped):
                content += part
                if len(content) >= PIECE_BYTES and not last:
                    known_then = position.known if skipped else known
                    return _check_points(
                        session, job_id, position, Piece(bytes(content), Position(seq, row.seq, number, known_then))
                    )
            seq = row.seq
            if len(content) >= PIECE_BYTES:
                return _check_points(session, job_id, position, Piece(bytes(content), Position(seq)))
    if position.event and seq == position.seq:
        return Piece(b"", None)
    return _check_points(session, job_id, position, Piece(bytes(content), Position(max(seq, known))))


def _check_points(session: Session, job_id: str, position: Position, piece: Piece) -> Piece:
    """Return the piece, unless points were removed since the first part of its first event was read."""
    if not position.event:
        return piece
    later = (EventRow.job_id == job_id, EventRow.seq > position.known, EventRow.kind == EventKind.REWOUND)
    rewound = session.scalar(select(EventRow.seq).where(*later).limit(1))
    return piece if rewound is None else Piece(b"", None)


def _encode(row: Row[Any], points: curves.PointReader, skipped: int) -> Iterator[tuple[int, bytes, bool]]:
    """Yield (number, bytes, whether it is the last) of every part of an event but the first `skipped` ones."""
    if row.kind != EventKind.METRICS:
        data = orjson.dumps(row.data).decode()
        yield 1, format_sse_event(data_str=data, event=row.kind, id=str(row.seq)), True
        return
    parts = list(_point_parts(row.data["series"]))
    head = f"event: {row.kind}\ndata: ".encode() + orjson.dumps(row.data)[:-1] + b',"points":{'
    for number, part in enumerate(parts[skipped:], skipped + 1):
        numbers = _numbers(points.read(part.name, part.start, part.stop), part.column)
        before = part.before if part.is_first or not numbers else part.before + b","
        opening = head if number == 1 else b""
        yield number, opening + before + numbers + part.after, False
    end = f"}}}}\nid: {row.seq}\n\n".encode()
    yield len(parts) + 1, end if parts else head + end, True


class _Part(NamedTuple):
    """A run of one column of points, with the JSON before and after its numbers."""

    name: str
    column: str
    start: int
    stop: int
    is_first: bool
    before: bytes
    after: bytes


def _point_parts(series: dict[str, list[int]]) -> Iterator[_Part]:
    for index, (name, (first, end)) in enumerate(series.items()):
        key = (b"," if index else b"") + orjson.dumps(name) + b":{"
        for column, opening, closing in (("step", key + b'"step":[', b"]"), ("value", b',"value":[', b"]}")):
            for start in range(first, max(end, first + 1), PART_POINTS):
                stop = min(end, start + PART_POINTS)
                is_first, is_last = start == first, stop >= end
                yield _Part(
                    name, column, start, stop, is_first, opening if is_first else b"", closing if is_last else b""
                )


def _numbers(points: curves.Points, column: str) -> bytes:
    """Return a column of points as JSON, without the brackets."""
    values = points[column]
    if np.isfinite(values).all():
        return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    return orjson.dumps([json_number(value) for value in values.tolist()])[1:-1]
