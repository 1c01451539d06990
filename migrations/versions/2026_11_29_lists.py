"""Indexes for every filter of a list, and labels of jobs in a table of their own."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_29_lists"
down_revision: str | Sequence[str] | None = "2026_11_27_workers_tell"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SHOWN, HIDDEN, ENDED = "deleted_at IS NULL", "deleted_at IS NOT NULL", "finished_at IS NOT NULL"
# Name → table, columns, condition.
INDEXES: dict[str, tuple[str, list[str], str | None]] = {
    "ix_jobs_status": ("jobs", ["owner", "status", "id"], SHOWN),
    "ix_jobs_name": ("jobs", ["owner", "name", "status", "id"], SHOWN),
    "ix_jobs_trash": ("jobs", ["owner", "id", "status", "name"], HIDDEN),
    "ix_jobs_ended": ("jobs", ["queue", "finished_at", "started_at"], ENDED),
    "ix_job_events_status": ("job_events", ["job_id", "seq"], "kind = 'status'"),
    "ix_datasets_status": ("datasets", ["owner", "status", "id"], None),
    "ix_datasets_name": ("datasets", ["owner", "name", "status", "id"], None),
    "ix_webhook_deliveries_status": ("webhook_deliveries", ["webhook_id", "status", "id"], None),
    "ix_audit_action": ("audit", ["owner", "action", "id"], None),
    "ix_audit_key": ("audit", ["owner", "key_id", "action", "id"], None),
    "ix_audit_target": ("audit", ["owner", "target", "action", "id"], None),
    "ix_keys_owner_id": ("keys", ["owner", "id"], None),
    "ix_idempotency_created_at": ("idempotency", ["created_at"], None),
}
COPY = """INSERT INTO job_labels (job_id, key, value, owner, status)
SELECT jobs.id, pair.key, pair.value, jobs.owner, CASE WHEN jobs.deleted_at IS NULL THEN jobs.status ELSE 'deleted' END
FROM jobs, """
COPIES = {"sqlite": COPY + "json_each(jobs.labels) AS pair", "postgresql": COPY + "json_each_text(jobs.labels) AS pair"}


def upgrade() -> None:
    op.create_table(
        "job_labels",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_labels_job_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "key", name="pk_job_labels"),
    )
    _copy_labels()
    op.create_index("ix_job_labels_value", "job_labels", ["owner", "key", "value", "status", "job_id"])
    for name, (table, columns, condition) in INDEXES.items():
        where = sa.text(condition) if condition is not None else None
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    op.drop_index("ix_keys_owner", table_name="keys")


def _copy_labels() -> None:
    """Store the labels that jobs have."""
    op.execute(COPIES[op.get_bind().dialect.name])


def downgrade() -> None:
    op.create_index("ix_keys_owner", "keys", ["owner"])
    for name, (table, _, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
    op.drop_table("job_labels")
