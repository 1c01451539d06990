"""A job's events as a stream: those that there are, and then each as it comes."""

from collections.abc import AsyncIterator
from functools import partial

import orjson
from fastapi.sse import format_sse_event

from app.api.streams.call_queue import CallQueue
from app.api.streams.job_watcher import JobWatch
from app.api.streams.pieces import PIECE_BYTES, Piece, Position, read_piece
from app.api.streams.shared_reads import SharedReads
from app.db.session import Database
from app.errors import Unauthenticated, Unavailable
from app.jobs.states import TERMINAL_STATUSES

PING_SECONDS = 15.0
DATABASE_RETRY_SECONDS = 2.0
CACHE_BYTES = 512 * PIECE_BYTES  # of pieces that several streams may send
PIECE_OVERHEAD = 1024  # bytes that a piece takes beside its content
READING_THREADS = 2


class EventStreams:
    """The streams of one event loop: they share pieces, the threads that read them, and the turns to send them."""

    def __init__(self, db: Database, call_queue: CallQueue | None = None) -> None:
        self._db = db
        self._call_queue = call_queue or CallQueue()
        self._pieces = SharedReads[tuple[str, Position], Piece](
            READING_THREADS, CACHE_BYTES, lambda piece: PIECE_OVERHEAD + len(piece.content), self._call_queue
        )

    async def stream(self, watch: JobWatch, seq: int) -> AsyncIterator[bytes]:
        """Yield the events after `seq`, or all where that is beyond the last one, as after a backup was restored.

        A reader that is slow holds one piece. The stream ends after `done`, and once the key is no longer valid.
        """
        with watch:
            try:
                state = watch.state
                if state is not None and seq > state.last_seq:
                    comment = f"there is no event {seq}, the last one is {state.last_seq}: from the start"
                    yield format_sse_event(comment=comment)
                    seq = 0
                async for content in self._follow(watch, Position(seq)):
                    yield content
            except Unauthenticated:
                yield format_sse_event(comment="the key is no longer valid")

    async def _follow(self, watch: JobWatch, position: Position) -> AsyncIterator[bytes]:
        while True:
            state = watch.state
            if state is not None and (position.event or position.seq < state.last_seq):
                try:
                    piece = await self._piece(watch.job_id, position)
                except Unavailable:
                    yield format_sse_event(comment="the database does not answer")
                    await watch.wait_for_change(state.version, DATABASE_RETRY_SECONDS)
                    continue
                if piece.following is None:  # only a new request can read the event from its beginning
                    return
                if piece.content:
                    yield piece.content
                position = piece.following
                if position.event or position.seq < state.last_seq:  # another piece: others come between
                    await self._call_queue.wait()
            elif position.event:  # the job was deleted amid an event
                return
            elif state is None or (state.status in TERMINAL_STATUSES and position.seq == state.last_seq):
                data = orjson.dumps({"status": state and state.status}).decode()
                yield format_sse_event(data_str=data, event="done", id=str(position.seq))
                return
            elif not await watch.wait_for_change(state.version, PING_SECONDS):
                yield format_sse_event(comment="ping")

    async def _piece(self, job_id: str, position: Position) -> Piece:
        piece = await self._pieces.get((job_id, position), partial(self._db.read, read_piece, job_id, position))
        if piece.following is None:
            self._pieces.clear()  # whoever comes again must not be given the same beginning
        return piece
