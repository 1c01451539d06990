"""Gradual unfreezing by a plan of change (Howard and Ruder 2018), beside a plain loop of torch: equal to the bit."""

import copy

import torch
from torch import nn

from tests.workers.training.edits.job_log import JobLog
from tests.workers.training.harness import TrainingHarness, digits_job

LAYERS = [
    {"kind": "Flatten"},
    {"kind": "Linear", "out_features": 16},
    {"kind": "ReLU"},
    {"kind": "Linear", "out_features": 12},
    {"kind": "ReLU"},
    {"kind": "Linear", "out_features": 10},
]
STEPS, PER_EPOCH = 18, 6
PLAN = {
    "steps": STEPS,
    "optimizer": {"kind": "Adam", "lr": 0.01},
    "groups": [{"nodes": ["linear1", "linear2"], "frozen": True}],
    "edits": [
        {"at": {"epoch": 1}, "operations": [{"op": "unfreeze", "nodes": ["linear2"]}]},
        {"at": {"epoch": 2}, "operations": [{"op": "unfreeze", "nodes": ["linear1"]}]},
    ],
    "checkpoint": {"every_seconds": None, "keep_best": 0},
}


def test_layers_are_trained_one_after_the_other_from_the_last(laboratory: TrainingHarness) -> None:
    spec = digits_job(LAYERS, training=PLAN)
    prepared = laboratory.prepare(spec)
    network, source = copy.deepcopy(prepared.network), prepared.state.source
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    nodes = {name: module for name, module in network.named_modules() if isinstance(module, nn.Linear)}
    first, second, last = (list(nodes[name].parameters()) for name in ("linear1", "linear2", "linear3"))
    for each in (*first, *second):
        each.requires_grad_(False)
    optimizer = torch.optim.Adam(last, lr=0.01, fused=True)
    losses = []
    network.train()
    for step in range(STEPS):
        if step in (PER_EPOCH, 2 * PER_EPOCH):
            waking = second if step == PER_EPOCH else first
            for each in waking:
                each.requires_grad_(True)
            optimizer.add_param_group({"params": waking})
        ((inputs, targets, _),) = source.batches(step)
        loss = nn.functional.cross_entropy(network(inputs)["output"], targets["label"])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    log = JobLog(laboratory, spec)
    log.run()
    assert log.rejected == []
    assert [each.step for each in log.edits] == [PER_EPOCH, 2 * PER_EPOCH]
    assert [value for _, value in log.points["train/loss"]] == losses
