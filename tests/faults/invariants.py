"""The invariants, one function each: from a history to sentences about what is wrong with it."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator

from app.edits.states import EditState
from app.errors import NotFound
from app.jobs.states import TERMINAL_STATUSES, TRANSITIONS, Status, Verb
from app.storage.protocol import ArtifactStore
from tests.faults.history import GoldenRun, History, JobRecord, SeriesPoints, deterministic_hashes

CANCEL_SECONDS = 5.0
REVISION_EVENTS = frozenset({"edit_applied", "rolled_back"})
ATTEMPT_EVENTS = frozenset({"edit_applied", "phase", "metrics", "rewound", "checkpoint", "early_stop", "skipped_step"})

Invariant = Callable[[History], Iterator[str]]


def every_acknowledged_job_exists_and_ends(history: History) -> Iterator[str]:
    """I1. Nothing acknowledged is lost, and one key makes one job."""
    by_key = Counter({each.key: 0 for each in history.acknowledged})
    for key, job_id in {(each.key, each.job_id) for each in history.acknowledged}:
        by_key[key] += 1
        if job_id not in history.records:
            yield f"{job_id} was acknowledged and does not exist"
    for each in history.acknowledged:
        record = history.records.get(each.job_id)
        if record is not None and record.status not in TERMINAL_STATUSES:
            yield f"{each.job_id} has not ended: it is {record.status}"
        elif record is not None and record.status not in each.ends:
            yield f"{each.job_id} is {record.status}, and was to be {' or '.join(each.ends)}"
    for key, count in by_key.items():
        if count > 1:
            yield f"the key {key} made {count} jobs"
    for stranger in history.accepted - {each.job_id for each in history.acknowledged}:
        yield f"{stranger} exists, and every client was told of another job"


def fences_grow_and_stale_writes_are_refused(history: History) -> Iterator[str]:
    """I2. Every claim has the next fence; an attempt writes between its claim and its end, and at no other time."""
    for record in history.records.values():
        claimed, active = 0, False
        for event in record.events:
            if event.kind == "status":
                if event.data["verb"] == Verb.CLAIM:
                    if event.fence != claimed + 1:
                        yield f"{record.id}: claim {claimed + 1} has the fence {event.fence}"
                    claimed, active = event.fence, True
                elif event.data["from"] == Status.RUNNING:
                    if not active or event.fence != claimed:
                        yield f"{record.id}: {event.data['verb']} under {event.fence} while {claimed} is in force"
                    active = False
            elif event.kind in ATTEMPT_EVENTS and (not active or event.fence != claimed):
                now = f"{claimed} is in force" if active else "nobody owns the job"
                yield f"{record.id}: {event.kind} (event {event.seq}) was accepted under {event.fence} while {now}"
        if record.fence != claimed:
            yield f"{record.id}: the row has the fence {record.fence}, and was claimed under {claimed}"
        for saved in record.checkpoints:
            if not 1 <= saved.fence <= claimed:
                yield f"{record.id}: checkpoint {saved.id} has the fence {saved.fence}"


def steps_are_those_expected(history: History) -> Iterator[str]:
    """I3. Every step has one point: of a job that succeeded those of the golden run, of another a beginning of them."""
    for record, expected in _golden_pairs(history):
        for name, (steps, _) in record.series.items():
            wanted = expected.series.get(name, ((), b""))[0]
            if record.status != Status.SUCCEEDED:
                wanted = wanted[: len(steps)]
            if steps != wanted:
                yield f"{record.id}: {name} has {_step_difference(steps, wanted)}"
            if record.ends[name] != len(steps):
                yield f"{record.id}: {name} has {len(steps)} points, and its chunks count {record.ends[name]}"
        if record.status == Status.SUCCEEDED and (missing := expected.series.keys() - record.series.keys()):
            yield f"{record.id}: the series {sorted(missing)} are missing"


def values_are_equal_to_the_bit(history: History) -> Iterator[str]:
    """I4. Every point has the value of the golden run, to the last bit."""
    for record, expected in _golden_pairs(history):
        for name, (steps, values) in record.series.items():
            wanted = _by_step(expected.series, name)
            found = _by_step({name: (steps, values)}, name)
            wrong = [step for step, value in found.items() if wanted.get(step, value) != value]
            if wrong:
                yield f"{record.id}: {name} differs from the golden run at {len(wrong)} steps, first at {min(wrong)}"


def weights_are_equal_to_the_bit(history: History) -> Iterator[str]:
    """I5. The final checkpoint of a job that succeeded has the golden run's weights and state."""
    for record, expected in _golden_pairs(history):
        if record.status != Status.SUCCEEDED:
            continue
        finals = [saved for saved in record.checkpoints if saved.final]
        if len(finals) != 1:
            yield f"{record.id}: there are {len(finals)} final checkpoints"
        for saved in finals:
            found = deterministic_hashes(saved.files)
            wrong = sorted(name for name, digest in expected.files.items() if found.get(name) != digest)
            if wrong:
                yield f"{record.id}: {', '.join(wrong)} differ from the golden run's"


def every_listed_checkpoint_is_whole(history: History) -> Iterator[str]:
    """I6. What is listed is there, with the size and the SHA-256 that the list tells."""
    yield from history.torn
    for record in history.records.values():
        for saved in record.checkpoints:
            for file in saved.files:
                if (wrong := verify_file(history.store, file["path"], file["size"], file["sha256"])) is not None:
                    yield f"{record.id}: {saved.id} is listed, and {file['name']} {wrong}"


