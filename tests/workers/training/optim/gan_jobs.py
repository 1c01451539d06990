"""Adversarial networks on the digits as jobs, and the same networks in plain PyTorch."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tests.workers.training.harness import digits_job
from workers.data.rng import update_seed
from workers.training.assembly import PreparedTraining
from workers.training.devices import seed_step

NOISE = 8
ADAM = {"kind": "Adam", "lr": 0.002, "betas": [0.5, 0.999]}
GENERATOR = [
    {"id": "lift", "kind": "Linear", "out_features": 32},
    {"id": "grid", "kind": "Unflatten", "dim": 1, "unflattened_size": [8, 2, 2]},
    {"id": "norm1", "kind": "BatchNorm2d"},
    {"id": "act1", "kind": "ReLU"},
    {"id": "up1", "kind": "ConvTranspose2d", "out_channels": 8, "kernel_size": 4, "stride": 2, "padding": 1},
    {"id": "norm2", "kind": "BatchNorm2d"},
    {"id": "act2", "kind": "ReLU"},
    {"id": "up2", "kind": "ConvTranspose2d", "out_channels": 1, "kernel_size": 4, "stride": 2, "padding": 1},
    {"id": "squash", "kind": "Sigmoid"},
]
CRITIC = [
    {"id": "down1", "kind": "Conv2d", "out_channels": 8, "kernel_size": 4, "stride": 2, "padding": 1},
    {"id": "act1", "kind": "LeakyReLU", "negative_slope": 0.2},
    {"id": "drop", "kind": "Dropout", "p": 0.2},
    {"id": "down2", "kind": "Conv2d", "out_channels": 16, "kernel_size": 4, "stride": 2, "padding": 1},
    {"id": "norm", "kind": "BatchNorm2d"},
    {"id": "act2", "kind": "LeakyReLU", "negative_slope": 0.2},
    {"id": "flat", "kind": "Flatten"},
    {"id": "score", "kind": "Linear", "out_features": 1},
]
NODES = [
    {"id": "z", "kind": "randn", "inputs": ["image"], "shape": [NOISE]},
    {"id": "generator", "kind": "block", "name": "Generator", "inputs": ["z"]},
    {"id": "real", "kind": "block", "name": "Critic", "inputs": ["image"], "share": "critic"},
    {"id": "fake", "kind": "block", "name": "Critic", "inputs": ["generator"], "share": "critic"},
]
NON_SATURATING = [
    {"id": "minus_real", "kind": "neg", "inputs": ["real"]},
    {"id": "minus_fake", "kind": "neg", "inputs": ["fake"]},
    {"id": "real_loss", "kind": "softplus", "inputs": ["minus_real"]},
    {"id": "fake_loss", "kind": "softplus", "inputs": ["fake"]},
    {"id": "critic_loss", "kind": "add", "inputs": ["real_loss", "fake_loss"]},
    {"id": "generator_loss", "kind": "softplus", "inputs": ["minus_fake"]},
]
WASSERSTEIN = [
    {"id": "critic_loss", "kind": "sub", "inputs": ["fake", "real"]},
    {"id": "generator_loss", "kind": "neg", "inputs": ["fake"]},
]
LOSSES = {"critic_loss": "critic_loss", "generator_loss": "generator_loss"}


def gan_job(
    losses: list[dict[str, Any]] = NON_SATURATING, generator: Mapping[str, Any] | None = None, **plan: Any
) -> dict[str, Any]:
    """Return a job of two updates; `generator` are fields of its update."""
    updates = [
        {"loss": "critic", "parameters": ["real"], "optimizer": ADAM},
        {"loss": "generator", "parameters": ["generator"], "optimizer": ADAM} | dict(generator or {}),
    ]
    heads = {name: {"loss": {"kind": "Output"}, "output": f"{name}_loss"} for name in ("critic", "generator")}
    job = digits_job(objective={"heads": heads})
    training = {name: value for name, value in job["training"].items() if name != "optimizer"}
    network = {
        "nodes": [*NODES, *losses],
        "outputs": LOSSES,
        "blocks": {"Generator": {"layers": GENERATOR}, "Critic": {"layers": CRITIC}},
    }
    return job | {"model": network, "training": training | {"steps": 6, "updates": updates} | plan}


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lift, self.norm1, self.norm2 = nn.Linear(NOISE, 32), nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.up1, self.up2 = nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.ConvTranspose2d(8, 1, 4, 2, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.norm1(self.lift(z).unflatten(1, (8, 2, 2))).relu()
        x = self.norm2(self.up1(x)).relu()
        return self.up2(x).sigmoid()


class Critic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.norm = nn.Conv2d(1, 8, 4, 2, 1), nn.Conv2d(8, 16, 4, 2, 1), nn.BatchNorm2d(16)
        self.score = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.leaky_relu(self.down1(x), 0.2)
        x = nn.functional.dropout(x, 0.2)
        x = nn.functional.leaky_relu(self.norm(self.down2(x)), 0.2)
        return self.score(x.flatten(1))


def plain_networks(prepared: PreparedTraining) -> tuple[Generator, Critic]:
    """Return the networks in plain PyTorch, with the weights of a training."""
    generator, critic = Generator(), Critic()
    stored = {name: value.clone() for name, value in prepared.network.state_dict().items()}
    for module, node in ((generator, "generator"), (critic, "real")):
        own = {name.removeprefix(f"{node}."): value for name, value in stored.items() if name.startswith(f"{node}.")}
        module.load_state_dict(own)
    return generator, critic


def real_images(prepared: PreparedTraining, steps: int) -> Iterator[Tensor]:
    """Yield the images of the steps of a training."""
    for step in range(steps):
        [(inputs, _, _)] = prepared.state.source.batches(step)
        yield inputs["image"]


def seed_update(step: int, update: int) -> None:
    """Seed torch as an update of a step does."""
    seed_step(update_seed(0, step, update), torch.device("cpu"))


def assert_equal_weights(prepared: PreparedTraining, generator: nn.Module, critic: nn.Module) -> None:
    trained = prepared.network.state_dict()
    for module, node in ((generator, "generator"), (critic, "real"), (critic, "fake")):
        for name, value in module.state_dict().items():
            assert trained[f"{node}.{name}"].equal(value), f"{node}.{name}"
