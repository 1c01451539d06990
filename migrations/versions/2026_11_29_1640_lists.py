"""Indexes for every filter of a list, and labels of jobs in a table of their own."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_29_1640_lists"
down_revision: str | Sequence[str] | None = "2026_11_29_1610_clock"
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
# What stands beside a label, of the job in a row; the labels of a row as a table.
STATUS = "CASE WHEN {row}.deleted_at IS NULL THEN {row}.status ELSE 'deleted' END"
LABELS = {
    "sqlite": "json_each(CASE json_type({row}.labels) WHEN 'object' THEN {row}.labels ELSE '{{}}' END)",
    "postgresql": "json_each_text(CASE json_typeof({row}.labels) WHEN 'object' THEN {row}.labels ELSE '{{}}' END)",
}
INSERT = "INSERT INTO job_labels (job_id, key, value, owner, status)"
SELECT = " SELECT {row}.id, pair.key, pair.value, {row}.owner, " + STATUS + " FROM "  # noqa: S608 - constants
UPDATE = f"UPDATE job_labels SET status = {STATUS.format(row='NEW')} WHERE job_id = NEW.id"  # noqa: S608 - constants
WHEN = {"job_labels_insert": "AFTER INSERT ON jobs", "job_labels_update": "AFTER UPDATE OF status, deleted_at ON jobs"}


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
    """Store the labels that jobs have, and make triggers that keep them."""
    dialect = op.get_bind().dialect.name
    labels = LABELS[dialect]
    op.execute(f"{INSERT}{SELECT.format(row='jobs')} jobs, {labels.format(row='jobs')} AS pair")
    insert = f"{INSERT}{SELECT.format(row='NEW')} {labels.format(row='NEW')} AS pair"
    for name, statement in (("job_labels_insert", insert), ("job_labels_update", UPDATE)):
        if dialect == "sqlite":
            op.execute(f"CREATE TRIGGER {name} {WHEN[name]} BEGIN {statement}; END")
        else:
            body = f"BEGIN {statement}; RETURN NULL; END"
            op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
            op.execute(f"CREATE TRIGGER {name} {WHEN[name]} FOR EACH ROW EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    op.create_index("ix_keys_owner", "keys", ["owner"])
    for name, (table, _, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
    postgresql = op.get_bind().dialect.name == "postgresql"
    for name in WHEN:
        op.execute(f"DROP TRIGGER {name}" + (" ON jobs" if postgresql else ""))
        if postgresql:
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("job_labels")
