"""Weights of built modules: initialisers, parametrizations, and weights of other modules.

A module gets its initialisers in the order of its parameters, after torch's own initial weights were drawn.
"""

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.nn.utils import parametrizations

from app.spec.kinds import KindModel
from workers.network.blueprint import Blueprint, Parameters
from workers.network.kinds.leaves import INITIALISERS

PARAMETRIZATIONS: Mapping[str, Callable[..., nn.Module]] = {
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
}


def chosen_initialisers(module: nn.Module, init: Mapping[str, KindModel]) -> dict[str, KindModel]:
    """Return the initialiser of each parameter by name: that of the first pattern that the name fits."""
    names = [name for name, _ in module.named_parameters()]
    found = {name: next((init[each] for each in init if fnmatchcase(name, each)), None) for name in names}
    return {name: each for name, each in found.items() if each is not None}


def finish_weights(module: nn.Module, parameters: Parameters) -> nn.Module:
    """Fill the parameters of a module, and parametrize it, as its node says."""
    if (given := parameters.get("init")) is not None:
        with torch.no_grad():
            for name, init in chosen_initialisers(module, given).items():
                row = INITIALISERS[init.kind]
                row.function(module.get_parameter(name), **row.arguments(init))
    if (chosen := parameters.get("parametrization")) is not None:
        settings = chosen.settings()
        owner, _, name = settings.pop("name").rpartition(".")
        PARAMETRIZATIONS[chosen.kind](module.get_submodule(owner), name, **settings)
    return module


def tied_parameters(blueprint: Blueprint) -> Iterator[tuple[str, str, str]]:
    """Yield (node, name, source) of the parameters that nodes of a body, not of inner ones, have of other nodes."""
    for node in blueprint.nodes:
        for name, source in (node.parameters.get("tie") or {}).items() if "tie" in node.parameters else ():
            yield node.id, name, source


def tie_parameters(owner: nn.Module, blueprint: Blueprint) -> None:
    """Put the parameters of other nodes into the nodes of a built body."""
    for node, name, source in tied_parameters(blueprint):
        path, _, last = f"{node}.{name}".rpartition(".")
        owner.get_submodule(path).register_parameter(last, owner.get_parameter(source))
