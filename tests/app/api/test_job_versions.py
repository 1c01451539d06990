"""What has not changed is not sent, and a change can be waited for."""

import time
from threading import Timer
from typing import Any

import httpx

from app.jobs import deletion, repository, service
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import create_queued_job, create_running_job, curve_block, finish_job, record_message
from tests.app.api.test_jobs import SQLITE
from workers.protocol.messages import Ending, ProgressReport


def version(response: httpx.Response) -> dict[str, Any]:
    return {"If-None-Match": response.headers["etag"]}


def test_what_has_not_changed_is_not_sent(api: Api, anna: Client) -> None:
    db = api.services.db
    job = create_running_job(db)
    path = f"/v1/jobs/{job.id}"
    first = anna.get(path)
    for known in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = anna.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    for message in (
        ProgressReport(phase="training"),
        ProgressReport(progress={"step": 1}),
        ProgressReport(series={"a": curve_block([1])}),
    ):
        seen = version(anna.get(path))
        record_message(db, job, message)
        assert anna.get(path, headers=seen).status_code == 200
    seen = version(anna.get(path))
    db.run(repository.renew_lease, job.id, job.fence, 300.0)  # which nobody can see
    assert anna.get(path, headers=seen).status_code == 304


def test_waiting_ends_with_a_change(api: Api, anna: Client) -> None:
    db = api.services.db
    job = create_running_job(db)
    path = f"/v1/jobs/{job.id}"
    seen = version(anna.get(path))
    timer = Timer(0.3, record_message, (db, job, ProgressReport(phase="training")))
    timer.start()
    began = time.monotonic()
    response = anna.get(path, params={"wait": 20}, headers=seen)
    assert 0.2 < time.monotonic() - began < 5
    assert response.json()["phase"] == "training"
    timer.join()


def test_waiting_is_short_where_there_is_news_already(api: Api, anna: Client) -> None:
    db = api.services.db
    job = create_running_job(db)
    path = f"/v1/jobs/{job.id}"
    seen = version(anna.get(path))
    record_message(db, job, ProgressReport(phase="training"))
    began = time.monotonic()
    assert anna.get(path, params={"wait": 20}, headers=seen).status_code == 200
    finish_job(db, job, Ending.FAILED)
    assert anna.get(path, params={"wait": 20}).json()["status"] == "failed"
    assert anna.get(path, params={"wait": 20}, headers=version(anna.get(path))).status_code == 304
    assert time.monotonic() - began < 2


@SQLITE
def test_waiting_has_an_end(api: Api, anna: Client) -> None:
    path = f"/v1/jobs/{create_queued_job(api.services.db)}"
    began = time.monotonic()
    assert anna.get(path, params={"wait": 0.2}, headers=version(anna.get(path))).status_code == 304
    assert 0.2 <= time.monotonic() - began < 2
    for seconds in ("-1", "61", "nan", "inf", "soon"):
        assert_problem(anna.get(path, params={"wait": seconds}), 400, "invalid_parameter")


def test_a_job_deleted_meanwhile_ends_the_wait(api: Api, anna: Client) -> None:
    db = api.services.db
    job_id = create_queued_job(db)
    timer = Timer(0.3, lambda: (db.run(service.cancel, "anna", job_id), db.run(deletion.delete, "anna", job_id)))
    timer.start()
    response = anna.get(f"/v1/jobs/{job_id}", params={"wait": 20})
    timer.join()
    assert response.status_code in (200, 404)
    assert_problem(anna.get(f"/v1/jobs/{job_id}"), 404, "not_found")
