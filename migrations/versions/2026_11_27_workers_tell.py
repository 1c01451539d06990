"""Heartbeats report more, so that a worker which stopped listening is noticed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_27_workers_tell"
down_revision: str | Sequence[str] | None = "2026_11_27_garbage"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ADDED: dict[str, sa.types.TypeEngine[object]] = {
    "version": sa.Text(),
    "free": sa.Integer(),
    "deaf_seconds": sa.Float(precision=53),
    "figures": sa.JSON(),
    "started_at": sa.Float(precision=53),
    "stopped_at": sa.Float(precision=53),
}


def upgrade() -> None:
    for name, kind in ADDED.items():
        op.add_column("workers", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for name in ADDED:
        op.drop_column("workers", name)
