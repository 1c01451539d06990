"""What the API answers: every document, once, with a sentence for each field that needs one."""

from app.api.schemas.catalog import Catalog, CatalogKind
from app.api.schemas.datasets import Dataset, DatasetPage
from app.api.schemas.jobs import Failure, Job, JobPage, JobSummary, Report, Transition, summary
from app.api.schemas.keys import Key, KeyPage, KeyRequest, NewKey
from app.api.schemas.predictions import Chance, Predicted, PredictedOutput, Predictions
from app.api.schemas.problems import Inspection, Liveness, ProblemDetail, ProblemDocument, Readiness
from app.api.schemas.records import (
    Checkpoint,
    CheckpointFile,
    CheckpointPage,
    Curves,
    Event,
    EventPage,
    JobReport,
    Series,
)

__all__ = [
    "Catalog",
    "CatalogKind",
    "Chance",
    "Checkpoint",
    "CheckpointFile",
    "CheckpointPage",
    "Curves",
    "Dataset",
    "DatasetPage",
    "Event",
    "EventPage",
    "Failure",
    "Inspection",
    "Job",
    "JobPage",
    "JobReport",
    "JobSummary",
    "Key",
    "KeyPage",
    "KeyRequest",
    "Liveness",
    "NewKey",
    "Predicted",
    "PredictedOutput",
    "Predictions",
    "ProblemDetail",
    "ProblemDocument",
    "Readiness",
    "Report",
    "Series",
    "Transition",
    "summary",
]
