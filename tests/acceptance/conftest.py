"""Services for the acceptance tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.service import ServiceProcess


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """One service for every test that leaves it as it was."""
    running = ServiceProcess(tmp_path_factory.mktemp("service") / "home")
    running.start("--slots", "2")
    yield running
    assert running.stop() == 0, running.log


@pytest.fixture
def lone_service(tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service of the test's own, to be hurt."""
    running = ServiceProcess(tmp_path / "home")
    yield running
    if running.process is not None and running.process.poll() is None:
        running.stop()
