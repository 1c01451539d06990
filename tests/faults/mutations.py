"""Mistakes to be made on purpose: a campaign that does not find each of them proves nothing.

`apply` puts a mistake into this process, with a `setattr` of the caller's; `scenario` is a history that shows it, and
`detected_by` the invariants that must report it. With `reaches_training` undisturbed runs make the mistake, too.
"""

import os
from collections.abc import Callable, Mapping
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
from app.lifecycle import superseded_checkpoints
from app.spec.job import parse_job
from app.storage.removal import remove_files
from tests.faults import scenarios
from tests.faults.in_process_service import InProcessService
from workers.host import attempt as attempts

SetAttribute = Callable[[Any, str, Any], None]


@dataclass(frozen=True)
class Mutation:
    """One mistake."""

    apply: Callable[[SetAttribute], None]
    scenario: Callable[[InProcessService], None]
    detected_by: tuple[str, ...]
    reaches_training: bool = False


def _fence_unchecked(patch: SetAttribute) -> None:
    patch(repository, "lock_for_attempt", lambda session, job_id, fence: session.get(JobRow, job_id))


def _status_unchecked(patch: SetAttribute) -> None:
    def lock_for_attempt(session: Session, job_id: str, fence: int) -> JobRow:
        row = session.get_one(JobRow, job_id, populate_existing=True)
        if row.fence != fence:
            raise repository.StaleFence("stale")
        return row

    patch(repository, "lock_for_attempt", lock_for_attempt)


def _any_transition(patch: SetAttribute) -> None:
    _status_unchecked(patch)
    every = frozenset(repository.Status)
    patch(repository, "TRANSITIONS", {verb: (every, target) for verb, (_, target) in TRANSITIONS.items()})


def _fence_stays(patch: SetAttribute) -> None:
    real = repository.transition

    def transition(session: Session, job_id: str, verb: Verb, **values: Any) -> JobRow:
        if verb == Verb.CLAIM:
            del values["fence"]
        return real(session, job_id, verb, **values)

    patch(repository, "transition", transition)


def _lease_stays(patch: SetAttribute) -> None:
    real = repository.transition

    def transition(session: Session, job_id: str, verb: Verb, **values: Any) -> JobRow:
        if verb == Verb.SUCCEED:
            del values["lease_until"]
        return real(session, job_id, verb, **values)

    patch(repository, "transition", transition)


def _acknowledged_early(patch: SetAttribute) -> None:
    def create(db: Any, submission: Any, render: Any, *, max_queued: int, request: Any = None) -> Any:
        responses = []

        def unit(session: Session) -> None:
            responses.append(
                idempotency.IdempotentResponse(201, render(service._insert(session, submission)), replayed=False)
            )
            faultpoint("before_commit")

        with suppress(BaseException):  # the client has its response; what follows does not matter
            db.run(unit)
        return responses[0]

    patch(service, "create", create)


def _key_not_kept(patch: SetAttribute) -> None:
    patch(idempotency, "_reserve", lambda session, request: True)


def _loss_counted_twice(patch: SetAttribute) -> None:
    real = service.record_loss

    def record_loss(session: Session, job_id: str, *rest: Any) -> bool:
        waits = real(session, job_id, *rest)
        session.execute(update(JobRow).where(JobRow.id == job_id).values(attempts=JobRow.attempts + 1))
        return waits

    patch(service, "record_loss", record_loss)


def _cancel_request_dropped(patch: SetAttribute) -> None:
    real = service.record_loss

    def record_loss(session: Session, job_id: str, *rest: Any) -> bool:
        session.execute(update(JobRow).where(JobRow.id == job_id).values(wish=None))
        return real(session, job_id, *rest)

    patch(service, "record_loss", record_loss)


def _points_unfiltered(patch: SetAttribute) -> None:
    real = curves._append

    def append(session: Session, job_id: str, name: str, points: Any) -> tuple[int, int]:
        row = session.scalar(curves._chunks(job_id, name).order_by(curves.MetricChunkRow.chunk.desc()).limit(1))
        if row is None:
            return real(session, job_id, name, points)
        start = row.count
        curves._fill(row, curves.np.concatenate([curves.np.frombuffer(row.points, curves.POINT_DTYPE), points]))
        return start, start + len(points)

    patch(curves, "_append", append)


def _points_kept(patch: SetAttribute) -> None:
    _points_unfiltered(patch)
    patch(curves, "rewind", lambda session, job_id, after_step: None)


def _rewound_too_far(patch: SetAttribute) -> None:
    real = curves.rewind
    patch(curves, "rewind", lambda session, job_id, after_step: real(session, job_id, max(0, after_step - 1)))


def _report_dropped(patch: SetAttribute) -> None:
    real = attempts.Attempt._write

    def write(attempt: attempts.Attempt) -> bool:
        message = attempt._backlog[0] if attempt._backlog else None
        written = real(attempt)
        if not written and message is not None and not isinstance(message, attempts.Outcome):
            attempt._backlog.popleft()
        return written

    patch(attempts.Attempt, "_write", write)


def _files_before_rows(patch: SetAttribute) -> None:
    def prune(db: Any, store: Any, job_id: str, fence: int) -> None:
        def superseded(session: Session) -> list[str]:
            plan = parse_job(session.get_one(JobRow, job_id).spec).training.checkpoint
            rows = superseded_checkpoints.checkpoints.prunable_checkpoints(
                session, job_id, plan.keep_last, plan.keep_best, plan.monitor, plan.mode
            )
            return [file["path"] for row in rows for file in row.files]

        remove_files(store, db.read(superseded))
        faultpoint("before_removal")
        db.run(superseded_checkpoints._remove_rows, job_id, fence)

    patch(superseded_checkpoints, "prune", prune)


