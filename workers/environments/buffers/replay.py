"""The last transitions, of which batches are drawn uniformly (Lin, Machine Learning 8, 1992)."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

from workers.environments.transition import JsonState, Transition

COLUMNS = ("observation", "action", "reward", "next_observation", "terminated")
PACKED = "rows"


class ReplayBuffer:
    """The last `capacity` transitions on a device; the oldest are overwritten.

    All float32 columns lie side by side in one tensor, so that a batch is one selection of rows. Tensors of the full
    capacity are allocated with the first transition; a system gives memory to the part alone that has been written.
    """

    def __init__(self, capacity: int, device: torch.device | str = "cpu") -> None:
        self.capacity, self._device = capacity, torch.device(device)
        self._shapes: dict[str, tuple[int, ...]] = {}  # of the packed columns, in order
        self._stored: dict[str, Tensor] = {}  # the packed columns (capacity, width), and others (capacity, …) by name
        self._count, self._next = 0, 0  # transitions; the row that is written next

    def __len__(self) -> int:
        """Return the number of transitions."""
        return self._count

    def add(self, transition: Transition) -> None:
        """Add the transitions of all copies, in their order."""
        columns = {name: getattr(transition, name) for name in COLUMNS}
        if not self._stored:
            self._allocate(columns)
        size = len(transition.reward)
        parts = [columns[name].numpy().reshape(size, -1) for name in self._shapes]
        packed = torch.from_numpy(np.concatenate(parts, 1, dtype=np.float32))  # faster than torch's `cat`
        first = min(size, self.capacity - self._next)
        for name, stored in self._stored.items():
            values = packed if name == PACKED else columns[name]
            stored[self._next : self._next + first] = values[:first]
            if first < size:  # the rest follows from the beginning on
                stored[: size - first] = values[first:]
        self._next = (self._next + size) % self.capacity
        self._count = min(self.capacity, self._count + size)

    def sample(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return `count` transitions by column, drawn with replacement by a generator on the CPU.

        observation and next_observation (count, *observation); action (count, *action), or int64 (count) of a discrete
        space; reward and terminated (count, 1), float32.
        """
        rows = torch.randint(self._count, (count,), generator=generator).to(self._device, non_blocking=True)
        drawn = {name: stored.index_select(0, rows) for name, stored in self._stored.items()}
        packed = drawn.pop(PACKED)
        parts = packed.split([prod(shape) for shape in self._shapes.values()], 1)
        for (name, shape), part in zip(self._shapes.items(), parts, strict=True):
            drawn[name] = part if len(shape) == 1 else part.reshape(count, *shape)
        return drawn

    def state_tensors(self) -> dict[str, Tensor]:
        """Return what has been written: views of the first rows."""
        return {name: stored[: self._count] for name, stored in self._stored.items()}

    def state_json(self) -> JsonState:
        """Return the rest of what `load` needs."""
        shapes = {name: list(shape) for name, shape in self._shapes.items()}
        return {"capacity": self.capacity, "count": self._count, "next": self._next, "shapes": shapes}

    def load(self, tensors: Mapping[str, Tensor], numbers: JsonState) -> None:
        """Go on from the state of a buffer of the same capacity. Raises `ValueError` for another's."""
        if numbers["capacity"] != self.capacity:
            raise ValueError(f"the state of a buffer of {numbers['capacity']:,} transitions, not {self.capacity:,}")
        if any(len(each) != numbers["count"] for each in tensors.values()):
            raise ValueError(f"the columns have not {numbers['count']:,} rows")
        self._count, self._next = numbers["count"], numbers["next"]
        self._shapes = {name: tuple(shape) for name, shape in numbers["shapes"].items()}
        self._stored = {name: self._empty(each.shape[1:], each.dtype) for name, each in tensors.items()}
        for name, stored in self._stored.items():
            stored[: self._count] = tensors[name]

    def _allocate(self, columns: Mapping[str, Tensor]) -> None:
        packed = {name: each for name, each in columns.items() if each.dtype is not torch.int64}
        self._shapes = {name: tuple(each.shape[1:]) for name, each in packed.items()}
        self._stored = {PACKED: self._empty((sum(map(prod, self._shapes.values())),), torch.float32)}
        self._stored |= {name: self._empty(columns[name].shape[1:], torch.int64) for name in columns.keys() - packed}

    def _empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        return torch.empty((self.capacity, *shape), dtype=dtype, device=self._device)
