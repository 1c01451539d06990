"""The update: from gradients to new weights, with a loss scaler, clipping, and steps that are skipped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm

from app.spec.training.updates.update import BaseUpdate
from workers.training.optim.optimizers import can_skip_on_device
from workers.training.optim.update_state import UpdateState

Closure = Callable[[], Tensor]  # computes the step's gradients again, and returns its loss (scalar)


class Update(Protocol):
    """How an optimizer step is taken."""

    def backward(self, state: UpdateState, loss: Tensor) -> None:
        """Add the gradients of a loss (scalar)."""
        ...

    def step(self, state: UpdateState, loss: Tensor, closure: Closure) -> Tensor | None:
        """Step, and clear the gradients. `loss` is that of the whole step (scalar), on the device.

        Returns 1.0 if the step was skipped and 0.0 if not, as a scalar on the device; `None` if nothing was checked.
        """
        ...


class FiniteCheck(Enum):
    """Where loss and gradients are checked for NaN and infinity before the step (`on_nan: skip`)."""

    NOBODY = "nobody"
    """Nowhere: `fail` and `ignore` look at the losses later, and the loss scaler of fp16 checks by itself."""
    HOST = "host"
    """In Python: free on a CPU, one wait per step on a GPU."""
    DEVICE = "device"
    """In the fused kernel, as for a loss scaler (`found_inf`): without waiting."""


@dataclass(frozen=True)
class OptimizerStep:
    """A step from the gradients that `backward` accumulated."""

    clip_norm: float | None = None
    finite_check: FiniteCheck = FiniteCheck.NOBODY

    def backward(self, state: UpdateState, loss: Tensor) -> None:
        """Add the gradients of a loss (scalar)."""
        (loss if state.scaler is None else state.scaler.scale(loss)).backward(inputs=state.inputs)

    def step(self, state: UpdateState, loss: Tensor, closure: Closure) -> Tensor | None:
        """Step, and clear the gradients; see `Update`."""
        optimizer, parameters, scaler = state.optimizer, state.parameters, state.scaler
        norm = None
        if self.clip_norm is not None:
            if scaler is not None:
                scaler.unscale_(optimizer)
            norm = clip_grad_norm_(parameters, self.clip_norm)
        skipped = None if self.finite_check is FiniteCheck.NOBODY else _nonfinite_flag(parameters, loss, norm)
        if scaler is not None:
            scaler.step(optimizer)
            scaler.update()
        elif skipped is not None and self.finite_check is FiniteCheck.DEVICE:
            vars(optimizer)["found_inf"] = skipped
            optimizer.step()
            del vars(optimizer)["found_inf"]
        elif skipped is None or not skipped.item():
            optimizer.step()
        for parameter in parameters:  # as `zero_grad` does, without its bookkeeping for profilers
            parameter.grad = None
        return skipped


def _nonfinite_flag(parameters: Sequence[nn.Parameter], loss: Tensor, norm: Tensor | None) -> Tensor:
    """Return 1.0 if the loss or a gradient is not finite, else 0.0: a scalar on the device."""
    if norm is None:
        norm = get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
    return (~torch.isfinite(loss + norm)).float()


@dataclass(frozen=True)
class ClosureStep:
    """A step of an optimiser that evaluates the loss at several points before it stays at one (LBFGS)."""

    def backward(self, state: UpdateState, loss: Tensor) -> None:
        """Add the gradients of a loss (scalar)."""
        loss.backward(inputs=state.inputs)

    def step(self, state: UpdateState, loss: Tensor, closure: Closure) -> Tensor | None:
        """Step, and clear the gradients. The first evaluation is `loss`, whose gradients are there already."""
        optimizer, first = state.optimizer, [loss]

        def evaluate() -> Tensor:
            if first:
                return first.pop()
            optimizer.zero_grad()
            return closure()

        optimizer.step(evaluate)  # type: ignore[arg-type]
        optimizer.zero_grad()
        return None


def build_update(spec: BaseUpdate, on_nan: str, has_scaler: bool, device: torch.device) -> Update:
    """Return how an update is taken on a device; a scaler finds losses that are not finite by itself."""
    if spec.optimizer.row.closure:
        return ClosureStep()
    finite_check = FiniteCheck.NOBODY
    if on_nan == "skip" and not has_scaler:
        finite_check = FiniteCheck.DEVICE if can_skip_on_device(spec.optimizer, device) else FiniteCheck.HOST
    return OptimizerStep(spec.clip_norm, finite_check)
