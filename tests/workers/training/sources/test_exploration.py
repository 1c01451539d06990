"""Exploration against its formulas, written with NumPy."""

import numpy as np
import pytest
import torch

from app.spec.data.environments.environment import EnvironmentData
from app.spec.data.environments.spaces import BoxSpace, DiscreteSpace
from workers.environments.actions import ActionSpace
from workers.training.sources.exploration import build_exploration

BOX = BoxSpace(kind="box", shape=(2,), low=(-1.0, 0.0), high=(3.0, 1.0))  # half of the ranges: 2 and 0.5
COPIES = 4


def data(exploration: object, name: str = "Pendulum-v1") -> EnvironmentData:
    document = {"kind": "environment", "name": name, "copies": COPIES, "experience": {"kind": "replay"}}
    return EnvironmentData.model_validate(document | {"exploration": exploration})


def test_gaussian_noise_is_in_halves_of_the_range() -> None:
    exploration = build_exploration(data({"kind": "gaussian", "std": 0.1}), ActionSpace(BOX))
    generator = torch.Generator().manual_seed(0)
    actions = torch.full((20_000, 2), 0.5)
    noise = exploration(actions, 0, generator) - actions
    assert torch.allclose(noise.mean(0), torch.zeros(2), atol=0.01)
    assert torch.allclose(noise.std(0), torch.tensor([0.2, 0.05]), rtol=0.03)
    assert exploration.state_tensors() == {}


def test_drifting_noise_follows_its_recursion_and_begins_anew() -> None:
    settings = {"kind": "ornstein_uhlenbeck", "std": 0.4, "theta": 0.3, "dt": 0.2}
    exploration = build_exploration(data(settings), ActionSpace(BoxSpace(kind="box", shape=(1,), low=-2.0, high=2.0)))
    generator, actions = torch.Generator().manual_seed(3), torch.ones(COPIES, 1)
    found = [exploration(actions, step, generator).numpy() for step in range(5)]
    exploration.begin_episodes([1])
    found.append(exploration(actions, 5, generator).numpy())
    drawn = torch.Generator().manual_seed(3)
    noise = np.zeros((COPIES, 1))
    for step in range(6):
        if step == 5:
            noise[1] = 0
        noise += -0.3 * noise * 0.2 + 0.4 * np.sqrt(0.2) * torch.randn((COPIES, 1), generator=drawn).numpy()
        assert np.allclose(found[step], 1 + 2 * noise, atol=1e-5)
    other = build_exploration(data(settings), ActionSpace(BoxSpace(kind="box", shape=(1,), low=-2.0, high=2.0)))
    other.load(exploration.state_tensors())
    state = generator.get_state()
    assert other(actions, 6, generator).equal(exploration(actions, 6, torch.Generator().set_state(state)))


@pytest.mark.parametrize(("step", "epsilon"), [(0, 0.8), (50, 0.45), (100, 0.1), (1000, 0.1)])
def test_epsilon_falls_linearly(step: int, epsilon: float) -> None:
    settings = {"kind": "epsilon_greedy", "start": 0.8, "end": 0.1, "steps": 100}
    exploration = build_exploration(data(settings, "CartPole-v1"), ActionSpace(DiscreteSpace(kind="discrete", n=4)))
    actions = torch.full((40_000,), 3)
    changed = exploration(actions, step, torch.Generator().manual_seed(step))
    shares = torch.bincount(changed, minlength=4) / len(actions)
    assert torch.allclose(shares, torch.tensor([*[epsilon / 4] * 3, 1 - epsilon + epsilon / 4]), atol=0.01)
    assert changed.dtype is torch.int64


def test_without_exploration_actions_are_those_of_the_policy() -> None:
    actions = torch.ones(COPIES, 1)
    assert build_exploration(data(None), ActionSpace(BOX))(actions, 0, torch.Generator()) is actions
