"""An index of the events that tell no points, for those who list some kinds of events."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_29_2300_event_kinds"
down_revision: str | Sequence[str] | None = "2026_11_29_2250_statistics"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NO_METRICS = sa.text("kind != 'metrics'")


def upgrade() -> None:
    op.create_index(
        "ix_job_events_no_metrics",
        "job_events",
        ["job_id", "seq"],
        sqlite_where=NO_METRICS,
        postgresql_where=NO_METRICS,
    )


def downgrade() -> None:
    op.drop_index("ix_job_events_no_metrics", "job_events")
