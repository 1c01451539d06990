from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from app.storage.catalog import open_store
from tests.workers.training.harness import TrainingHarness


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Sums of several threads may differ in their last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[TrainingHarness]:
    """A laboratory with an empty store; torch's global settings are put back."""
    yield TrainingHarness(tmp_path, open_store(str(tmp_path / "store"), {}))
    torch.use_deterministic_algorithms(False)
