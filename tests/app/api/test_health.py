"""Whether the service lives, is ready, and how it does."""

import pytest

from app.api.routes import catalog
from app.db import migrate, revisions
from app.db.session import Database
from app.jobs.states import Status
from tests.app.api.client import Api, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import create_job_in_status


def test_it_lives_and_is_ready(api: Api) -> None:
    nobody = api.client(None)
    assert nobody.get("/livez").json() == {"alive": True}
    ready = nobody.get("/readyz").json()
    assert ready["ready"] is True
    assert ready["database"] == f"{api.services.db.url.get_backend_name()} at {revisions.head_revision()}"


def test_without_the_tables_it_is_not_ready(api: Api) -> None:
    migrate.downgrade(api.services.db, "base")
    response = api.client(None).get("/readyz")
    document = assert_problem(response, 503, "unavailable")
    assert "migrate upgrade" in document["errors"][0]["hint"]
    assert response.headers["retry-after"]
    migrate.upgrade(api.services.db)
    assert api.client(None).get("/readyz").status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_database_that_takes_no_writes_is_not_ready(serve: StartApp, database: Database) -> None:
    impatient = Database(str(database.url), busy_seconds=0.1)
    nobody = serve(other={"db": impatient}).client(None)
    with database.begin() as session:
        session.connection()  # takes SQLite's only lock
        assert_problem(nobody.get("/readyz"), 503, "database_unavailable")
        assert nobody.get("/livez").status_code == 200
    assert nobody.get("/readyz").status_code == 200
    impatient.close()


def test_figures(api: Api) -> None:
    for status in Status:
        create_job_in_status(api.services.db, status)
    create_job_in_status(api.services.db, Status.QUEUED, "bert")
    nobody = api.client(None)
    nobody.get("/v1/nowhere")
    nobody("BREW", "/v1/jobs")
    response = nobody.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    lines = response.text.splitlines()
    for status in Status:
        assert f'graftwerk_jobs{{status="{status}"}} {2.0 if status == Status.QUEUED else 1.0}' in lines
    assert 'graftwerk_http_seconds_count{method="GET",route="unknown",status="404"} 1.0' in lines
    assert any('method="other"' in line and 'status="405"' in line for line in lines)
    assert "BREW" not in response.text


def test_nothing_is_built_by_the_first_requests(serve: StartApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue is there before the application serves, and no request needs the description of the API."""
    api = serve()
    assert catalog.catalog_document.cache_info().currsize == 1
    monkeypatch.setattr(catalog, "build_catalog", None)
    monkeypatch.setattr(api.app, "openapi", None)
    monkeypatch.setattr(api.app, "openapi_schema", None)
    anna = api.client()
    assert anna.get("/v1/catalog").status_code == 200
    assert anna.get("/v1/jobs", params={"limit": 1}).status_code == 200
    assert anna.get("/v1/jobs", params={"limits": 1}).status_code == 400
    assert anna.get("/v1/jobs", headers={"If-Match": '"1"'}).status_code == 412
    response = anna.delete("/v1/jobs")
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, POST")
