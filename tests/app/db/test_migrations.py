"""Migrations: there and back, and that they make what `app.db.tables` says, on both databases."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Column, MetaData, Table, func, inspect, select, text

from app import checkpoints, heartbeat
from app.access import audit, keys, sessions
from app.access.idempotency import IdempotentRequest, run_once
from app.datasets import contents, registry
from app.db import migrate
from app.db.revisions import current_revision, head_revision, revisions
from app.db.session import Database
from app.db.tables import (
    AuditRow,
    Base,
    CheckpointRow,
    ClockRow,
    ContentRow,
    DatasetRow,
    DeliveryRow,
    DeploymentRow,
    EditRow,
    EventRow,
    IdempotencyRow,
    JobRow,
    KeyRow,
    LabelRow,
    MetricChunkRow,
    SessionLinkRow,
    SessionRow,
    StatisticLayoutRow,
    StatisticSampleRow,
    WebhookRow,
    WorkerRow,
)
from app.errors import DatabaseUnavailable
from app.jobs import deletion, repository, service
from app.jobs.rollback import roll_back
from app.lifecycle import orphans
from app.spec.data.sources import NewDataset
from app.spec.edits.rollback import Rollback
from tests.app.api.job_factories import create_running_job, record_curve, record_statistics
from tests.app.webhooks.factories import create_webhook

TABLES = (
    KeyRow,
    JobRow,
    LabelRow,
    EventRow,
    MetricChunkRow,
    StatisticLayoutRow,
    StatisticSampleRow,
    CheckpointRow,
    EditRow,
    DatasetRow,
    ContentRow,
    IdempotencyRow,
    WorkerRow,
    AuditRow,
    WebhookRow,
    DeliveryRow,
    SessionRow,
    SessionLinkRow,
)


def fill(database: Database) -> None:
    """Put rows into every table."""
    create_webhook(database)
    job = create_running_job(database, labels={"team": "vision", "a'b": '"'})
    record_curve(database, job, 100)
    record_statistics(database, job, [1])
    database.run(checkpoints.add, job.id, job.fence, id="ckpt_1", step=1, epoch=0.1, values={}, files=[])
    database.run(roll_back, "anna", job.id, Rollback(revision=1), "")
    assert database.run(repository.claim, [job.queue], "w1", 300.0) is not None
    database.run(service.succeed, job.id, job.fence + 1, {})
    _, token = database.run(keys.create, "anna", "x", ["read"])
    key = database.read(keys.authenticate, token)
    database.run(sessions.create, key)
    database.run(sessions.create_link, key.credential)
    new = NewDataset.model_validate({"name": "x", "source": {"kind": "builtin", "name": "iris"}})
    database.run(registry.register, "anna", new)
    database.run(contents.share, "anna", "0" * 64, "contents/1")
    database.run(heartbeat.record_heartbeat, "w1", ["default"], 2)
    database.run(audit.append, audit.Actor("anna", None, "req_1", None), audit.Action.JOB_CREATE, job.id)
    database.run(run_once, IdempotentRequest("anna", "key", "digest"), lambda: (201, {}))


def counts(database: Database) -> list[int]:
    def unit(session: Any) -> list[int]:
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES]

    return database.read(unit)


def test_every_table_is_filled(database: Database) -> None:
    every = {table.__table__ for table in (*TABLES, DeploymentRow, ClockRow)}  # whose one row is no user's
    assert every == set(Base.metadata.tables.values())
    fill(database)
    assert min(counts(database)) > 0


def test_down_to_base_and_up_again_with_data(database: Database) -> None:
    fill(database)
    migrate.downgrade(database, "base")
    assert current_revision(database) is None
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
    migrate.upgrade(database)
    assert current_revision(database) == head_revision()
    assert counts(database) == [0] * len(TABLES)
    fill(database)


def test_every_database_has_a_name_of_its_own(database: Database) -> None:
    names = [database.read(orphans.deployment_id)]
    migrate.downgrade(database, "base")
    migrate.upgrade(database)
    names.append(database.read(orphans.deployment_id))
    assert len(set(names)) == 2


def test_upgrading_what_is_up_to_date_keeps_everything(database: Database) -> None:
    fill(database)
    before = counts(database)
    migrate.upgrade(database)
    assert counts(database) == before


def test_migrations_make_what_the_tables_say(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_migration_that_fails_changes_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(database)
    before = counts(database)
    downgrade = migrate.command.downgrade

    def halfway(config: Any, revision: str) -> None:
        downgrade(config, revision)
        raise RuntimeError("power cut")

    monkeypatch.setattr(migrate.command, "downgrade", halfway)
    with pytest.raises(RuntimeError):
        migrate.downgrade(database, "base")
    assert counts(database) == before
    assert current_revision(database) == head_revision()


@pytest.mark.parametrize("deleted", [False, True])
def test_labels_of_older_jobs_are_copied(database: Database, deleted: bool) -> None:
    fill(database)
    (job_id,) = database.read(lambda session: session.scalars(select(JobRow.id)).all())
    if deleted:
        database.run(deletion.delete, "anna", job_id)

    def labels(session: Any) -> list[Any]:
        columns = (LabelRow.job_id, LabelRow.key, LabelRow.value, LabelRow.owner, LabelRow.status)
        return [tuple(row) for row in session.execute(select(*columns).order_by(LabelRow.key))]

    before = database.read(labels)
    assert [row[4] for row in before] == ["deleted" if deleted else "succeeded"] * 2
    migrate.downgrade(database, "2026_11_29_1610_clock")
    migrate.upgrade(database)
    assert database.read(labels) == before


def test_an_unknown_revision_is_refused(database: Database) -> None:
    with pytest.raises(CommandError):
        migrate.upgrade(database, "nothing")


def test_a_database_that_is_away() -> None:
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    for call in (migrate.upgrade, current_revision):
        with pytest.raises(DatabaseUnavailable):
            call(nowhere)
    nowhere.close()


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from app.settings import Settings

    home = tmp_path / "deep" / "home"
    monkeypatch.setattr(migrate, "get_settings", lambda: Settings(home=home))
    for arguments, printed in (
        (["current"], "base"),
        (["upgrade"], head_revision()),
        (["downgrade", "base"], "base"),
        (["upgrade"], head_revision()),
    ):
        assert migrate.main(arguments) == 0
        assert capsys.readouterr().out.strip() == printed
    assert migrate.main(["upgrade", "nothing"]) == 1
    assert "nothing" in capsys.readouterr().err
    assert home.stat().st_mode & 0o077 == 0


def test_deleting_a_job_deletes_all_that_is_recorded_about_it(database: Database) -> None:
    fill(database)
    with database.begin() as session:
        session.execute(text("DELETE FROM jobs"))
    left = dict(zip(TABLES, counts(database), strict=True))
    recorded = (EventRow, MetricChunkRow, StatisticLayoutRow, StatisticSampleRow, CheckpointRow)
    assert [left[table] for table in (JobRow, *recorded)] == [0] * 6
    assert left[KeyRow] == left[DatasetRow] == 1


def test_content_from_before_it_was_shared_is_known(database: Database) -> None:
    migrate.downgrade(database, "2026_11_24_first_tables")
    row = (
        "INSERT INTO datasets (id, owner, name, source, status, size, sha256, parts, path, created_at) "
        "VALUES ('{0}', 'anna', 'x', '{{}}', 'ready', 1, '{1}', '[]', '{2}', 0)"
    )
    with database.begin() as session:
        for name, sha256, path in (
            ("ds_1", "aa", "datasets/1"),
            ("ds_2", "aa", "datasets/2"),
            ("ds_3", "bb", "datasets/3"),
        ):
            session.execute(text(row.format(name, sha256, path)))
    migrate.upgrade(database)
    with database.begin() as session:
        found = {(row.sha256, row.path) for row in session.scalars(select(ContentRow))}
    assert found == {("aa", "datasets/1"), ("bb", "datasets/3")}
    removed = {name: database.run(registry.delete, "anna", name) for name in ("ds_1", "ds_2", "ds_3")}
    assert removed == {"ds_1": ["datasets/1"], "ds_2": ["datasets/2"], "ds_3": ["datasets/3"]}


SCRIPTS = list(ScriptDirectory(str(files("migrations"))).walk_revisions())  # the newest first
REVISIONS = [script.revision for script in reversed(SCRIPTS) if script.down_revision]


def test_revisions_are_called_as_their_files_and_the_last_by_name_is_the_newest() -> None:
    assert {script.revision for script in SCRIPTS} == {Path(script.path).stem for script in SCRIPTS} == set(revisions())
    assert head_revision() == SCRIPTS[0].revision


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_version_before_works_on_after_an_upgrade(database: Database, revision: str) -> None:
    """Workers of the version before run on while tables are upgraded: what they write and read must stay possible.

    What they know is what the tables were: rows are inserted, changed, read and deleted with the columns of then.
    """
    migrate.downgrade(database, str(before(revision)))
    known = MetaData()
    known.reflect(database.engine)
    tables = [table for table in known.sorted_tables if table.name != "alembic_version"]
    with database.begin() as session:
        for table in tables:
            session.execute(table.insert().values(row(table, "early")))
    migrate.upgrade(database, revision)
    with database.begin() as session:
        for table in tables:
            session.execute(table.insert().values(row(table, "late")))
            rest = {name: value for name, value in row(table, "x").items() if name not in table.primary_key.columns}
            if rest:
                session.execute(table.update().values(rest))
            assert len(session.execute(select(table)).all()) >= 2, table.name  # revisions may write rows, too
        for table in reversed(tables):
            session.execute(table.delete())


def before(revision: str) -> str | None:
    return next(script.down_revision for script in SCRIPTS if script.revision == revision)


def row(table: Table, name: str) -> dict[str, Any]:
    """Make a row with a value in every column that the table has, whether it needs one or not."""
    return {column.name: _value(column, name) for column in table.columns}


def _value(column: Column[Any], name: str) -> Any:
    if column.foreign_keys:
        return name if column.primary_key else "early"
    kind = column.type.python_type
    values = {str: name, int: 1, float: 1.0, bool: False, bytes: b"x", object: []}
    return values[kind]
