"""Several updates with what a plan may have beside them: schedules, accumulation, averages, line searches, NaN."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from app.errors import NumericError
from tests.workers.training.harness import TrainingHarness, digits_job, resume_candidates
from tests.workers.training.optim.gan_jobs import ADAM, gan_job
from workers.training.loop import train

LAYERS = [
    {"id": "flat", "kind": "Flatten"},
    {"id": "body", "kind": "Linear", "out_features": 16},
    {"id": "act", "kind": "ReLU"},
    {"id": "head", "kind": "Linear", "out_features": 10},
]
BODY = {"name": "body", "loss": "digit", "parameters": "body", "optimizer": {"kind": "SGD", "lr": 0.1, "momentum": 0.9}}
HEAD = {"name": "head", "loss": "digit", "optimizer": {"kind": "AdamW", "lr": 0.01}}


def parts_job(body: dict[str, Any], head: dict[str, Any], **plan: Any) -> dict[str, Any]:
    """Return a job that trains two parts of a network in turn."""
    job = digits_job(LAYERS, objective={"heads": {"digit": {"loss": "CrossEntropyLoss", "metrics": ["accuracy"]}}})
    training = {name: value for name, value in job["training"].items() if name != "optimizer"}
    return job | {"training": training | {"steps": 9, "updates": [BODY | body, HEAD | head]} | plan}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_parts_with_rates_of_their_own(laboratory: TrainingHarness, accumulate: int) -> None:
    body = {"schedule": {"kind": "StepLR", "step_size": 2, "interval": "step"}, "clip_norm": 0.3}
    head = {"warmup": {"steps": 4}, "schedule": {"kind": "CosineAnnealingLR"}}
    average = {"kind": "ema", "decay": 0.9}
    prepared = laboratory.prepare(parts_job(body, head, accumulate=accumulate, average=average, batch_size=16))
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    for own, other in zip(net.parameters(), prepared.network.parameters(), strict=True):
        own.data.copy_(other)
    sgd = torch.optim.SGD(net[1].parameters(), 0.1, momentum=0.9, fused=True)
    adamw = torch.optim.AdamW(net[3].parameters(), 0.01, fused=True)
    schedules = [torch.optim.lr_scheduler.StepLR(sgd, 2), torch.optim.lr_scheduler.CosineAnnealingLR(adamw, 9)]
    means: list[torch.Tensor] = []
    rates = []
    for step in range(9):
        batches = prepared.state.source.batches(step)
        factor = min(1.0, 0.01 + 0.99 * step / 4)
        scheduled = adamw.param_groups[0]["lr"]
        adamw.param_groups[0]["lr"] *= factor
        rates.append((sgd.param_groups[0]["lr"], adamw.param_groups[0]["lr"]))
        for optimizer, part in ((sgd, net[1]), (adamw, net[3])):
            for inputs, targets, share in batches:
                loss = nn.functional.cross_entropy(net(inputs["image"]), targets["label"])
                (loss * share if share < 1 else loss).backward()
            if optimizer is sgd:
                nn.utils.clip_grad_norm_(part.parameters(), 0.3)
            optimizer.step()
            net.zero_grad()
        adamw.param_groups[0]["lr"] = scheduled
        for schedule in schedules:
            schedule.step()
        weights = [parameter.detach() for parameter in net.parameters()]
        if means:
            get_ema_multi_avg_fn(0.9)(means, weights, step)
        else:
            means = [weight.clone() for weight in weights]
    train(prepared)
    assert all(own.equal(other) for own, other in zip(net.parameters(), prepared.network.parameters(), strict=True))
    averaged = prepared.state.evaluation_network.parameters()
    assert all(own.equal(other) for own, other in zip(means, averaged, strict=True))
    series = [prepared.context.series(f"train/{name}/lr").value for name in ("body", "head")]
    assert list(zip(*series, strict=True)) == rates


def test_a_line_search_is_an_update_too(laboratory: TrainingHarness) -> None:
    job = parts_job({}, {"optimizer": {"kind": "LBFGS", "max_iter": 3, "line_search_fn": "strong_wolfe"}}, steps=4)
    job["training"]["statistics"] = {"every_steps": 1}
    prepared = laboratory.prepare(job)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    for own, other in zip(net.parameters(), prepared.network.parameters(), strict=True):
        own.data.copy_(other)
    sgd = torch.optim.SGD(net[1].parameters(), 0.1, momentum=0.9, fused=True)
    lbfgs = torch.optim.LBFGS(net[3].parameters(), max_iter=3, line_search_fn="strong_wolfe", lr=1.0)
    for step in range(4):
        [(inputs, targets, _)] = prepared.state.source.batches(step)

        def loss() -> torch.Tensor:
            net.zero_grad()
            value = nn.functional.cross_entropy(net(inputs["image"]), targets["label"])  # noqa: B023 - of this step
            value.backward()
            return value

        loss()
        sgd.step()
        lbfgs.step(loss)
    train(prepared)
    assert all(own.equal(other) for own, other in zip(net.parameters(), prepared.network.parameters(), strict=True))


def exploding_job(**plan: Any) -> dict[str, Any]:
    """Return a job whose body has a loss that is not finite at every step, and whose head has a good one."""
    job = parts_job({"loss": "bad"}, {}, **plan)
    nodes = [
        {"id": "flat", "kind": "Flatten", "inputs": ["image"]},
        {"id": "body", "kind": "Linear", "inputs": ["flat"], "out_features": 16},
        {"id": "head", "kind": "Linear", "inputs": ["body"], "out_features": 10},
        {"id": "none", "kind": "zeros_like", "inputs": ["body"]},
        {"id": "bad", "kind": "div", "inputs": ["body", "none"]},
        {"id": "loss", "kind": "mean", "inputs": ["bad"]},
    ]
    heads = {"digit": {"loss": "CrossEntropyLoss", "output": "head"}, "bad": {"loss": "Output", "output": "loss"}}
    return job | {"model": {"nodes": nodes, "outputs": {"head": "head", "loss": "loss"}}, "objective": {"heads": heads}}


def test_an_update_that_is_skipped_leaves_the_others_alone(laboratory: TrainingHarness) -> None:
    attempt = laboratory.run(exploding_job(on_nan="skip", steps=3))
    before = laboratory.prepare(exploding_job()).network.state_dict()
    after = attempt.prepared.network.state_dict()
    assert after["body.weight"].equal(before["body.weight"])
    assert not after["head.weight"].equal(before["head.weight"])
    assert {"step": 1, "count": 3, "update": "body"} in attempt.events("skipped_step")
    assert all(math.isfinite(value) for _, value in attempt.points("train/digit/loss"))


def test_a_loss_of_any_update_fails_the_job(laboratory: TrainingHarness) -> None:
    with pytest.raises(NumericError, match="loss of step 1"):
        laboratory.run(exploding_job())


def test_heads_that_no_update_names_are_evaluated_only(laboratory: TrainingHarness) -> None:
    job = gan_job(steps=4, evaluate={"every_steps": 2})
    job["objective"]["heads"]["other"] = {"loss": {"kind": "Output"}, "output": "fake_loss", "weight": 7.0}
    job["model"]["outputs"] = job["model"]["outputs"] | {"fake_loss": "fake_loss"}
    attempt = laboratory.run(job)
    losses = {name: dict(attempt.points(f"val/{name}loss")) for name in ("", "critic/", "generator/", "other/")}
    assert losses["other/"]
    assert losses[""] == pytest.approx({step: losses["critic/"][step] + losses["generator/"][step] for step in (2, 4)})
    assert not attempt.points("train/other/loss")


def test_mean_losses_since_the_evaluation_are_those_that_there_are(laboratory: TrainingHarness) -> None:
    """Early stop on a loss that has not been measured yet does not take 0 for one."""
    job = gan_job(generator={"every": 4}, steps=8, evaluate={"every_steps": 2})
    job["training"]["early_stop"] = {"monitor": "train/loss", "patience": 9}
    attempt = laboratory.run(job)
    assert attempt.prepared.state.stopper is not None
    points = dict(attempt.points("train/loss"))
    assert sorted(points) == [4, 5, 6, 7, 8]
    means = [points[4], (points[5] + points[6]) / 2, (points[7] + points[8]) / 2]
    assert attempt.prepared.state.stopper.best == pytest.approx(min(means))


def test_another_job_goes_on_with_everything(laboratory: TrainingHarness) -> None:
    whole = laboratory.run(gan_job(steps=8))
    first = laboratory.run(gan_job(steps=4))
    start = resume_candidates(*first.context.saved)[0]
    job = gan_job(steps=8) | {"start_from": {"checkpoint": start.id, "what": "everything"}}
    second = laboratory.run(job, start_from=start)
    assert second.weights() == whole.weights()
    assert first.points("train/loss") + second.points("train/loss") == whole.points("train/loss")


def test_one_update_leaves_out_what_its_loss_does_not_need(laboratory: TrainingHarness) -> None:
    """An output for prediction alone costs nothing in a step, and the rest gets the weights of a plain plan."""
    nodes = [each | {"inputs": [before]} for before, each in zip(["image", "flat", "body", "act"], LAYERS, strict=True)]
    nodes += [{"id": "drawn", "kind": "BatchNorm1d", "inputs": ["act"], "affine": False}]
    model = {"inputs": ["image"], "nodes": nodes, "outputs": {"digit": "head", "drawn": "drawn"}}
    objective = {"heads": {"digit": {"loss": "CrossEntropyLoss", "output": "digit"}}}
    plain = digits_job(LAYERS, objective=objective) | {"model": model}
    plan = {name: value for name, value in plain["training"].items() if name != "optimizer"}
    update = {"loss": "digit", "optimizer": plain["training"]["optimizer"]}
    weights, own = (
        laboratory.run(job).prepared.network.state_dict()
        for job in (plain, plain | {"training": plan | {"updates": [update]}})
    )
    assert weights.pop("drawn.num_batches_tracked") > own.pop("drawn.num_batches_tracked") == 0
    assert all(own[name].equal(weight) for name, weight in weights.items() if not name.startswith("drawn."))


def test_rates_move_at_every_step_whether_or_not_the_update_is_taken(laboratory: TrainingHarness) -> None:
    schedule = {"kind": "ExponentialLR", "gamma": 0.5, "interval": "step"}
    attempt = laboratory.run(gan_job(generator={"every": 3, "schedule": schedule}, steps=4))
    [group] = attempt.prepared.state.updates[1].optimizer.param_groups
    assert group["lr"] == ADAM["lr"] * 0.5**4
