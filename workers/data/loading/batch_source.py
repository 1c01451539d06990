"""What training reads its batches from."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from workers.data.columns import PreparedColumn

# Inputs (batch, …) and targets (batch, …) by name, and the batch's share of the step's examples.
WeightedBatch = tuple[Mapping[str, Tensor], Mapping[str, Tensor], float]


class BatchSource(Protocol):
    """The batches of every optimizer step, on a device.

    A source whose batches are a function of (seed, epoch, step) has no state, which is the default. One that does have
    some, as a collector of experience would, returns in `state_dict` all that the next step depends on.
    """

    @property
    def targets(self) -> Mapping[str, PreparedColumn]:
        """The targets of all rows, of the types that batches have; of mixed ones without rows."""
        ...

    def batches(self, step: int) -> list[WeightedBatch]:
        """Return the batches of optimizer step `step` (from 0). Raises `DataError` for rows that cannot be read."""
        ...

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return what a checkpoint must hold for the next step to be the same."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` has returned. Raises `ValueError` for the state of another source."""
        if state:
            raise ValueError(f"a source without state cannot take over: {', '.join(sorted(state))}")
