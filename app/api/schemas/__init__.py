"""The models of all responses, with a description of each field that needs one.

Here: Pydantic models of responses. Never: models of what users write (see `app.spec`).
"""

from app.api.schemas.audit import AuditEntry, AuditPage
from app.api.schemas.catalog import Catalog, CatalogKind
from app.api.schemas.datasets import Dataset, DatasetPage, Proposal
from app.api.schemas.edits import DryRun, Edit, EditDetail, EditPage, FunctionDifference, NetworkDiff, NodeChange
from app.api.schemas.jobs import Failure, Job, JobPage, JobSummary, Report, Transition, job_summary, network_inspection
from app.api.schemas.keys import (
    Key,
    KeyChange,
    KeyLimits,
    KeyPage,
    KeyRequest,
    KeyRotation,
    NewKey,
    SessionLink,
    SignedIn,
    SignIn,
    Usage,
    UsedLimit,
)
from app.api.schemas.predictions import Chance, Predicted, PredictedOutput, Predictions
from app.api.schemas.problems import Inspection, Liveness, ProblemDetail, ProblemDocument, Readiness
from app.api.schemas.records import (
    Checkpoint,
    CheckpointFile,
    CheckpointPage,
    Curves,
    Event,
    EventPage,
    JobEvaluation,
    JobReport,
    JobTest,
    Series,
)
from app.api.schemas.webhooks import (
    Delivery,
    DeliveryAttempt,
    DeliveryPage,
    NewWebhook,
    Webhook,
    WebhookPage,
    WebhookRequest,
)
from app.api.schemas.workers import Worker, WorkerPage

__all__ = [
    "AuditEntry",
    "AuditPage",
    "Catalog",
    "CatalogKind",
    "Chance",
    "Checkpoint",
    "CheckpointFile",
    "CheckpointPage",
    "Curves",
    "Dataset",
    "DatasetPage",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryPage",
    "DryRun",
    "Edit",
    "EditDetail",
    "EditPage",
    "Event",
    "EventPage",
    "Failure",
    "FunctionDifference",
    "Inspection",
    "Job",
    "JobEvaluation",
    "JobPage",
    "JobReport",
    "JobSummary",
    "JobTest",
    "Key",
    "KeyChange",
    "KeyLimits",
    "KeyPage",
    "KeyRequest",
    "KeyRotation",
    "Liveness",
    "NetworkDiff",
    "NewKey",
    "NewWebhook",
    "NodeChange",
    "Predicted",
    "PredictedOutput",
    "Predictions",
    "ProblemDetail",
    "ProblemDocument",
    "Proposal",
    "Readiness",
    "Report",
    "Series",
    "SessionLink",
    "SignIn",
    "SignedIn",
    "Transition",
    "Usage",
    "UsedLimit",
    "Webhook",
    "WebhookPage",
    "WebhookRequest",
    "Worker",
    "WorkerPage",
    "job_summary",
    "network_inspection",
]
