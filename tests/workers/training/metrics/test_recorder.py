"""What a recorder sends."""

import torch

from workers.training.context import MemoryContext
from workers.training.metrics.recorder import MAX_FLOW_SERIES, Recorder
from workers.training.state import Counters
from workers.training.step import UpdateResult


def test_at_most_so_many_series_of_control_flow_are_kept_the_same_ones_after_a_resume() -> None:
    counters = Counters()
    counts = {f"nodes/{i}": 1.0 for i in range(MAX_FLOW_SERIES + 10)}
    kept = []
    for _ in range(2):
        context = MemoryContext()
        recorder = Recorder(context, counters, total_steps=10, steps_per_epoch=5, fail=True)
        for _ in range(2):
            counters.step += 1
            recorder.step([UpdateResult(0, torch.tensor(1.0), None, None)], [0.1], counts)
        recorder.flush()
        kept.append({name for report in context.reports for name in report.series if name.startswith("flow/")})
        counts = dict(reversed(counts.items()))
    assert len(kept[0]) == MAX_FLOW_SERIES
    assert kept[0] == kept[1]
