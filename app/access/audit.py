"""The audit log: who did what to which object, and when. Rows are appended in the transaction of the effect."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from app.db.paging import IndexedRows, paginate
from app.db.tables import AuditRow, now, table_of
from app.ids import new_id

P = ParamSpec("P")
R = TypeVar("R")

_INSERT = insert(table_of(AuditRow))


class Action(StrEnum):
    """Audited actions."""

    JOB_CREATE = "job.create"
    """A job was submitted."""
    JOB_FORK = "job.fork"
    """A job was submitted that starts from another one's checkpoint."""
    JOB_CANCEL = "job.cancel"
    """A job's cancellation was requested."""
    JOB_PAUSE = "job.pause"
    """A job's pause was requested."""
    JOB_RESUME = "job.resume"
    """A paused job was resumed."""
    JOB_RETRY = "job.retry"
    """An ended job was retried."""
    JOB_DELETE = "job.delete"
    """A job was deleted: data {purge}."""
    JOB_RESTORE = "job.restore"
    """A deleted job was restored."""
    JOB_EDIT = "job.edit"
    """An edit of a job was accepted: data {edit}."""
    JOB_EDIT_WITHDRAW = "job.edit_withdraw"
    """An edit was withdrawn, or that was requested: data {edit}."""
    JOB_ROLLBACK = "job.rollback"
    """A job went back to a checkpoint: data {edit, checkpoint}."""
    DATASET_CREATE = "dataset.create"
    """A data set was registered."""
    DATASET_UPLOAD = "dataset.upload"
    """Content arrived: data {status, received}."""
    DATASET_DELETE = "dataset.delete"
    """A data set was deleted."""
    KEY_CREATE = "key.create"
    """A key was created: data {scopes}."""
    KEY_CHANGE = "key.change"
    """A key's name, expiry or limits were changed: data, what was changed."""
    KEY_ROTATE = "key.rotate"
    """A key got a new secret: data {grace_seconds}."""
    KEY_REVOKE = "key.revoke"
    """A key was revoked."""
    SESSION_CREATE = "session.create"
    """A browser was signed in with the key: data {by}, `key` or `link`."""
    SESSION_DELETE = "session.delete"
    """A browser was signed out."""
    SESSION_LINK = "session.link"
    """A link was made that signs in with the key, once."""
    WEBHOOK_CREATE = "webhook.create"
    """A webhook was created."""
    WEBHOOK_DELETE = "webhook.delete"
    """A webhook was deleted."""
    WEBHOOK_ROTATE = "webhook.rotate"
    """A webhook got a new secret."""
    WEBHOOK_ENABLE = "webhook.enable"
    """A disabled webhook was enabled."""
    WEBHOOK_SEND = "webhook.send"
    """A test message or another delivery was requested: data {message}."""
    REFUSED = "refused"
    """Requests without a valid key, or without the scope: data {code, count}."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The sender of a request."""

    owner: str
    key_id: str | None
    request_id: str
    address: str | None


def append(
    session: Session, actor: Actor, action: Action, target: str | None, data: Mapping[str, object] | None = None
) -> None:
    """Append an entry about the object `target`."""
    entry = {
        "id": new_id("aud"),
        "owner": actor.owner,
        "key_id": actor.key_id,
        "request_id": actor.request_id,
        "address": actor.address and actor.address[:64],
        "action": action,
        "target": target,
        "data": dict(data or {}),
    }
    session.execute(_INSERT, entry)


def with_audit(
    actor: Actor,
    action: Action,
    target: str,
    unit: Callable[Concatenate[Session, P], R],
    data: Mapping[str, object] | None = None,
) -> Callable[Concatenate[Session, P], R]:
    """Return a unit of work that appends an entry if it succeeds."""

    def noting(session: Session, /, *args: P.args, **kwargs: P.kwargs) -> R:
        result = unit(session, *args, **kwargs)
        append(session, actor, action, target, data)
        return result

    return noting


def page(
    session: Session,
    owner: str,
    limit: int,
    after: str | None = None,
    action: Sequence[str] = (),
    key_id: str | None = None,
    target: str | None = None,
) -> tuple[Sequence[AuditRow], bool]:
    """Return up to `limit` entries, newest first, older than `after`; and whether there are more."""
    values: dict[Any, str] = {AuditRow.owner: owner}
    conditions = []
    if target is not None:
        values[AuditRow.target] = target
        conditions = [AuditRow.key_id == key_id] if key_id is not None else []
    elif key_id is not None:
        values[AuditRow.key_id] = key_id
    parts = [IndexedRows(AuditRow.id, values | {AuditRow.action: each}, conditions) for each in action or Action]
    return paginate(session, select(AuditRow), AuditRow.id, limit, after, parts)


def purge(session: Session, seconds: float, limit: int = 1000) -> int:
    """Remove up to `limit` entries older than `seconds`; return how many."""
    old = select(AuditRow.id).where(AuditRow.at < now() - seconds).limit(limit)
    removed = delete(AuditRow).where(AuditRow.id.in_(old)).returning(AuditRow.id)
    return len(session.scalars(removed, execution_options={"synchronize_session": False}).all())
