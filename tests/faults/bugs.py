"""Mistakes to be made on purpose: a campaign that does not find each of them proves nothing.

`make` puts a mistake into this process, with a `setattr` of the caller's; `round` is a history that shows it, and
`caught` the invariants that must say so. `trains` tells that undisturbed runs make the mistake too.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from app import curves
from app.access import idempotency
from app.db.tables import JobRow
from app.faultpoints import faultpoint
from app.jobs import repository, service
from app.jobs.states import TRANSITIONS, Verb
from app.lifecycle import orphans
from tests.faults import rounds
from tests.faults.miniature import Miniature
from workers.host import worker

SetAttribute = Callable[[Any, str, Any], None]


@dataclass(frozen=True)
class Bug:
    """One mistake."""

    make: Callable[[SetAttribute], None]
    round: Callable[[Miniature], None]
    caught: tuple[str, ...]
    trains: bool = False


def _fence_unchecked(patch: SetAttribute) -> None:
    patch(repository, "hold", lambda session, job_id, fence: session.get(JobRow, job_id))


def _status_unchecked(patch: SetAttribute) -> None:
    def hold(session: Session, job_id: str, fence: int) -> JobRow:
        row = session.get_one(JobRow, job_id, populate_existing=True)
        if row.fence != fence:
            raise repository.StaleFence("stale")
        return row

    patch(repository, "hold", hold)


def _any_transition(patch: SetAttribute) -> None:
    _status_unchecked(patch)
    every = frozenset(repository.Status)
    patch(repository, "TRANSITIONS", {verb: (every, target) for verb, (_, target) in TRANSITIONS.items()})


def _fence_stays(patch: SetAttribute) -> None:
    real = repository.move

    def move(session: Session, job_id: str, verb: Verb, **values: Any) -> JobRow:
        if verb == Verb.CLAIM:
            del values["fence"]
        return real(session, job_id, verb, **values)

    patch(repository, "move", move)


def _lease_stays(patch: SetAttribute) -> None:
    real = repository.move

    def move(session: Session, job_id: str, verb: Verb, **values: Any) -> JobRow:
        if verb == Verb.SUCCEED:
            del values["lease_until"]
        return real(session, job_id, verb, **values)

    patch(repository, "move", move)


def _acknowledged_early(patch: SetAttribute) -> None:
    def create(
        db: Any, submission: Any, render: Any, *, max_queued: int, idempotency_key: str, digest: str = ""
    ) -> Any:
        told = []

        def unit(session: Session) -> None:
            told.append(idempotency.Answer(201, render(service._insert(session, submission)), replayed=False))
            faultpoint("before_commit")

        with suppress(BaseException):  # the client has been told; what comes after that is nobody's matter
            db.run(unit)
        return told[0]

    patch(service, "create", create)


def _key_not_kept(patch: SetAttribute) -> None:
    patch(idempotency, "_reserve", lambda session, owner, key, digest: True)


def _loss_counted_twice(patch: SetAttribute) -> None:
    real = service.lose

    def lose(session: Session, job_id: str, *rest: Any) -> bool:
        waits = real(session, job_id, *rest)
        session.execute(update(JobRow).where(JobRow.id == job_id).values(attempts=JobRow.attempts + 1))
        return waits

    patch(service, "lose", lose)


def _wish_forgotten(patch: SetAttribute) -> None:
    real = service.lose

    def lose(session: Session, job_id: str, *rest: Any) -> bool:
        session.execute(update(JobRow).where(JobRow.id == job_id).values(wish=None))
        return real(session, job_id, *rest)

    patch(service, "lose", lose)


def _points_unfiltered(patch: SetAttribute) -> None:
    real = curves._append

    def append(session: Session, job_id: str, name: str, points: Any) -> tuple[int, int]:
        row = session.scalar(curves._chunks(job_id, name).order_by(curves.MetricChunkRow.chunk.desc()).limit(1))
        if row is None:
            return real(session, job_id, name, points)
        start = row.count
        curves._fill(row, curves.np.concatenate([curves.np.frombuffer(row.points, curves.POINT), points]))
        return start, start + len(points)

    patch(curves, "_append", append)


def _points_kept(patch: SetAttribute) -> None:
    _points_unfiltered(patch)
    patch(curves, "rewind", lambda session, job_id, after_step: None)


def _rewound_too_far(patch: SetAttribute) -> None:
    real = curves.rewind
    patch(curves, "rewind", lambda session, job_id, after_step: real(session, job_id, max(0, after_step - 1)))


def _report_dropped(patch: SetAttribute) -> None:
    real = worker.Attempt._write

    def write(attempt: worker.Attempt) -> bool:
        message = attempt._backlog[0] if attempt._backlog else None
        written = real(attempt)
        if not written and message is not None and not isinstance(message, worker.Outcome):
            attempt._backlog.popleft()
        return written

    patch(worker.Attempt, "_write", write)


def _files_before_rows(patch: SetAttribute) -> None:
    def trim(db: Any, store: Any, job_id: str, fence: int) -> None:
        def surplus(session: Session) -> list[str]:
            plan = orphans.parse_job(session.get_one(JobRow, job_id).spec).training.checkpoint
            rows = orphans.checkpoints.surplus(session, job_id, plan.keep_last, plan.keep_best, plan.monitor, plan.mode)
            return [file["path"] for row in rows for file in row.files]

        orphans.remove_files(store, db.read(surplus))
        faultpoint("before_removal")
        db.run(orphans._surplus, job_id, fence)

    patch(orphans, "trim", trim)


def _listed_before_stored(patch: SetAttribute) -> None:
    from app.storage.local import LocalStore, StoredFile
    from workers.training.checkpoints.saver import Saver

    real, waiting = Saver._write, []

    def put_file(store: LocalStore, key: str, source: Any) -> StoredFile:
        content = source.read_bytes()
        waiting.append((store, key, content))
        return StoredFile(key, len(content), sha256(content).hexdigest())

    def listed_first(saver: Saver, *args: Any) -> None:
        real(saver, *args)
        while waiting:
            store, key, content = waiting.pop(0)
            store.put_bytes(key, content)

    patch(LocalStore, "put_file", put_file)
    patch(Saver, "_write", listed_first)


def _nothing_synced(patch: SetAttribute) -> None:
    patch(os, "fsync", lambda descriptor: None)


def _draws_forgotten(patch: SetAttribute) -> None:
    from workers.training import loop

    patch(loop, "seed_step", lambda seed, device: None)


def _position_forgotten(patch: SetAttribute) -> None:
    from workers.data.loading.sampler import Sampler

    real = Sampler.batches

    def batches(sampler: Sampler, step: int) -> Iterator[Any]:
        first = vars(sampler).setdefault("_first", step)
        return real(sampler, step - first)

    patch(Sampler, "batches", batches)


def _optimizer_forgotten(patch: SetAttribute) -> None:
    from workers.training.state import TrainState

    real = TrainState.load

    def load(state: TrainState, *args: Any, **values: Any) -> None:
        real(state, *args, **values)
        state.optimizer.state.clear()

    patch(TrainState, "load", load)


def _schedule_forgotten(patch: SetAttribute) -> None:
    from workers.training.state import TrainState

    real = TrainState.load

    def load(state: TrainState, *args: Any, **values: Any) -> None:
        schedule, state.schedule = state.schedule, None
        real(state, *args, **values)
        state.schedule = schedule

    patch(TrainState, "load", load)


def _final_forgotten(patch: SetAttribute) -> None:
    from workers.training.checkpoints.saver import Saver

    real = Saver.keep

    def keep(saver: Saver, *args: Any, final: bool = False) -> None:
        if not final:
            real(saver, *args)

    patch(Saver, "keep", keep)


BUGS: Mapping[str, Bug] = {
    "acknowledges before the commit": Bug(_acknowledged_early, rounds.killed_before_commit, ("I1",)),
    "keeps no idempotency key": Bug(_key_not_kept, rounds.answer_lost, ("I1",)),
    "counts a loss twice": Bug(_loss_counted_twice, rounds.killed_twice, ("I1",)),
    "does not check the fence": Bug(_fence_unchecked, rounds.zombie, ("I2", "I3")),
    "does not count the fence up": Bug(_fence_stays, rounds.killed, ("I2",)),
    "does not check the status": Bug(_status_unchecked, rounds.zombie_after_cancel, ("I2", "I9")),
    "takes any transition": Bug(_any_transition, rounds.two_sweepers, ("I7",)),
    "drops a report while the database is away": Bug(_report_dropped, rounds.database_away, ("I3",)),
    "keeps points after a rewind": Bug(_points_kept, rounds.killed, ("I3",)),
    "stores a report twice": Bug(_points_unfiltered, rounds.commit_unheard, ("I3",)),
    "rewinds too far": Bug(_rewound_too_far, rounds.killed, ("I3",)),
    "forgets the state of the draws": Bug(_draws_forgotten, rounds.killed, ("I4", "I5"), trains=True),
    "forgets the position in the epoch": Bug(_position_forgotten, rounds.killed, ("I4", "I5"), trains=True),
    "forgets the optimizer's state": Bug(_optimizer_forgotten, rounds.killed, ("I4", "I5"), trains=True),
    "forgets the schedule": Bug(_schedule_forgotten, rounds.killed, ("I4", "I5"), trains=True),
    "forgets the final checkpoint": Bug(_final_forgotten, rounds.killed, ("I5",)),
    "lists a checkpoint before its files": Bug(_listed_before_stored, rounds.killed_while_storing, ("I6",)),
    "does not sync": Bug(_nothing_synced, rounds.power_cut, ("I6",)),
    "removes files before their row": Bug(_files_before_rows, rounds.killed_while_removing, ("I6",)),
    "keeps the lease after the end": Bug(_lease_stays, rounds.killed, ("I8",)),
    "forgets a wish with the attempt": Bug(_wish_forgotten, rounds.killed_after_cancel, ("I9",)),
}
