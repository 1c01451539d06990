"""Steps of every copy with the weights of one moment, with their advantages."""

from collections.abc import Mapping

import torch
from torch import Tensor

from workers.environments.buffers.advantages import generalized_advantages
from workers.environments.transition import JsonState, Transition

STEP_COLUMNS = ("observation", "action", "log_prob", "value")  # that are kept of a step
RESULT_COLUMNS = ("advantage", "returns")


class RolloutBuffer:
    """`steps` steps of every copy, and from the last of them on their advantages and returns.

    Tensors are allocated with the first step and used again by every rollout. A step is kept on the CPU; what `finish`
    makes of a rollout lies on the device.
    """

    def __init__(
        self, steps: int, copies: int, gamma: float, lambda_: float, device: torch.device | str = "cpu"
    ) -> None:
        self.steps, self.copies, self._gamma, self._lambda = steps, copies, gamma, lambda_
        self._device = torch.device(device)
        self._kept: dict[str, Tensor] = {}  # by name: (steps, copies, …)
        self._count = 0  # steps of the present rollout
        self.columns: dict[str, Tensor] = {}  # of the last whole rollout, (steps * copies, …) by name

    def __len__(self) -> int:
        """Return the number of steps of every copy in the rollout that is collected."""
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether the rollout has all of its steps."""
        return self._count == self.steps

    def clear(self) -> None:
        """Begin the next rollout; `columns` stay until it is finished."""
        self._count = 0

    def add(
        self, transition: Transition, action: Tensor, log_prob: Tensor, value: Tensor, next_value: Tensor | None = None
    ) -> None:
        """Add one step of every copy.

        `action` (copies, *action) is what the policy gave, before it was clamped: `log_prob` (copies, 1) is of it.
        `value` (copies, 1) is that of the observation. `next_value` (copies, 1), that of the next observation of the
        same episode, is needed where a copy is truncated and at the last step.
        """
        needs_value = bool(transition.truncated.any()) or self._count == self.steps - 1
        if next_value is None and needs_value:
            raise ValueError("a step that is truncated, and the last one, need the value of the next observation")
        row = {
            "observation": transition.observation,
            "action": action,
            "log_prob": log_prob,
            "value": value,
            "reward": transition.reward,
            "terminated": transition.terminated,
            "truncated": transition.truncated,
            "next_value": torch.zeros_like(value) if next_value is None else next_value,
        }
        if not self._kept:
            self._kept = {name: torch.empty((self.steps, *each.shape), dtype=each.dtype) for name, each in row.items()}
        for name, kept in self._kept.items():
            kept[self._count] = row[name]
        self._count += 1

    def finish(self) -> dict[str, Tensor]:
        """Compute the advantages of a full rollout; return `columns`.

        observation (steps * copies, *observation), action, log_prob (…, 1), value (…, 1), advantage (…, 1), not
        normalised, and returns (…, 1) = advantage + value.
        """
        kept = {name: self._kept[name].squeeze(-1) for name in ("reward", "value", "terminated", "truncated")}
        following = self._kept["next_value"].squeeze(-1).clone()
        goes_on = ~kept["truncated"][:-1]
        following[:-1] = torch.where(goes_on, kept["value"][1:], following[:-1])  # ignored where it terminated
        advantage = generalized_advantages(
            kept["reward"], kept["value"], following, kept["terminated"], kept["truncated"], self._gamma, self._lambda
        )
        results = {"advantage": advantage, "returns": advantage + kept["value"]}
        flat = {name: self._kept[name].flatten(0, 1) for name in STEP_COLUMNS}
        flat |= {name: each.reshape(-1, 1) for name, each in results.items()}
        if self.columns:
            for name, column in self.columns.items():
                column.copy_(flat[name])
        else:
            self.columns = {name: each.to(self._device, copy=True) for name, each in flat.items()}
        return self.columns

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the steps so far of a rollout, and the columns of the last whole one: views."""
        kept = {f"steps.{name}": each[: self._count] for name, each in self._kept.items()} if self._count else {}
        return kept | {f"columns.{name}": column for name, column in self.columns.items()}

    def state_json(self) -> JsonState:
        """Return the rest of what `load` needs."""
        return {"steps": self.steps, "copies": self.copies, "count": self._count}

    def load(self, tensors: Mapping[str, Tensor], numbers: JsonState) -> None:
        """Go on from the state of a buffer of the same size. Raises `ValueError` for another's."""
        if (numbers["steps"], numbers["copies"]) != (self.steps, self.copies):
            other = f"{numbers['steps']} steps of {numbers['copies']} copies"
            raise ValueError(f"the state of a buffer of {other}, not {self.steps} of {self.copies}")
        self._count = numbers["count"]
        kept = {name.removeprefix("steps."): each for name, each in tensors.items() if name.startswith("steps.")}
        self._kept = {name: torch.empty((self.steps, *each.shape[1:]), dtype=each.dtype) for name, each in kept.items()}
        for name, each in kept.items():
            self._kept[name][: self._count] = each
        prefix = "columns."
        self.columns = {
            name.removeprefix(prefix): each.to(self._device, copy=True)
            for name, each in tensors.items()
            if name.startswith(prefix)
        }
