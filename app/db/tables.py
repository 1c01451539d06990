"""Every table. Times are Unix seconds (UTC) taken from the database's clock, sizes are bytes."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Text, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.db.uptime import BOOT_ID, CLOCK_FUNCTION


class now(FunctionElement[float]):  # noqa: N801 - reads as SQL
    """The database's clock, see `app.db.clock`: the only one of timestamps, expiry and retention. It may be set."""

    type = Float()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(SELECT {CLOCK_FUNCTION}(max(\"offset\")) FROM clock WHERE boot_id = '{BOOT_ID}')"  # noqa: S608 - constants


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


class Base(DeclarativeBase):
    """The declarative base; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        dict[str, Any]: JSON,
        list[Any]: JSON,
        str: Text,
        float: Float(53),
        int: BigInteger,
    }


def _partial_index(name: str, condition: str, *columns: str) -> Index:
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))


class KeyRow(Base):
    """An API key. The secret itself is never stored."""

    __tablename__ = "keys"
    __table_args__ = (Index("ix_keys_owner_id", "owner", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # key_…
    owner: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    scopes: Mapped[list[Any]]
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of the secret, hexadecimal
    old_digest: Mapped[str | None] = mapped_column(String(64))  # of the secret before the last rotation …
    old_until: Mapped[float | None]  # … which opens until then
    limits: Mapped[dict[str, Any] | None]  # what differs from the settings, see app.access.quotas
    created_at: Mapped[float] = mapped_column(default=now())
    expires_at: Mapped[float | None]
    revoked_at: Mapped[float | None]
    last_used_at: Mapped[float | None]  # to about a minute


class JobRow(Base):
    """A job. `fence` grows with every claim; `version` with every change that a reader can see."""

    __tablename__ = "jobs"
    __table_args__ = (
        # Holds all that claims look at: rows are long, and thousands may wait.
        Index("ix_jobs_waiting", "status", "queue", "key_id", "priority", "queued_at", "id", "not_before", "owner"),
        Index("ix_jobs_owner_id", "owner", "id"),
        # Lists, see app.jobs.listing.
        _partial_index("ix_jobs_status", "deleted_at IS NULL", "owner", "status", "id"),
        _partial_index("ix_jobs_name", "deleted_at IS NULL", "owner", "name", "status", "id"),
        _partial_index("ix_jobs_trash", "deleted_at IS NOT NULL", "owner", "id", "status", "name"),
        Index("ix_jobs_lease", "status", "lease_until"),
        Index("ix_jobs_finished_at", "finished_at"),
        _partial_index("ix_jobs_ended", "finished_at IS NOT NULL", "queue", "finished_at", "started_at"),
        Index("ix_jobs_deleted_at", "deleted_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # job_…
    owner: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str] = mapped_column(String(40), default="", server_default=text("''"))  # "": without a key
    name: Mapped[str]
    spec: Mapped[dict[str, Any]]  # as the user wrote it
    data_schema: Mapped[dict[str, Any]]  # app.spec.data.sources.DataSchema at submission
    inspection: Mapped[dict[str, Any]]  # shapes, parameters, memory
    labels: Mapped[dict[str, Any]]  # the spec's `metadata`
    status: Mapped[str] = mapped_column(String(16))
    phase: Mapped[str] = mapped_column(String(32), default="")
    wish: Mapped[str | None] = mapped_column(String(16))
    queue: Mapped[str] = mapped_column(String(40))
    priority: Mapped[int] = mapped_column(Integer)
    fence: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)  # consecutive infrastructure losses
    worker: Mapped[str | None]
    lease_until: Mapped[float | None]  # for figures; that it changes shows a live attempt, see workers.host.leases
    not_before: Mapped[float] = mapped_column(default=0.0)  # not claimed earlier: the spec's wish, or backoff
    version: Mapped[int] = mapped_column(default=1)
    last_seq: Mapped[int] = mapped_column(default=0)  # newest job_events.seq
    progress: Mapped[dict[str, Any]]  # step, epoch, total_steps, steps_per_epoch, rate, latest values
    result: Mapped[dict[str, Any] | None]  # final values, once ended
    error: Mapped[dict[str, Any] | None]  # code, message, pointer, retryable
    max_seconds: Mapped[float | None]
    created_at: Mapped[float] = mapped_column(default=now())
    queued_at: Mapped[float] = mapped_column(default=now())
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    deleted_at: Mapped[float | None]  # since then hidden, and soon removed
    updated_at: Mapped[float] = mapped_column(default=now())


class LabelRow(Base):
    """A label of a job, from its `labels`. `status` is the job's, or "deleted", so that one index has both.

    Triggers on `jobs` keep the rows, whoever writes: a worker of an older version, too.
    """

    __tablename__ = "job_labels"
    __table_args__ = (Index("ix_job_labels_value", "owner", "key", "value", "status", "job_id"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str]
    owner: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))


class EventRow(Base):
    """An event of a job, behind `/events` and the stream."""

    __tablename__ = "job_events"
    __table_args__ = (_partial_index("ix_job_events_status", "kind = 'status'", "job_id", "seq"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[float] = mapped_column(default=now())
    kind: Mapped[str] = mapped_column(String(32))  # see app.events.EventKind
    fence: Mapped[int]
    data: Mapped[dict[str, Any]]


class MetricChunkRow(Base):
    """Up to 4,096 points of one series, with a summary (min, max, last of every 64) for coarse views."""

    __tablename__ = "metric_chunks"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    series: Mapped[str] = mapped_column(Text, primary_key=True)  # paths of nodes have no limit
    chunk: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int]
    first_step: Mapped[int]
    last_step: Mapped[int]
    points: Mapped[bytes] = mapped_column(LargeBinary)
    summary: Mapped[bytes] = mapped_column(LargeBinary)


class CheckpointRow(Base):
    """A checkpoint. The row is its commit point: files without a row do not exist."""

    __tablename__ = "checkpoints"
    __table_args__ = (Index("ix_checkpoints_job_step", "job_id", "step"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # ckpt_…
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    fence: Mapped[int]
    step: Mapped[int]
    epoch: Mapped[float]
    values: Mapped[dict[str, Any]]  # series → value at this step, for `keep_best`
    files: Mapped[list[Any]]  # [{name, path, size, sha256, public}]
    final: Mapped[bool] = mapped_column(default=False)
    size: Mapped[int | None]  # of all files; older rows were counted when the column came
    created_at: Mapped[float] = mapped_column(default=now())
    read_at: Mapped[float | None]  # of the last request for its files, about


class DatasetRow(Base):
    """A registered data set: a named source, or uploaded content."""

    __tablename__ = "datasets"
    __table_args__ = (
        Index("ix_datasets_owner_id", "owner", "id"),
        Index("ix_datasets_owner_path", "owner", "path"),
        Index("ix_datasets_status", "owner", "status", "id"),
        Index("ix_datasets_name", "owner", "name", "status", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # ds_…
    owner: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    source: Mapped[dict[str, Any]]  # {"kind": "builtin"|"torchvision"|"upload", …}
    status: Mapped[str] = mapped_column(String(16))  # see app.datasets.lookup.DatasetStatus
    data_schema: Mapped[dict[str, Any] | None]
    preview: Mapped[list[Any] | None]
    problems: Mapped[list[Any] | None]
    size: Mapped[int] = mapped_column(default=0)  # bytes that have arrived
    sha256: Mapped[str | None] = mapped_column(String(64))
    parts: Mapped[list[Any]]  # [{path, size}] of an unfinished upload
    path: Mapped[str | None]  # of the content in the artifact store, which other rows of the owner may have too
    created_at: Mapped[float] = mapped_column(default=now())
    touched_at: Mapped[float | None]  # when the last piece of an upload arrived


class ContentRow(Base):
    """Content of an owner's data sets, which all that have it share. It goes with the last of them."""

    __tablename__ = "contents"

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    path: Mapped[str]  # in the artifact store


class WebhookRow(Base):
    """A receiver of messages about an owner's jobs. Its secrets are sealed, see `app.db.sealing`."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # whk_…
    owner: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str]
    url: Mapped[str]
    events: Mapped[list[Any]]  # of app.webhooks.messages.MessageType
    all_jobs: Mapped[bool]  # or only those that name it
    secret: Mapped[str]  # whsec_…, sealed
    old_secret: Mapped[str | None]  # the one before, under which messages are signed too
    old_until: Mapped[float | None]
    failing_since: Mapped[float | None]  # no message has arrived since
    disabled_at: Mapped[float | None]
    disabled_reason: Mapped[str | None]
    created_at: Mapped[float] = mapped_column(default=now())


class DeliveryRow(Base):
    """A message to one webhook, written in the transaction of its event. Its id is the same at every attempt."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_due", "status", "next_at"),
        Index("ix_webhook_deliveries_webhook_id", "webhook_id", "id"),
        Index("ix_webhook_deliveries_status", "webhook_id", "status", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # msg_…
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    job_id: Mapped[str | None] = mapped_column(String(40))  # which may be gone
    type: Mapped[str] = mapped_column(String(32))
    body: Mapped[str]  # as it is signed
    status: Mapped[str] = mapped_column(String(16), default="pending")  # see app.webhooks.deliveries.DeliveryStatus
    tries: Mapped[int] = mapped_column(Integer, default=0)  # of this round; a resend begins another
    claim: Mapped[int] = mapped_column(default=0)  # grows with every attempt: only the last one may record its end
    next_at: Mapped[float] = mapped_column(default=now())
    lease_until: Mapped[float | None]  # while an attempt is under way
    attempts: Mapped[list[Any]]  # the last ones: [{at, seconds, status, error, detail}]
    created_at: Mapped[float] = mapped_column(default=now())
    ended_at: Mapped[float | None]


class ClockRow(Base):
    """SQLite's clock, one row: what to add to the uptime since this start of the machine. PostgreSQL needs none."""

    __tablename__ = "clock"

    boot_id: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the kernel
    offset: Mapped[float]


class DeploymentRow(Base):
    """The one row that names this database, so that its artifact store is not taken for another one's."""

    __tablename__ = "deployment"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)


class IdempotencyRow(Base):
    """The response under an Idempotency-Key; written in the transaction of the effect."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_created_at", "created_at"),)

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of method, path and body
    status: Mapped[int] = mapped_column(Integer)
    body: Mapped[dict[str, Any]]
    created_at: Mapped[float] = mapped_column(default=now())


class WorkerRow(Base):
    """The last heartbeat of a worker: for estimates and metrics; leases alone decide who owns a job."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    queues: Mapped[list[Any]]
    slots: Mapped[int] = mapped_column(Integer)
    seen_at: Mapped[float] = mapped_column(default=now())
    version: Mapped[str | None]  # this and what follows is empty where an older version does not report it
    free: Mapped[int | None] = mapped_column(Integer)
    deaf_seconds: Mapped[float | None]  # for how long it has not heard wake-ups that it sent to itself
    figures: Mapped[dict[str, Any] | None]  # counts since its start, see workers.host.heartbeat
    started_at: Mapped[float | None]
    stopped_at: Mapped[float | None]  # of one that stopped in order


class AuditRow(Base):
    """Who did what to which object; only ever appended, and removed when it is old."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_owner_id", "owner", "id"),
        Index("ix_audit_at", "at"),
        Index("ix_audit_action", "owner", "action", "id"),
        Index("ix_audit_key", "owner", "key_id", "action", "id"),
        Index("ix_audit_target", "owner", "target", "action", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # aud_…
    at: Mapped[float] = mapped_column(default=now())
    owner: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str | None] = mapped_column(String(40))
    request_id: Mapped[str] = mapped_column(String(64))
    address: Mapped[str | None] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))  # see app.access.audit.Action
    target: Mapped[str | None] = mapped_column(String(64))
    data: Mapped[dict[str, Any]]
