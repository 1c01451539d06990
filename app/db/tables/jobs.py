"""Tables of jobs and what belongs to them: labels, events, curves, checkpoints."""

from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, now, partial_index


class JobRow(Base):
    """A job. `fence` grows with every claim; `version` with every change that a reader can see."""

    __tablename__ = "jobs"
    __table_args__ = (
        # Holds all that claims look at: rows are long, and thousands may wait.
        Index("ix_jobs_waiting", "status", "queue", "key_id", "priority", "queued_at", "id", "not_before", "owner"),
        Index("ix_jobs_owner_id", "owner", "id"),
        # Lists, see app.jobs.listing.
        partial_index("ix_jobs_status", "deleted_at IS NULL", "owner", "status", "id"),
        partial_index("ix_jobs_name", "deleted_at IS NULL", "owner", "name", "status", "id"),
        partial_index("ix_jobs_trash", "deleted_at IS NOT NULL", "owner", "id", "status", "name"),
        Index("ix_jobs_lease", "status", "lease_until"),
        Index("ix_jobs_finished_at", "finished_at"),
        partial_index("ix_jobs_ended", "finished_at IS NOT NULL", "queue", "finished_at", "started_at"),
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
    revision: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))  # 1: the spec, see app.edits
    edit_changes: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))  # of edits that wait
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
    __table_args__ = (
        partial_index("ix_job_events_status", "kind = 'status'", "job_id", "seq"),
        partial_index("ix_job_events_no_metrics", "kind != 'metrics'", "job_id", "seq"),
    )

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


class StatisticLayoutRow(Base):
    """Which series the samples of a job's statistics have, in order; an edit of the network makes another layout."""

    __tablename__ = "statistic_layouts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(32), primary_key=True)
    series: Mapped[list[Any]]  # [[node, quantity]]
    histograms: Mapped[list[Any]]  # [[node, quantity]]


class StatisticSampleRow(Base):
    """The statistics of one step: all series in one row, see `app.statistics`."""

    __tablename__ = "statistic_samples"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    layout: Mapped[str] = mapped_column(String(32))  # the digest of a row of `statistic_layouts`
    values: Mapped[bytes] = mapped_column(LargeBinary)  # float32, in the order of the layout
    histograms: Mapped[bytes | None] = mapped_column(LargeBinary)


class CheckpointRow(Base):
    """A checkpoint. The row is its commit point: files without a row do not exist."""

    __tablename__ = "checkpoints"
    __table_args__ = (Index("ix_checkpoints_job_step", "job_id", "step"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # ckpt_…
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    fence: Mapped[int]
    step: Mapped[int]
    revision: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))  # of the job, that it is of
    epoch: Mapped[float]
    values: Mapped[dict[str, Any]]  # series → value at this step, for `keep_best`
    files: Mapped[list[Any]]  # [{name, path, size, sha256, public}]
    final: Mapped[bool] = mapped_column(default=False)
    size: Mapped[int | None]  # of all files; older rows were counted when the column came
    created_at: Mapped[float] = mapped_column(default=now())
    read_at: Mapped[float | None]  # of the last request for its files, about
