"""Edits of jobs, and the revisions that they make."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_29_1930_edits"
down_revision: str | Sequence[str] | None = "2026_11_29_1640_lists"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MADE = sa.text("revision IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "edits",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("expect_revision", sa.Integer(), nullable=True),
        sa.Column("at", sa.JSON(), nullable=False),
        sa.Column("operations", sa.JSON(), nullable=False),
        sa.Column("comment", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("key_id", sa.String(length=40), server_default=sa.text("''"), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("document", sa.JSON(), nullable=True),
        sa.Column("inspection", sa.JSON(), nullable=True),
        sa.Column("choices", sa.JSON(), nullable=True),
        sa.Column("problems", sa.JSON(), nullable=True),
        sa.Column("rule", sa.Integer(), nullable=True),
        sa.Column("firing", sa.Integer(), nullable=True),
        sa.Column("withdraw_requested", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("base", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("ended_at", sa.Float(53), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_edits_job_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_edits"),
    )
    op.create_index("ix_edits_revision", "edits", ["job_id", "revision"], sqlite_where=MADE, postgresql_where=MADE)
    op.add_column("jobs", sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("jobs", sa.Column("edit_changes", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("checkpoints", sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False))


def downgrade() -> None:
    op.drop_column("checkpoints", "revision")
    op.drop_column("jobs", "edit_changes")
    op.drop_column("jobs", "revision")
    op.drop_table("edits")
