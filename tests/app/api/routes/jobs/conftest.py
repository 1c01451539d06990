"""The job that is edited, on SQLite: the SQL is tested on both databases in `tests/app/edits`."""

import pytest

from tests.app.api.client import Client
from tests.app.api.routes.jobs.edited_job import submit_job


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def job(anna: Client) -> str:
    return submit_job(anna)
