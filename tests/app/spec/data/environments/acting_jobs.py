"""Jobs whose networks act in environments, in the long form."""

from typing import Any

ACTOR: dict[str, Any] = {
    "layers": [
        {"id": "hidden", "kind": "Linear", "out_features": 8},
        {"kind": "ReLU"},
        {"id": "last", "kind": "Linear", "out_features": 1},
        {"kind": "Tanh"},
    ]
}
CRITIC: dict[str, Any] = {
    "inputs": ["state", "done"],
    "nodes": [
        {"id": "both", "kind": "cat", "inputs": ["state", "done"]},
        {"id": "value", "kind": "Linear", "inputs": ["both"], "out_features": 1},
    ],
}


def block(name: str, kind: str, *inputs: str, **fields: str) -> dict[str, Any]:
    return {"id": name, "kind": "block", "name": kind, "inputs": list(inputs)} | fields


REPLAY = {"kind": "replay", "capacity": 1000, "start_steps": 100}
PENDULUM: dict[str, Any] = {"kind": "environment", "name": "Pendulum-v1", "experience": REPLAY, "report": ["q"]}
CONTINUOUS_MODEL: dict[str, Any] = {
    "inputs": ["observation", "action", "reward", "next_observation", "terminated"],
    "nodes": [
        block("policy", "Actor", "observation"),
        {"id": "act", "kind": "mul", "inputs": ["policy"], "scalar": 2.0},
        block("judged", "Critic", "observation", "act", share="critic"),
        {"id": "actor_loss", "kind": "neg", "inputs": ["judged"]},
        block("critic", "Critic", "observation", "action", share="critic"),
        block("next_policy", "Actor", "next_observation"),
        block("next_value", "Critic", "next_observation", "next_policy"),
        {"id": "ended", "kind": "mul", "inputs": ["terminated", "next_value"]},
        {"id": "later", "kind": "sub", "inputs": ["next_value", "ended"]},
        {"id": "sum", "kind": "add", "inputs": ["reward", "later"]},
        {"id": "goal", "kind": "stop_gradient", "inputs": ["sum"]},
        {"id": "critic_loss", "kind": "MSELoss", "inputs": ["critic", "goal"]},
    ],
    "outputs": {"action": "act", "q": "judged", "critic_loss": "critic_loss", "actor_loss": "actor_loss"},
    "blocks": {"Actor": ACTOR, "Critic": CRITIC},
}
CONTINUOUS_PLAN: dict[str, Any] = {
    "steps": 1000,
    "batch_size": 32,
    "evaluate": {"every_steps": 100},
    "updates": [{"loss": "critic", "parameters": "critic"}, {"loss": "actor", "parameters": "policy"}],
    "target_networks": [
        {"node": "next_policy", "source": "policy", "tau": 0.01},
        {"node": "next_value", "source": "critic", "tau": 0.01},
    ],
}
HEADS = {name: {"loss": {"kind": "Output"}, "output": f"{name}_loss"} for name in ("critic", "actor")}


def continuous_job(data: dict[str, Any] | None = None, **plan: Any) -> dict[str, Any]:
    """Return a job like DDPG in Pendulum; `data` are fields of the data section, those that are `None` left out."""
    fields = PENDULUM | (data or {})
    return {
        "model": CONTINUOUS_MODEL,
        "data": {name: value for name, value in fields.items() if value is not None},
        "objective": {"heads": HEADS},
        "training": CONTINUOUS_PLAN | plan,
    }


DISCRETE_MODEL: dict[str, Any] = {
    "inputs": ["observation", "action", "log_prob", "value", "advantage", "returns"],
    "nodes": [
        {"id": "hidden", "kind": "Linear", "inputs": ["observation"], "out_features": 8},
        {"id": "relu", "kind": "ReLU", "inputs": ["hidden"]},
        {"id": "scores", "kind": "Linear", "inputs": ["relu"], "out_features": 2},
        {"id": "best", "kind": "argmax", "inputs": ["scores"], "dim": 1},
        {"id": "worth", "kind": "Linear", "inputs": ["relu"], "out_features": 1},
        {"id": "logs", "kind": "log_softmax", "inputs": ["scores"], "dim": 1},
        {"id": "largest", "kind": "amax", "inputs": ["logs"], "dim": 1},
        {"id": "gap", "kind": "sub", "inputs": ["worth", "returns"]},
        {"id": "square", "kind": "square", "inputs": ["gap"]},
    ],
    "outputs": {"action": "best", "log_prob": "largest", "value": "worth", "scores": "scores", "loss": "square"},
}


def discrete_job(data: dict[str, Any] | None = None, **plan: Any) -> dict[str, Any]:
    """Return a job with rollouts of CartPole, whose network learns the value of what it always does."""
    experience = {"kind": "rollout", "steps": 64}
    return {
        "model": DISCRETE_MODEL,
        "data": {"kind": "environment", "name": "CartPole-v1", "experience": experience} | (data or {}),
        "objective": {"loss": {"kind": "Output"}, "output": "loss"},
        "training": {"steps": 100, "batch_size": 32, "evaluate": {"every_steps": 10}} | plan,
    }


DYNAMICS: dict[str, Any] = {
    "state": {"shape": [2]},
    "action": {"kind": "box", "shape": [1], "low": -1.0, "high": 1.0},
    "time_limit": 50,
    "reset": {"layers": ["rand_like", {"kind": "mul", "scalar": 0.1}]},
    "step": {
        "inputs": ["state", "action"],
        "nodes": [
            {"id": "x", "kind": "narrow", "inputs": ["state"], "dim": 1, "start": 0, "length": 1},
            {"id": "v", "kind": "narrow", "inputs": ["state"], "dim": 1, "start": 1, "length": 1},
            {"id": "new_v", "kind": "add", "inputs": ["v", "action"]},
            {"id": "new_x", "kind": "add", "inputs": ["x", "new_v"]},
            {"id": "new", "kind": "cat", "inputs": ["new_x", "new_v"]},
            {"id": "far", "kind": "abs", "inputs": ["new_x"]},
            {"id": "reward", "kind": "neg", "inputs": ["far"]},
            {"id": "gone", "kind": "gt", "inputs": ["far"], "scalar": 5.0},
        ],
        "outputs": {"state": "new", "reward": "reward", "terminated": "gone"},
    },
}


def own_job(**dynamics: Any) -> dict[str, Any]:
    """Return a job in an environment of nodes; `dynamics` are fields of it, those that are `None` left out."""
    fields = {name: value for name, value in (DYNAMICS | dynamics).items() if value is not None}
    return continuous_job({"name": None, "dynamics": fields})
