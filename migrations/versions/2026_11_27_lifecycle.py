"""Keys of jobs, deleted jobs, what keys may use and how long, workers that live, the audit."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_27_lifecycle"
down_revision: str | Sequence[str] | None = "2026_11_25_contents"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

WAITING = ["status", "queue", "key_id", "priority", "queued_at", "id", "not_before", "owner"]
ADDED: dict[str, dict[str, sa.types.TypeEngine[object]]] = {
    "keys": {
        "old_digest": sa.String(length=64),
        "old_until": sa.Float(precision=53),
        "limits": sa.JSON(),
        "expires_at": sa.Float(precision=53),
        "last_used_at": sa.Float(precision=53),
    },
    "jobs": {"deleted_at": sa.Float(precision=53)},
    "checkpoints": {"size": sa.BigInteger()},
    "datasets": {"touched_at": sa.Float(precision=53)},
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind, nullable=True))
    op.add_column("jobs", sa.Column("key_id", sa.String(length=40), nullable=False, server_default=sa.text("''")))
    op.drop_index("ix_jobs_claim", table_name="jobs")
    op.create_index("ix_jobs_waiting", "jobs", WAITING)
    op.create_index("ix_jobs_finished_at", "jobs", ["finished_at"])
    op.create_index("ix_jobs_deleted_at", "jobs", ["deleted_at"])
    _create_workers()
    _create_audit()
    _count_checkpoints()


def _create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("queues", sa.JSON(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_owner_id", "audit", ["owner", "id"])
    op.create_index("ix_audit_at", "audit", ["at"])


def _count_checkpoints() -> None:
    """Note the size of every checkpoint's files."""
    columns = (sa.column("id", sa.String), sa.column("files", sa.JSON), sa.column("size", sa.BigInteger))
    table = sa.table("checkpoints", *columns)
    connection = op.get_bind()
    sizes = [
        {"this": row.id, "total": sum(file.get("size", 0) for file in row.files)}
        for row in connection.execute(sa.select(table.c.id, table.c.files))
    ]
    if sizes:
        counted = table.update().where(table.c.id == sa.bindparam("this")).values(size=sa.bindparam("total"))
        connection.execute(counted, sizes)


def downgrade() -> None:
    op.drop_table("audit")
    op.drop_table("workers")
    for index in ("ix_jobs_deleted_at", "ix_jobs_finished_at", "ix_jobs_waiting"):
        op.drop_index(index, table_name="jobs")
    op.create_index("ix_jobs_claim", "jobs", ["status", "queue", "priority", "queued_at"])
    op.drop_column("jobs", "key_id")
    for table, columns in ADDED.items():
        for name in columns:
            op.drop_column(table, name)
