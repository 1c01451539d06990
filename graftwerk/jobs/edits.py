"""Live surgery: edits of a job's network and plan, its revisions, and the way back.

>>> edit = job.edit({"op": "widen", "node": "fc1", "to": 256}, at={"step": 5000})
>>> job.wait_for_edit(edit.number).revision
2
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graftwerk.errors import Problem, WaitTimeout, parse_problem
from graftwerk.http.pagination import paginate
from graftwerk.http.resources import operation
from graftwerk.jobs.document import JobDocument
from graftwerk.types import Network

Operation = Mapping[str, Any]
Operations = Operation | Sequence[Operation]  # one, several, or a whole edit: {"operations": […], "at": …}
At = str | Mapping[str, Any]
LONG_POLL_SECONDS = 20.0  # of one long poll


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit of a job. `state`: accepted, applied, rejected or withdrawn; `origin`: user, plan or rollback."""

    number: int
    state: str
    origin: str
    at: At
    operations: Sequence[Operation]
    step: int | None  # before which it was applied
    revision: int | None  # that it made
    problems: tuple[Problem, ...]  # why it was rejected or withdrawn
    document: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Edit":
        """Build an edit from the service's JSON."""
        return cls(
            document["id"],
            document["state"],
            document["origin"],
            document["at"],
            document["operations"],
            document.get("step"),
            document.get("revision"),
            tuple(map(parse_problem, document.get("problems") or ())),
            document,
        )

    @property
    def pending(self) -> bool:
        """Whether it is accepted and waits for its trigger."""
        return self.state == "accepted"


class EditsResource(JobDocument):
    """The edits of a job; a base class of `Job` and `AsyncJob`."""

    @operation
    async def edit(
        self,
        operations: Operations,
        *,
        at: At | None = None,
        expect_revision: int | None = None,
        comment: str | None = None,
        idempotency_key: str | None = None,
    ) -> Edit:
        """Change the network or the plan of the job, while it trains: all operations together, or none.

        `at`: "now" (the default), {"step": 5000}, {"epoch": 3}, or {"when": {"metric": "val/loss", "below": 0.3}}. With
        `expect_revision` the edit is refused if the job has another revision by now.

        Returns the accepted edit, which waits for its trigger; see `wait_for_edit`. One call makes one edit, retries
        included. Raises `InvalidRequest` with every problem of the operations, and `Conflict` if the job has another
        revision, has ended, or has a pending edit that would be applied later.
        """
        body = _body(operations, at, expect_revision, comment)
        return Edit.from_document(await self._transport.create(self._path("/edits"), key=idempotency_key, json=body))

    @operation
    async def edit_dry_run(
        self, operations: Operations, *, at: At | None = None, expect_revision: int | None = None
    ) -> Mapping[str, Any]:
        """Return what an edit would change, without making it. Takes and raises what `edit` does.

        The report has shapes, parameters and memory before and after, and the measured difference of the outputs.
        """
        body = _body(operations, at, expect_revision, None)
        report: Mapping[str, Any] = await self._transport.json(
            "POST", self._path("/edits/dry-run"), json=body, repeatable=True
        )
        return report

    @operation
    async def edits(self) -> list[Edit]:
        """Return the edits of the job, in the order of their numbers."""
        return [Edit.from_document(item) async for item in paginate(self._transport, self._path("/edits"))]

    @operation
    async def get_edit(self, number: int, wait: float | None = None) -> Edit:
        """Return an edit; with `wait`, wait up to so many seconds until it is decided. Raises `NotFound`."""
        seconds = None if wait is None else f"{max(wait, 0.0):g}"
        document = await self._transport.json("GET", self._path(f"/edits/{number}"), params={"wait": seconds})
        return Edit.from_document(document)

    @operation
    async def wait_for_edit(self, number: int, timeout: float | None = None) -> Edit:
        """Wait until an edit is applied, rejected or withdrawn, and return it.

        Raises `WaitTimeout` after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        remaining = deadline - time.monotonic()
        while (edit := await EditsResource.get_edit(self, number, min(LONG_POLL_SECONDS, remaining))).pending:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise WaitTimeout(f"edit {number} of {self.id} still waits for its trigger after {timeout:g} s")
        return edit

    @operation
    async def withdraw_edit(self, number: int) -> Edit:
        """Withdraw an edit that is not applied yet. Raises `Conflict` if it is.

        The attempt of a running job decides which came first: until it has, the edit is still accepted; see
        `wait_for_edit`. Withdrawing twice is not an error.
        """
        return Edit.from_document(await self._transport.json("DELETE", self._path(f"/edits/{number}")))

    @operation
    async def rollback(self, revision: int, step: int | None = None, *, comment: str | None = None) -> Edit:
        """Go back to a checkpoint of an earlier revision, at `step` (default: its newest), as a new revision.

        Nothing is deleted: the job goes on from there, and edits that wait are withdrawn. Raises `InvalidRequest` if
        no such checkpoint is kept, and `Conflict` if the job has ended.
        """
        optional = {"step": step, "comment": comment}
        body = {"revision": revision} | {name: value for name, value in optional.items() if value is not None}
        return Edit.from_document(await self._transport.create(self._path("/rollback"), json=body))

    @operation
    async def network(self, revision: int | None = None) -> Network:
        """Return the network of a revision (default: the current one): nodes, shapes, parameters."""
        return Network(await self._transport.json("GET", self._path("/network"), params={"revision": revision}))

    @operation
    async def network_diff(self, from_: int | None = None, to: int | None = None) -> Mapping[str, Any]:
        """Return what changed between two revisions (default: the first and the current one)."""
        params = {"from": from_, "to": to}
        found: Mapping[str, Any] = await self._transport.json("GET", self._path("/network/diff"), params=params)
        return found


def _body(operations: Operations, at: At | None, expect_revision: int | None, comment: str | None) -> dict[str, Any]:
    """Return an edit as it is sent; what is given beside a whole edit takes the place of its own."""
    if not isinstance(operations, Mapping):
        edit: dict[str, Any] = {"operations": list(operations)}
    else:
        edit = dict(operations) if "operations" in operations else {"operations": [operations]}
    given = {"at": at, "expect_revision": expect_revision, "comment": comment}
    return edit | {name: value for name, value in given.items() if value is not None}
