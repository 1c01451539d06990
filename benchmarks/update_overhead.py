"""What a step of two updates costs beside the arithmetic: ``python benchmarks/update_overhead.py``.

Adversarial networks of linear layers, 16-128-64 and 64-128-1, on the examples of `step_overhead`. In every round both
variants train once, in turn:

- plain: the loop that people write by hand, on one fixed batch: a step of the critic on real rows and on detached
  fakes, then one of the generator through the critic;
- loop: the service's own loop, with `training.updates`.
"""

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import torch
from drained_pipe import drained_pipe
from machine import summarize_times, write_results
from step_overhead import GraftwerkLoop, make_examples, measure_variants, synchronized_time
from step_workload import BATCH, FEATURES, HIDDEN, LR
from torch import nn
from torch.nn.functional import softplus

NOISE = 16
ADAM = {"kind": "Adam", "lr": LR}


def _chain(width: int) -> dict[str, Any]:
    return {
        "layers": [
            {"kind": "Linear", "out_features": HIDDEN},
            {"kind": "ReLU"},
            {"kind": "Linear", "out_features": width},
        ]
    }


SPEC: dict[str, Any] = {
    "model": {
        "inputs": ["x"],
        "nodes": [
            {"id": "noise", "kind": "randn", "inputs": ["x"], "shape": [NOISE]},
            {"id": "sample", "kind": "block", "name": "Generator", "inputs": ["noise"]},
            {"id": "real", "kind": "block", "name": "Critic", "share": "critic", "inputs": ["x"]},
            {"id": "fake", "kind": "block", "name": "Critic", "share": "critic", "inputs": ["sample"]},
            {"id": "minus_real", "kind": "neg", "inputs": ["real"]},
            {"id": "minus_fake", "kind": "neg", "inputs": ["fake"]},
            {"id": "missed", "kind": "softplus", "inputs": ["minus_real"]},
            {"id": "believed", "kind": "softplus", "inputs": ["fake"]},
            {"id": "critic_loss", "kind": "add", "inputs": ["missed", "believed"]},
            {"id": "generator_loss", "kind": "softplus", "inputs": ["minus_fake"]},
        ],
        "outputs": {"critic_loss": "critic_loss", "generator_loss": "generator_loss"},
        "blocks": {"Generator": _chain(FEATURES), "Critic": _chain(1)},
    },
    "data": {"kind": "dataset", "id": "ds_" + "0" * 32},
    "objective": {"heads": {name: {"loss": "Output", "output": f"{name}_loss"} for name in ("critic", "generator")}},
    "training": {
        "updates": [
            {"loss": "critic", "parameters": ["real"], "optimizer": ADAM},
            {"loss": "generator", "parameters": ["sample"], "optimizer": ADAM},
        ],
        "batch_size": BATCH,
    },
}


@dataclass(frozen=True)
class AdversarialLoop(GraftwerkLoop):
    """The service's loop with two updates."""

    spec: ClassVar[Mapping[str, Any]] = SPEC


def plain_loop(steps: int, device: str) -> float:
    """Step both networks on one batch, again and again."""
    torch.use_deterministic_algorithms(False)
    x = make_examples()[0][:BATCH].to(device)
    generator = nn.Sequential(nn.Linear(NOISE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, FEATURES)).to(device)
    critic = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)).to(device)
    optimizers = [torch.optim.Adam(each.parameters(), lr=LR, fused=True) for each in (critic, generator)]
    began = synchronized_time(device)
    for _ in range(steps):
        fakes = generator(torch.randn(BATCH, NOISE, device=device)).detach()
        (softplus(-critic(x)) + softplus(critic(fakes))).mean().backward()
        optimizers[0].step()
        optimizers[0].zero_grad(set_to_none=True)
        softplus(-critic(generator(torch.randn(BATCH, NOISE, device=device)))).mean().backward()
        optimizers[1].step()
        optimizers[1].zero_grad(set_to_none=True)
        optimizers[0].zero_grad(set_to_none=True)
    return (synchronized_time(device) - began) / steps


def main() -> None:
    """Measure and write results/update_overhead.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="trainings of every variant")
    parser.add_argument("--steps", type=int, default=1000, help="steps of a training")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    device: str = options.device
    torch.set_num_threads(1)
    with drained_pipe() as pipe, tempfile.TemporaryDirectory(prefix="graftwerk-bench-") as folder:
        loop = AdversarialLoop(Path(folder), pipe, device)
        variants = {"plain": lambda steps: plain_loop(steps, device), "loop": loop}
        seconds = measure_variants(variants, options.rounds, options.steps)
    ratio = round(median(one / two for one, two in zip(seconds["loop"], seconds["plain"], strict=True)), 3)
    what = "a training step of two updates, loop / plain, median"
    claims = [{"what": what, "measured": ratio, "unit": "times", "bound": 1.2, "at_most": True}]
    result = {"step_ms": {name: summarize_times(each) for name, each in seconds.items()}, "ratio": ratio}
    write_results("update_overhead" if device == "cpu" else "update_overhead_cuda", result, claims)


if __name__ == "__main__":
    main()
