"""An actor and a critic that learn from replay, against the loop that one writes with Gymnasium itself, to the bit."""

from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from tests.workers.training.harness import TrainingHarness
from tests.workers.training.optim.gan_jobs import seed_update
from tests.workers.training.sources.environment_jobs import GAMMA, LIMIT, WIDTH, replay_job
from workers.data.rng import update_seed
from workers.environments.simulation import episode_seed
from workers.training.loop import train
from workers.training.sources.collector import BATCH_STREAM, EXPLORATION_STREAM

STEPS, COPIES, CAPACITY, RANDOM_STEPS, BATCH = 40, 2, 60, 10, 16
FOLLOWED = {"later_action": "actor", "later": "critic"}
Rows = list[tuple[Tensor, ...]]


class Critic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.value = nn.Linear(4, WIDTH), nn.Linear(WIDTH, 1)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        return self.value(self.hidden(torch.cat([state, action], 1)).relu())


class Actor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.action = nn.Linear(3, WIDTH), nn.Linear(WIDTH, 1)

    def forward(self, state: Tensor) -> Tensor:
        return self.action(self.hidden(state).tanh())


class Copies:
    """Two environments of Gymnasium, each with its own episodes, and a buffer of which the oldest rows go."""

    def __init__(self) -> None:
        self.environments = [gymnasium.make("Pendulum-v1", max_episode_steps=LIMIT) for _ in range(COPIES)]
        self.episodes, self.returns = [0, 1], [0.0, 0.0]
        self.observations = [self.reset(copy) for copy in range(COPIES)]
        self.rows: Rows = []
        self.count = 0
        self.ended: list[tuple[int, float]] = []

    def reset(self, copy: int) -> Any:
        return self.environments[copy].reset(seed=episode_seed(0, 0, self.episodes[copy]))[0]

    def step(self, actions: Tensor, step: int) -> None:
        actions = actions.clamp(-2, 2)
        for copy, environment in enumerate(self.environments):
            before = self.observations[copy]
            after, reward, terminated, truncated, _ = environment.step(actions[copy].numpy())
            self.returns[copy] += float(reward)
            numbers = (before, actions[copy], [np.float32(reward)], after, [float(terminated)])
            row = tuple(torch.tensor(np.asarray(each), dtype=torch.float32) for each in numbers)
            self.rows[self.count % CAPACITY : self.count % CAPACITY + 1] = [row]
            self.count += 1
            self.observations[copy] = after
            if terminated or truncated:
                self.ended.append((step, self.returns[copy]))
                self.episodes[copy], self.returns[copy] = self.episodes[copy] + COPIES, 0.0
                self.observations[copy] = self.reset(copy)

    def batch(self, step: int) -> list[Tensor]:
        generator = torch.Generator().manual_seed(update_seed(0, step, BATCH_STREAM))
        chosen = [self.rows[int(place)] for place in torch.randint(len(self.rows), (BATCH,), generator=generator)]
        return [torch.stack(column) for column in zip(*chosen, strict=True)]


def train_by_hand(prepared: Any) -> tuple[dict[str, nn.Module], Copies]:
    nets: dict[str, nn.Module] = {"actor": Actor(), "critic": Critic(), "later_action": Actor(), "later": Critic()}
    stored = prepared.network.state_dict()
    for name, net in nets.items():
        net.load_state_dict({key: stored[f"{FOLLOWED.get(name, name)}.{key}"].clone() for key in net.state_dict()})
    optimizers = {name: torch.optim.Adam(nets[name].parameters(), 0.01, fused=True) for name in ("critic", "actor")}
    copies = Copies()
    for step in range(STEPS):
        generator = torch.Generator().manual_seed(update_seed(0, step, EXPLORATION_STREAM))
        for _ in range(RANDOM_STEPS if step == 0 else 0):
            copies.step(torch.rand((COPIES, 1), generator=generator) * 4 - 2, step + 1)
        with torch.no_grad():
            action = nets["actor"](torch.from_numpy(np.stack(copies.observations)))
        copies.step(action + 0.2 * 2 * torch.randn((COPIES, 1), generator=generator), step + 1)
        state, done, reward, following, terminated = copies.batch(step)
        seed_update(step, 0)
        with torch.no_grad():
            near = nets["later_action"](following)
            near = near + torch.randn_like(near)
            goal = reward + nets["later"](following, near) * (terminated * -GAMMA + GAMMA)
        (nets["critic"](state, done) - goal).square().mean().backward()
        optimizers["critic"].step()
        nets["critic"].zero_grad()
        if step % 2:
            (-nets["critic"](state, nets["actor"](state))).mean().backward()
            optimizers["actor"].step()
            for net in nets.values():
                net.zero_grad()
        with torch.no_grad():
            for target, source in FOLLOWED.items():
                for own, other in zip(nets[target].parameters(), nets[source].parameters(), strict=True):
                    own.lerp_(other, 0.1)
    return nets, copies


def test_it_collects_and_learns_as_the_plain_loop(laboratory: TrainingHarness) -> None:
    prepared = laboratory.prepare(replay_job(steps=STEPS))
    nets, copies = train_by_hand(prepared)
    train(prepared)
    trained = prepared.network.state_dict()
    for node, net in nets.items():
        for name, value in net.state_dict().items():
            assert trained[f"{node}.{name}"].equal(value), f"{node}.{name}"
    points = prepared.context.series("episode/return")  # type: ignore[attr-defined]
    means: dict[int, list[float]] = {}
    for step, value in copies.ended:
        means.setdefault(step, []).append(value)
    assert list(zip(points.step, points.value, strict=True)) == [
        (step, sum(values) / len(values)) for step, values in means.items()
    ]
    assert set(points.step) == {20}
    assert copies.count > CAPACITY  # the oldest were overwritten


def test_an_evaluation_plays_its_own_episodes(laboratory: TrainingHarness) -> None:
    """Its return is that of Gymnasium with the same seeds, whatever was played before."""
    prepared = laboratory.prepare(replay_job(steps=5))
    train(prepared)
    actor, stored = Actor(), prepared.network.state_dict()
    actor.load_state_dict({key: stored[f"actor.{key}"] for key in actor.state_dict()})
    returns = []
    for number in range(3):
        environment = gymnasium.make("Pendulum-v1", max_episode_steps=LIMIT)
        observation, _ = environment.reset(seed=episode_seed(0, 1, number))
        total, is_over = 0.0, False
        while not is_over:
            with torch.no_grad():
                action = actor(torch.from_numpy(observation)[None])[0].clamp(-2, 2)
            observation, reward, terminated, truncated, _ = environment.step(action.numpy())
            total, is_over = total + float(reward), terminated or truncated
        returns.append(total)
    context = prepared.context
    assert np.isclose(context.series("val/return").value[-1], np.mean(returns), rtol=1e-5)  # type: ignore[attr-defined]
    assert np.isclose(context.series("val/return_std").value[-1], np.std(returns), rtol=1e-4)  # type: ignore[attr-defined]
    assert context.series("val/length").value == [LIMIT]  # type: ignore[attr-defined]
