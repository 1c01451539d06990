"""The clock of SQLite, by which all processes of a machine agree."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_29_1610_clock"
down_revision: str | Sequence[str] | None = "2026_11_27_workers_tell"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "clock",
        sa.Column("boot_id", sa.String(length=64), nullable=False),
        sa.Column("offset", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("boot_id", name=op.f("pk_clock")),
    )


def downgrade() -> None:
    op.drop_table("clock")
