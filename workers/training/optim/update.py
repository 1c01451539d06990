"""From gradients to a step: unscale, clip, leave out what is not finite, step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.utils import clip_grad_norm_, get_total_norm
from torch.optim import Optimizer

Closure = Callable[[], Tensor]  # adds the step's gradients anew, and returns its loss (scalar)


class FiniteCheck(Enum):
    """Who looks whether loss and gradients are finite before the step (`on_nan: skip`)."""

    NOBODY = "nobody"
    """`fail` and `ignore`, which look at the losses later; and fp16, whose scaler looks anyway."""
    HOST = "host"
    """Python does: free on a CPU, one wait per step on a GPU."""
    DEVICE = "device"
    """The fused kernel does, as it does for a loss scaler (`found_inf`): no wait."""


@dataclass(frozen=True)
class OptimizerStep:
    """One optimizer step from the gradients that `backward` gathered."""

    optimizer: Optimizer
    parameters: Sequence[nn.Parameter]
    scaler: GradScaler | None = None
    clip_norm: float | None = None
    finite_check: FiniteCheck = FiniteCheck.NOBODY

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss (scalar)."""
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()

    def step(self, loss: Tensor, again: Closure) -> Tensor | None:
        """Step, and forget the gradients. `loss` is the step's whole loss (scalar), on the device.

        Returns 1.0 if the step was left out, 0.0 if not, as a tensor on the device; `None` if nobody looked.
        """
        norm = None
        if self.clip_norm is not None:
            if self.scaler is not None:
                self.scaler.unscale_(self.optimizer)
            norm = clip_grad_norm_(self.parameters, self.clip_norm)
        skipped = self._nonfinite_flag(loss, norm) if self.finite_check is not FiniteCheck.NOBODY else None
        if self.scaler is not None:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        elif skipped is not None and self.finite_check is FiniteCheck.DEVICE:
            vars(self.optimizer)["found_inf"] = skipped
            self.optimizer.step()
            del vars(self.optimizer)["found_inf"]
        elif skipped is None or not skipped.item():
            self.optimizer.step()
        for parameter in self.parameters:  # as `zero_grad` does, without its bookkeeping for profilers
            parameter.grad = None
        return skipped

    def _nonfinite_flag(self, loss: Tensor, norm: Tensor | None) -> Tensor:
        if norm is None:
            norm = get_total_norm([parameter.grad for parameter in self.parameters if parameter.grad is not None])
        return (~torch.isfinite(loss + norm)).float()


@dataclass(frozen=True)
class ClosureStep:
    """One step of an optimiser that looks at the loss in several places before it stays in one."""

    optimizer: Optimizer

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss (scalar)."""
        loss.backward()

    def step(self, loss: Tensor, again: Closure) -> Tensor | None:
        """Step, and forget the gradients. The first look is at `loss` and the gradients that are there already."""
        known = [loss]

        def look() -> Tensor:
            if known:
                return known.pop()
            self.optimizer.zero_grad()
            return again()

        self.optimizer.step(look)  # type: ignore[arg-type]
        self.optimizer.zero_grad()
        return None
