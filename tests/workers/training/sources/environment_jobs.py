"""Small jobs whose network acts in an environment: one for each kind of experience."""

from typing import Any

LIMIT = 30  # steps of an episode, so that some end within a test
WIDTH, STD, GAMMA = 8, 0.5, 0.9
ACTOR = {
    "layers": [
        {"id": "hidden", "kind": "Linear", "out_features": WIDTH},
        {"id": "act", "kind": "Tanh"},
        {"id": "action", "kind": "Linear", "out_features": 1},
    ]
}
CRITIC = {
    "inputs": ["state", "done"],
    "nodes": [
        {"id": "both", "kind": "cat", "inputs": ["state", "done"]},
        {"id": "hidden", "kind": "Linear", "inputs": ["both"], "out_features": WIDTH},
        {"id": "act", "kind": "ReLU", "inputs": ["hidden"]},
        {"id": "value", "kind": "Linear", "inputs": ["act"], "out_features": 1},
    ],
    "outputs": {"value": "value"},
}


def node(identity: str, kind: str, *inputs: str, **fields: Any) -> dict[str, Any]:
    return {"id": identity, "kind": kind, "inputs": list(inputs)} | fields


def block(identity: str, name: str, *inputs: str, **fields: str) -> dict[str, Any]:
    return node(identity, "block", *inputs, name=name, **fields)


ACTOR_CRITIC = [
    block("later_action", "Actor", "next_observation"),
    node("noise", "randn_like", "later_action"),
    node("near", "add", "later_action", "noise"),
    block("later", "Critic", "next_observation", "near"),
    node("ends", "mul", "terminated", scalar=-GAMMA),
    node("discount", "add", "ends", scalar=GAMMA),
    node("discounted", "mul", "later", "discount"),
    node("goal", "add", "reward", "discounted"),
    node("fixed", "stop_gradient", "goal"),
    block("critic", "Critic", "observation", "action", share="critic"),
    node("error", "sub", "critic", "fixed"),
    node("critic_loss", "square", "error"),
    block("actor", "Actor", "observation"),
    block("judged", "Critic", "observation", "actor", share="critic"),
    node("actor_loss", "neg", "judged"),
]
GAUSSIAN_POLICY = [
    block("mean", "Actor", "observation"),
    node("drawn", "randn_like", "mean"),
    node("noise", "mul", "drawn", scalar=STD),
    node("explored", "add", "mean", "noise"),
    node("fixed", "stop_gradient", "explored"),
    node("own_distance", "sub", "fixed", "mean"),
    node("own_square", "square", "own_distance"),
    node("own_log_prob", "mul", "own_square", scalar=-0.5 / STD**2),
    node("distance", "sub", "action", "mean"),
    node("squared", "square", "distance"),
    node("new_log_prob", "mul", "squared", scalar=-0.5 / STD**2),
]
SURROGATE = [
    node("log_ratio", "sub", "new_log_prob", "log_prob"),
    node("ratio", "exp", "log_ratio"),
    node("surrogate", "mul", "ratio", "advantage"),
    node("policy_loss", "neg", "surrogate"),
    node("value", "Linear", "observation", out_features=1),
    node("error", "sub", "value", "returns"),
    node("value_loss", "square", "error"),
]
SCORE_FUNCTION = [node("weighted", "mul", "new_log_prob", "returns"), node("policy_loss", "neg", "weighted")]


def _job(
    nodes: list[dict[str, Any]], inputs: list[str], outputs: dict[str, str], data: dict[str, Any], plan: dict[str, Any]
) -> dict[str, Any]:
    heads = [name.removesuffix("_loss") for name in outputs if name.endswith("_loss")]
    environment = {
        "kind": "environment",
        "name": "Pendulum-v1",
        "wrappers": [{"kind": "TimeLimit", "steps": LIMIT}],
        "episodes": 3,
    }
    return {
        "model": {
            "inputs": ["observation", "action", *inputs],
            "nodes": nodes,
            "outputs": outputs,
            "blocks": {"Actor": ACTOR, "Critic": CRITIC},
        },
        "data": environment | data,
        "objective": {"heads": {name: {"loss": "Output", "output": f"{name}_loss"} for name in heads}},
        "training": {
            "batch_size": 16,
            "device": "cpu",
            "evaluate": {"every_steps": 5},
            "checkpoint": {"every_seconds": None, "keep_best": 0},
        }
        | plan,
    }


def replay_job(data: dict[str, Any] | None = None, **plan: Any) -> dict[str, Any]:
    """Return an actor and a critic with targets, which learn from transitions that are drawn at random."""
    experience = {"kind": "replay", "capacity": 60, "start_steps": 20}
    defaults = {"experience": experience, "exploration": {"kind": "gaussian", "std": 0.2}, "copies": 2}
    updates = [
        {"loss": "critic", "parameters": ["critic"], "optimizer": {"kind": "Adam", "lr": 0.01}},
        {"loss": "actor", "parameters": ["actor"], "optimizer": {"kind": "Adam", "lr": 0.01}, "every": 2},
    ]
    targets = [
        {"node": "later_action", "source": "actor", "tau": 0.1},
        {"node": "later", "source": "critic", "tau": 0.1},
    ]
    outputs = {"action": "actor", "critic_loss": "critic_loss", "actor_loss": "actor_loss"}
    inputs = ["reward", "next_observation", "terminated"]
    own = {"steps": 40, "updates": updates, "target_networks": targets} | plan
    return _job(ACTOR_CRITIC, inputs, outputs, defaults | (data or {}), own)


def rollout_job(data: dict[str, Any] | None = None, **plan: Any) -> dict[str, Any]:
    """Return a policy and a value that learn from rollouts, of which each serves 2 passes of 3 batches."""
    experience = {"kind": "rollout", "steps": 20, "epochs": 2, "gamma": GAMMA, "lambda": 0.8}
    defaults = {"experience": experience, "behaviour": "explored", "copies": 2}
    outputs = {
        "action": "mean",
        "explored": "explored",
        "log_prob": "own_log_prob",
        "value": "value",
        "policy_loss": "policy_loss",
        "value_loss": "value_loss",
    }
    inputs = ["log_prob", "advantage", "returns"]
    own = {"steps": 20, "optimizer": {"kind": "Adam", "lr": 0.01}} | plan
    return _job([*GAUSSIAN_POLICY, *SURROGATE], inputs, outputs, defaults | (data or {}), own)


def episodes_job(data: dict[str, Any] | None = None, **plan: Any) -> dict[str, Any]:
    """Return a policy that learns from whole episodes."""
    experience = {"kind": "episodes", "episodes": 4, "gamma": GAMMA}
    defaults = {"experience": experience, "behaviour": "explored", "copies": 2}
    outputs = {"action": "mean", "explored": "explored", "policy_loss": "policy_loss"}
    own = {"steps": 12, "optimizer": {"kind": "Adam", "lr": 0.01}} | plan
    job = _job([*GAUSSIAN_POLICY, *SCORE_FUNCTION], ["returns"], outputs, defaults | (data or {}), own)
    del job["training"]["batch_size"]
    return job


JOBS = {"replay": replay_job, "rollout": rollout_job, "episodes": episodes_job}
