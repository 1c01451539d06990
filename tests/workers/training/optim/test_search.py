"""An optimiser that looks several times at the loss of a step: LBFGS."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS

from tests.workers.training.harness import MLP, TrainingHarness, digits_job, rows_of
from workers.children.inspect import InspectionLimits, inspect_job
from workers.data.rng import step_seed
from workers.training.devices import seed_step

SQUARES: dict[str, Any] = {
    "model": {"layers": [{"kind": "Linear", "out_features": 1}]},
    "data": {"kind": "builtin", "name": "diabetes", "validation": {"fraction": 0.2}},
    "objective": {"loss": {"kind": "MSELoss"}},
}
LIMITS = InspectionLimits(100, 10**6, 1 << 30)


def lbfgs_job(**more: Any) -> dict[str, Any]:
    return {"optimizer": {"kind": "LBFGS", "line_search_fn": "strong_wolfe"}, "batch_size": 1000, **more}


@pytest.mark.parametrize("accumulate", [1, 4])
def test_least_squares_are_solved(laboratory: TrainingHarness, accumulate: int) -> None:
    training = lbfgs_job(steps=10, accumulate=accumulate, batch_size=1000 // accumulate)
    attempt = laboratory.run(digits_job(training=training) | SQUARES)
    rows = rows_of(attempt.prepared).train
    x, y = (next(iter(columns.values())).double() for columns in (rows.inputs, rows.targets))
    solution = torch.linalg.lstsq(torch.cat([x, torch.ones(len(x), 1)], 1), y).solution
    (linear,) = attempt.prepared.network.children()
    assert isinstance(linear, nn.Linear)
    trained = torch.cat([linear.weight.detach().double().T, linear.bias.detach().double().unsqueeze(0)])
    best = (torch.cat([x, torch.ones(len(x), 1)], 1) @ solution - y).square().mean().item()
    reached = (x @ trained[:-1] + trained[-1] - y).square().mean().item()
    assert reached == pytest.approx(best, rel=1e-5)
    assert attempt.points("train/loss")[-1][1] == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
def test_steps_are_those_of_torch_with_the_same_dropout_at_every_look(
    laboratory: TrainingHarness, line_search: str | None
) -> None:
    lbfgs = {"kind": "LBFGS", "lr": 0.5, "max_iter": 5, "history_size": 3, "line_search_fn": line_search}
    spec = digits_job(MLP, training={"optimizer": lbfgs, "steps": 4, "accumulate": 2})
    prepared = laboratory.prepare(spec)
    network, rows = prepared.network, rows_of(prepared).train
    attempt = laboratory.run(spec)
    theirs = LBFGS(network.parameters(), lr=0.5, max_iter=5, history_size=3, line_search_fn=line_search)
    losses = []
    network.train()
    for step in range(4):

        def closure(step: int = step) -> Tensor:
            theirs.zero_grad()
            seed_step(step_seed(0, step), torch.device("cpu"))
            parts = []
            for indices, share in rows_of(prepared).sampler.batches(step):
                inputs = {name: column[indices] for name, column in rows.inputs.items()}
                target = next(iter(rows.targets.values()))[indices]
                loss = nn.functional.cross_entropy(network(inputs)["output"], target) * share
                loss.backward()  # type: ignore[no-untyped-call]
                parts.append(loss.detach())
            return torch.stack(parts).sum()

        losses.append(theirs.step(closure).item())  # type: ignore[arg-type, union-attr]
    assert [loss for _, loss in attempt.points("train/loss")] == losses
    for name, value in attempt.prepared.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name])


@pytest.mark.parametrize(
    ("training", "pointer", "words"),
    [
        ({"precision": "fp16", "device": "cuda"}, "/training/precision", "float32"),
        ({"clip_norm": 1.0}, "/training/clip_norm", "clipping"),
        ({"clip_value": 1.0}, "/training/clip_value", "clipping"),
        ({"l1": 1.0}, "/training/l1", "penalty"),
        ({"gradient_noise": {"eta": 1.0}}, "/training/gradient_noise", "noise"),
        ({"on_nan": "skip"}, "/training/on_nan", "fail"),
        ({"groups": [{"nodes": ["linear1"], "lr": 0.1}]}, "/training/groups/0/lr", "for all parameters"),
    ],
)
def test_what_a_search_cannot_have(training: dict[str, Any], pointer: str, words: str) -> None:
    problems = inspect_job(digits_job(training=lbfgs_job(**training)), None, LIMITS).problems
    assert [(problem.pointer, problem.code) for problem in problems] == [(pointer, "unsupported")]
    assert words in problems[0].detail + problems[0].hint


def test_a_search_leaves_out_what_is_frozen(laboratory: TrainingHarness) -> None:
    spec = digits_job(training=lbfgs_job(steps=2, groups=[{"nodes": ["linear2"]}, {"frozen": True}]))
    assert inspect_job(spec, None, LIMITS).problems == ()
    before = laboratory.prepare(spec).network.state_dict()
    after = laboratory.run(spec).prepared.network.state_dict()
    assert {name for name, value in after.items() if value.equal(before[name])} == {"linear1.weight", "linear1.bias"}
