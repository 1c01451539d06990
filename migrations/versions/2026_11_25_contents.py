"""Content of data sets is stored once for every owner."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2026_11_25_contents"
down_revision: str | Sequence[str] | None = "2026_11_24_first_tables"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

EARLIER = """
INSERT INTO contents (owner, sha256, path)
SELECT owner, sha256, min(path) FROM datasets WHERE path IS NOT NULL GROUP BY owner, sha256
"""


def upgrade() -> None:
    op.create_table(
        "contents",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "sha256", name="pk_contents"),
    )
    op.create_index("ix_datasets_owner_path", "datasets", ["owner", "path"])
    op.execute(EARLIER)


def downgrade() -> None:
    op.drop_index("ix_datasets_owner_path", table_name="datasets")
    op.drop_table("contents")
