"""What training reads its batches from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from workers.data.columns import PreparedColumn

# Inputs (batch, …) and targets (batch, …) by name, and the batch's share of the step's examples.
WeightedBatch = tuple[Mapping[str, Tensor], Mapping[str, Tensor], float]
NO_VALUES: Mapping[str, float] = {}
NO_STATE: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Segment:
    """Some rows of large tensors of a state, by the names of the whole tensors.

    As long as `version` is the same, so is the content. The rows of all segments, by number, are the whole tensors.
    """

    number: int  # from 0 on
    version: int
    tensors: Mapping[str, Tensor]


class BatchSource(Protocol):
    """The batches of every optimizer step, on a device.

    A source whose batches are a function of (seed, epoch, step) has no state, which is the default. One that does have
    some, as a collector of experience, returns in `state_dict` and `state_json` all that the next step depends on.
    """

    @property
    def targets(self) -> Mapping[str, PreparedColumn]:
        """The targets of all rows, of the types that batches have; of mixed ones without rows."""
        ...

    def batches(self, step: int) -> list[WeightedBatch]:
        """Return the batches of optimizer step `step` (from 0). Raises `DataError` for rows that cannot be read.

        A source with a state is asked once for each step, in order.
        """
        ...

    def preview(self, step: int) -> list[WeightedBatch]:
        """Return the batches that step `step` will have, and stay as it is."""
        return self.batches(step)

    def pop_values(self) -> Mapping[str, float]:
        """Return what was measured while the latest batches were collected, by series, once."""
        return NO_VALUES

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return the tensors that a checkpoint must hold for the next step to be the same, without copying."""
        return {}

    def segments(self) -> Sequence[Segment]:
        """Return those tensors of `state_dict` of which a step changes a part alone, by parts, without copying."""
        return ()

    def state_json(self) -> Mapping[str, Any]:
        """Return the rest of what a checkpoint must hold, as JSON."""
        return NO_STATE

    def load_state_dict(self, state: Mapping[str, Tensor], numbers: Mapping[str, Any] = NO_STATE) -> None:
        """Go on from what `state_dict` and `state_json` returned. Raises `ValueError` for that of another source."""
        if state or numbers:
            names = ", ".join(sorted({*state, *numbers}))
            raise ValueError(f"a source without state cannot take over: {names}")