def only_legal_transitions_happen(history: History) -> Iterator[str]:
    """I7. Every transition is in the table, begins where the last one ended, and the last one tells the status."""
    for record in history.records.values():
        status = Status.QUEUED
        for event in record.transitions:
            verb, source, target = Verb(event.data["verb"]), Status(event.data["from"]), Status(event.data["to"])
            sources, legal = TRANSITIONS[verb]
            if source != status or source not in sources or target != legal:
                yield f"{record.id}: {verb} led from {source} to {target}, and the job was {status}"
            status = target
        if record.status != status:
            yield f"{record.id}: is {record.status}, and its last transition led to {status}"
        numbers = [event.seq for event in record.events]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"{record.id}: the numbers of events have gaps"


def nothing_is_left_running(history: History) -> Iterator[str]:
    """I8. When all have ended there is no attempt any more, neither a process nor a lease nor an open wish."""
    for process in history.left_running:
        yield f"{process} still runs"
    for record in history.records.values():
        if record.status in TERMINAL_STATUSES and (record.lease_until is not None or record.wish is not None):
            yield f"{record.id}: has ended, with a lease until {record.lease_until} and the wish {record.wish}"


def nothing_follows_a_cancelled_end(history: History) -> Iterator[str]:
    """I9. A job whose cancelling was acknowledged ends within seconds, and nothing is written of it afterwards."""
    for each in history.acknowledged:
        record = history.records.get(each.job_id)
        if each.cancelled_at is None or record is None or not record.transitions:
            continue
        end = record.transitions[-1]
        if end.at - each.cancelled_at > CANCEL_SECONDS:
            yield f"{record.id}: ended {end.at - each.cancelled_at:.1f} s after cancelling was acknowledged"
        for event in record.transitions:
            if event.data["verb"] == Verb.CLAIM and event.at > each.cancelled_at:
                yield f"{record.id}: was claimed after cancelling was acknowledged"
        for event in record.events:
            if event.seq > end.seq:
                yield f"{record.id}: {event.kind} (event {event.seq}) was accepted after the end"


def edits_are_applied_once(history: History) -> Iterator[str]:
    """I10. Edits have numbers and revisions without gaps, one event for each, and no checkpoint is of no revision."""
    for record in history.records.values():
        if [edit.number for edit in record.edits] != list(range(1, len(record.edits) + 1)):
            yield f"{record.id}: the numbers of edits have gaps"
        made = sorted(edit.revision for edit in record.edits if edit.revision is not None)
        if made != list(range(2, record.revision + 1)):
            yield f"{record.id}: is at revision {record.revision}, and its edits made {made}"
        for edit in record.edits:
            if (edit.revision is not None) != (edit.state == EditState.APPLIED):
                yield f"{record.id}: edit {edit.number} is {edit.state}, and made revision {edit.revision}"
            if edit.state == EditState.ACCEPTED and record.status in TERMINAL_STATUSES:
                yield f"{record.id}: has ended, and edit {edit.number} still waits"
        events = Counter(event.data["revision"] for event in record.events if event.kind in REVISION_EVENTS)
        if sorted(events.elements()) != made:
            yield f"{record.id}: events tell of revisions {sorted(events.elements())}, and edits of {made}"
        for saved in record.checkpoints:
            if not 1 <= saved.revision <= record.revision:
                yield f"{record.id}: checkpoint {saved.id} is of revision {saved.revision}"


INVARIANTS: dict[str, Invariant] = {
    "I1": every_acknowledged_job_exists_and_ends,
    "I2": fences_grow_and_stale_writes_are_refused,
    "I3": steps_are_those_expected,
    "I4": values_are_equal_to_the_bit,
    "I5": weights_are_equal_to_the_bit,
    "I6": every_listed_checkpoint_is_whole,
    "I7": only_legal_transitions_happen,
    "I8": nothing_is_left_running,
    "I9": nothing_follows_a_cancelled_end,
    "I10": edits_are_applied_once,
}


def find_violations(history: History) -> list[str]:
    """Return everything that is wrong, each sentence with the invariant that says so."""
    return [f"{name} {told}" for name, invariant in INVARIANTS.items() for told in invariant(history)]


def verify_file(store: ArtifactStore, path: str, size: int, sha256: str) -> str | None:
    """Return what is wrong with a stored file, or `None`."""
    try:
        content = b"".join(store.read(path))
    except NotFound:
        return "is missing"
    if len(content) != size:
        return f"has {len(content)} bytes instead of {size}"
    return None if hashlib.sha256(content).hexdigest() == sha256 else "has another SHA-256"


def _golden_pairs(history: History) -> Iterator[tuple[JobRecord, GoldenRun]]:
    for each in {each.job_id: each for each in history.acknowledged}.values():
        if each.job_id in history.records and each.spec in history.golden:
            yield history.records[each.job_id], history.golden[each.spec]


def _by_step(series: SeriesPoints, name: str) -> dict[int, bytes]:
    steps, values = series.get(name, ((), b""))
    return {step: values[8 * place : 8 * place + 8] for place, step in enumerate(steps)}


def _step_difference(steps: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    doubled = [step for step, count in Counter(steps).items() if count > 1]
    missing, foreign = sorted(set(wanted) - set(steps)), sorted(set(steps) - set(wanted))
    return f"steps doubled {doubled[:5]}, missing {missing[:5]} ({len(missing)}), unexpected {foreign[:5]}"
