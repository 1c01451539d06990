"""One service for the acceptance tests of a process: starting one takes longer than most of what is tested."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from graftwerk.supervise.broker import EmbeddedBroker, find_binary
from tests.acceptance.service import ServiceProcess, running_service, wait_until

SLOTS = ("--slots", "2")


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """The service of the session."""
    with running_service(tmp_path_factory.mktemp("service") / "home", *SLOTS) as running:
        yield running


@pytest.fixture
def service(shared_service: ServiceProcess) -> Iterator[ServiceProcess]:
    """A running service without work. A test may kill its parts and stop it, as long as it stops cleanly."""
    shared_service.resume(*SLOTS)
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
