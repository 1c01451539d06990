"""Services for the acceptance tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.service import Service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for every test that leaves it as it was."""
    running = Service(tmp_path_factory.mktemp("service") / "home")
    running.start("--slots", "2")
    yield running
    assert running.stop() == 0, running.log


@pytest.fixture
def lone_service(tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own, to be hurt."""
    running = Service(tmp_path / "home")
    yield running
    if running.process is not None and running.process.poll() is None:
        running.stop()
