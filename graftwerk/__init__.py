"""Graftwerk's client: submit training jobs, watch their curves, download their weights.

>>> from graftwerk import Client
>>> with Client() as client:
...     job = client.jobs.create(spec).wait()
...     job.download("weights")

`AsyncClient` has the same methods as coroutines:

>>> async with AsyncClient() as client:
...     job = await client.jobs.create(spec)
...     async for event in job.stream():
...         print(event.kind)
"""

from graftwerk.client import AsyncClient, Client
from graftwerk.errors import CannotExpress, GraftwerkClientError, NotVerified
from graftwerk.jobs import AsyncJob, Job
from graftwerk.tracing.trace import Traced, trace
from graftwerk.types import Checkpoint, Dataset, Delivery, Event, File, Key, Metrics, Point, Proposal, Webhook
from graftwerk.webhooks import verify

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "CannotExpress",
    "Checkpoint",
    "Client",
    "Dataset",
    "Delivery",
    "Event",
    "File",
    "GraftwerkClientError",
    "Job",
    "Key",
    "Metrics",
    "NotVerified",
    "Point",
    "Proposal",
    "Traced",
    "Webhook",
    "trace",
    "verify",
]
