"""Names of the components of observations and actions, by which pages and predictions call them."""

from collections.abc import Mapping
from math import prod
from typing import NamedTuple

from app.spec.data.environments.environment import EnvironmentData


class ComponentNames(NamedTuple):
    """What the numbers of an observation and of an action are; of a discrete space, what its values are."""

    observation: tuple[str, ...] | None = None  # of the flattened observation; `None`: they have no names
    action: tuple[str, ...] | None = None


def _of(what: str, *parts: str) -> tuple[str, ...]:
    return tuple(f"{part} {what}" for part in parts)


def _body(*parts: str) -> tuple[str, ...]:
    """Return the height and the angles of a body of MuJoCo in a plane, and then its velocities."""
    return "height", *_of("angle", *parts), "x velocity", "z velocity", *_of("angular velocity", *parts)


_CAR = ("position", "velocity")
_LANDER = (
    *("x", "y", "x velocity", "y velocity", "angle", "angular velocity"),
    *("left leg on the ground", "right leg on the ground"),
)
_WALKER_LEGS = tuple(
    f"{part} {leg}" + what
    for leg in (1, 2)
    for part, what in (("hip", " angle"), ("hip", " speed"), ("knee", " angle"), ("knee", " speed"), ("contact", ""))
)
_WALKER = ComponentNames(
    (
        *("hull angle", "hull angular velocity", "x velocity", "y velocity", *_WALKER_LEGS),
        *(f"lidar {number}" for number in range(1, 11)),
    ),
    _of("torque", "hip 1", "knee 1", "hip 2", "knee 2"),
)
_CHEETAH = ("back thigh", "back shin", "back foot", "front thigh", "front shin", "front foot")
_HOPPER = ("thigh", "leg", "foot")
_BOTH_LEGS = (*_HOPPER, *(f"left {part}" for part in _HOPPER))

COMPONENT_NAMES: Mapping[str, ComponentNames] = {
    "CartPole-v1": ComponentNames(
        ("cart position", "cart velocity", "pole angle", "pole angular velocity"), ("push left", "push right")
    ),
    "Pendulum-v1": ComponentNames(("cos(angle)", "sin(angle)", "angular velocity"), ("torque",)),
    "Acrobot-v1": ComponentNames(
        (
            *("cos(angle 1)", "sin(angle 1)", "cos(angle 2)", "sin(angle 2)"),
            *("angular velocity 1", "angular velocity 2"),
        ),
        ("torque -1", "no torque", "torque 1"),
    ),
    "MountainCar-v0": ComponentNames(_CAR, ("push left", "no push", "push right")),
    "MountainCarContinuous-v0": ComponentNames(_CAR, ("force",)),
    "FrozenLake-v1": ComponentNames(action=("left", "down", "right", "up")),
    "FrozenLake8x8-v1": ComponentNames(action=("left", "down", "right", "up")),
    "CliffWalking-v1": ComponentNames(action=("up", "right", "down", "left")),
    "CliffWalkingSlippery-v1": ComponentNames(action=("up", "right", "down", "left")),
    "Taxi-v4": ComponentNames(action=("south", "north", "east", "west", "pick up", "drop off")),
    "LunarLander-v3": ComponentNames(_LANDER, ("no engine", "left engine", "main engine", "right engine")),
    "LunarLanderContinuous-v3": ComponentNames(_LANDER, ("main engine", "side engines")),
    "BipedalWalker-v3": _WALKER,
    "BipedalWalkerHardcore-v3": _WALKER,
    "InvertedPendulum-v5": ComponentNames(
        ("cart position", "pole angle", "cart velocity", "pole angular velocity"), ("force",)
    ),
    "InvertedDoublePendulum-v5": ComponentNames(
        (
            *("cart position", "sin(angle 1)", "sin(angle 2)", "cos(angle 1)", "cos(angle 2)"),
            *("cart velocity", "angular velocity 1", "angular velocity 2", "constraint force"),
        ),
        ("force",),
    ),
    "Reacher-v5": ComponentNames(
        (
            *("cos(angle 1)", "cos(angle 2)", "sin(angle 1)", "sin(angle 2)", "target x", "target y"),
            *("angular velocity 1", "angular velocity 2", "x to the target", "y to the target"),
        ),
        ("torque 1", "torque 2"),
    ),
    "Swimmer-v5": ComponentNames(
        (
            *_of("angle", "front", "rotor 1", "rotor 2"),
            *("x velocity", "y velocity"),
            *_of("angular velocity", "front", "rotor 1", "rotor 2"),
        ),
        _of("torque", "rotor 1", "rotor 2"),
    ),
    "Hopper-v5": ComponentNames(_body("torso", *_HOPPER), _of("torque", *_HOPPER)),
    "HalfCheetah-v5": ComponentNames(_body("front tip", *_CHEETAH), _of("torque", *_CHEETAH)),
    "Walker2d-v5": ComponentNames(_body("torso", *_BOTH_LEGS), _of("torque", *_BOTH_LEGS)),
}


def component_names(data: EnvironmentData) -> ComponentNames:
    """Return the names of the components of an environment; those of stacked frames say how many steps ago they were.

    An environment as data has none.
    """
    own = COMPONENT_NAMES.get(data.name or "", ComponentNames())
    shape, own_shape = data.observation_space.shape, data.own_observation_space.shape
    if own.observation is None or shape == own_shape:
        return own
    frames = shape[0]
    stacked = [
        name if frame == frames - 1 else f"{name}, {frames - 1 - frame} before"
        for frame in range(frames)
        for name in own.observation
    ]
    return own._replace(observation=tuple(stacked) if len(stacked) == prod(shape) else None)
