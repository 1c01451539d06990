"""Gymnasium's environments: equal to a plain loop over them, and restored to the bit."""

import json
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.environments.catalog import ENVIRONMENTS
from tests.workers.environments.catalog_environments import INSTALLED, environments, random_actions
from workers.environments.environments import Environments
from workers.environments.gymnasium_simulation import SINGLE_EPISODE
from workers.environments.simulation import episode_seed
from workers.environments.transition import Transition

STEPS = 70  # more than two episodes with the time limit of these tests
LIMIT = 25


def records(transition: Transition) -> list[Any]:
    tensors = [getattr(transition, name) for name in ("observation", "action", "reward", "next_observation")]
    flags = [transition.terminated, transition.truncated]
    return [*(each.numpy().tobytes() for each in (*tensors, *flags)), transition.ended]


def played(environment: Environments, first: int, last: int) -> list[list[Any]]:
    return [records(environment.step(random_actions(environment, step))) for step in range(first, last)]


def saved(environment: Environments) -> tuple[dict[str, Tensor], Any]:
    """Return the state as a file would hold it."""
    tensors = {name: each.clone() for name, each in environment.state_tensors().items()}
    return tensors, json.loads(json.dumps(environment.state_json()))


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("stop", [0, 1, LIMIT - 1, LIMIT, LIMIT + 1, 2 * LIMIT + 13])
def test_a_restored_environment_goes_on_to_the_bit(name: str, stop: int) -> None:
    """Also right at the end of an episode and at its first step."""
    whole, first = (environments(name, copies=2, time_limit=LIMIT) for _ in range(2))
    expected = played(whole, 0, STEPS)
    assert played(first, 0, stop) == expected[:stop]
    second = environments(name, copies=2, time_limit=LIMIT)
    second.load(*saved(first))
    assert second.observe().equal(first.observe())
    assert played(second, stop, STEPS) == expected[stop:]
    assert len([episode for step in expected for episode in step[-1]]) >= 4


@pytest.mark.parametrize("name", INSTALLED)
def test_a_state_is_loaded_over_another(name: str) -> None:
    """An episode does not depend on what its copy has played before."""
    first = environments(name, copies=2, time_limit=LIMIT)
    played(first, 0, 30)
    other = environments(name, copies=2, time_limit=LIMIT)
    played(other, 100, 145)
    other.load(*saved(first))
    assert played(other, 30, STEPS) == played(first, 30, STEPS)


@pytest.mark.parametrize("name", INSTALLED)
def test_steps_are_gymnasiums_own(name: str) -> None:
    row = ENVIRONMENTS[name]
    environment = environments(name, seed=5)
    plain: Any = gymnasium.make(name)  # with its own time limit
    assert tuple(plain.action_space.shape) == row.action.shape
    assert tuple(plain.observation_space.shape) == row.observation.shape
    assert plain.spec.max_episode_steps == row.time_limit
    if row.action.classes is None:
        assert np.array_equal(plain.action_space.low.flatten(), np.float32(row.action.lows))
        assert np.array_equal(plain.action_space.high.flatten(), np.float32(row.action.highs))
    else:
        assert plain.action_space.n == row.action.classes
    observation, _ = plain.reset(seed=episode_seed(5, 0, 0))
    number, total, length = 0, 0.0, 0
    for step in range((row.time_limit or 100) + 5):
        assert environment.observe()[0].equal(converted(observation))
        action = random_actions(environment, step)
        own = int(action) if row.action.classes is not None else action[0].numpy()
        observation, reward, terminated, truncated, _ = plain.step(own)
        transition = environment.step(action)
        total, length = total + float(reward), length + 1
        assert transition.next_observation[0].equal(converted(observation))
        assert transition.reward.item() == np.float32(reward)
        assert bool(transition.terminated) == terminated
        assert bool(transition.truncated) == (truncated and not terminated)
        if terminated or truncated:
            (episode,) = transition.ended
            assert (episode.number, episode.total_reward, episode.length) == (number, total, length)
            number, total, length = number + 1, 0.0, 0
            if name in SINGLE_EPISODE:
                plain = gymnasium.make(name)
            observation, _ = plain.reset(seed=episode_seed(5, 0, number))
    plain.close()


def converted(observation: Any) -> Tensor:
    values = torch.as_tensor(observation)
    return values.float() if values.is_floating_point() else values


@pytest.mark.parametrize("name", INSTALLED)
def test_actions_are_not_changed(name: str) -> None:
    environment = environments(name, copies=2)
    given = [random_actions(environment, step) for step in range(20)]
    done = [environment.step(action.clone()).action for action in given]
    assert all(action.equal(other) for action, other in zip(given, done, strict=True))


@pytest.mark.parametrize("name", INSTALLED)
def test_nothing_is_said(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        environment = environments(name)
        played(environment, 0, 5)
    assert not heard
    assert capfd.readouterr() == ("", "")


def test_copies_play_different_episodes() -> None:
    """The number of copies decides which copy plays an episode, and nothing else."""
    one, three = environments("Pendulum-v1"), environments("Pendulum-v1", copies=3)
    firsts = []
    for _ in range(3):
        firsts.append(one.observe().clone())
        for _ in range(200):
            one.step(torch.zeros(1, 1))
    assert torch.cat(firsts).equal(three.observe())
    assert not firsts[0].equal(firsts[1])
    assert not environments("Pendulum-v1", stream=1).observe().equal(firsts[0])
    assert not environments("Pendulum-v1", seed=4).observe().equal(firsts[0])


def test_a_simulation_that_diverges_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = environments("Pendulum-v1", copies=2)
    environment.step(torch.zeros(2, 1))
    broken = environment._simulation._environments[1]  # type: ignore[attr-defined]
    monkeypatch.setattr(broken, "state", np.array([np.nan, 0.0]))
    with pytest.raises(DataError, match=r"Pendulum-v1 is not finite at step 2 of an episode of copy 1") as raised:
        environment.step(torch.zeros(2, 1))
    assert raised.value.pointer == "/data/name"


def test_a_state_of_other_copies_is_refused() -> None:
    environment = environments("CartPole-v1", copies=2)
    environment.observe()
    with pytest.raises(ValueError, match="a state of 2 copies, where there are 3"):
        environments("CartPole-v1", copies=3).load(*saved(environment))
    with pytest.raises(ValueError, match="other copies"):
        environments("CartPole-v1", copies=2).load(
            environment.state_tensors(), {**environment.state_json(), "lengths": [1, 0]}
        )
