"""Edits over the API: accepted, refused with places and hints, listed, withdrawn."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from app.access import idempotency
from app.access.idempotency import IdempotentResponse
from app.jobs.states import Status
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import create_job_in_status
from tests.app.api.routes.jobs.edited_job import INSERT, SPEC


def test_an_edit_is_accepted_and_listed(api: Api, anna: Client, job: str) -> None:
    response = anna.post(f"/v1/jobs/{job}/edits", json={"operations": [INSERT], "comment": "deeper"})
    assert response.status_code == 201, response.text
    edit = response.json()
    assert (edit["id"], edit["state"], edit["origin"], edit["at"]) == (1, "accepted", "user", "now")
    assert edit["operations"] == [INSERT]
    assert response.headers["Location"] == f"/v1/jobs/{job}/edits/1"
    assert [each["id"] for each in anna.get(f"/v1/jobs/{job}/edits").json()["items"]] == [1]
    kinds = [event["kind"] for event in anna.get(f"/v1/jobs/{job}/events").json()["items"]]
    assert kinds == ["created", "edit_accepted"]


def test_a_repeated_request_is_one_edit(anna: Client, job: str) -> None:
    key = {"Idempotency-Key": "once"}
    first, second = (anna.post(f"/v1/jobs/{job}/edits", json={"operations": [INSERT]}, headers=key) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(anna.get(f"/v1/jobs/{job}/edits").json()["items"]) == 1


@pytest.mark.parametrize(
    ("edit", "pointer", "code"),
    [
        ({"operations": []}, "/operations", "too_few"),
        ({"operations": [{"op": "inset"}]}, "/operations/0/op", "unknown_value"),
        ({"operations": [{"after": "relu1"}]}, "/operations/0/op", "missing"),
        ({"operations": [INSERT | {"after": "relu"}]}, "/operations/0/after", "unknown_node"),
        ({"operations": [INSERT | {"node": INSERT["node"] | {"id": "fc1"}}]}, "/operations/0/node/id", "duplicate_id"),
        (
            {"operations": [INSERT | {"node": {"kind": "Conv2d", "out_channels": 3, "kernel_size": 3, "id": "c"}}]},
            "/operations/0/node",
            None,
        ),
        ({"operations": [INSERT | {"node": INSERT["node"] | {"out_features": 10**6}}]}, "/operations/0", None),
        ({"operations": [INSERT], "at": {"when": {"metric": "v", "below": 1}}}, "/at/when/metric", "unknown_series"),
        ({"operations": [INSERT], "at": {"when": {"metric": "val/loss"}}}, "/at/when", "contradiction"),
        (
            {"operations": [INSERT], "at": {"when": {"metric": "train/lr", "below": 1}}},
            "/at/when/metric",
            "unknown_series",
        ),
    ],
)
def test_mistakes_have_their_place(anna: Client, job: str, edit: Any, pointer: str, code: str | None) -> None:
    response = anna.post(f"/v1/jobs/{job}/edits", json=edit)
    problem = assert_problem(response, 422, "invalid_input")["errors"][0]
    assert problem["pointer"].startswith(pointer), problem
    assert code is None or problem["code"] == code, problem
    assert problem["hint"]
    assert anna.get(f"/v1/jobs/{job}/edits").json()["items"] == []


def test_the_series_that_exist_are_named(anna: Client, job: str) -> None:
    edit = {"operations": [INSERT], "at": {"when": {"metric": "val/f1", "below": 1}}}
    problem = anna.post(f"/v1/jobs/{job}/edits", json=edit).json()["errors"][0]
    assert "val/loss" in problem["hint"]
    assert "val/accuracy" in problem["hint"]


def test_an_edit_meets_those_that_wait(anna: Client, job: str) -> None:
    assert anna.post(f"/v1/jobs/{job}/edits", json={"operations": [INSERT]}).status_code == 201
    behind = INSERT | {"after": "extra", "node": INSERT["node"] | {"id": "more"}}
    assert anna.post(f"/v1/jobs/{job}/edits", json={"operations": [behind], "expect_revision": 2}).status_code == 201
    again = anna.post(f"/v1/jobs/{job}/edits", json={"operations": [INSERT], "expect_revision": 3})
    assert assert_problem(again, 422, "invalid_input")["errors"][0]["code"] == "duplicate_id"


@pytest.mark.parametrize("revision", [1, 2, 5])
def test_of_two_edits_for_one_revision_one_is_accepted(anna: Client, job: str, revision: int) -> None:
    for name in ("one", "two"):
        edit = {"operations": [INSERT | {"node": INSERT["node"] | {"id": name}}]}
        assert anna.post(f"/v1/jobs/{job}/edits", json=edit).status_code == 201
    stale = assert_problem(
        anna.post(f"/v1/jobs/{job}/edits", json={"operations": [INSERT], "expect_revision": revision}),
        409,
        "stale_revision",
    )
    assert stale["errors"][0]["pointer"] == "/expect_revision"
    assert "revision 3" in stale["errors"][0]["hint"]


def test_a_request_that_is_repeated_meanwhile_is_one_edit(
    api: Api, anna: Client, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one is checked when the first has been stored, whose node it would insert again."""
    path, body, key = f"/v1/jobs/{job}/edits", {"operations": [INSERT], "expect_revision": 1}, {"Idempotency-Key": "k"}
    first = anna.post(path, json=body, headers=key)
    looks: list[None] = []

    def find_response(*arguments: Any) -> IdempotentResponse | None:
        looks.append(None)
        return None if len(looks) == 1 else idempotency.find_response(*arguments)

    monkeypatch.setattr("app.api.routes.jobs.edits.idempotency", SimpleNamespace(find_response=find_response))
    second = anna.post(path, json=body, headers=key)
    assert (second.status_code, second.json()) == (201, first.json())
    assert len(looks) == 2


