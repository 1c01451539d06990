"""The client's edits: what is sent, what is returned, and how waiting ends."""

import json
from typing import Any

import httpx
import pytest

from graftwerk.errors import Conflict, InvalidRequest, NotFound, WaitTimeout
from graftwerk.jobs.edits import Edit
from tests.graftwerk.client_kinds import ClientKind
from tests.graftwerk.scripted_transport import problem_response

WIDEN = {"op": "widen", "node": "fc1", "to": 256}


def edit_document(state: str = "accepted", **more: Any) -> dict[str, Any]:
    return {"id": 1, "state": state, "origin": "user", "at": "now", "operations": [WIDEN]} | more


def test_an_edit_is_sent_under_a_key_of_its_own(api: ClientKind) -> None:
    job, script = api.job(edit_document(), edit_document())
    made = job.edit(WIDEN, at={"step": 5000}, expect_revision=3, comment="wider")
    job.edit([WIDEN], idempotency_key="mine")
    assert (made.number, made.state, made.pending) == (1, "accepted", True)
    first, second = script.requests
    assert (first.method, first.url.path) == ("POST", "/v1/jobs/job_1/edits")
    assert json.loads(first.content) == {
        "at": {"step": 5000},
        "operations": [WIDEN],
        "expect_revision": 3,
        "comment": "wider",
    }
    assert json.loads(second.content) == {"operations": [WIDEN]}
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"] == "mine"


def test_a_whole_edit_and_what_is_given_beside_it(api: ClientKind) -> None:
    job, script = api.job(edit_document())
    job.edit({"operations": [WIDEN], "at": {"epoch": 2}, "comment": "its own"}, at="now")
    assert json.loads(script.requests[0].content) == {"operations": [WIDEN], "at": "now", "comment": "its own"}


def test_an_edit_is_sent_again_after_a_broken_connection(api: ClientKind) -> None:
    job, script = api.job(httpx.ReadError("broken"), edit_document())
    assert job.edit(WIDEN).number == 1
    assert len({request.headers["Idempotency-Key"] for request in script.requests}) == 1
    assert len(api.pauses) == 1


@pytest.mark.parametrize(("status", "error"), [(409, Conflict), (422, InvalidRequest), (404, NotFound)])
def test_refusals_are_typed(api: ClientKind, status: int, error: type[Exception]) -> None:
    problems = [{"pointer": "/operations/0/node", "code": "unknown_node", "detail": "no fc1", "hint": "fc2"}]
    job, _ = api.job(problem_response(status, "refused", errors=problems))
    with pytest.raises(error) as raised:
        job.edit(WIDEN)
    assert "/operations/0/node: no fc1" in str(raised.value)


def test_waiting_ends_when_the_edit_is_decided(api: ClientKind) -> None:
    applied = edit_document("applied", step=70, revision=2)
    job, script = api.job(edit_document(), edit_document(), applied)
    found = job.wait_for_edit(1, timeout=60)
    assert (found.state, found.step, found.revision) == ("applied", 70, 2)
    assert {request.url.path for request in script.requests} == {"/v1/jobs/job_1/edits/1"}
    assert all(0 < float(request.url.params["wait"]) <= 20 for request in script.requests)


def test_waiting_has_an_end(api: ClientKind) -> None:
    job, script = api.job(edit_document())
    with pytest.raises(WaitTimeout, match="edit 1 of job_1 still waits"):
        job.wait_for_edit(1, timeout=0)
    assert script.requests[0].url.params["wait"] == "0"


def test_a_rejected_edit_has_problems() -> None:
    problems = [{"pointer": "/operations/0", "code": "out_of_memory", "detail": "too large", "hint": "less"}]
    found = Edit.from_document(edit_document("rejected", problems=problems))
    assert not found.pending
    assert [str(problem) for problem in found.problems] == ["/operations/0: too large\n    hint: less"]


def test_the_log_a_withdrawal_and_the_way_back(api: ClientKind) -> None:
    back = edit_document("applied", id=3, origin="rollback", operations=[], step=40, revision=2)
    job, script = api.job(
        {"items": [edit_document()], "has_more": True},
        {"items": [edit_document("withdrawn", id=2)], "has_more": False},
        edit_document("withdrawn", id=2),
        back,
        back,
    )
    assert [(each.number, each.state) for each in job.edits()] == [(1, "accepted"), (2, "withdrawn")]
    assert job.withdraw_edit(2).state == "withdrawn"
    assert job.rollback(1, step=40).revision == 2
    job.rollback(1, comment="too wide")
    sent = [(request.method, request.url.path, request.content) for request in script.requests[2:]]
    assert script.requests[1].url.params["after"] == "1"
    assert sent[0] == ("DELETE", "/v1/jobs/job_1/edits/2", b"")
    assert [json.loads(content) for _, _, content in sent[1:]] == [
        {"revision": 1, "step": 40},
        {"revision": 1, "comment": "too wide"},
    ]
    assert all("Idempotency-Key" in request.headers for request in script.requests[3:])


def test_networks_by_revision_and_a_dry_run(api: ClientKind) -> None:
    job, script = api.job({"nodes": []}, {"nodes": []}, {"changes": []}, {"nodes": []})
    job.network()
    job.network(revision=2)
    job.network_diff(1, 2)
    job.edit_dry_run(WIDEN, at={"epoch": 1})
    paths = [str(request.url).partition("/v1/jobs/job_1")[2] for request in script.requests]
    assert paths == ["/network", "/network?revision=2", "/network/diff?from=1&to=2", "/edits/dry-run"]
    assert json.loads(script.requests[3].content) == {"at": {"epoch": 1}, "operations": [WIDEN]}
