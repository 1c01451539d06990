"""Whole episodes with the weights of one moment, all of whose steps are one batch."""

import torch
from torch import Tensor

from workers.environments.buffers.advantages import discounted_returns, normalize
from workers.environments.evaluation import PlayedStep


class EpisodeBuffer:
    """The steps of episodes that are played side by side, in the order of (episode, step).

    It is empty between two batches, so that it has no state.
    """

    def __init__(self, gamma: float, normalize_returns: bool, device: torch.device | str = "cpu") -> None:
        self._gamma, self._normalize, self._device = gamma, normalize_returns, torch.device(device)
        self._rows: dict[int, list[tuple[Tensor, Tensor, float]]] = {}  # by number: (observation, action, reward)

    def add(self, step: PlayedStep, action: Tensor) -> None:
        """Add a step; `action` (N, *action) is what the policy gave, before it was clamped."""
        for place, number in enumerate(step.numbers):
            row = (step.observation[place], action[place], step.reward[place])
            self._rows.setdefault(number, []).append(row)

    def finish(self) -> dict[str, Tensor]:
        """Return all steps by column, and forget them. N is their number.

        observation (N, *observation); action (N, *action), or int64 (N) of a discrete space; returns (N, 1), float32:
        the discounted rewards of the episode from the step on (Williams, Machine Learning 8, 1992), with zero mean and
        unit standard deviation if the buffer normalises them.
        """
        episodes = [self._rows[number] for number in sorted(self._rows)]
        self._rows = {}
        rewards = [torch.tensor([row[2] for row in rows], dtype=torch.float64) for rows in episodes]
        returns = torch.cat([discounted_returns(each, self._gamma) for each in rewards])
        if self._normalize:
            returns = normalize(returns)
        columns = {
            "observation": torch.stack([row[0] for rows in episodes for row in rows]),
            "action": torch.stack([row[1] for rows in episodes for row in rows]),
            "returns": returns.float().unsqueeze(1),
        }
        return {name: column.to(self._device) for name, column in columns.items()}
