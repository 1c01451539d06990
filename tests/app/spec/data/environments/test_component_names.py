"""The names of components, as Gymnasium's own environments have them."""

from math import prod
from typing import Any

import gymnasium
import numpy as np
import pytest

from app.spec.data.environments.catalog import ENVIRONMENTS
from app.spec.data.environments.component_names import COMPONENT_NAMES, component_names
from app.spec.data.environments.environment import EnvironmentData


def names_of(name: str | None = None, **data: Any) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    document = {"kind": "environment", "name": name, "experience": {"kind": "replay"}} | data
    return component_names(EnvironmentData.model_validate(document))


@pytest.mark.parametrize("name", COMPONENT_NAMES)
def test_there_is_a_name_for_every_component(name: str) -> None:
    row, (observation, action) = ENVIRONMENTS[name], COMPONENT_NAMES[name]
    assert observation is None or len(observation) == len(set(observation)) == prod(row.observation.shape)
    assert action is None or len(action) == len(set(action)) == (row.action.classes or prod(row.action.shape))


def test_names_tell_what_gymnasium_gives() -> None:
    pendulum: Any = gymnasium.make("Pendulum-v1").unwrapped
    seen = dict(zip(names_of("Pendulum-v1")[0] or (), pendulum.reset(seed=3)[0].tolist(), strict=True))
    angle, velocity = pendulum.state
    expected = [np.cos(angle), np.sin(angle), velocity]
    assert [seen[each] for each in ("cos(angle)", "sin(angle)", "angular velocity")] == pytest.approx(expected)
    cart: Any = gymnasium.make("CartPole-v1")
    cart.reset(seed=3)
    observation, choices = names_of("CartPole-v1")
    before = cart.unwrapped.state[1]
    after = cart.step((choices or ()).index("push right"))[0][(observation or ()).index("cart velocity")]
    assert after > before


def test_stacked_frames_say_how_long_ago_they_were() -> None:
    wrappers = [{"kind": "FrameStack", "frames": 2}]
    observation, _ = names_of("MountainCar-v0", wrappers=wrappers)
    assert observation == ("position, 1 before", "velocity, 1 before", "position", "velocity")


def test_an_environment_as_data_has_none() -> None:
    dynamics = {
        "state": {"shape": [1]},
        "action": {"kind": "discrete", "n": 2},
        "time_limit": 5,
        "reset": {"layers": ["relu"]},
        "step": {"nodes": [{"id": "y", "kind": "relu", "inputs": ["state"]}], "outputs": {"state": "y", "reward": "y"}},
    }
    assert names_of(dynamics=dynamics) == (None, None)
