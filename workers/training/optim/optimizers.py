"""Optimisers by kind."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn, optim

from app.errors import BuildError
from app.spec.training.optimizers import BaseOptimizer

OPTIMIZERS: Mapping[str, type[optim.Optimizer]] = {
    "SGD": optim.SGD,
    "Adam": optim.Adam,
    "AdamW": optim.AdamW,
    "NAdam": optim.NAdam,
    "RAdam": optim.RAdam,
    "Adamax": optim.Adamax,
    "Adagrad": optim.Adagrad,
    "Adadelta": optim.Adadelta,
    "RMSprop": optim.RMSprop,
    "Rprop": optim.Rprop,
    "ASGD": optim.ASGD,
    "Adafactor": optim.Adafactor,
    "LBFGS": optim.LBFGS,
    "Muon": optim.Muon,
}
# Kinds with one kernel for the whole step, and the devices that have it.
FUSED_DEVICES: Mapping[str, frozenset[str]] = {
    "SGD": frozenset({"cpu", "cuda", "mps"}),
    "Adam": frozenset({"cpu", "cuda", "mps"}),
    "AdamW": frozenset({"cpu", "cuda", "mps"}),
    "Adagrad": frozenset({"cpu"}),
}


def build_optimizer(
    spec: BaseOptimizer, trained: Sequence[nn.Parameter] | Sequence[dict[str, Any]], device: torch.device
) -> optim.Optimizer:
    """Build the optimiser over what is trained: parameters, or groups of them with settings of their own.

    Raises `BuildError` if torch refuses its settings.
    """
    if not trained:
        hint = "add a layer with parameters, or a Parameter node"
        raise BuildError("the network has nothing to train", pointer="/model", hint=hint)
    settings = spec.settings()
    if is_fused(spec, device):
        settings["fused"] = True
    try:
        return OPTIMIZERS[spec.kind](trained, **settings)
    except ValueError as error:
        raise BuildError(f"{spec.kind}: {error}", pointer="/training/optimizer") from error


def can_skip_on_device(spec: BaseOptimizer, device: torch.device) -> bool:
    """Say whether a GPU can decide by itself to leave out a step, so that nobody waits for it.

    Fused SGD could too, but takes a first step left out for done and then reads a momentum never written.
    """
    return device.type == "cuda" and spec.kind in ("Adam", "AdamW")


def is_fused(spec: BaseOptimizer, device: torch.device) -> bool:
    """Say whether the optimiser steps in one kernel on the device."""
    return device.type in FUSED_DEVICES.get(spec.kind, ())
