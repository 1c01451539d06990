"""Actions: what lies in a space, and draws from it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from app.errors import DataError, NumericError
from app.spec.data.environments.spaces import BoxSpace, DiscreteSpace
from workers.environments.simulation import is_finite

INFINITE = float("inf")
ACTION_POINTER = "/data/action"


class ActionSpace:
    """A space of actions, with its bounds as tensors."""

    def __init__(self, space: BoxSpace | DiscreteSpace) -> None:
        self.space = space
        self.low, self.high = _bounds(space)
        self._low, self._high = self.low.numpy(), self.high.numpy()  # on small arrays NumPy is faster than torch

    @property
    def is_discrete(self) -> bool:
        """Whether actions are class numbers."""
        return isinstance(self.space, DiscreteSpace)

    def fit(self, actions: Tensor) -> Tensor:
        """Return actions (N, *action) clamped to a box; class numbers int64 (N) as they are, checked.

        Raises `NumericError` if a number is not finite, and `DataError` if a class number is not in the space, or the
        shape is another.
        """
        if actions.shape[1:] != self.space.shape:
            detail = f"the actions have shape {tuple(actions.shape)}, and those of the space {self._described_shape()}"
            raise DataError(detail, pointer=ACTION_POINTER, hint="change the output that is the action")
        if isinstance(self.space, DiscreteSpace):
            return self._fit_discrete(actions, self.space.n)
        values = actions.float().numpy()
        if not is_finite(values):
            copy = int(np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))[0])
            detail = f"the action of copy {copy} is not a finite number"
            hint = 'the weights of the policy have diverged: lower the learning rate, or set "clip_norm"'
            raise NumericError(detail, pointer=ACTION_POINTER, hint=hint)
        return torch.from_numpy(np.minimum(np.maximum(values, self._low), self._high))

    def _fit_discrete(self, actions: Tensor, n: int) -> Tensor:
        if actions.dtype != torch.int64:
            detail = f"the actions are {str(actions.dtype).removeprefix('torch.')}, and class numbers are int64"
            raise DataError(detail, pointer=ACTION_POINTER, hint=f"argmax over {n} values gives class numbers")
        wrong = next((number for number in actions.tolist() if not 0 <= number < n), None)
        if wrong is not None:
            hint = f"argmax over {n} values gives class numbers"
            raise DataError(f"the action {wrong} is not one of 0 to {n - 1}", pointer=ACTION_POINTER, hint=hint)
        return actions

    def uniform(self, count: int, generator: torch.Generator) -> Tensor:
        """Return actions that are drawn uniformly from a space with bounds: (count, *action)."""
        if isinstance(self.space, DiscreteSpace):
            return torch.randint(self.space.n, (count,), generator=generator)
        draws = torch.rand((count, *self.space.shape), generator=generator)
        return self.low + (self.high - self.low) * draws

    def _described_shape(self) -> str:
        return f"(N, {', '.join(map(str, self.space.shape))})" if self.space.shape else "(N)"


def _bounds(space: BoxSpace | DiscreteSpace) -> tuple[Tensor, Tensor]:
    """Return the lower and upper bounds along the last dimension: float32."""
    if isinstance(space, DiscreteSpace):
        return torch.zeros(1), torch.full((1,), space.n - 1.0)
    return _tensor(space.lows, -INFINITE), _tensor(space.highs, INFINITE)


def _tensor(bounds: Sequence[float | None], default: float) -> Tensor:
    return torch.tensor([default if bound is None else bound for bound in bounds])
