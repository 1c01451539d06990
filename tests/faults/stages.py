"""The services that kinds of rounds need: most the usual one, some one of their own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.faults.campaign import RoundKind
from tests.faults.clients.rounds import unfriendly_clients
from tests.faults.deployment import Deployment
from tests.faults.disk.deployment import serve_on_small_disks
from tests.faults.disk.rounds import full_disks
from tests.faults.edit_rounds import edits
from tests.faults.postgresql.replicated import ReplicatedPostgres
from tests.faults.postgresql.rounds import failovers
from tests.faults.power.rounds import power_cuts
from tests.faults.round_kinds import ROUND_KINDS
from tests.faults.s3.deployment import serve_from_bucket
from tests.faults.s3.rounds import s3_faults
from tests.postgres import Postgres

Stage = Callable[[Path, str], AbstractContextManager[Deployment]]


@contextmanager
def run_database(backend: str) -> Iterator[Postgres | None]:
    """Run the database server of a backend; SQLite has none."""
    postgres = Postgres(durable=True) if backend == "postgresql" else None
    try:
        yield postgres
    finally:
        if postgres is not None:
            postgres.stop()


@contextmanager
def serve(folder: Path, backend: str) -> Iterator[Deployment]:
    """Serve as usual: artifacts in a directory, and either database."""
    with run_database(backend) as postgres, Deployment(folder, postgres) as at:
        yield at


@contextmanager
def serve_with_bucket(folder: Path, backend: str) -> Iterator[Deployment]:
    """Serve with artifacts in a bucket whose server may lie."""
    with run_database(backend) as postgres, serve_from_bucket(folder, postgres) as at:
        yield at


@contextmanager
def serve_with_standby(folder: Path, backend: str) -> Iterator[Deployment]:
    """Serve with a PostgreSQL that has a standby."""
    postgres = ReplicatedPostgres()
    try:
        with Deployment(folder, postgres) as at:
            yield at
    finally:
        postgres.stop()


ALL_KINDS: Mapping[str, RoundKind] = ROUND_KINDS | {
    "power_cuts": power_cuts,
    "s3_faults": s3_faults,
    "failovers": failovers,
    "full_disks": full_disks,
    "unfriendly_clients": unfriendly_clients,
    "edits": edits,
}
STAGES: Mapping[str, Stage] = {
    "s3_faults": serve_with_bucket,
    "failovers": serve_with_standby,
    "full_disks": serve_on_small_disks,
}  # of kinds that need another service than the usual one
POSTGRESQL_ONLY = frozenset({"databases", "database_away", "failovers"})
SQLITE_ONLY = frozenset({"power_cuts"})  # PostgreSQL's own durability is not ours to show


def runs_on(kind: str, backend: str) -> bool:
    """Return whether a kind of round is made with a database."""
    return kind not in (POSTGRESQL_ONLY if backend == "sqlite" else SQLITE_ONLY)
