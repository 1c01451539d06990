"""Environments of nodes: Gymnasium's own numbers, exact state, and what they refuse while they run."""

import copy
import json
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor

from app.errors import DataError
from tests.workers.environments.catalog_environments import random_actions
from tests.workers.environments.dynamics_documents import CARTPOLE, NOISY, PENDULUM, dynamics, node
from tests.workers.environments.test_gymnasium_simulation import played, saved
from workers.environments.dynamics_simulation import DynamicsSimulation
from workers.environments.environments import Environments
from workers.environments.evaluation import run_episodes

DOCUMENTS = {"Pendulum-v1": PENDULUM, "CartPole-v1": CARTPOLE, "noisy": NOISY}


def environments(document: dict[str, Any], copies: int = 1, limit: int | None = None, seed: int = 3) -> Environments:
    own = dynamics(document)
    return Environments(DynamicsSimulation(own, copies), own.action, copies, seed, 0, limit or own.time_limit)


@pytest.mark.parametrize("name", ["Pendulum-v1", "CartPole-v1"])
def test_steps_are_gymnasiums(name: str) -> None:
    """Each from the state of the one before, which Gymnasium takes over: float32 against its float64."""
    environment = environments(DOCUMENTS[name], copies=8)
    plain: Any = gymnasium.make(name).unwrapped
    plain.reset(seed=0)
    ended = 0
    for step in range(250):
        observed = environment.observe().clone()
        action = random_actions(environment, step)
        before = environment._simulation.state_tensors()["state"].double().numpy()
        transition = environment.step(action)
        for place in range(8):
            plain.state = before[place]
            plain.steps_beyond_terminated = None
            own = plain._get_obs() if name == "Pendulum-v1" else before[place]
            assert observed[place].numpy() == pytest.approx(own, abs=1e-6)
            act = action[place].numpy() if name == "Pendulum-v1" else int(action[place])
            following, reward, terminated, _, _ = plain.step(act)
            assert transition.next_observation[place].numpy() == pytest.approx(following, abs=3e-6, rel=1e-6)
            assert transition.reward[place].item() == pytest.approx(float(reward), abs=1e-5)
            assert bool(transition.terminated[place]) == terminated
        ended += len(transition.ended)
    assert ended >= 8


def test_first_states_are_gymnasiums_distribution() -> None:
    """Uniform in both ranges; a mean of 4000 draws lies within four of its standard errors."""
    for document, bounds in ((PENDULUM, [np.pi, 1.0]), (CARTPOLE, [0.05] * 4)):
        environment = environments(document, copies=4000)
        environment.observe()
        states = environment._simulation.state_tensors()["state"].numpy() / bounds
        assert np.abs(states).max() <= 1
        assert np.abs(states).max(0).min() > 0.99
        assert np.abs(states.mean(0)).max() < 4 / np.sqrt(3 * 4000)
        assert len(np.unique(states[:, 0])) > 3900


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("stop", [0, 1, 11, 12, 13, 29])
def test_a_restored_environment_goes_on_to_the_bit(name: str, stop: int) -> None:
    document = DOCUMENTS[name]
    whole, first = (environments(document, 3, limit=12) for _ in range(2))
    torch.manual_seed(1)
    expected = played(whole, 0, 50)
    torch.manual_seed(2)
    assert played(first, 0, stop) == expected[:stop]
    second = environments(document, 3, limit=12)
    played(second, 90, 97)
    second.load(*saved(first))
    assert played(second, stop, 50) == expected[stop:]
    assert sum(len(step[-1]) for step in expected) >= 9


def test_the_global_generator_stays_as_it_is() -> None:
    environment = environments(NOISY, 3)
    torch.manual_seed(4)
    before = torch.get_rng_state()
    played(environment, 0, 20)
    assert torch.get_rng_state().equal(before)


def policy(observation: Tensor) -> dict[str, Tensor]:
    return {"action": (2.5 - observation).clamp(-1, 1)}


