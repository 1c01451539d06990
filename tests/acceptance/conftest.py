"""One service for the acceptance tests of a process: starting one takes longer than most of what is tested."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from graftwerk.supervise.broker import EmbeddedBroker, find_binary
from tests.acceptance.service import ServiceProcess, wait_until

SLOTS = ("--slots", "2")


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """The service of the session; it ends without an error, and leaves no temporary file."""
    with tempfile.TemporaryDirectory(prefix="gw-", dir="/tmp") as scratch:  # a path short enough for sockets
        running = ServiceProcess(tmp_path_factory.mktemp("service") / "home", environment={"TMPDIR": scratch})
        running.start(*SLOTS)
        yield running
        assert running.stop() == 0, running.log
        assert leftover_files(Path(scratch)) == []


@pytest.fixture
def service(shared_service: ServiceProcess) -> Iterator[ServiceProcess]:
    """A running service without work. A test may kill its parts and stop it, as long as it stops cleanly."""
    if shared_service.process is None or shared_service.process.poll() is not None:
        shared_service.start(*SLOTS)
    yield shared_service
    if shared_service.process is not None and shared_service.process.poll() is None:
        shared_service.cancel_all()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker of the test's own."""
    binary = find_binary()
    assert binary is not None
    made = EmbeddedBroker.prepare(binary, tmp_path)
    process = subprocess.Popen(made.program.command, stdout=subprocess.DEVNULL)
    wait_until(made.ping, "the broker's answer", 20)
    yield made
    process.terminate()
    process.wait(20)
    made.remove()


@pytest.fixture
def scratch(shared_service: ServiceProcess) -> Path:
    """The service's folder for temporary files."""
    return Path(shared_service.environment["TMPDIR"])


def leftover_files(scratch: Path) -> list[Path]:
    """Return what a service has left of its temporary files."""
    return [path for path in scratch.glob("graftwerk-*/**/*") if not path.is_dir()]
