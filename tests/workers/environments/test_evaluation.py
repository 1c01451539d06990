"""Episodes of an evaluation against a plain loop of Gymnasium, one episode after the other."""

import time
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor

from tests.workers.environments.catalog_environments import environments
from workers.environments.evaluation import run_episodes
from workers.environments.simulation import episode_seed

EPISODES = 11


def balance(observation: Tensor) -> Mapping[str, Tensor]:
    """Push the cart to where the pole falls: every number is exact, whatever the size of the batch."""
    return {"action": (observation[:, 2] + observation[:, 3] > 0).long(), "angle": observation[:, 2:3]}


def swing(observation: Tensor) -> Mapping[str, Tensor]:
    return {"action": observation[:, 2:3] * 2, "speed": observation[:, 2]}


def plain_episodes(name: str, policy: Any, episodes: int) -> list[dict[str, Any]]:
    results = []
    for number in range(episodes):
        environment: Any = gymnasium.make(name)
        observation, _ = environment.reset(seed=episode_seed(3, 1, number))
        observations, actions, rewards, ended = [observation], [], [], False
        while not ended:
            action = policy(torch.from_numpy(observation)[None])["action"][0].numpy()
            observation, reward, terminated, truncated, _ = environment.step(action if action.ndim else int(action))
            observations.append(observation)
            actions.append(action)
            rewards.append(float(reward))
            ended = terminated or truncated
        results.append({"rewards": rewards, "observations": observations, "actions": actions, "terminated": terminated})
    return results


@pytest.mark.parametrize(
    ("name", "policy", "output"), [("CartPole-v1", balance, "angle"), ("Pendulum-v1", swing, "speed")]
)
@pytest.mark.parametrize("copies", [1, 4, EPISODES, 20])
def test_episodes_are_those_of_a_plain_loop(name: str, policy: Any, output: str, copies: int) -> None:
    results = run_episodes(environments(name, copies, stream=1), policy, EPISODES, reported=[output])
    plain = plain_episodes(name, policy, EPISODES)
    assert results is not None
    assert results.returns == tuple(sum(each["rewards"]) for each in plain)
    assert results.lengths == tuple(len(each["rewards"]) for each in plain)
    assert results.terminated == tuple(each["terminated"] for each in plain)
    seen = np.concatenate([each["observations"][:-1] for each in plain])
    assert results.means == {output: pytest.approx(float(seen[:, 2].astype(np.float64).mean()), rel=1e-6)}
    recorded = results.recorded
    assert recorded.observations.equal(torch.from_numpy(np.stack(plain[0]["observations"])))
    assert recorded.rewards.tolist() == plain[0]["rewards"]
    assert len(recorded.actions) == len(plain[0]["actions"])
    assert recorded.terminated == plain[0]["terminated"]
    low, high = (-2.0, 2.0) if name == "Pendulum-v1" else (0, 1)
    assert recorded.actions.numpy() == pytest.approx(np.stack(plain[0]["actions"]).clip(low, high))


def test_a_second_evaluation_is_the_same() -> None:
    """Whatever was played before, even if it was broken off."""
    environment = environments("CartPole-v1", 3, stream=1)
    first = run_episodes(environment, balance, 7)
    calls = 0

    def broken(observation: Tensor) -> Mapping[str, Tensor]:
        nonlocal calls
        calls += 1
        if calls > 20:
            raise InterruptedError
        return balance(observation)

    with pytest.raises(InterruptedError):
        run_episodes(environment, broken, 7)
    second = run_episodes(environment, balance, 7)
    assert first is not None
    assert second is not None
    assert (first.returns, first.lengths) == (second.returns, second.lengths)


def test_an_evaluation_stops() -> None:
    calls = []

    def stop() -> bool:
        calls.append(1)
        return len(calls) == 5

    assert run_episodes(environments("Pendulum-v1", 2, stream=1), swing, 4, should_stop=stop) is None
    assert len(calls) == 5


def test_a_long_episode_is_recorded_in_part() -> None:
    environment = environments("MountainCarContinuous-v0", 1, stream=1, time_limit=1300)
    results = run_episodes(environment, lambda observation: {"action": observation[:, :1] * 0}, 1)
    assert results is not None
    assert results.lengths == (1300,)
    assert (len(results.recorded.observations), len(results.recorded.actions)) == (1001, 1000)
    assert not results.recorded.terminated


def test_a_hundred_episodes_take_less_than_a_second() -> None:
    """Of the processor's time; a policy of the size that people train stands for the network."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    environment = environments("Pendulum-v1", 100, stream=1)
    start = time.process_time()
    with torch.no_grad():
        run_episodes(environment, lambda observation: {"action": network(observation)}, 100)
    assert time.process_time() - start < 3  # 0.3 s on a core that does nothing else
