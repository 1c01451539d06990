"""Optimisers by kind: their torch classes, and which of them step in one kernel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn, optim

from app.errors import BuildError
from app.spec.training.optimizers import BaseOptimizer


@dataclass(frozen=True, slots=True)
class TorchOptimizer:
    """The torch half of an `OptimizerKind`."""

    build: type[optim.Optimizer]
    fused_devices: frozenset[str] = frozenset()  # types of the devices with one kernel for the whole step
    can_skip: bool = False  # whether that kernel can leave out a step on a GPU by itself (`found_inf`)
    states_like_parameters: bool = True  # whether all tensors that it keeps have the parameter's shape, or are scalars


_EVERYWHERE = frozenset({"cpu", "cuda", "mps"})

OPTIMIZERS: Mapping[str, TorchOptimizer] = {
    # Fused SGD could skip too, but counts a skipped first step as done, and then reads a momentum never written.
    "SGD": TorchOptimizer(optim.SGD, _EVERYWHERE),
    "Adam": TorchOptimizer(optim.Adam, _EVERYWHERE, can_skip=True),
    "AdamW": TorchOptimizer(optim.AdamW, _EVERYWHERE, can_skip=True),
    "NAdam": TorchOptimizer(optim.NAdam),
    "RAdam": TorchOptimizer(optim.RAdam),
    "Adamax": TorchOptimizer(optim.Adamax),
    "Adagrad": TorchOptimizer(optim.Adagrad, frozenset({"cpu"})),
    "Adadelta": TorchOptimizer(optim.Adadelta),
    "RMSprop": TorchOptimizer(optim.RMSprop),
    "Rprop": TorchOptimizer(optim.Rprop),
    "ASGD": TorchOptimizer(optim.ASGD),
    "Adafactor": TorchOptimizer(optim.Adafactor, states_like_parameters=False),
    "LBFGS": TorchOptimizer(optim.LBFGS, states_like_parameters=False),
    "Muon": TorchOptimizer(optim.Muon),
}


def build_optimizer(
    spec: BaseOptimizer,
    parameters: Sequence[nn.Parameter] | Sequence[dict[str, Any]],
    device: torch.device,
    pointer: str = "/training",
) -> optim.Optimizer:
    """Build the optimiser of parameters, or of groups of them with settings of their own (torch's `param_groups`).

    `pointer` is that of the update in the job. Raises `BuildError` if there are none, or if torch rejects a setting.
    """
    if not parameters:
        hint = "add a layer with parameters, or a Parameter node"
        raise BuildError("the network has nothing to train", pointer="/model", hint=hint)
    settings = spec.settings()
    if is_fused(spec, device):
        settings["fused"] = True
    try:
        return OPTIMIZERS[spec.kind].build(parameters, **settings)
    except ValueError as error:
        raise BuildError(f"{spec.kind}: {error}", pointer=f"{pointer}/optimizer") from error


def can_skip_on_device(spec: BaseOptimizer, device: torch.device) -> bool:
    """Say whether the device decides by itself to leave out a step, so that the host need not wait for it."""
    return device.type == "cuda" and OPTIMIZERS[spec.kind].can_skip


def is_fused(spec: BaseOptimizer, device: torch.device) -> bool:
    """Say whether the optimiser steps in one kernel on the device."""
    return device.type in OPTIMIZERS[spec.kind].fused_devices


def check_state_shapes(
    optimizer: optim.Optimizer, states: Mapping[int, Mapping[str, object]], network: nn.Module
) -> None:
    """Raise `BuildError` if tensors to be loaded into an optimizer do not have the shapes of its parameters.

    `states` is by the parameter's place in `param_groups`, as in `state_dict`. Torch compares no shapes, and fused
    kernels on a CPU would read and write beyond the end of a smaller tensor.
    """
    if not all(row.states_like_parameters for row in OPTIMIZERS.values() if row.build is type(optimizer)):
        return
    names = {parameter: name for name, parameter in network.named_parameters()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, parameter in enumerate(parameters):
        for key, value in states.get(index, {}).items():
            if isinstance(value, Tensor) and value.ndim and value.shape != parameter.shape:
                shapes = f"shape {list(value.shape)}, and {names[parameter]} has {list(parameter.shape)}"
                detail = f"the stored state of the optimiser does not fit: {key} has {shapes}"
                raise BuildError(detail, pointer="/start_from", hint='use "what": "weights"')
