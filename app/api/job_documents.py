"""Jobs as responses: built once for each version, and sent again until the job has another one."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

import orjson
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app import events
from app.api import schemas
from app.db.session import Database
from app.db.tables import JobRow
from app.edits import revisions
from app.errors import NotFound
from app.jobs import queue, repository
from app.jobs.queue import QueuePosition
from app.jobs.states import Status

MAX_TRANSITIONS = 1000
MAX_BYTES = 1 << 25  # of all documents that are kept
POSITION_SECONDS = 0.5  # for so long a position in the queue is sent again

_VERSION = select(JobRow.version).where(
    JobRow.id == bindparam("job_id"), JobRow.owner == bindparam("owner"), JobRow.deleted_at.is_(None)
)


@dataclass(frozen=True, slots=True)
class JobDocument:
    """A job as JSON, its version and status, and its ETag: the version, and the position in the queue if it has one."""

    version: int
    status: str
    etag: str
    content: bytes
    read_at: float  # on the monotonic clock


class JobDocuments:
    """Reads jobs; safe for threads.

    A job's version changes with all that its document has but for its position, which others change. A position of
    before is at most `position_seconds` old.
    """

    def __init__(self, db: Database, running_limit: int, position_seconds: float = POSITION_SECONDS) -> None:
        self._db, self._running_limit, self._position_seconds = db, running_limit, position_seconds
        self._lock = threading.Lock()
        self._documents: OrderedDict[str, JobDocument] = OrderedDict()  # by the jobs' ids, the last one used last
        self._nbytes = 0
        self._queue_changed_at = float("-inf")

    def read(self, owner: str, job_id: str) -> JobDocument:
        """Return a job. Raises `NotFound`."""
        row = self._db.first(_VERSION, job_id=job_id, owner=owner)
        if row is None:
            raise NotFound(f"there is no job {job_id}")
        with self._lock:
            known = self._documents.get(job_id)
            if known is not None and known.version == row.version and self._is_position_known(known):
                self._documents.move_to_end(job_id)
                return known
        document = self._db.read(self._render, owner, job_id)
        self._keep(job_id, document)
        return document

    def find(self, job_id: str, version: int) -> JobDocument | None:
        """Return this version of a job if it is known and has no position; it needs no database."""
        known = self._documents.get(job_id)
        return known if known is not None and known.version == version and known.status != Status.QUEUED else None

    def forget_positions(self) -> None:
        """Look anew at the queue, which this process has changed."""
        self._queue_changed_at = time.monotonic()

    def _is_position_known(self, known: JobDocument) -> bool:
        if known.status != Status.QUEUED:
            return True
        return known.read_at > max(self._queue_changed_at, time.monotonic() - self._position_seconds)

    def build(self, session: Session, owner: str, job_id: str) -> schemas.Job:
        """Return a job with its place in the queue and its transitions, as a transaction sees it. Raises `NotFound`."""
        row = repository.find(session, owner, job_id)
        queued = row.status == Status.QUEUED
        place = queue.queue_position(session, row, self._running_limit) if queued else QueuePosition()
        transitions = events.list_transitions(session, job_id, MAX_TRANSITIONS)
        edited = row.revision > revisions.FIRST_REVISION
        inspection = revisions.inspection_at(session, row, row.revision) or {} if edited else None
        return schemas.Job.from_row(row, transitions, place, inspection)

    def _render(self, session: Session, owner: str, job_id: str) -> JobDocument:
        read_at = time.monotonic()
        job = self.build(session, owner, job_id)
        etag = f'"{job.version}"' if job.position is None else f'"{job.version}.{job.position}"'
        return JobDocument(job.version, job.status, etag, orjson.dumps(job.as_dict()), read_at)

    def _keep(self, job_id: str, document: JobDocument) -> None:
        with self._lock:
            before = self._documents.pop(job_id, None)
            self._nbytes += len(document.content) - (len(before.content) if before is not None else 0)
            self._documents[job_id] = document
            while self._nbytes > MAX_BYTES:
                self._nbytes -= len(self._documents.popitem(last=False)[1].content)
