from typing import Any

import pytest
import torch
from torch import nn

from app.spec.training.optimizers import OPTIMIZER_CLASSES, OPTIMIZERS
from workers.training.optim.optimizers import build_optimizer
from workers.training.optim.update import ClosureStep
from workers.training.optim.update_state import UpdateState

CASES: list[tuple[str, dict[str, Any]]] = [
    *((kind, {}) for kind in OPTIMIZERS),
    ("SGD", {"momentum": 0.9}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {"amsgrad": True}),
    ("RMSprop", {"momentum": 0.9, "centered": True}),
]


@pytest.mark.parametrize(("kind", "settings"), [case for case in CASES if case[0] != "LBFGS"])
def test_states_are_those_that_torch_keeps(kind: str, settings: dict[str, Any]) -> None:
    parameter = nn.Parameter(torch.ones(16, 16))
    spec = OPTIMIZER_CLASSES[kind].model_validate({"kind": kind, **settings})
    optimizer = build_optimizer(spec, [parameter], torch.device("cpu"))
    parameter.square().sum().backward()
    optimizer.step()
    kept = [value for value in optimizer.state[parameter].values() if isinstance(value, torch.Tensor)]
    elements = sum(value.numel() for value in kept if value.ndim)
    assert elements <= spec.state_count() * parameter.numel()
    if kind != "Adafactor":
        assert elements == spec.state_count() * parameter.numel()


@pytest.mark.parametrize("history", [3, 8])
def test_a_history_grows_up_to_its_length(history: int) -> None:
    parameter = nn.Parameter(torch.linspace(-1, 1, 64))
    spec = OPTIMIZER_CLASSES["LBFGS"].model_validate({"kind": "LBFGS", "history_size": history, "lr": 0.1})
    optimizer = build_optimizer(spec, [parameter], torch.device("cpu"))
    update, state = ClosureStep(), UpdateState(optimizer, [parameter])

    def look() -> torch.Tensor:
        loss = (parameter.exp() - 2).pow(4).sum()
        update.backward(state, loss)
        return loss.detach()

    update.step(state, look(), look, 0)
    kept = [
        item
        for value in optimizer.state[parameter].values()
        for item in (value if isinstance(value, list) else [value])
    ]
    elements = sum(item.numel() for item in kept if isinstance(item, torch.Tensor) and item.ndim)
    assert elements == (spec.state_count() - 1) * parameter.numel()  # the gradient that is compared is not kept
