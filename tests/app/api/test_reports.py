"""Reports of checkpoints."""

import json
from typing import Any

import pytest

from app.db.tables import JobRow
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import create_checkpoint, create_running_job
from tests.app.api.test_checkpoints import UNKNOWN


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def job(api: Api) -> JobRow:
    return create_running_job(api.services.db)


def document(step: int) -> dict[str, Any]:
    head = {"head": None, "output": "output", "target": "label", "about": "classes", "count": 30, "right": step}
    return {"version": 1, "step": step, "rows": 30, "heads": [head]}


def save(api: Api, job: JobRow, step: int, loss: float | None, report: bool = True) -> str:
    files = {"report.json": json.dumps(document(step)).encode()} if report else {}
    return create_checkpoint(api.services.db, api.services.store, job, step, {"model.py": b"", **files}, loss)


def test_the_best_checkpoint_s_by_default(api: Api, anna: Client, job: JobRow) -> None:
    ids = [save(api, job, step, loss) for step, loss in ((5, 0.9), (10, 0.2), (15, 0.4))]
    save(api, job, 17, None, report=False)
    found = anna.get(f"/v1/jobs/{job.id}/report")
    assert found.status_code == 200
    assert found.json() == {"job_id": job.id, "checkpoint_id": ids[1], **document(10), "test": None, "episodes": None}
    other = anna.get(f"/v1/jobs/{job.id}/report", params={"checkpoint": ids[2]})
    assert other.json()["step"] == 15
    known = anna.get(f"/v1/jobs/{job.id}/report", headers={"If-None-Match": found.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_where_the_best_has_none_another_s_is_told(api: Api, anna: Client, job: JobRow) -> None:
    save(api, job, 5, 0.1, report=False)
    save(api, job, 10, None)
    assert anna.get(f"/v1/jobs/{job.id}/report").json()["step"] == 10


def test_what_is_not_there(api: Api, anna: Client, bert: Client, job: JobRow) -> None:
    place = f"/v1/jobs/{job.id}/report"
    assert "held-out" in assert_problem(anna.get(place), 404, "not_found")["errors"][0]["hint"]
    bare = save(api, job, 5, 0.1, report=False)
    assert_problem(anna.get(place), 404, "not_found")
    assert_problem(anna.get(place, params={"checkpoint": bare}), 404, "not_found")
    assert_problem(anna.get(place, params={"checkpoint": UNKNOWN}), 404, "not_found")
    assert_problem(anna.get(place, params={"checkpoint": "best"}), 400, "invalid_parameter")
    other = save(api, create_running_job(api.services.db), 5, 0.1)
    assert job.id not in assert_problem(anna.get(place, params={"checkpoint": other}), 404, "not_found")["detail"]
    save(api, job, 10, 0.1)
    assert_problem(bert.get(place), 404, "not_found")


TEST_REPORT = {"version": 1, "step": 10, "rows": 7, "values": {"loss": 0.25, "accuracy": None}, "heads": []}


@pytest.mark.parametrize("validated", [True, False])
def test_the_test_stands_in_the_report_of_every_checkpoint(
    api: Api, anna: Client, job: JobRow, validated: bool
) -> None:
    best = save(api, job, 10, 0.2 if validated else None, report=validated)
    files = {"model.py": b"", "test_report.json": json.dumps(TEST_REPORT | {"checkpoint": best}).encode()}
    db, store = api.services.db, api.services.store
    final = create_checkpoint(db, store, job, 15, files, 0.4 if validated else None, final=True)
    found = anna.get(f"/v1/jobs/{job.id}/report")
    figures = {name: TEST_REPORT[name] for name in ("step", "rows", "values", "heads")}
    assert found.json()["test"] == {"checkpoint_id": best, **figures}
    assert (found.json()["checkpoint_id"], found.json()["rows"]) == ((best, 30) if validated else (final, 0))
    other = anna.get(f"/v1/jobs/{job.id}/report", params={"checkpoint": final})
    assert (other.json()["checkpoint_id"], other.json()["test"]["checkpoint_id"]) == (final, best)
    known = anna.get(f"/v1/jobs/{job.id}/report", headers={"If-None-Match": found.headers["etag"]})
    assert known.status_code == 304


def test_a_test_that_names_no_checkpoint_is_of_the_final_one(api: Api, anna: Client, job: JobRow) -> None:
    files = {"test_report.json": json.dumps(TEST_REPORT | {"checkpoint": None}).encode()}
    final = create_checkpoint(api.services.db, api.services.store, job, 10, files, None, final=True)
    assert anna.get(f"/v1/jobs/{job.id}/report").json()["test"]["checkpoint_id"] == final
