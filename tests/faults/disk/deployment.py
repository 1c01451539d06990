"""A service whose disks can be filled: that of its home directory or its artifacts, and that of its database."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.deployment import Deployment
from tests.faults.disk.full import Disk
from tests.faults.postgresql.replicated import OwnPostgres


@dataclass
class FillableDeployment(Deployment):
    """The service, and its disks by what is on them."""

    disks: dict[str, Disk] = field(kw_only=True)


@contextmanager
def serve_on_small_disks(folder: Path, backend: str) -> Iterator[FillableDeployment]:
    """Serve on disks of their own; SQLite shares that of the home directory."""
    home = folder.resolve() / "home"
    with ExitStack() as stack:
        if backend == "sqlite":
            disks, postgres = {"home": Disk.new(home)}, None
        else:
            disks = {"artifacts": Disk.new(home / "artifacts"), "database": Disk.new()}
            postgres = OwnPostgres(disks["database"].environment)
            stack.callback(postgres.stop)
        environment = dict(next(iter(disks.values())).environment)
        yield stack.enter_context(FillableDeployment(folder, postgres, home=home, environment=environment, disks=disks))
