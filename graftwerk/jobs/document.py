"""A job as the service describes it: what both clients' jobs and all their parts are made of."""

from collections.abc import Mapping
from typing import Any

from graftwerk.http.resources import Resource
from graftwerk.http.transport import Transport
from graftwerk.notebook.views import job_html
from graftwerk.types import TERMINAL_STATUSES


class JobDocument(Resource):
    """A job, as of the last response of the service."""

    def __init__(self, transport: Transport, document: Mapping[str, Any]) -> None:
        super().__init__(transport)
        self.document = document

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id}, {self.name!r}, {self.status})"

    @property
    def id(self) -> str:
        """The identifier, such as ``job_0199…``."""
        return str(self.document["id"])

    @property
    def name(self) -> str:
        """The name in the spec."""
        return str(self.document["name"])

    @property
    def status(self) -> str:
        """One of queued, running, paused, succeeded, failed, cancelled."""
        return str(self.document["status"])

    @property
    def phase(self) -> str:
        """The current phase of a running job; empty otherwise."""
        return str(self.document.get("phase") or "")

    @property
    def ended(self) -> bool:
        """Whether the job has succeeded, failed or been cancelled."""
        return self.status in TERMINAL_STATUSES

    @property
    def last_event(self) -> int:
        """The number of the last event that this document takes into account."""
        return int(self.document.get("last_event") or 0)

    @property
    def progress(self) -> Mapping[str, Any]:
        """step, epoch, total_steps, steps_per_epoch, rate (steps per second) and `latest` values by series."""
        return self.document.get("progress") or {}

    @property
    def error(self) -> Mapping[str, Any] | None:
        """The error of a failed job: code, message, pointer, retryable."""
        return self.document.get("error")

    def _repr_html_(self) -> str:
        return job_html(self.document, self.url)

    @property
    def url(self) -> str:
        """The address of the job's page in a browser."""
        return f"{self._transport.url}/jobs/{self.id}"

    def _path(self, end: str = "") -> str:
        return f"/v1/jobs/{self.id}{end}"
