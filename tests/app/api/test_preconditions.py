"""If-Match: a request about another version is not carried out, and answered with 412."""

from functools import partial
from typing import Any

import pytest

from app.jobs.states import Status
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import SPEC, create_checkpoint, create_job_in_status, create_running_job

VERBS = [
    (Status.QUEUED, "cancel"),
    (Status.QUEUED, "pause"),
    (Status.PAUSED, "resume"),
    (Status.FAILED, "retry"),
    (Status.SUCCEEDED, "restore"),
]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.mark.parametrize(("status", "verb"), VERBS)
def test_a_verb_is_about_the_version_that_was_read(api: Api, anna: Client, status: Status, verb: str) -> None:
    path = f"/v1/jobs/{create_job_in_status(api.services.db, status, spec=SPEC)}"
    read = anna.get(path)
    etag, version = read.headers["etag"], read.json()["version"]
    for known in ('"1.7"' if version != 1 else '"2"', f"W/{etag}", '"x"', '"0", "99"', f"{version}"):
        assert_problem(anna.post(f"{path}/{verb}", headers={"If-Match": known}), 412, "precondition_failed")
    assert anna.get(path).json() == read.json()
    assert anna.post(f"{path}/{verb}", headers={"If-Match": f'"0", {etag}'}).status_code == 200


@pytest.mark.parametrize("known", ['"{version}"', '"{version}.9"', "*", None])
def test_versions_count_whatever_the_position_in_the_queue(api: Api, anna: Client, known: str | None) -> None:
    path = f"/v1/jobs/{create_job_in_status(api.services.db, Status.QUEUED)}"
    headers = {} if known is None else {"If-Match": known.format(version=anna.get(path).json()["version"])}
    assert anna.post(f"{path}/cancel", headers=headers).status_code == 200


@pytest.mark.parametrize("purge", [False, True])
def test_what_has_changed_is_not_deleted(api: Api, anna: Client, purge: bool) -> None:
    path = f"/v1/jobs/{create_job_in_status(api.services.db, Status.SUCCEEDED)}"
    etag = anna.get(path).headers["etag"]
    params = {"purge": purge}
    assert_problem(anna.delete(path, params=params, headers={"If-Match": '"0"'}), 412, "precondition_failed")
    assert anna.delete(path, params=params, headers={"If-Match": etag}).status_code == 204


def test_an_unknown_job_is_404_and_another_owners_too(api: Api, anna: Client, bert: Client) -> None:
    path = f"/v1/jobs/{create_job_in_status(api.services.db, Status.QUEUED)}/cancel"
    for response in (anna.post(f"/v1/jobs/job_{'0' * 32}/cancel", headers={"If-Match": '"1"'}), bert.post(path)):
        assert_problem(response, 404, "not_found")


def test_reading_is_about_a_version_too(api: Api, anna: Client) -> None:
    path = f"/v1/jobs/{create_job_in_status(api.services.db, Status.QUEUED)}"
    assert anna.get(path, headers={"If-Match": anna.get(path).headers["etag"]}).status_code == 200
    assert_problem(anna.get(path, headers={"If-Match": '"0"'}), 412, "precondition_failed")


def test_a_part_of_another_file_is_not_sent(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db)
    made = create_checkpoint(api.services.db, api.services.store, job, 1, {"model.py": b"pass"})
    path = f"/v1/checkpoints/{made}/files/model.py"
    etag = anna.get(path).headers["etag"]
    part: dict[str, Any] = {"Range": "bytes=0-1"}
    assert anna.get(path, headers=part | {"If-Match": etag}).content == b"pa"
    assert_problem(anna.get(path, headers=part | {"If-Match": '"x"'}), 412, "precondition_failed")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/v1/datasets"), ("GET", "/v1/workers")]
)
def test_what_has_no_versions_is_not_taken_for_unchanged(anna: Client, method: str, path: str) -> None:
    ask = partial(anna.post, json=SPEC) if method == "POST" else anna.get
    assert_problem(ask(path, headers={"If-Match": '"1"'}), 412, "precondition_failed")
    assert anna.get("/v1/jobs").json()["items"] == []
    assert ask(path, headers={"If-Match": "*"}).status_code in (200, 201)
