"""Whether a version can use the tables that it finds, on both databases."""

import pytest
from sqlalchemy import text

from app.db import migrate, revisions
from app.db.session import Database
from app.errors import DatabaseUnavailable


def test_tables_that_are_too_old_or_too_new_are_not_worked_on(
    database: Database, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert revisions.revision_mismatch(database) is None
    assert revisions.is_compatible(database_url, patient=True)
    migrate.downgrade(database, "-1")
    found = revisions.revision_mismatch(database)
    assert found is not None
    assert "migrate upgrade" in found[1]
    assert not revisions.is_compatible(database_url, patient=True)
    with database.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '2099_01_01_of_tomorrow'"))
    newer = revisions.revision_mismatch(database)
    assert newer is not None
    assert "newer version" in newer[0]
    assert not revisions.is_compatible(database_url, patient=True)


def test_who_is_patient_waits_for_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    assert revisions.is_compatible(nowhere, patient=False)  # /readyz says so while it is away
    answers = iter([DatabaseUnavailable, DatabaseUnavailable, None])

    def unfit(db: Database) -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    monkeypatch.setattr(revisions, "revision_mismatch", unfit)
    monkeypatch.setattr(revisions, "RETRY_SECONDS", 0.0)
    assert revisions.is_compatible(nowhere, patient=True)
    assert next(answers, "all asked") == "all asked"
