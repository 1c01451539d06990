"""Adversarial training against the loop that one writes by hand, to the bit."""

import json

import pytest
import torch
from torch.nn.functional import softplus

from tests.workers.training.harness import TrainingHarness, resume_candidates
from tests.workers.training.optim.gan_jobs import (
    NOISE,
    WASSERSTEIN,
    assert_equal_weights,
    gan_job,
    plain_networks,
    real_images,
    seed_update,
)
from workers.training.loop import train

STEPS = 9  # more than an epoch


def test_alternating_steps_are_those_of_the_plain_loop(laboratory: TrainingHarness) -> None:
    prepared = laboratory.prepare(gan_job(steps=STEPS, statistics={"every_steps": 2}))
    generator, critic = plain_networks(prepared)
    optimizers = [torch.optim.Adam(each.parameters(), 0.002, (0.5, 0.999), fused=True) for each in (critic, generator)]
    losses = []
    for step, images in enumerate(real_images(prepared, STEPS)):
        seed_update(step, 0)
        fakes = generator(torch.randn(len(images), NOISE))
        # In the order of the nodes: real images first.
        critic_loss = (softplus(-critic(images)) + softplus(critic(fakes.detach()))).mean()
        critic_loss.backward()
        optimizers[0].step()
        optimizers[0].zero_grad()
        seed_update(step, 1)
        generator_loss = softplus(-critic(generator(torch.randn(len(images), NOISE)))).mean()
        generator_loss.backward()
        optimizers[1].step()
        generator.zero_grad()
        critic.zero_grad()
        losses.append((critic_loss.item(), generator_loss.item()))
    train(prepared)
    assert_equal_weights(prepared, generator, critic)
    points = {name: prepared.context.series(f"train/{name}/loss").value for name in ("critic", "generator")}
    assert list(zip(points["critic"], points["generator"], strict=True)) == losses
    assert prepared.context.series("train/loss").value == [sum(pair) for pair in losses]


def test_a_critic_takes_five_steps_for_each_of_the_generator(laboratory: TrainingHarness) -> None:
    rms = {"kind": "RMSprop", "lr": 0.001}
    job = gan_job(WASSERSTEIN, {"every": 5, "optimizer": rms}, steps=11)
    job["training"]["updates"][0] |= {"optimizer": rms, "clip_norm": 0.5}
    prepared = laboratory.prepare(job)
    generator, critic = plain_networks(prepared)
    optimizers = [torch.optim.RMSprop(each.parameters(), 0.001) for each in (critic, generator)]
    for step, images in enumerate(real_images(prepared, 11)):
        seed_update(step, 0)
        fakes = generator(torch.randn(len(images), NOISE)).detach()
        real = critic(images)
        (critic(fakes) - real).mean().backward()
        torch.nn.utils.clip_grad_norm_(critic.parameters(), 0.5)
        optimizers[0].step()
        optimizers[0].zero_grad()
        if (step + 1) % 5 == 0:
            seed_update(step, 1)
            (-critic(generator(torch.randn(len(images), NOISE)))).mean().backward()
            optimizers[1].step()
            optimizers[1].zero_grad()
            critic.zero_grad()
    train(prepared)
    assert_equal_weights(prepared, generator, critic)
    steps = {name: prepared.context.series(f"train/{name}").step for name in ("critic/loss", "generator/loss", "loss")}
    assert steps == {"critic/loss": [*range(1, 12)], "generator/loss": [5, 10], "loss": [*range(5, 12)]}
    assert prepared.context.series("train/generator/lr").step == [*range(1, 12)]


@pytest.mark.parametrize("stop", range(1, STEPS))
def test_an_interrupted_training_is_the_same(laboratory: TrainingHarness, stop: int) -> None:
    job = gan_job(generator={"every": 3}, steps=STEPS, evaluate={"every_steps": 4})
    whole = laboratory.run(job)
    first = laboratory.run(job, {stop: "pause"})
    second = laboratory.run(job, resume_from=resume_candidates(*first.context.saved))
    assert second.weights() == whole.weights()
    for name in ("train/loss", "train/critic/loss", "train/generator/loss", "train/generator/lr", "val/loss"):
        assert first.points(name) + second.points(name) == whole.points(name), name
    states = [json.loads(json.dumps(each.prepared.state.state_json()["other_updates"])) for each in (second, whole)]
    assert states[0] == states[1]


def test_statistics_are_those_of_the_update_that_changes_a_node(laboratory: TrainingHarness) -> None:
    job = gan_job(steps=1, statistics={"every_steps": 1})
    before = laboratory.prepare(job).network.state_dict()
    attempt = laboratory.run(job)
    after, sample = attempt.prepared.network.state_dict(), attempt.statistics()[1]
    for node in ("generator/up1", "real/down1", "real/norm"):
        names = [f"{node.replace('/', '.')}.{name}" for name in ("weight", "bias")]
        norm = sum(before[name].double().square().sum().item() for name in names) ** 0.5
        change = sum((after[name].double() - before[name].double()).square().sum().item() for name in names) ** 0.5
        assert sample[node, "weight_norm"] == pytest.approx(norm)
        assert sample[node, "update_ratio"] == pytest.approx(change / norm, rel=1e-5)
        assert sample[node, "grad_norm"] > 0