@pytest.mark.parametrize("copies", [1, 3, 20])
def test_episodes_do_not_depend_on_how_many_play(copies: int) -> None:
    """Neither the first state, nor the noise of steps, observations and rewards."""
    results = run_episodes(environments(NOISY, copies), policy, 10)
    alone = run_episodes(environments(NOISY, 10), policy, 10)
    assert results is not None
    assert alone is not None
    assert results.returns == alone.returns
    assert results.lengths == alone.lengths
    assert results.recorded.observations.equal(alone.recorded.observations)
    assert len(set(results.returns)) == 10
    assert min(results.lengths) < 12


def test_draws_differ() -> None:
    """Between copies, steps, nodes, episodes and seeds."""
    environment = environments(NOISY, 2)
    first = [environment.observe(), *(environment.step(torch.zeros(2, 1)).reward for _ in range(12))]
    other = environments(NOISY, 2, seed=4)
    values = torch.cat([*first, environment.observe(), other.observe()]).flatten().tolist()
    assert len(set(values)) == len(values)


def test_copies_of_a_state_that_ends_early_go_on_alone() -> None:
    document = copy.deepcopy(CARTPOLE)
    environment = environments(document, 5)
    results = run_episodes(environment, lambda observation: {"action": (observation[:, 2] > 0).long()}, 12)
    whole = run_episodes(environments(document, 12), lambda each: {"action": (each[:, 2] > 0).long()}, 12)
    assert results is not None
    assert whole is not None
    assert results.lengths == whole.lengths
    assert len(set(results.lengths)) > 1
    assert all(results.terminated)


def with_step(**changes: Any) -> dict[str, Any]:
    document = copy.deepcopy(NOISY)
    document["step"]["nodes"] += changes.pop("nodes", [])
    document["step"]["outputs"] |= changes
    return document


@pytest.mark.parametrize(
    ("document", "what", "network"),
    [
        (with_step(nodes=[node("root", "sqrt", "action")], state="root"), "state", "step"),
        (with_step(nodes=[node("root", "sqrt", "action")], reward="root"), "reward", "step"),
        (with_step(nodes=[node("root", "sqrt", "action")], terminated="root"), "value of terminated", "step"),
    ],
)
def test_what_is_not_finite_is_named(document: dict[str, Any], what: str, network: str) -> None:
    environment = environments(document, 3)
    environment.step(torch.zeros(3, 1))
    with pytest.raises(DataError) as raised:
        environment.step(torch.tensor([[0.0], [-0.5], [0.0]]))
    assert raised.value.detail == f"the {what} of copy 1 is not finite at step 2 of an episode"
    assert raised.value.pointer == f"/data/dynamics/{network}"


def test_a_first_state_that_is_not_finite_is_named() -> None:
    document = NOISY | {"reset": {"layers": ["log"]}}
    with pytest.raises(DataError, match="the state of copy 0 is not finite at the beginning of an episode"):
        environments(document, 2).observe()


def test_an_observation_that_is_not_finite_is_named() -> None:
    with pytest.raises(DataError, match="the observation of copy") as raised:
        environments(NOISY | {"observe": {"layers": ["log"]}}, 20).observe()
    assert raised.value.pointer == "/data/dynamics/observe"


def test_class_numbers_beyond_the_space_are_named() -> None:
    observe = {"layers": [{"kind": "flatten", "start_dim": 0}, {"kind": "to", "dtype": "int64"}]}
    document = NOISY | {"observe": observe, "observation": {"kind": "discrete", "n": 3}}
    document["reset"] = {"layers": [{"kind": "add", "scalar": 2.0}]}
    environment = environments(document, 2)
    assert environment.observe().tolist() == [2, 2]
    with pytest.raises(DataError, match=r"the observation \d+ is not one of 0 to 2"):
        played(environment, 0, 100)


def test_a_state_of_other_copies_is_refused() -> None:
    environment = environments(NOISY, 2)
    environment.observe()
    with pytest.raises(ValueError, match="2 copies"):
        environments(NOISY, 3).load(*saved(environment))


def test_the_state_is_json_and_tensors() -> None:
    environment = environments(NOISY, 2)
    played(environment, 0, 5)
    assert json.loads(json.dumps(environment.state_json())) == environment.state_json()
    assert {name: tuple(each.shape) for name, each in environment.state_tensors().items()} == {
        "state": (2, 1),
        "observation": (2, 1),
    }
