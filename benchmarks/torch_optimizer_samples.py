"""Torch's own samples of its optimisers (`common_optimizers.optim_db`) beside those of the language."""

import copy
from collections import Counter
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn, optim
from torch_samples import install_test_shim

from app.spec.training.optimizers import OPTIMIZER_CLASSES
from workers.training.optim.optimizers import build_optimizer, is_fused

STEPS = 3
CPU = torch.device("cpu")


def optimizer_outcomes(only: str = "") -> dict[str, Counter[tuple[str, str]]]:
    """Return how many samples have which outcome and reason, by torch's optimiser."""
    install_test_shim()
    from torch.testing._internal.common_optimizers import optim_db

    return {
        f"torch.optim.{info.optim_cls.__name__}": Counter(
            _judge(info.optim_cls, sample.kwargs) for sample in info.optim_inputs_func(device=CPU)
        )
        for info in optim_db
        if only in f"torch.optim.{info.optim_cls.__name__}"
    }


def _judge(build: type[optim.Optimizer], settings: dict[str, Any]) -> tuple[str, str]:
    """Return "equal", "different" or "not expressed", and the reason."""
    kind = build.__name__
    if kind not in OPTIMIZER_CLASSES:
        return "not expressed", f"{kind} is no kind"
    given = {name: value.item() if isinstance(value, Tensor) else value for name, value in settings.items()}
    if given.get("maximize"):
        return "not expressed", "maximize: a loss is minimised, whose negative a network can compute"
    try:
        spec = OPTIMIZER_CLASSES[kind].model_validate({"kind": kind, **given})
    except ValidationError as error:
        found = error.errors()[0]
        return "not expressed", f"{'/'.join(map(str, found['loc']))}: {found['msg']}"
    fused = {"fused": True} if is_fused(spec, CPU) else {}
    network = _network()
    theirs, ours = copy.deepcopy(network), network
    _train(theirs, build(theirs.parameters(), **settings, **fused))
    _train(ours, build_optimizer(spec, list(ours.parameters()), CPU))
    largest = max(
        float((one - other).abs().max()) for one, other in zip(theirs.parameters(), ours.parameters(), strict=True)
    )
    return ("equal", "") if largest == 0 else ("different", f"{given}: a weight differs by {largest:.1e}")


def _network() -> nn.Module:
    """Return a network of matrices alone, as Muon takes them."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7, bias=False), nn.Tanh(), nn.Linear(7, 3, bias=False))


def _train(network: nn.Module, optimizer: optim.Optimizer) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(STEPS):
        x, y = torch.randn(8, 5, generator=generator), torch.randn(8, 3, generator=generator)

        def closure(x: Tensor = x, y: Tensor = y) -> float:
            optimizer.zero_grad()
            loss = (network(x) - y).square().mean()
            loss.backward()
            return loss.item()

        optimizer.step(closure)
