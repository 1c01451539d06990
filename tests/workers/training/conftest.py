from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from app.storage.open import open_store
from tests.workers.training.laboratory import Laboratory


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    """A laboratory with an empty store; one thread, and torch's global settings put back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Laboratory(tmp_path, open_store(str(tmp_path / "store"), {}))
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