def _listed_before_stored(patch: SetAttribute) -> None:
    from app.storage.local import LocalStore, StoredFile
    from workers.training.checkpoints.saver import CheckpointSaver

    real, waiting = CheckpointSaver._write, []

    def put_file(store: LocalStore, key: str, source: Any) -> StoredFile:
        content = source.read_bytes()
        waiting.append((store, key, content))
        return StoredFile(key, len(content), sha256(content).hexdigest())

    def listed_first(saver: CheckpointSaver, *args: Any) -> None:
        real(saver, *args)
        while waiting:
            store, key, content = waiting.pop(0)
            store.put_bytes(key, content)

    patch(LocalStore, "put_file", put_file)
    patch(CheckpointSaver, "_write", listed_first)


def _nothing_synced(patch: SetAttribute) -> None:
    patch(os, "fsync", lambda descriptor: None)


def _rng_state_dropped(patch: SetAttribute) -> None:
    from workers.training import step

    patch(step, "seed_step", lambda seed, device: None)


def _data_position_dropped(patch: SetAttribute) -> None:
    from workers.data.loading.sampler import Sampler

    real = Sampler.position

    def position(sampler: Sampler, step: int) -> tuple[int, int]:
        first = vars(sampler).setdefault("_first", step)
        return real(sampler, step - first)

    patch(Sampler, "position", position)


def _optimizer_state_dropped(patch: SetAttribute) -> None:
    from workers.training.state import TrainState

    real = TrainState.load

    def load(state: TrainState, *args: Any, **values: Any) -> None:
        real(state, *args, **values)
        state.updates[0].optimizer.state.clear()

    patch(TrainState, "load", load)


def _schedule_state_dropped(patch: SetAttribute) -> None:
    from workers.training.state import TrainState

    real = TrainState.load

    def load(state: TrainState, *args: Any, **values: Any) -> None:
        [update] = state.updates
        schedule, update.schedule = update.schedule, None
        real(state, *args, **values)
        update.schedule = schedule

    patch(TrainState, "load", load)


def _final_checkpoint_dropped(patch: SetAttribute) -> None:
    from workers.training.checkpoints.saver import CheckpointSaver

    real = CheckpointSaver.save_and_wait

    def save_and_wait(saver: CheckpointSaver, *args: Any, final: bool = False, **options: Any) -> None:
        if not final:
            real(saver, *args, **options)

    patch(CheckpointSaver, "save_and_wait", save_and_wait)


MUTATIONS: Mapping[str, Mutation] = {
    "acknowledges before the commit": Mutation(_acknowledged_early, scenarios.api_killed_before_commit, ("I1",)),
    "keeps no idempotency key": Mutation(_key_not_kept, scenarios.response_lost, ("I1",)),
    "counts a loss twice": Mutation(_loss_counted_twice, scenarios.attempts_killed_twice, ("I1",)),
    "does not check the fence": Mutation(_fence_unchecked, scenarios.zombie, ("I2", "I3")),
    "does not count the fence up": Mutation(_fence_stays, scenarios.attempt_killed, ("I2",)),
    "does not check the status": Mutation(_status_unchecked, scenarios.zombie_after_cancel, ("I2", "I9")),
    "takes any transition": Mutation(_any_transition, scenarios.concurrent_lease_sweeps, ("I7",)),
    "drops a report while the database is away": Mutation(_report_dropped, scenarios.database_unavailable, ("I3",)),
    "keeps points after a rewind": Mutation(_points_kept, scenarios.attempt_killed, ("I3",)),
    "stores a report twice": Mutation(_points_unfiltered, scenarios.commit_acknowledgement_lost, ("I3",)),
    "rewinds too far": Mutation(_rewound_too_far, scenarios.attempt_killed, ("I3",)),
    "forgets the state of the draws": Mutation(
        _rng_state_dropped, scenarios.attempt_killed, ("I4", "I5"), reaches_training=True
    ),
    "forgets the position in the epoch": Mutation(
        _data_position_dropped, scenarios.attempt_killed, ("I4", "I5"), reaches_training=True
    ),
    "forgets the optimizer's state": Mutation(
        _optimizer_state_dropped, scenarios.attempt_killed, ("I4", "I5"), reaches_training=True
    ),
    "forgets the schedule": Mutation(
        _schedule_state_dropped, scenarios.attempt_killed, ("I4", "I5"), reaches_training=True
    ),
    "forgets the final checkpoint": Mutation(_final_checkpoint_dropped, scenarios.attempt_killed, ("I5",)),
    "lists a checkpoint before its files": Mutation(_listed_before_stored, scenarios.killed_while_storing, ("I6",)),
    "does not sync": Mutation(_nothing_synced, scenarios.power_loss, ("I6",)),
    "removes files before their row": Mutation(_files_before_rows, scenarios.killed_while_removing, ("I6",)),
    "keeps the lease after the end": Mutation(_lease_stays, scenarios.attempt_killed, ("I8",)),
    "forgets a wish with the attempt": Mutation(_cancel_request_dropped, scenarios.killed_after_cancel, ("I9",)),
}
