"""Who reads a checkpoint, and a name for the database: what removing files needs to know."""

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_27_garbage"
down_revision: str | Sequence[str] | None = "2026_11_27_webhooks"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("checkpoints", sa.Column("read_at", sa.Float(53), nullable=True))
    deployment = op.create_table(
        "deployment",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deployment"),
    )
    op.bulk_insert(deployment, [{"id": f"dep_{uuid.uuid4().hex}"}])


def downgrade() -> None:
    op.drop_table("deployment")
    op.drop_column("checkpoints", "read_at")
