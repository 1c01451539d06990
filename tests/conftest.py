"""Fixtures for every test: a fresh database and a fresh store, each of every kind."""

import gc
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Before anything imports torch: with one thread for each CPU in each process of `pytest -n`, small tensors take four
# times as long, most of it waiting for threads of other processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from app.db import migrate
from app.db.session import Database
from app.storage.catalog import open_store
from app.storage.protocol import ArtifactStore
from tests.postgres import Postgres

BUCKET = "graftwerk"
# What takes a minute or more of waiting for processes. It begins first, or one process would do it alone at the end.
SLOW_FIRST = (
    "tests/faults/test_campaign.py",
    "tests/faults/power/test_service.py",
    "tests/faults/clients/",
    "tests/acceptance/",
    "tests/web/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow files first; `make test` hands them out in this order."""
    items.sort(key=_rank)


def pytest_collection_finish() -> None:
    """Let no garbage collection look again at what all test modules have imported, a million objects of torch's."""
    gc.collect()
    gc.freeze()


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, prefix in enumerate(SLOW_FIRST) if item.nodeid.startswith(prefix)), len(SLOW_FIRST))


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """Let no test keep the umask that a main function sets: the servers of later tests run as other users."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "graftwerk.db"
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this process's own."""
    server = Postgres()
    yield server
    server.stop()


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


@pytest.fixture(autouse=True)
def global_determinism() -> Iterator[None]:
    """Put back torch's global setting: under another one the next test in the process may warn of its kernels."""
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.use_deterministic_algorithms(False)
