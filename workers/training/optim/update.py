"""The update: from gradients to new weights, with a loss scaler, changed gradients, and steps that are skipped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from app.spec.training.plan import Training
from workers.training.optim.gradients import GradientChange, NormClipping, gradient_changes
from workers.training.optim.optimizers import can_skip_on_device
from workers.training.optim.parameter_groups import ParameterSplit
from workers.training.optim.update_state import UpdateState

Closure = Callable[[], Tensor]  # computes the step's gradients again, and returns its loss (scalar)


class Update(Protocol):
    """How an optimizer step is taken."""

    def backward(self, state: UpdateState, loss: Tensor) -> None:
        """Add the gradients of a loss (scalar)."""
        ...

    def step(self, state: UpdateState, loss: Tensor, closure: Closure, done: int) -> Tensor | None:
        """Step, and clear the gradients. `loss` is that of the whole step (scalar), on the device.

        `done` is the number of finished steps. Returns 1.0 if the step was skipped and 0.0 if not, as a scalar on the
        device; `None` if nothing was checked.
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

    changes: tuple[GradientChange, ...] = ()  # of the gradients, one after the other
    finite_check: FiniteCheck = FiniteCheck.NOBODY

    def backward(self, state: UpdateState, loss: Tensor) -> None:
        """Add the gradients of a loss (scalar)."""
        (loss if state.scaler is None else state.scaler.scale(loss)).backward(inputs=state.inputs)

    def step(self, state: UpdateState, loss: Tensor, closure: Closure, done: int) -> Tensor | None:
        """Step, and clear the gradients; see `Update`."""
        optimizer, parameters, scaler = state.optimizer, state.parameters, state.scaler
        skipped = self._change_gradients(state, loss, done) if self.changes else self._nonfinite_flag(parameters, loss)
        if scaler is not None:
            scaler.step(optimizer)
            scaler.update()
        elif skipped is not None and self.finite_check is FiniteCheck.DEVICE:
            vars(optimizer)["found_inf"] = skipped
            optimizer.step()
            del vars(optimizer)["found_inf"]
        elif skipped is None or not skipped.item():
            state.step_optimizer()
        for parameter in parameters:  # as `zero_grad` does, without its bookkeeping for profilers
            parameter.grad = None
        return skipped

    def _change_gradients(self, state: UpdateState, loss: Tensor, done: int) -> Tensor | None:
        """Change the gradients, unscaled; return what `_nonfinite_flag` does of those before the changes."""
        if state.scaler is not None:
            state.scaler.unscale_(state.optimizer)
        norm, changes = None, self.changes
        if isinstance(changes[0], NormClipping):  # its norm serves the check too
            norm, changes = changes[0].apply(state.parameters, done), changes[1:]
        skipped = self._nonfinite_flag(state.parameters, loss, norm)
        for change in changes:
            change.apply(state.parameters, done)
        return skipped

    def _nonfinite_flag(
        self, parameters: Sequence[nn.Parameter], loss: Tensor, norm: Tensor | None = None
    ) -> Tensor | None:
        """Return 1.0 if the loss or a gradient is not finite, else 0.0, a scalar on the device; `None` unchecked."""
        if self.finite_check is FiniteCheck.NOBODY:
            return None
        if norm is None:
            norm = get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
        return (~torch.isfinite(loss + norm)).float()


@dataclass(frozen=True)
class ClosureStep:
    """A step of an optimiser that evaluates the loss at several points before it stays at one (LBFGS)."""

    def backward(self, state: UpdateState, loss: Tensor) -> None:
        """Add the gradients of a loss (scalar)."""
        loss.backward(inputs=state.inputs)

    def step(self, state: UpdateState, loss: Tensor, closure: Closure, done: int) -> Tensor | None:
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


def build_update(plan: Training, place: int, split: ParameterSplit, network: nn.Module) -> Update:
    """Return how the update of a plan at `place` is taken, which trains the parameters in `split` of a network.

    A loss scaler finds losses that are not finite by itself.
    """
    _, spec = plan.all_updates()[place]
    if spec.optimizer.row.closure:
        return ClosureStep()
    finite_check = FiniteCheck.NOBODY
    if plan.on_nan == "skip" and plan.precision != "fp16":
        device = next(network.parameters()).device
        finite_check = FiniteCheck.DEVICE if can_skip_on_device(spec.optimizer, device) else FiniteCheck.HOST
    return OptimizerStep(gradient_changes(spec, split.weight_positions(network), plan.seed, place), finite_check)
