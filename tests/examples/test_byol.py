"""BYOL, step by step beside a loop of plain PyTorch: the same losses, and a target that follows in the same way."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from tests.examples.example_runner import ExampleRunner, shortened_spec
from workers.training.context import MemoryContext
from workers.training.loop import train

STEPS, TAU, RATE = 4, 0.02, 0.003


def encoder() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(512, 64), nn.ReLU()),
    )


def projection(features: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, 128, bias=False), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 32))


def fill(module: nn.Module, state: dict[str, Tensor], node: str) -> None:
    """Give a module the weights of a node: they are in the same order."""
    own = [value for name, value in state.items() if name.startswith(f"{node}.")]
    module.load_state_dict(dict(zip(module.state_dict(), own, strict=True)))


def test_each_step_is_that_of_a_plain_loop(lessons: ExampleRunner) -> None:
    context = MemoryContext()
    prepared = lessons.prepare(shortened_spec("byol", steps=STEPS), context)
    network, batches = prepared.network, list[tuple[Tensor, Tensor]]()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    online, predictor = nn.Sequential(encoder(), projection(64)), projection(32)
    for module, node in ((online[0], "encoder"), (online[1], "projection"), (predictor, "prediction")):
        fill(module, state, node)
    target = deepcopy(online)

    def keep(_: nn.Module, values: tuple[dict[str, Tensor], ...]) -> None:
        if network.training:
            batches.append((values[0]["view_1"].clone(), values[0]["view_2"].clone()))

    network.register_forward_pre_hook(keep)
    train(prepared)
    assert len(batches) == STEPS
    assert not batches[0][0].equal(batches[0][1])
    optimizer = torch.optim.AdamW([*online.parameters(), *predictor.parameters()], RATE)
    losses = []
    for one, two in batches:
        said = normalize(predictor(online(torch.cat([one, two]))))
        with torch.no_grad():
            true = normalize(target(torch.cat([two, one])))
        loss = (said - true).square().sum(1).mean()  # of unit vectors: 2 - 2 times the cosine
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        with torch.no_grad():
            for mine, others in zip(target.parameters(), online.parameters(), strict=True):
                mine.lerp_(others, TAU)
            for mine, others in zip(target.buffers(), online.buffers(), strict=True):
                mine.copy_(others)
    assert list(context.series("train/loss").value) == pytest.approx(losses, rel=1e-4)
    for node, module in (("slow_encoder", target[0]), ("slow_projection", target[1])):
        own = {name: value for name, value in network.state_dict().items() if name.startswith(f"{node}.")}
        for (name, value), expected in zip(own.items(), module.state_dict().values(), strict=True):
            # Adam makes whole steps of gradients that are rounding errors, so that means are compared.
            moved, differs = ((value - each).double().abs().mean() for each in (state[name], expected))
            assert moved > 0
            if name != "slow_projection.narrow.bias":  # no gradient: the mean of what follows is taken away
                assert differs < 0.01 * moved
