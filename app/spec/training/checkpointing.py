"""The checkpoints of a training plan: by themselves, for a worker needs no more of the plan."""

from typing import Literal

from app.spec.base import Count, Seconds, Size, SpecModel, Steps


class Checkpointing(SpecModel):
    """When checkpoints are taken and which are kept. The last one is always taken at the end."""

    every_steps: Steps | None = None
    every_seconds: Seconds | None = 60.0
    keep_last: Size = 2
    keep_best: Count = 1
    monitor: str = "val/loss"
    mode: Literal["min", "max"] = "min"
