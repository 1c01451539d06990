"""Torch's fused kernels of Adam, AdamW and SGD, called with lists of tensors that are collected once.

`Optimizer.step` collects parameters, gradients and moments anew at every step, sorts them by device and dtype, and
informs profilers. For small networks that takes longer than the kernel itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, optim
from torch.optim import Optimizer


class GroupKernel(Protocol):
    """The step of a parameter group, from the gradients of all of its parameters."""

    parameters: list[Tensor]

    def step(self, settings: Mapping[str, Any], gradients: list[Tensor]) -> None:
        """Change the parameters and the optimizer's state in place."""
        ...


class AdamKernel:
    """A step of Adam or AdamW. Raises `KeyError` when it is built from a state without moments."""

    def __init__(self, settings: Mapping[str, Any], parameters: list[Tensor], states: list[Any]) -> None:
        self.parameters = parameters
        self._means, self._squares = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        self._counts = torch.stack([state["step"] for state in states])
        self._counts_by_parameter = [self._counts[place] for place in range(len(states))]
        for state, count in zip(states, self._counts_by_parameter, strict=True):
            state["step"] = count  # a view: one operation counts for all
        self._maxima = [state["max_exp_avg_sq"] for state in states] if settings["amsgrad"] else []
        self._function = torch._fused_adamw_ if settings["decoupled_weight_decay"] else torch._fused_adam_

    def step(self, settings: Mapping[str, Any], gradients: list[Tensor]) -> None:
        """Change parameters, moments and counts in place."""
        beta1, beta2 = settings["betas"]
        self._counts += 1
        self._function(
            self.parameters,
            gradients,
            self._means,
            self._squares,
            self._maxima,
            self._counts_by_parameter,
            lr=settings["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=settings["weight_decay"],
            eps=settings["eps"],
            amsgrad=settings["amsgrad"],
            maximize=settings["maximize"],
        )


class SGDKernel:
    """A step of SGD. Raises `KeyError` when it is built from a state without the momentum that the settings ask for."""

    def __init__(self, settings: Mapping[str, Any], parameters: list[Tensor], states: list[Any]) -> None:
        self.parameters = parameters
        self._momenta = [state["momentum_buffer"] for state in states] if settings["momentum"] else []

    def step(self, settings: Mapping[str, Any], gradients: list[Tensor]) -> None:
        """Change parameters and momenta in place."""
        torch._fused_sgd_(
            self.parameters,
            gradients,
            self._momenta,
            weight_decay=settings["weight_decay"],
            momentum=settings["momentum"],
            lr=settings["lr"],
            dampening=settings["dampening"],
            nesterov=settings["nesterov"],
            maximize=settings["maximize"],
            is_first_step=False,
        )


KERNELS: Mapping[type[Optimizer], Callable[..., GroupKernel]] = {
    optim.Adam: AdamKernel,
    optim.AdamW: AdamKernel,
    optim.SGD: SGDKernel,
}


@dataclass(frozen=True)
class FusedStep:
    """A step of all groups of an optimizer that has stepped before: the same kernels, and so the same bits."""

    groups: Sequence[tuple[Mapping[str, Any], GroupKernel]]
    state: Mapping[Tensor, Any]  # of the optimizer, whose tensors the kernels change

    def step(self) -> bool:
        """Step, and return whether that was possible: not while a parameter has no gradient.

        Settings, such as the learning rate, are those of now.
        """
        gradients = [[each.grad for each in kernel.parameters] for _, kernel in self.groups]
        if any(gradient is None for group in gradients for gradient in group):
            return False
        with torch.no_grad():
            for (settings, kernel), group in zip(self.groups, gradients, strict=True):
                kernel.step(settings, group)  # type: ignore[arg-type]  # none is `None`
        return True


def fused_step(optimizer: Optimizer) -> FusedStep | None:
    """Return the step of a fused optimizer; `None` for others, and while a parameter has no state."""
    build = KERNELS.get(type(optimizer))
    if build is None or not all(group["fused"] for group in optimizer.param_groups):
        return None
    groups = []
    for group in optimizer.param_groups:
        parameters: list[Tensor] = group["params"]
        if len({(each.device, each.dtype) for each in parameters}) > 1 or any(map(torch.is_complex, parameters)):
            return None
        try:
            groups.append((group, build(group, parameters, [optimizer.state.get(each, {}) for each in parameters])))
        except KeyError:
            return None
    return FusedStep(groups, optimizer.state)
