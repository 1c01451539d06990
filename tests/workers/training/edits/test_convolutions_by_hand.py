"""A convolutional network that is widened, and narrowed one step later, against the same in plain torch.

Statistics of batch normalisation, moments of AdamW, an average of the weights, a schedule, accumulation and clipping go
on: the arithmetic is the same, so every bit is.
"""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW, lr_scheduler
from torch.optim.swa_utils import get_ema_multi_avg_fn

from tests.workers.training.edits.job_log import QUIET, JobLog, edit, stored_state
from tests.workers.training.harness import TrainingHarness, digits_job
from workers.training.state import AVERAGE_PREFIX, NETWORK_PREFIX, optimizer_prefix, strip_prefix

LAYERS = [
    {"kind": "Conv2d", "id": "first", "out_channels": 4, "kernel_size": 3, "padding": 1},
    {"kind": "BatchNorm2d", "id": "norm"},
    {"kind": "ReLU", "id": "relu1"},
    {"kind": "Conv2d", "id": "second", "out_channels": 6, "kernel_size": 3},
    {"kind": "ReLU", "id": "relu2"},
    {"kind": "Flatten", "id": "flat"},
    {"kind": "Linear", "id": "head", "out_features": 10},
]
STEPS, WIDENED_AT, NARROWED_AT, KEPT = 12, 5, 6, [0, 2, 5]
LR, CLIP_NORM, DECAY, WEIGHT_DECAY = 0.01, 0.5, 0.8, 0.1
PLAN: dict[str, Any] = {
    "steps": STEPS,
    "optimizer": {"kind": "AdamW", "lr": LR, "weight_decay": WEIGHT_DECAY},
    "schedule": {"kind": "CosineAnnealingLR"},
    "average": {"kind": "ema", "decay": DECAY},
    "clip_norm": CLIP_NORM,
    "accumulate": 2,
    "batch_size": 32,
    "checkpoint": QUIET,
}
MOMENTS = ("exp_avg", "exp_avg_sq")
MADE_BY_FIRST = ("first.weight", "first.bias", "norm.weight", "norm.bias")
Weights = dict[str, Tensor]
Moments = dict[str, Weights]  # by parameter


def build(weights: Weights) -> nn.Sequential:
    first, second, head = (weights[f"{name}.weight"].shape for name in ("first", "second", "head"))
    parts: list[tuple[str, nn.Module]] = [
        ("first", nn.Conv2d(first[1], first[0], 3, padding=1)),
        ("norm", nn.BatchNorm2d(first[0])),
        ("relu1", nn.ReLU()),
        ("second", nn.Conv2d(second[1], second[0], 3)),
        ("relu2", nn.ReLU()),
        ("flat", nn.Flatten()),
        ("head", nn.Linear(head[1], head[0])),
    ]
    network = nn.Sequential(OrderedDict(parts))
    network.load_state_dict(weights)
    return network


def optimizer_of(network: nn.Module, moments: Moments) -> AdamW:
    optimizer = AdamW(network.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, fused=True)
    for name, parameter in network.named_parameters():
        optimizer.state[parameter] = {key: value.clone() for key, value in moments[name].items()}
    return optimizer


def twice(value: Tensor, axis: int = 0) -> Tensor:
    return torch.cat([value, value], axis)


def widened(weights: Weights) -> Weights:
    made = {name: twice(weights[name]) for name in (*MADE_BY_FIRST, "norm.running_mean", "norm.running_var")}
    return {**weights, **made, "second.weight": twice(weights["second.weight"], 1) * 0.5}


def widened_moments(moments: Moments) -> Moments:
    result = {name: dict(entry) for name, entry in moments.items()}
    for key, factor in zip(MOMENTS, (0.5, 0.25), strict=True):
        for name in MADE_BY_FIRST:
            result[name][key] = twice(result[name][key]) * factor
        result["second.weight"][key] = twice(result["second.weight"][key], 1)
    return result


def narrowed(weights: Weights) -> Weights:
    head = weights["head.weight"]
    rows = {name: weights[name][KEPT] for name in ("second.weight", "second.bias")}
    return {**weights, **rows, "head.weight": head.reshape(10, 6, -1)[:, KEPT].reshape(10, -1)}


def narrowed_moments(moments: Moments) -> Moments:
    by_key = {key: narrowed({name: entry[key] for name, entry in moments.items()}) for key in MOMENTS}
    return {name: {**entry, **{key: values[name] for key, values in by_key.items()}} for name, entry in moments.items()}


def test_every_bit_is_that_of_the_network_in_plain_torch(laboratory: TrainingHarness) -> None:
    edits = (
        edit(1, {"op": "widen", "node": "first", "to": 8}, at={"step": WIDENED_AT}),
        edit(2, {"op": "narrow", "node": "second", "keep": KEPT}, at={"step": NARROWED_AT}),
    )
    log = JobLog(laboratory, digits_job(LAYERS, training=PLAN), edits)
    attempt = log.run()
    assert log.rejected == []
    tensors, _ = stored_state(laboratory, log.saved[0])
    weights = strip_prefix(NETWORK_PREFIX, tensors)
    names = [name for name, _ in build(weights).named_parameters()]
    moments: Moments = {}
    for place, value in strip_prefix(optimizer_prefix(0), tensors).items():
        index, _, key = place.partition("/")
        moments.setdefault(names[int(index)], {})[key] = value
    network, average = build(widened(weights)), build(widened(strip_prefix(AVERAGE_PREFIX, tensors)))
    optimizer = optimizer_of(network, widened_moments(moments))
    rates = [LR]
    clock = AdamW([nn.Parameter(torch.zeros(1))], lr=LR)
    schedule = lr_scheduler.CosineAnnealingLR(clock, T_max=STEPS)
    for _ in range(STEPS):
        clock.step()
        schedule.step()
        rates.append(clock.param_groups[0]["lr"])
    for step in range(WIDENED_AT, STEPS):
        if step == NARROWED_AT:
            present = {name: dict(optimizer.state[parameter]) for name, parameter in network.named_parameters()}
            network, average = build(narrowed(network.state_dict())), build(narrowed(average.state_dict()))
            optimizer = optimizer_of(network, narrowed_moments(present))
        optimizer.param_groups[0]["lr"] = rates[step]
        optimizer.zero_grad()
        for inputs, targets, share in attempt.prepared.state.source.batches(step):
            (functional.cross_entropy(network(*inputs.values()), *targets.values()) * share).backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
        optimizer.step()
        _average(average, network)
    after, _ = stored_state(laboratory, log.saved[-1])
    expected = {f"{NETWORK_PREFIX}{name}": value for name, value in network.state_dict().items()}
    expected |= {f"{AVERAGE_PREFIX}{name}": value for name, value in average.state_dict().items()}
    for index, parameter in enumerate(network.parameters()):
        state = optimizer.state[parameter]
        expected |= {f"{optimizer_prefix(0)}{index}/{key}": value for key, value in state.items()}
    assert expected.keys() == after.keys()
    assert [name for name, value in expected.items() if not torch.equal(value, after[name])] == []


def _average(average: nn.Sequential, network: nn.Sequential) -> None:
    pairs = zip(average.state_dict().values(), network.state_dict().values(), strict=True)
    numbers = [pair for pair in pairs if pair[0].is_floating_point()]
    get_ema_multi_avg_fn(DECAY)([mean for mean, _ in numbers], [value for _, value in numbers], 1)
    average.get_buffer("norm.num_batches_tracked").copy_(network.get_buffer("norm.num_batches_tracked"))
