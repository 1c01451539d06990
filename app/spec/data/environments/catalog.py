"""Environments by name: those of Gymnasium 1.4 with one tensor as observation and one as action."""

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator

from app.spec.base import validation_error
from app.spec.data.environments.spaces import BoxSpace, DiscreteSpace, box, discrete
from app.spec.hints.names import did_you_mean

Package = Literal["gymnasium", "Box2D", "mujoco"]


class NamedEnvironment(NamedTuple):
    """What is known of an environment before it is made. Bounds of observations are left out: nothing follows from
    them.
    """

    sentence: str
    observation: BoxSpace | DiscreteSpace
    action: BoxSpace | DiscreteSpace
    time_limit: int | None  # steps after which an episode is truncated
    package: Package = "gymnasium"  # that a worker needs besides Gymnasium


def _mujoco(
    sentence: str, observation: int, actions: int, bound: float = 1.0, time_limit: int = 1000
) -> NamedEnvironment:
    action = box(actions, low=-bound, high=bound)
    return NamedEnvironment(sentence, box(observation), action, time_limit, "mujoco")


ENVIRONMENTS: Mapping[str, NamedEnvironment] = {
    "CartPole-v1": NamedEnvironment(
        "A pole on a cart is kept upright by pushes to the left or right.", box(4), discrete(2), 500
    ),
    "Pendulum-v1": NamedEnvironment(
        "A pendulum is swung up and held by a torque.", box(3), box(1, low=-2.0, high=2.0), 200
    ),
    "Acrobot-v1": NamedEnvironment(
        "Two links are swung up by a torque at the joint between them.", box(6), discrete(3), 500
    ),
    "MountainCar-v0": NamedEnvironment(
        "A car too weak for its hill swings up, with three pushes to choose from.", box(2), discrete(3), 200
    ),
    "MountainCarContinuous-v0": NamedEnvironment(
        "A car too weak for its hill swings up, by a force.", box(2), box(1, low=-1.0, high=1.0), 999
    ),
    "FrozenLake-v1": NamedEnvironment(
        "A walk over slippery ice of 4 by 4 fields with holes.", discrete(16), discrete(4), 100
    ),
    "FrozenLake8x8-v1": NamedEnvironment(
        "A walk over slippery ice of 8 by 8 fields with holes.", discrete(64), discrete(4), 200
    ),
    "CliffWalking-v1": NamedEnvironment(
        "A walk along a cliff, 4 by 12 fields; episodes have no time limit.", discrete(48), discrete(4), None
    ),
    "CliffWalkingSlippery-v1": NamedEnvironment(
        "A walk along a slippery cliff, 4 by 12 fields; episodes have no time limit.", discrete(48), discrete(4), None
    ),
    "Taxi-v4": NamedEnvironment("A taxi picks a passenger up and sets him down.", discrete(500), discrete(6), 200),
    "LunarLander-v3": NamedEnvironment(
        "A spacecraft lands between two flags, with one of its engines on or none.", box(8), discrete(4), 1000, "Box2D"
    ),
    "LunarLanderContinuous-v3": NamedEnvironment(
        "A spacecraft lands between two flags, with throttled engines.",
        box(8),
        box(2, low=-1.0, high=1.0),
        1000,
        "Box2D",
    ),
    "BipedalWalker-v3": NamedEnvironment(
        "A robot on two legs walks over rough ground.", box(24), box(4, low=-1.0, high=1.0), 1600, "Box2D"
    ),
    "BipedalWalkerHardcore-v3": NamedEnvironment(
        "A robot on two legs walks over ladders, stumps and pits.", box(24), box(4, low=-1.0, high=1.0), 2000, "Box2D"
    ),
    "InvertedPendulum-v5": _mujoco("A pole on a cart is kept upright by a force.", 4, 1, 3.0),
    "InvertedDoublePendulum-v5": _mujoco("Two poles, one on the other, are kept upright by a force.", 9, 1),
    "Reacher-v5": _mujoco("An arm with two joints moves its tip to a target.", 10, 2, time_limit=50),
    "Pusher-v5": _mujoco("An arm pushes a cylinder to a target.", 23, 7, 2.0, time_limit=100),
    "Swimmer-v5": _mujoco("A chain of three links swims.", 8, 2),
    "Hopper-v5": _mujoco("One leg hops.", 11, 3),
    "HalfCheetah-v5": _mujoco("Two legs in a plane run.", 17, 6),
    "Walker2d-v5": _mujoco("Two legs in a plane walk.", 17, 6),
    "Ant-v5": _mujoco("Four legs walk.", 105, 8),
    "Humanoid-v5": _mujoco("A body of two arms and two legs walks.", 348, 17, 0.4),
    "HumanoidStandup-v5": _mujoco("A body of two arms and two legs stands up.", 348, 17, 0.4),
}

# Package → how a worker gets it.
INSTALL_COMMANDS: Mapping[Package, str] = {
    "gymnasium": "pip install gymnasium",
    "Box2D": 'pip install "graftwerk[box2d]"',
    "mujoco": 'pip install "graftwerk[mujoco]"',
}

# Environment of Gymnasium → why it is not among them.
UNSUPPORTED_ENVIRONMENTS: Mapping[str, str] = {
    "Blackjack-v1": "its observation is three numbers of different ranges, not one tensor",
    "CarRacing-v3": "its observations are images of bytes, of which a buffer of experience would take gigabytes",
    "CartPole-v0": 'it is "CartPole-v1" with a shorter time limit',
    "CliffWalking-v0": 'Gymnasium has "CliffWalking-v1" in its place',
    "LunarLander-v2": 'Gymnasium has "LunarLander-v3" in its place',
    "LunarLanderContinuous-v2": 'Gymnasium has "LunarLanderContinuous-v3" in its place',
    "Pendulum-v0": 'Gymnasium has "Pendulum-v1" in its place',
    "Taxi-v3": 'Gymnasium has "Taxi-v4" in its place',
}


ENVIRONMENTS_HINT = 'such as "CartPole-v1" or "Pendulum-v1"; docs/reinforcement.md lists all environments'


def _validate_name(name: str) -> str:
    if name in ENVIRONMENTS:
        return name
    detail = f'there is no environment "{name[:64]}"'
    hint = did_you_mean(name[:64], ENVIRONMENTS) or ENVIRONMENTS_HINT
    if (reason := UNSUPPORTED_ENVIRONMENTS.get(name)) is not None:
        detail = f'"{name}" is not supported: {reason}'
    raise validation_error("unknown_environment", detail, hint)


EnvironmentName = Annotated[str, AfterValidator(_validate_name)]
