"""Streams and long polls of a key that is no longer valid end within two seconds, whoever ended the key."""

import threading
import time
from typing import Any

import httpx
import pytest

from app.access import keys
from app.jobs import deletion, repository
from app.jobs.states import Status
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import create_job_in_status, create_queued_job
from tests.app.api.served import listening, server

END_SECONDS = 2.0
NO_LONGER_VALID = ": the key is no longer valid"
ENDINGS = ("revoked", "expired", "rotated")


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The query is tested on both databases in test_job_watcher."""
    return sqlite_url


def end_key(other: Api, admin: Client, key_id: str, ending: str) -> float:
    """End a key through another API process's routes; returns the time at which it ends."""
    if ending == "revoked":
        assert admin.delete(f"/v1/keys/{key_id}").status_code == 204
        return time.monotonic()
    if ending == "rotated":
        assert admin.post(f"/v1/keys/{key_id}/rotate", json={"grace_seconds": 1}).status_code == 200
        return time.monotonic() + 1
    change: Any = {"expires_at": time.time() + 1.0}
    other.services.db.run(keys.update_key, "anna", key_id, change)
    return time.monotonic() + 1.0


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_stream_and_a_long_poll_end_with_their_key(serve: StartApp, ending: str) -> None:
    api, other = serve(), serve()  # two processes of one deployment, as far as the database can tell
    job_id = create_queued_job(api.services.db)
    row, token = api.services.db.run(keys.create, "anna", "x", ["read"])
    reader, admin = api.client_with_token(token), other.client("anna")
    polled: list[tuple[httpx.Response, float]] = []
    with server(api) as url, listening(url, reader, job_id) as response:
        lines = response.iter_lines()
        next(lines)
        polling = threading.Thread(
            target=lambda: polled.append((reader.get(f"/v1/jobs/{job_id}?wait=30"), time.monotonic()))
        )
        polling.start()
        time.sleep(0.3)
        ends_at = end_key(other, admin, row.id, ending)
        rest = list(lines)
        assert -0.1 < time.monotonic() - ends_at < END_SECONDS
        polling.join(10)
        assert rest[-2] == NO_LONGER_VALID
        assert not any("done" in line for line in rest)
        again = httpx.get(f"{url}/v1/jobs/{job_id}/stream", headers=reader.headers, timeout=10)
    ((answer, answered_at),) = polled
    assert_problem(answer, 401, "unauthenticated")
    assert answered_at - ends_at < END_SECONDS
    assert_problem(again, 401, "unauthenticated")  # so that no client comes again and again


def test_a_key_with_a_new_secret_goes_on_with_it(serve: StartApp) -> None:
    api = serve()
    job_id = create_queued_job(api.services.db)
    row, _ = api.services.db.run(keys.create, "anna", "x", ["read"])
    _, token = api.services.db.run(keys.rotate, "anna", row.id, 0.0)
    job = api.client_with_token(token).get(f"/v1/jobs/{job_id}?wait=1.5")
    assert job.status_code == 200


def test_a_long_poll_ends_with_its_job(serve: StartApp) -> None:
    api = serve()
    anna = api.client("anna")
    ended = create_job_in_status(api.services.db, Status.FAILED)
    api.services.db.run(deletion.delete, "anna", ended)
    assert_problem(anna.get(f"/v1/jobs/{ended}?wait=30"), 404, "not_found")
    job_id = create_queued_job(api.services.db)
    polled: list[httpx.Response] = []
    polling = threading.Thread(target=lambda: polled.append(anna.get(f"/v1/jobs/{job_id}?wait=30")))
    polling.start()
    time.sleep(0.3)
    api.services.db.run(repository.delete_job, job_id)
    polling.join(10)
    assert_problem(polled[0], 404, "not_found")


def test_those_who_wait_for_one_job_share_one_read(serve: StartApp, monkeypatch: pytest.MonkeyPatch) -> None:
    api = serve()
    anna = api.client("anna")
    job_id = create_queued_job(api.services.db)
    reads: list[str] = []
    read = api.services.db.read

    def count(unit: Any, *args: Any) -> Any:
        reads.append(unit.__name__)
        return read(unit, *args)

    answers: list[httpx.Response] = []
    monkeypatch.setattr(api.services.db, "read", count)
    polls = [threading.Thread(target=lambda: answers.append(anna.get(f"/v1/jobs/{job_id}?wait=30"))) for _ in range(20)]
    for poll in polls:
        poll.start()
    while api.services.job_watcher.watches < len(polls):
        time.sleep(0.01)
    time.sleep(0.3)
    anna.post(f"/v1/jobs/{job_id}/cancel")
    for poll in polls:
        poll.join(10)
    assert [answer.json()["status"] for answer in answers] == ["cancelled"] * len(polls)
    assert reads.count("read_job_document") <= 4  # one for all polls, and that of the verb
