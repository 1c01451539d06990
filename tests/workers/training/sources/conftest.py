import pytest

from workers.training.sources import replay


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffers of some dozens of transitions have several segments too."""
    monkeypatch.setattr(replay, "MIN_SEGMENT_ROWS", 16)
