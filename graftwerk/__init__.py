"""Graftwerk's client: submit training jobs, watch their curves, download their weights.

>>> from graftwerk import Client
>>> with Client() as client:
...     job = client.jobs.create(spec).wait()
...     job.download("weights")
"""

from graftwerk.client import Client
from graftwerk.errors import CannotExpress, GraftwerkClientError
from graftwerk.jobs import Job
from graftwerk.tracing.trace import Traced, trace
from graftwerk.types import Checkpoint, Dataset, Event, File, Key, Metrics

__all__ = [
    "CannotExpress",
    "Checkpoint",
    "Client",
    "Dataset",
    "Event",
    "File",
    "GraftwerkClientError",
    "Job",
    "Key",
    "Metrics",
    "Traced",
    "trace",
]