def test_an_edit_that_would_overtake_another_is_refused(anna: Client, job: str) -> None:
    later = {"operations": [INSERT], "at": {"step": 100}}
    assert anna.post(f"/v1/jobs/{job}/edits", json=later).status_code == 201
    node = INSERT | {"node": INSERT["node"] | {"id": "more"}}
    refused = assert_problem(anna.post(f"/v1/jobs/{job}/edits", json={"operations": [node]}), 409, "behind_pending")
    assert "withdraw edit 1" in refused["errors"][0]["hint"]
    behind = {"operations": [node], "at": {"step": 100}}
    assert anna.post(f"/v1/jobs/{job}/edits", json=behind).status_code == 201


def test_edits_are_withdrawn_last_first(anna: Client, job: str) -> None:
    for name in ("one", "two"):
        edit = {"operations": [INSERT | {"node": INSERT["node"] | {"id": name}}]}
        assert anna.post(f"/v1/jobs/{job}/edits", json=edit).status_code == 201
    assert_problem(anna.delete(f"/v1/jobs/{job}/edits/1"), 409, "state_forbids")
    for number in (2, 2, 1):  # twice is no error
        response = anna.delete(f"/v1/jobs/{job}/edits/{number}")
        assert (response.status_code, response.json()["state"]) == (200, "withdrawn")
    assert_problem(anna.delete(f"/v1/jobs/{job}/edits/3"), 404, "not_found")


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
def test_what_has_ended_is_not_edited(api: Api, anna: Client, status: Status) -> None:
    ended = create_job_in_status(api.services.db, status, spec=SPEC)
    refused = assert_problem(anna.post(f"/v1/jobs/{ended}/edits", json={"operations": [INSERT]}), 409, "state_forbids")
    assert "fork" in refused["errors"][0]["hint"]
    assert_problem(anna.post(f"/v1/jobs/{ended}/rollback", json={"revision": 1}), 409, "state_forbids")


def test_edits_of_others_are_not_found(anna: Client, bert: Client, job: str) -> None:
    anna.post(f"/v1/jobs/{job}/edits", json={"operations": [INSERT]})
    for method, path, body in (
        ("POST", "edits", {"operations": [INSERT]}),
        ("POST", "edits/dry-run", {"operations": [INSERT]}),
        ("POST", "rollback", {"revision": 1}),
        ("GET", "edits", None),
        ("GET", "edits/1", None),
        ("DELETE", "edits/1", None),
        ("GET", "network/diff", None),
    ):
        assert_problem(bert(method, f"/v1/jobs/{job}/{path}", json=body), 404, "not_found")


def test_too_many_edits_wait(api: Api, anna: Client, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.edits.acceptance.MAX_PENDING_EDITS", 1)
    assert anna.post(f"/v1/jobs/{job}/edits", json={"operations": [INSERT]}).status_code == 201
    node = INSERT | {"node": INSERT["node"] | {"id": "more"}}
    refused = anna.post(f"/v1/jobs/{job}/edits", json={"operations": [node]})
    assert_problem(refused, 429, "too_many_pending")
    assert int(refused.headers["Retry-After"]) > 0


def test_a_long_poll_ends_with_the_edit(api: Api, anna: Client, job: str) -> None:
    anna.post(f"/v1/jobs/{job}/edits", json={"operations": [INSERT]})
    waiting = anna.get(f"/v1/jobs/{job}/edits/1", params={"wait": 0.2})
    assert (waiting.status_code, waiting.json()["state"]) == (200, "accepted")
    anna.delete(f"/v1/jobs/{job}/edits/1")
    assert anna.get(f"/v1/jobs/{job}/edits/1", params={"wait": 60}).json()["state"] == "withdrawn"


def test_many_at_once_are_numbered_without_gaps(anna: Client, job: str) -> None:
    def send(place: int) -> httpx.Response:
        value = {"op": "set", "path": "training.optimizer.lr", "value": (place + 1) / 1000}
        return anna.post(f"/v1/jobs/{job}/edits", json={"operations": [value]})

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(send, range(24)))
    refused = {response.json()["code"] for response in found if response.status_code != 201}
    assert refused <= {"edited_meanwhile", "overloaded", "too_many_pending"}
    numbers = sorted(response.json()["id"] for response in found if response.status_code == 201)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 3


def test_what_needs_another_device_is_refused(anna: Client, job: str) -> None:
    edit = {"operations": [{"op": "set", "path": "training.precision", "value": "fp16"}]}
    problem = assert_problem(anna.post(f"/v1/jobs/{job}/edits", json=edit), 422, "invalid_input")["errors"][0]
    assert problem["code"] == "other_device"
    assert "fork" in problem["hint"]
