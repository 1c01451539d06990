from typing import Any

import pytest
import torch
from torch import nn

from app.errors import BuildError
from app.spec.training.optimizers import OPTIMIZER_CLASSES
from app.spec.training.optimizers import OPTIMIZERS as ROWS
from workers.training.optim.optimizers import OPTIMIZERS, build_optimizer, can_skip_on_device, is_fused

CPU = torch.device("cpu")


def spec(kind: str, **settings: Any) -> Any:
    return OPTIMIZER_CLASSES[kind].model_validate({"kind": kind, **settings})


def test_language_and_workers_know_the_same_kinds() -> None:
    assert OPTIMIZERS.keys() == OPTIMIZER_CLASSES.keys()


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_kind_minimises(kind: str) -> None:
    weight = nn.Parameter(torch.full((8, 4), 0.5))
    optimizer = build_optimizer(spec(kind), [weight], CPU)
    assert optimizer.defaults["lr"] == spec(kind).lr
    before = weight.square().sum().item()

    def look() -> float:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    for _ in range(20):
        optimizer.step(look)
    assert weight.square().sum().item() < before


@pytest.mark.parametrize(
    ("kind", "settings"), [("SGD", {"nesterov": True}), ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1})]
)
def test_settings_that_torch_refuses_are_a_build_error(kind: str, settings: dict[str, Any]) -> None:
    with pytest.raises(BuildError, match=kind) as caught:
        build_optimizer(spec(kind, **settings), [nn.Parameter(torch.ones(2))], CPU)
    assert caught.value.pointer == "/training/optimizer"


def test_a_network_without_parameters_is_a_build_error() -> None:
    with pytest.raises(BuildError, match="nothing to train"):
        build_optimizer(spec("Adam"), [], CPU)


def test_fused_kernels_are_used_where_they_are() -> None:
    assert build_optimizer(spec("Adam"), [nn.Parameter(torch.ones(2))], CPU).defaults["fused"] is True
    assert not is_fused(spec("RMSprop"), CPU)
    assert not is_fused(spec("Adagrad"), torch.device("cuda"))
    assert can_skip_on_device(spec("Adam"), torch.device("cuda"))
    assert not can_skip_on_device(spec("SGD"), torch.device("cuda"))
    assert not can_skip_on_device(spec("Adam"), CPU)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_sparse_gradients_are_taken_where_the_row_says_so(kind: str) -> None:
    table = nn.Embedding(5, 3, sparse=True)
    optimizer = OPTIMIZERS[kind].build(table.parameters())
    table(torch.tensor([1, 3])).sum().backward()

    def closure() -> float:
        return 1.0

    if ROWS[kind].sparse:
        optimizer.step(closure)
    else:
        with pytest.raises((RuntimeError, ValueError)):
            optimizer.step(closure)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_momentum_is_what_torch_cycles(kind: str) -> None:
    defaults = build_optimizer(spec(kind), [nn.Parameter(torch.ones(2, 2))], CPU).defaults
    assert ROWS[kind].momentum == next((name for name in ("betas", "momentum") if name in defaults), None)
