"""Wrappers against Gymnasium's own, on whole runs."""

import json
from itertools import pairwise
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor

from app.spec.data.environments.environment import EnvironmentData
from tests.workers.environments.catalog_environments import random_actions
from tests.workers.environments.dynamics_documents import PENDULUM
from workers.environments.build import build_environments
from workers.environments.environments import Environments
from workers.environments.simulation import episode_seed

LIMIT = 8
MEAN, STD = [0.1, 0.2, 0.3], [1.0, 2.0, 8.0]


def environments(*wrappers: dict[str, Any], copies: int = 1, **source: Any) -> Environments:
    document = {
        "kind": "environment",
        "copies": copies,
        "wrappers": [{"kind": "TimeLimit", "steps": LIMIT}, *wrappers],
        "experience": {"kind": "replay"},
    } | (source or {"name": "Pendulum-v1"})
    return build_environments(EnvironmentData.model_validate(document), copies, seed=3)


def clip(observation: np.ndarray) -> np.ndarray:
    return observation.clip(-0.5, 0.5)


def normalize(observation: np.ndarray) -> np.ndarray:
    return (observation - np.float32(MEAN)) / np.float32(STD)


WRAPPED: list[tuple[tuple[dict[str, Any], ...], Any]] = [
    (({"kind": "FrameStack", "frames": 3},), lambda env: gymnasium.wrappers.FrameStackObservation(env, 3)),
    (
        ({"kind": "ClipObservation", "low": -0.5, "high": 0.5},),
        lambda env: gymnasium.wrappers.TransformObservation(env, clip, None),
    ),
    (
        ({"kind": "NormalizeObservation", "mean": MEAN, "std": STD}, {"kind": "FrameStack", "frames": 2}),
        lambda env: gymnasium.wrappers.FrameStackObservation(
            gymnasium.wrappers.TransformObservation(env, normalize, env.observation_space), 2
        ),
    ),
    (
        ({"kind": "ClipReward", "low": -3.0, "high": -1.0},),
        lambda env: gymnasium.wrappers.TransformReward(env, lambda reward: min(max(reward, -3.0), -1.0)),
    ),
    (
        ({"kind": "ScaleReward", "factor": 0.125, "shift": 8.0}, {"kind": "ClipReward", "low": 0.0, "high": 0.75}),
        lambda env: gymnasium.wrappers.TransformReward(env, lambda reward: min(max((reward + 8) * 0.125, 0.0), 0.75)),
    ),
]


@pytest.mark.parametrize(("wrappers", "wrap"), WRAPPED)
def test_wrappers_are_gymnasiums(wrappers: tuple[dict[str, Any], ...], wrap: Any) -> None:
    """Returns count the environment's own rewards, whatever is learned from."""
    environment = environments(*wrappers)
    plain = wrap(gymnasium.make("Pendulum-v1", max_episode_steps=LIMIT))
    raw = gymnasium.make("Pendulum-v1").unwrapped
    observation, _ = plain.reset(seed=episode_seed(3, 0, 0))
    raw.reset(seed=episode_seed(3, 0, 0))
    episode, total = 0, 0.0
    for step in range(30):
        assert environment.observe()[0].numpy() == pytest.approx(np.asarray(observation), abs=1e-7)
        action = random_actions(environment, step)
        observation, reward, _, truncated, _ = plain.step(action[0].numpy())
        total += float(raw.step(action[0].numpy())[1])
        transition = environment.step(action)
        assert transition.next_observation[0].numpy() == pytest.approx(np.asarray(observation), abs=1e-7)
        assert transition.reward.item() == pytest.approx(float(reward), rel=1e-6)
        assert bool(transition.truncated) == truncated == (step % LIMIT == LIMIT - 1)
        if truncated:
            assert transition.ended[0].total_reward == total
            episode, total = episode + 1, 0.0
            observation, _ = plain.reset(seed=episode_seed(3, 0, episode))
            raw.reset(seed=episode_seed(3, 0, episode))


@pytest.mark.parametrize("source", [{"name": "Pendulum-v1"}, {"dynamics": PENDULUM}])
@pytest.mark.parametrize("wrappers", [wrappers for wrappers, _ in WRAPPED])
@pytest.mark.parametrize("stop", [1, LIMIT, LIMIT + 1])
def test_a_restored_environment_goes_on_to_the_bit(
    source: dict[str, Any], wrappers: tuple[dict[str, Any], ...], stop: int
) -> None:
    def play(environment: Environments, first: int, last: int) -> list[tuple[Tensor, ...]]:
        steps = [environment.step(random_actions(environment, step)) for step in range(first, last)]
        return [(each.observation, each.reward, each.next_observation, each.truncated) for each in steps]

    whole, first, second = (environments(*wrappers, copies=2, **source) for _ in range(3))
    expected = play(whole, 0, 20)
    play(first, 0, stop)
    play(second, 50, 53)
    tensors = {name: each.clone() for name, each in first.state_tensors().items()}
    second.load(tensors, json.loads(json.dumps(first.state_json())))
    for own, other in zip(play(second, stop, 20), expected[stop:], strict=True):
        assert all(one.equal(two) for one, two in zip(own, other, strict=True))


def test_a_returned_stack_is_not_changed_later() -> None:
    environment = environments({"kind": "FrameStack", "frames": 3}, copies=2)
    transitions = [environment.step(random_actions(environment, step)) for step in range(20)]
    for before, after in pairwise(transitions):
        goes_on = ~before.truncated.squeeze(1)
        assert after.observation[goes_on].equal(before.next_observation[goes_on])
        assert before.next_observation[:, :-1].equal(before.observation[:, 1:])
    assert torch.stack([each.observation for each in transitions]).shape == (20, 2, 3, 3)


def test_the_shortest_limit_holds() -> None:
    environment = environments({"kind": "TimeLimit", "steps": 5})
    ends = [bool(environment.step(torch.zeros(1, 1)).ended) for _ in range(10)]
    assert ends == [False] * 4 + [True] + [False] * 4 + [True]
