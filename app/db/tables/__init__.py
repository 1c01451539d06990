"""Every table. Times are Unix seconds (UTC) taken from the database's clock, sizes are bytes.

Here: rows, constraints and indexes, by what they are about. Never: a query.
"""

from app.db.tables.access import AuditRow, IdempotencyRow, KeyRow, SessionLinkRow, SessionRow
from app.db.tables.base import Base, now, table_of
from app.db.tables.datasets import ContentRow, DatasetRow
from app.db.tables.edits import EditRow
from app.db.tables.jobs import (
    CheckpointRow,
    EventRow,
    JobRow,
    LabelRow,
    MetricChunkRow,
    StatisticLayoutRow,
    StatisticSampleRow,
)
from app.db.tables.processes import ClockRow, DeploymentRow, WorkerRow
from app.db.tables.webhooks import DeliveryRow, WebhookRow

__all__ = [
    "AuditRow",
    "Base",
    "CheckpointRow",
    "ClockRow",
    "ContentRow",
    "DatasetRow",
    "DeliveryRow",
    "DeploymentRow",
    "EditRow",
    "EventRow",
    "IdempotencyRow",
    "JobRow",
    "KeyRow",
    "LabelRow",
    "MetricChunkRow",
    "SessionLinkRow",
    "SessionRow",
    "StatisticLayoutRow",
    "StatisticSampleRow",
    "WebhookRow",
    "WorkerRow",
    "now",
    "table_of",
]
