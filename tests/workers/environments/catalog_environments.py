"""Environments of the catalogue that this machine can make, and policies for them."""

import torch
from torch import Tensor

from app.spec.data.environments.catalog import ENVIRONMENTS
from app.spec.data.environments.wrappers import BaseWrapper
from workers.environments.environments import Environments
from workers.environments.gymnasium_package import is_installed
from workers.environments.gymnasium_simulation import GymnasiumSimulation

INSTALLED = [name for name, row in ENVIRONMENTS.items() if is_installed(row.package)]


def environments(
    name: str,
    copies: int = 1,
    seed: int = 3,
    stream: int = 0,
    time_limit: int | None = None,
    wrappers: tuple[BaseWrapper, ...] = (),
) -> Environments:
    row = ENVIRONMENTS[name]
    simulation = GymnasiumSimulation(name, copies)
    return Environments(simulation, row.action, copies, seed, stream, time_limit or row.time_limit, wrappers)


def random_actions(environment: Environments, step: int) -> Tensor:
    """Return actions that are a function of the step."""
    return environment.actions.uniform(environment.copies, torch.Generator().manual_seed(step))
