"""Live surgery: edits of a job's network and plan, its revisions, and the way back.

>>> edit = job.edit({"op": "widen", "node": "fc1", "to": 256}, at={"step": 5000})
>>> job.wait_for_edit(edit.number).revision
2
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from graftwerk.errors import Problem, WaitTimeout, parse_problem
from graftwerk.http.pagination import paginate
from graftwerk.http.transport import Transport

Operation = Mapping[str, Any]
At = str | Mapping[str, Any]
POLL_SECONDS, MAX_POLL_SECONDS = 0.1, 2.0  # between two reads of a pending edit; doubled by every read


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit of a job. `state`: accepted, applied, rejected or withdrawn."""

    number: int
    state: str
    at: At
    operations: Sequence[Operation]
    step: int | None  # before which it was applied
    revision: int | None  # that it made
    problems: tuple[Problem, ...]  # why it was rejected
    document: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Edit":
        """Build an edit from the service's JSON."""
        return cls(
            document["number"],
            document["state"],
            document["at"],
            document["operations"],
            document.get("step"),
            document.get("revision"),
            tuple(map(parse_problem, document.get("problems") or ())),
            document,
        )

    @property
    def pending(self) -> bool:
        """Whether it is accepted and waits for its moment."""
        return self.state == "accepted"


class EditedJob:
    """The edits of a job; base class of `Job`."""

    def __init__(self, transport: Transport, document: Mapping[str, Any]) -> None:
        self._transport = transport
        self.document = document

    @property
    def id(self) -> str:
        """The identifier, such as ``job_0199…``."""
        return str(self.document["id"])

    def edit(
        self,
        operations: Operation | Sequence[Operation],
        *,
        at: At = "now",
        expect_revision: int | None = None,
        comment: str = "",
        idempotency_key: str | None = None,
    ) -> Edit:
        """Change the network or the plan of the job, while it trains: all operations together, or none.

        `at`: "now", {"step": 5000}, {"epoch": 3}, or {"when": {"metric": "val/loss", "below": 0.3}}. With
        `expect_revision` the edit is refused if the job has another revision by now.

        Returns the accepted edit, which waits for its moment; see `wait_for_edit`. One call makes one edit, retries
        included. Raises `InvalidRequest` with every problem of the operations, and `Conflict` if the job has another
        revision, has ended, or has a pending edit that would be applied later.
        """
        body = _body(operations, at, expect_revision, comment)
        return Edit.from_document(self._transport.create(self._path("/edits"), key=idempotency_key, json=body))

    def edit_dry_run(
        self, operations: Operation | Sequence[Operation], *, at: At = "now", expect_revision: int | None = None
    ) -> Mapping[str, Any]:
        """Return what an edit would change, without making it. Takes and raises what `edit` does.

        The report has shapes, parameters and memory before and after, and the measured difference of the outputs.
        """
        body = _body(operations, at, expect_revision, "")
        report: Mapping[str, Any] = self._transport.json(
            "POST", self._path("/edits/dry-run"), json=body, repeatable=True
        )
        return report

    def edits(self) -> list[Edit]:
        """Return the edits of the job, in the order of their numbers."""
        return [Edit.from_document(item) for item in paginate(self._transport, self._path("/edits"))]

    def get_edit(self, number: int) -> Edit:
        """Return an edit. Raises `NotFound`."""
        return Edit.from_document(self._transport.json("GET", self._path(f"/edits/{number}")))

    def wait_for_edit(self, number: int, timeout: float | None = None) -> Edit:
        """Wait until an edit is applied, rejected or withdrawn, and return it.

        Raises `WaitTimeout` after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        pause = POLL_SECONDS
        while (edit := self.get_edit(number)).pending:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise WaitTimeout(f"edit {number} of {self.id} still waits for its moment after {timeout:g} s")
            self._transport.sleep(min(pause, remaining))
            pause = min(2 * pause, MAX_POLL_SECONDS)
        return edit

    def withdraw_edit(self, number: int) -> None:
        """Withdraw an edit that is not applied yet. Raises `Conflict` if it is."""
        self._transport.request("DELETE", self._path(f"/edits/{number}"))

    def rollback(self, revision: int, step: int | None = None) -> Self:
        """Go back to a checkpoint of an earlier revision, at `step` (default: its newest), as a new revision.

        Nothing is deleted: the job goes on from there. Raises `NotFound` if no such checkpoint is kept.
        """
        body = {"revision": revision} | ({"step": step} if step is not None else {})
        self.document = self._transport.create(self._path("/rollback"), json=body)
        return self

    def network(self, revision: int | None = None) -> Mapping[str, Any]:
        """Return the network of a revision (default: the current one): nodes, shapes, parameters."""
        found: Mapping[str, Any] = self._transport.json("GET", self._path("/network"), params={"revision": revision})
        return found

    def network_diff(self, from_: int | None = None, to: int | None = None) -> Mapping[str, Any]:
        """Return what changed between two revisions (default: the first and the current one)."""
        params = {"from": from_, "to": to}
        found: Mapping[str, Any] = self._transport.json("GET", self._path("/network/diff"), params=params)
        return found

    def _path(self, end: str) -> str:
        return f"/v1/jobs/{self.id}{end}"


def _body(
    operations: Operation | Sequence[Operation], at: At, expect_revision: int | None, comment: str
) -> dict[str, Any]:
    listed = [operations] if isinstance(operations, Mapping) else list(operations)
    optional = {"expect_revision": expect_revision, "comment": comment or None}
    return {"at": at, "operations": listed} | {name: value for name, value in optional.items() if value is not None}
