"""What a job that succeeded says for itself."""

import math
from typing import Any

from workers.training.state import TrainState


def training_result(state: TrainState, epoch: float) -> dict[str, Any]:
    """Return the final values, the best ones, and the length of the training. A value that is no number is null."""
    counters, best = state.counters, state.best
    values = {name: value if math.isfinite(value) else None for name, value in counters.latest.items()}
    return {
        "step": counters.step,
        "epoch": epoch,
        "values": values,
        "best": {"monitor": best.monitor, "value": best.best, "step": best.step},
        "seconds": counters.elapsed,
        "stopped_early": counters.stopped,
    }
