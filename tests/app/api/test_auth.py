"""What a key shows, and what it does not; `test_matrix.py` has every route."""

import pytest

from app.access.first_key import OWNER
from app.jobs import repository
from app.jobs.states import Status
from tests.app.api.client import Api, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import SPEC, create_job_in_status
from tests.app.api.route_cases import create_objects


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def test_lists_hold_the_owner_s_objects_only(api: Api) -> None:
    mine = create_objects(api, "anna")
    create_objects(api, "bert")
    anna = api.client("anna")
    assert [item["id"] for item in anna.get("/v1/jobs").json()["items"]] == [mine["job_id"]]
    assert [item["id"] for item in anna.get("/v1/datasets").json()["items"]] == [mine["dataset_id"]]
    assert {item["name"] for item in anna.get("/v1/keys").json()["items"]} == {"theirs", "test"}


def test_the_page_after_another_owner_s_job_shows_nothing_of_it(api: Api) -> None:
    db = api.services.db
    mine = create_job_in_status(db, Status.QUEUED)
    theirs = create_job_in_status(db, Status.QUEUED, "bert")
    assert [item["id"] for item in api.client().get(f"/v1/jobs?after={theirs}").json()["items"]] == [mine]


def test_a_data_set_of_another_owner_is_unknown_to_jobs(api: Api) -> None:
    spec = SPEC | {"data": {"kind": "dataset", "id": create_objects(api, "bert")["dataset_id"]}}
    document = assert_problem(api.client("anna").post("/v1/jobs", json=spec), 422, "invalid_input")
    assert [(item["pointer"], item["code"]) for item in document["errors"]] == [("/data/id", "unknown_dataset")]


@pytest.mark.parametrize("token", [None, "nonsense"])
def test_without_auth_everybody_is_the_operator(serve: StartApp, token: str | None) -> None:
    api = serve(auth=False)
    anybody = api.client(None) if token is None else api.client_with_token(token)
    job = anybody.post("/v1/jobs", json=SPEC).json()
    assert api.services.db.read(repository.find, OWNER, job["id"]).name == job["name"]
    assert anybody.get("/v1/keys").status_code == 200
    assert_problem(
        anybody.get(f"/v1/jobs/{create_job_in_status(api.services.db, Status.QUEUED, 'bert')}"), 404, "not_found"
    )
