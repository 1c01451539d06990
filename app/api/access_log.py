"""Uses of keys and sessions, and refused requests, written to the database by a thread of its own.

Neither delays a request nor fails it. Refusals are counted by where they come from, so that a flood of them becomes a
few rows a minute.
"""

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.orm import Session

from app.access import audit, credentials
from app.access.audit import Action, Actor
from app.access.first_key import OWNER
from app.access.keys import LAST_USED_RESOLUTION_SECONDS
from app.db.session import Database
from app.db.tables import KeyRow
from app.errors import GraftwerkError
from app.periodic import Periodic

FLUSH_SECONDS = 1.0
REFUSAL_FLUSH_SECONDS = 60.0  # for so long equal refusals are counted in one row
MAX_RECORDED = 10_000  # keys and sessions that are remembered
MAX_REFUSALS = 100  # unlike ones in this time; what is beyond is counted together

RefusalKey = tuple[str, str | None, str | None]  # code, the key that was named, address

_log = structlog.get_logger(__name__)


class AccessLog:
    """Collects uses of keys and sessions, and refusals, and writes them at intervals."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._recorded_at: dict[str, float] = {}  # id of a key or session → when its use was last to be written
        self._used_ids: set[str] = set()
        self._refusal_counts: dict[RefusalKey, tuple[str, int]] = {}  # → request id of the first one, count
        self._next_refusal_flush = 0.0
        self._flushes = Periodic("access log", FLUSH_SECONDS, self.flush, _log_failure)
        self._flushes.start()

    def record_use(self, used_id: str) -> None:
        """Record a use of a key or a session."""
        clock = time.monotonic()
        with self._lock:
            if clock - self._recorded_at.get(used_id, -LAST_USED_RESOLUTION_SECONDS) >= LAST_USED_RESOLUTION_SECONDS:
                if len(self._recorded_at) >= MAX_RECORDED:
                    self._recorded_at.clear()
                self._recorded_at[used_id] = clock
                self._used_ids.add(used_id)

    def record_refusal(self, code: str, key_id: str | None, address: str | None, request_id: str) -> None:
        """Record a refused request. `key_id` is the key in the request, which may not exist."""
        with self._lock:
            this: RefusalKey = (code, key_id, address)
            if this not in self._refusal_counts and len(self._refusal_counts) >= MAX_REFUSALS:
                this = (code, None, None)
            first, count = self._refusal_counts.get(this, (request_id, 0))
            self._refusal_counts[this] = first, count + 1

    def flush(self) -> None:
        """Write the collected records; those that cannot be written now are dropped."""
        clock = time.monotonic()
        refused: Mapping[RefusalKey, tuple[str, int]] = {}
        with self._lock:
            used, self._used_ids = self._used_ids, set()
            if clock >= self._next_refusal_flush and self._refusal_counts:
                refused, self._refusal_counts = self._refusal_counts, {}
                self._next_refusal_flush = clock + REFUSAL_FLUSH_SECONDS
        try:
            if used:
                self._db.run(credentials.record_use, sorted(used))
            if refused:
                self._db.run(_write_refusals, refused)
        except GraftwerkError as error:
            _log.warning("journal_not_written", error=error.code)

    def close(self) -> None:
        """Write the remaining records and stop the thread."""
        self._flushes.stop()
        self._next_refusal_flush = 0.0
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _log_failure(error: Exception) -> None:
    _log.error("journal_failed", exc_info=error)


def _write_refusals(session: Session, refused: Mapping[RefusalKey, tuple[str, int]]) -> None:
    for (code, key_id, address), (request_id, count) in refused.items():
        row = session.get(KeyRow, key_id) if key_id is not None else None
        actor = Actor(row.owner if row else OWNER, row.id if row else None, request_id, address)
        audit.append(session, actor, Action.REFUSED, None, {"code": code, "count": count})
