"""A database whose disk is full says so, keeps what it has accepted, and goes on when there is room."""

import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from app.access import keys
from app.db.dialect import DatabaseFull
from app.db.session import Database
from app.db.tables import KeyRow
from app.errors import DatabaseUnavailable
from app.jobs import repository
from app.settings import Settings
from app.storage.catalog import open_store
from tests.app.api.client import assert_problem
from tests.app.api.conftest import StartApp
from tests.disks import TinyDisk, tiny_disk
from tests.postgres import Postgres
from tests.workers.host.test_worker import RecordingWaker, claim_job
from workers.host.attempt import Attempt
from workers.host.duties import duties
from workers.host.periodic import PeriodicRunner
from workers.host.worker import Worker
from workers.protocol.messages import Ending, Outcome

MEGABYTES = 24
LONG_NAME = "n" * 200_000


@pytest.fixture(params=["sqlite", "postgresql"])
def disk(request: pytest.FixtureRequest) -> Iterator[TinyDisk]:
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with tempfile.TemporaryDirectory(prefix="gw-full-", dir="/tmp") as parent:
        Path(parent).chmod(0o755)
        with tiny_disk(Path(parent) / "disk", MEGABYTES << 20) as mounted:
            if server is not None and server.server.system_user is not None:
                shutil.chown(mounted.folder, server.server.system_user)
            yield mounted
            mounted.empty()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, disk: TinyDisk) -> Iterator[str]:
    if request.node.callspec.params["disk"] == "sqlite":
        shutil.copyfile(request.getfixturevalue("migrated_file"), disk.folder / "graftwerk.db")
        yield f"sqlite:///{disk.folder / 'graftwerk.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    server.set("autovacuum", "off")  # it would make room
    name = f"full_{uuid.uuid4().hex}"
    server.execute(f"CREATE TABLESPACE {name} LOCATION '{disk.folder}'")
    url = server.create(name)
    server.execute(f"ALTER DATABASE {name} SET TABLESPACE {name}")
    yield url
    server.drop(name)
    server.execute(f"DROP TABLESPACE {name}")
    server.set("autovacuum", "on")


def add_key(session: Session, name: str) -> str:
    return keys.create(session, "anna", name, ["read"])[0].id


def fill(database: Database, disk: TinyDisk) -> set[str]:
    """Fill the disk, and then the database, until it takes nothing; return the keys that it took."""
    accepted = {database.run(add_key, "before")}  # a service that runs has connections already
    disk.fill()
    for _ in range(400):
        try:
            accepted.add(database.run(add_key, uuid.uuid4().hex * 256))  # 8 KiB that cannot be compressed much
        except DatabaseFull:
            return accepted
    raise AssertionError("the database never became full")


def stored(database: Database) -> set[str]:
    return set(database.read(lambda session: session.scalars(select(KeyRow.id)).all()))


def test_it_says_so_keeps_what_it_has_and_goes_on(database: Database, disk: TinyDisk) -> None:
    accepted = fill(database, disk)
    with pytest.raises(DatabaseFull, match="disk of the database is full"):
        database.check_room()
    assert stored(database) == accepted  # it can be read
    if database.is_sqlite:
        database.close()
        disk.fill()
        with pytest.raises(DatabaseFull):  # but not opened: even that needs room
            stored(Database(str(database.url)))
    disk.empty()
    accepted.add(database.run(add_key, "after"))
    assert stored(database) == accepted


def test_the_api_says_so(serve: StartApp, database: Database, disk: TinyDisk) -> None:
    api = serve()
    anna, nobody = api.client("anna"), api.client(None)
    assert nobody.get("/readyz").status_code == 200
    fill(database, disk)
    response = nobody.get("/readyz")
    assert_problem(response, 503, "database_full")
    assert int(response.headers["retry-after"]) > 0
    body = {"name": "x" * 190, "source": {"kind": "builtin", "name": "iris"}}
    answers = [anna.post("/v1/datasets", json=body) for _ in range(400)]
    refused = [each for each in answers if each.status_code != 201]
    assert refused
    for each in refused:
        assert_problem(each, 503, "database_full")
        assert int(each.headers["retry-after"]) > 0
    assert anna.get("/v1/jobs").status_code == 200
    disk.empty()
    database._full_at = float("-inf")  # as a while later
    assert nobody.get("/readyz").status_code == 200
    assert anna.post("/v1/datasets", json=body).status_code == 201


def test_an_attempt_waits_for_room_and_its_outcome_is_recorded_once(
    database: Database, disk: TinyDisk, tmp_path: Path
) -> None:
    worker = Worker(Settings(slots=1), database, open_store(str(tmp_path), {}), RecordingWaker(), ["default"])
    job = claim_job(database)
    fill(database, disk)
    result = {"text": LONG_NAME}
    thread = threading.Thread(target=Attempt(worker, job)._finish, args=(Outcome(Ending.SUCCEEDED, result=result),))
    thread.start()
    thread.join(2)
    assert thread.is_alive()
    assert database.read(repository.find, "anna", job.id).status == "running"
    disk.empty()
    thread.join(30)
    assert not thread.is_alive()
    row = database.read(repository.find, "anna", job.id)
    assert (row.status, row.result) == ("succeeded", result)


def test_leases_do_not_expire_while_nobody_can_renew_them(
    database: Database, disk: TinyDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(slots=1, lease_seconds=1)
    worker = Worker(settings, database, open_store(str(tmp_path), {}), RecordingWaker(), ["default"])
    job = claim_job(database)
    fill(database, disk)
    monkeypatch.setattr(worker, "fill_free_slots", lambda: None)
    monkeypatch.setattr(worker.heartbeat, "_counts", lambda: {"text": uuid.uuid4().hex * 4096})  # too much for a page
    runner = PeriodicRunner(duties(worker), 0.1)
    for _ in range(8):
        runner.run_round()
        time.sleep(0.25)
    assert database.read(repository.find, "anna", job.id).status == "running"
    disk.empty()
    runner.run_round()
    database.run(repository.renew_lease, job.id, job.fence, 1.0)
    assert database.read(repository.find, "anna", job.id).fence == job.fence


@pytest.mark.parametrize("disk", ["sqlite"], indirect=True)
def test_a_limit_of_pages_is_no_room_either(database: Database) -> None:
    @event.listens_for(database.engine, "checkout")
    def limit(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # becomes the present size

    with pytest.raises(DatabaseFull):
        database.run(add_key, LONG_NAME)
    assert issubclass(DatabaseFull, DatabaseUnavailable)
