"""Gymnasium's Pendulum-v1 and CartPole-v1 written as nodes, and jobs in such environments."""

from math import pi
from typing import Any

from app.spec.data.environments.dynamics import Dynamics

Node = dict[str, Any]


def node(name: str, kind: str, *inputs: str, **settings: Any) -> Node:
    return {"id": name, "kind": kind, "inputs": list(inputs)} | settings


def part(name: str, place: int) -> Node:
    """Return the node that takes one number of the state: (N, 1)."""
    return node(name, "narrow", "state", dim=1, start=place, length=1)


PENDULUM: dict[str, Any] = {
    "state": {"shape": [2]},  # angle and angular velocity
    "observation": {"kind": "box", "shape": [3]},
    "action": {"kind": "box", "shape": [1], "low": -2.0, "high": 2.0},
    "time_limit": 200,
    "reset": {
        "nodes": [
            node("draws", "rand_like", "state"),
            node("doubled", "mul", "draws", scalar=2.0),
            node("symmetric", "sub", "doubled", scalar=1.0),
            {"id": "ranges", "kind": "Constant", "value": [pi, 1.0]},
            node("first", "mul", "symmetric", "ranges"),
        ],
        "outputs": {"state": "first"},
    },
    "observe": {
        "nodes": [
            part("angle", 0),
            part("velocity", 1),
            node("cosine", "cos", "angle"),
            node("sine", "sin", "angle"),
            node("all", "cat", "cosine", "sine", "velocity"),
        ],
        "outputs": {"observation": "all"},
    },
    "step": {
        "inputs": ["state", "action"],
        "nodes": [
            part("angle", 0),
            part("velocity", 1),
            node("shifted", "add", "angle", scalar=pi),
            node("within", "remainder", "shifted", scalar=2 * pi),
            node("deviation", "sub", "within", scalar=pi),
            node("deviation2", "square", "deviation"),
            node("velocity2", "square", "velocity"),
            node("velocity_cost", "mul", "velocity2", scalar=0.1),
            node("torque2", "square", "action"),
            node("torque_cost", "mul", "torque2", scalar=0.001),
            node("motion_cost", "add", "deviation2", "velocity_cost"),
            node("cost", "add", "motion_cost", "torque_cost"),
            node("reward", "neg", "cost"),
            node("sine", "sin", "angle"),
            node("gravity", "mul", "sine", scalar=15.0),
            node("torque", "mul", "action", scalar=3.0),
            node("acceleration", "add", "gravity", "torque"),
            node("change", "mul", "acceleration", scalar=0.05),
            node("faster", "add", "velocity", "change"),
            node("new_velocity", "clamp", "faster", min=-8.0, max=8.0),
            node("turn", "mul", "new_velocity", scalar=0.05),
            node("new_angle", "add", "angle", "turn"),
            node("new_state", "cat", "new_angle", "new_velocity"),
        ],
        "outputs": {"state": "new_state", "reward": "reward"},
    },
}

CARTPOLE: dict[str, Any] = {
    "state": {"shape": [4]},  # position, velocity, angle, angular velocity
    "action": {"kind": "discrete", "n": 2},
    "time_limit": 500,
    "reset": {"layers": ["rand_like", {"kind": "sub", "scalar": 0.5}, {"kind": "mul", "scalar": 0.1}]},
    "step": {
        "inputs": ["state", "action"],
        "nodes": [
            *(part(name, place) for place, name in enumerate(("x", "speed", "angle", "spin"))),
            node("number", "to", "action", dtype="float32"),
            node("right", "mul", "number", scalar=20.0),
            node("signed", "sub", "right", scalar=10.0),
            node("force", "unsqueeze", "signed", dim=1),
            node("cosine", "cos", "angle"),
            node("sine", "sin", "angle"),
            node("spin2", "square", "spin"),
            node("swing", "mul", "spin2", "sine"),
            node("pull", "mul", "swing", scalar=0.05),
            node("push", "add", "force", "pull"),
            node("shared", "div", "push", scalar=1.1),
            node("fall", "mul", "sine", scalar=9.8),
            node("carried", "mul", "cosine", "shared"),
            node("torque", "sub", "fall", "carried"),
            node("cosine2", "square", "cosine"),
            node("lever", "mul", "cosine2", scalar=-0.1 / 1.1),
            node("inertia", "add", "lever", scalar=4 / 3),
            node("arm", "mul", "inertia", scalar=0.5),
            node("spin_change", "div", "torque", "arm"),
            node("drag", "mul", "spin_change", "cosine"),
            node("dragged", "mul", "drag", scalar=0.05 / 1.1),
            node("speed_change", "sub", "shared", "dragged"),
            node("rates", "cat", "speed", "speed_change", "spin", "spin_change"),
            node("changes", "mul", "rates", scalar=0.02),
            node("new_state", "add", "state", "changes"),
            node("magnitudes", "abs", "new_state"),
            {"id": "limits", "kind": "Constant", "value": [2.4, 1e30, 12 * 2 * pi / 360, 1e30]},
            node("beyond", "gt", "magnitudes", "limits"),
            node("ended", "any", "beyond", dim=1, keepdim=True),
            node("reward", "ones", "state", shape=[1]),
        ],
        "outputs": {"state": "new_state", "reward": "reward", "terminated": "ended"},
    },
}

# A walk on a line: every step draws, and what is observed is noisy.
NOISY: dict[str, Any] = {
    "state": {"shape": [1]},
    "action": {"kind": "box", "shape": [1], "low": -1.0, "high": 1.0},
    "time_limit": 12,
    "reset": {"layers": ["randn_like"]},
    "observe": {
        "nodes": [node("noise", "randn_like", "state"), node("noisy", "add", "state", "noise")],
        "outputs": {"observation": "noisy"},
    },
    "step": {
        "inputs": ["state", "action"],
        "nodes": [
            node("noise", "rand_like", "state"),
            node("moved", "add", "state", "action"),
            node("new", "add", "moved", "noise"),
            node("prize", "randn", "state", shape=[1]),
            node("beyond", "gt", "new", scalar=4.0),
        ],
        "outputs": {"state": "new", "reward": "prize", "terminated": "beyond"},
    },
}


def dynamics(document: dict[str, Any]) -> Dynamics:
    return Dynamics.model_validate(document)
