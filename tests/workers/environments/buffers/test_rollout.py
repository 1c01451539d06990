"""Rollouts collected from an environment, against the advantages of whole tables."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.workers.environments.buffers.test_advantages import reference
from tests.workers.environments.catalog_environments import environments, random_actions
from workers.environments.buffers.rollout import RolloutBuffer
from workers.environments.environments import Environments
from workers.environments.transition import Transition

STEPS, COPIES, GAMMA, LAMBDA = 30, 2, 0.9, 0.8


def value(observation: Tensor) -> Tensor:
    return observation.sum(1, keepdim=True)


def collect(environment: Environments, buffer: RolloutBuffer, first: int, last: int) -> list[Transition]:
    """Add the steps first to last of a rollout of random actions, with the value of an observation as its sum."""
    transitions = []
    for step in range(first, last):
        observation = environment.observe()
        action = random_actions(environment, step)
        transition = environment.step(action)
        is_needed = bool(transition.truncated.any()) or step % STEPS == STEPS - 1
        following = value(transition.next_observation) if is_needed else None
        buffer.add(transition, action, torch.full((COPIES, 1), float(step)), value(observation), following)
        transitions.append(transition)
        if buffer.is_full:
            buffer.finish()
            buffer.clear()
    return transitions


@pytest.mark.parametrize(("name", "limit"), [("CartPole-v1", 500), ("CartPole-v1", 9), ("Pendulum-v1", 7)])
def test_advantages_are_those_of_the_table(name: str, limit: int) -> None:
    environment = environments(name, COPIES, time_limit=limit)
    buffer = RolloutBuffer(STEPS, COPIES, GAMMA, LAMBDA)
    transitions = collect(environment, buffer, 0, STEPS)

    def table(which: str) -> Tensor:
        return torch.stack([getattr(each, which).squeeze(1) for each in transitions])

    values = torch.stack([value(each.observation).squeeze(1) for each in transitions])
    following = torch.stack([value(each.next_observation).squeeze(1) for each in transitions])
    terminated, truncated = table("terminated"), table("truncated")
    assert terminated.any() or truncated.any()
    expected = reference(table("reward"), values, following, terminated, truncated, GAMMA, LAMBDA)
    columns = buffer.columns
    torch.testing.assert_close(columns["advantage"].double(), expected.reshape(-1, 1), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(columns["returns"], columns["advantage"] + values.reshape(-1, 1))
    assert columns["observation"].equal(torch.cat([each.observation for each in transitions]))
    assert columns["action"].equal(torch.cat([each.action for each in transitions]))
    assert columns["log_prob"].flatten().tolist() == [step for step in range(STEPS) for _ in range(COPIES)]
    assert columns["value"].equal(values.reshape(-1, 1))


@pytest.mark.parametrize("stop", [0, 1, 29, 30, 31, 44])
def test_a_loaded_rollout_goes_on_to_the_bit(stop: int) -> None:
    whole, first, second = (RolloutBuffer(STEPS, COPIES, GAMMA, LAMBDA) for _ in range(3))
    collect(environments("Pendulum-v1", COPIES, time_limit=7), whole, 0, 2 * STEPS)
    environment = environments("Pendulum-v1", COPIES, time_limit=7)
    collect(environment, first, 0, stop)
    collect(environments("Pendulum-v1", COPIES, seed=8), second, 0, 37)  # which the state replaces
    numbers: Any = json.loads(json.dumps(first.state_json()))
    second.load({name: each.clone() for name, each in first.state_tensors().items()}, numbers)
    assert len(second) == stop % STEPS
    assert first.columns.keys() == second.columns.keys()
    assert all(column.equal(second.columns[name]) for name, column in first.columns.items())
    collect(environment, second, stop, 2 * STEPS)
    assert all(column.equal(second.columns[name]) for name, column in whole.columns.items())


def test_a_missing_value_is_refused() -> None:
    environment = environments("Pendulum-v1", COPIES, time_limit=1)
    buffer = RolloutBuffer(STEPS, COPIES, GAMMA, LAMBDA)
    transition = environment.step(torch.zeros(COPIES, 1))
    zeros = torch.zeros(COPIES, 1)
    with pytest.raises(ValueError, match="need the value of the next observation"):
        buffer.add(transition, transition.action, zeros, zeros)


def test_a_state_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="30 steps of 2 copies, not 31 of 2"):
        RolloutBuffer(STEPS + 1, COPIES, GAMMA, LAMBDA).load(
            {}, RolloutBuffer(STEPS, COPIES, GAMMA, LAMBDA).state_json()
        )


def test_memory_is_allocated_once() -> None:
    environment = environments("Pendulum-v1", COPIES)
    buffer = RolloutBuffer(STEPS, COPIES, GAMMA, LAMBDA)
    collect(environment, buffer, 0, STEPS)
    places = {name: column.data_ptr() for name, column in buffer.columns.items()}
    collect(environment, buffer, STEPS, 2 * STEPS)
    assert {name: column.data_ptr() for name, column in buffer.columns.items()} == places
