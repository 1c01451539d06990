"""Changes of gradients, beside a plain loop of torch: equal to the bit."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.spec.training.plan import Training
from tests.workers.training.harness import TrainingHarness, digits_job
from workers.data.rng import step_seed, stream_seed
from workers.training.loop import train
from workers.training.optim.gradients import NOISE_STREAM, gradient_changes

LAYERS = [
    {"kind": "Flatten"},
    {"kind": "Linear", "out_features": 12},
    {"kind": "BatchNorm1d"},
    {"kind": "ReLU"},
    {"kind": "Linear", "out_features": 10},
]
WEIGHTS = ("linear1.weight", "linear2.weight")
SEED, STEPS = 5, 8
CHANGES: dict[str, dict[str, Any]] = {
    "l1": {"l1": 0.003},
    "value": {"clip_value": 0.01},
    "noise": {"gradient_noise": {"eta": 0.1, "gamma": 0.7}},
    "value and norm": {"clip_value": 0.01, "clip_norm": 0.02},
    "all": {"l1": 0.003, "clip_value": 0.05, "clip_norm": 0.5, "gradient_noise": {"eta": 0.01}},
}


def loss_with_penalty(loss: Tensor, network: nn.Module, plan: Training) -> Tensor:
    if plan.l1 is None:
        return loss
    parameters = dict(network.named_parameters())
    return loss + plan.l1 * sum(parameters[name].abs().sum() for name in WEIGHTS)


def change_gradients(parameters: list[nn.Parameter], plan: Training, step: int) -> None:
    if plan.clip_value is not None:
        nn.utils.clip_grad_value_(parameters, plan.clip_value)
    if plan.clip_norm is not None:
        nn.utils.clip_grad_norm_(parameters, plan.clip_norm)
    if plan.gradient_noise is not None:
        variance = plan.gradient_noise.eta / (1 + step) ** plan.gradient_noise.gamma
        generator = torch.Generator().manual_seed(step_seed(stream_seed(SEED, NOISE_STREAM, 0), step))
        for parameter in parameters:
            assert parameter.grad is not None
            parameter.grad += torch.randn(parameter.shape, generator=generator) * variance**0.5


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_training_is_that_of_plain_torch(laboratory: TrainingHarness, changes: str, accumulate: int) -> None:
    optimizer = {"kind": "SGD", "lr": 0.1, "momentum": 0.9}
    plan = {"steps": STEPS, "seed": SEED, "optimizer": optimizer, "accumulate": accumulate, **CHANGES[changes]}
    prepared = laboratory.prepare(digits_job(LAYERS, training=plan))
    network = copy.deepcopy(prepared.network)
    parameters = list(network.parameters())
    theirs = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, fused=True)
    network.train()
    for step in range(STEPS):
        theirs.zero_grad()
        for place, (inputs, targets, share) in enumerate(prepared.state.source.batches(step)):
            loss = nn.functional.cross_entropy(network(inputs)["output"], targets["label"]) * share
            if place == accumulate - 1:
                loss = loss_with_penalty(loss, network, prepared.plan)
            loss.backward()  # type: ignore[no-untyped-call]
        change_gradients(parameters, prepared.plan, step)
        theirs.step()
    train(prepared)
    expected = network.state_dict()
    for name, value in prepared.network.state_dict().items():
        if accumulate == 1 and prepared.plan.l1 is None:
            assert value.equal(expected[name]), name
        else:  # autograd adds the penalty to a sum of its own
            torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-7)


def test_weights_that_a_penalty_alone_moves_reach_zero() -> None:
    weight, bias = nn.Parameter(torch.tensor([0.35, -0.2, 0.0])), nn.Parameter(torch.ones(2))
    changes = gradient_changes(Training.model_validate({"l1": 1.0}), frozenset({0}), 0, 0)
    optimizer = torch.optim.SGD([weight, bias], lr=0.1)
    for step in range(2):
        weight.grad, bias.grad = torch.zeros(3), torch.zeros(2)
        changes[0].apply([weight, bias], step)
        optimizer.step()
    assert weight.tolist() == pytest.approx([0.15, 0.0, 0.0], abs=1e-7)
    assert bias.tolist() == [1.0, 1.0]


def test_noise_leaves_other_random_numbers_alone_and_shrinks() -> None:
    plan = Training.model_validate({"gradient_noise": {"eta": 1.0}})
    (noise,) = gradient_changes(plan, frozenset(), 3, 0)
    parameter, deviations = nn.Parameter(torch.zeros(10_000)), []
    before = torch.get_rng_state()
    for step in (0, 99):
        parameter.grad = torch.zeros(10_000)
        noise.apply([parameter], step)
        deviations.append(float(parameter.grad.std()))
    assert torch.get_rng_state().equal(before)
    assert deviations == pytest.approx([1.0, (1 / 100**0.55) ** 0.5], rel=0.03)
