"""What contradicts in the short form, at the places where the user wrote it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from app.errors import InvalidInput
from app.spec.job import parse_job
from tests.app.spec.training.algorithms.written import CLASSES, algorithm_job, dynamics, linear, mlp

SAC = algorithm_job("sac", {"actor": mlp(4), "critic": mlp(1)})
PPO = algorithm_job("ppo", {"actor": mlp(3), "critic": mlp(1)}, CLASSES)
NODES = [{"id": "value", "kind": "Linear", "inputs": "state", "out_features": 1}]
BOXES = {
    "unbounded": {"kind": "box", "shape": [2]},
    "matrix": {"kind": "box", "shape": [2, 2], "low": -1, "high": 1},
    "classes": CLASSES,
}


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy with another value at a path; `None` removes what is there."""
    copy = deepcopy(document)
    *parents, last = path.split("/")
    here = copy
    for part in parents:
        here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
    if value is None:
        del here[last]
    else:
        here[last] = value
    return copy


def limited(kind: str) -> dict[str, Any]:
    """Return a body that ends with a layer of this kind."""
    return {"layers": [linear(4), kind]}


# (job, path, value there, pointer of the problem, code, a word of the hint)
MISTAKES: list[tuple[dict[str, Any], str, Any, str, str, str]] = [
    (SAC, "objective/kind", "SAC", "/objective/kind", "unknown_kind", '"sac"'),
    (SAC, "objective/kind", "sacc", "/objective/kind", "unknown_kind", '"sac"'),
    (SAC, "objective/kind", None, "/objective/kind", "missing", "sac"),
    (SAC, "objective", {"loss": "MSELoss"}, "/objective/kind", "missing", "name an algorithm"),
    (SAC, "objective/buffer_size", 9, "/objective/buffer_size", "unknown_field", '"capacity"'),
    (SAC, "objective/gamma", 1.5, "/objective/gamma", "out_of_range", ""),
    (SAC, "objective/heads", {}, "/objective/heads", "unknown_field", "remove it"),
    (SAC, "data", {"kind": "builtin", "name": "iris"}, "/data/kind", "contradiction", '"environment"'),
    (SAC, "data/experience", "rollout", "/data/experience/kind", "contradiction", "remove it"),
    (SAC, "model/actor", None, "/model/actor", "missing", '"actor"'),
    (SAC, "model", None, "/model", "missing", '"critic"'),
    (SAC, "model/layers", [linear(2)], "/model/layers", "contradiction", '"actor"'),
    (SAC, "model/trunk", mlp(3), "/model/trunk", "contradiction", "remove it"),
    (SAC, "model/blocks", {"critic": mlp(1)}, "/model/blocks/critic", "duplicate_id", "another name"),
    (SAC, "model/actor/layers/0/kind", "Linaer", "/model/actor/layers/0/kind", "unknown_kind", '"Linear"'),
    (SAC, "model/actor/layers/0/out_features", "8", "/model/actor/layers/0/out_features", "invalid_value", "8"),
    (
        SAC,
        "model/actor",
        {"layers": [linear(4), "Tanh"]},
        "/model/actor/layers/1",
        "contradiction",
        "remove this layer",
    ),
    (SAC, "model/critic", {"nodes": NODES, "inputs": "state"}, "/model/critic/inputs/0", "unknown_input", '"action"'),
    (SAC, "training/epochs", 3, "/training/epochs", "contradiction", '"steps"'),
    (SAC, "training/steps", None, "/training/steps", "missing", '"steps"'),
    (SAC, "training/updates", [{"loss": "critic"}], "/training/updates", "contradiction", "remove it"),
    (SAC, "training/groups", [{"nodes": "policy", "frozen": True}], "/training/groups/0/nodes", "contradiction", ""),
    (SAC, "training/optimizer", "Adamm", "/training/optimizer", "unknown_kind", '"Adam"'),
    (SAC, "objective/actor_optimizer", {"kind": "Adam", "lr": -1}, "/objective/actor_optimizer/lr", "out_of_range", ""),
    (SAC, "data/dynamics", dynamics(BOXES["classes"]), "/objective/kind", "contradiction", '"ppo"'),
    (SAC, "data/dynamics", dynamics(BOXES["unbounded"]), "/data/dynamics/action", "unbounded", '"low"'),
    (SAC, "data/dynamics", dynamics(BOXES["matrix"]), "/data/dynamics/action/shape", "shape_mismatch", "one list"),
    (SAC, "data/wrappers", [{"kind": "FrameStack", "frames": 3}], "/model/critic/layers", "shape_mismatch", "nodes"),
    (PPO, "objective/kind", "dqn", "/model/actor", "contradiction", "remove it"),
    (PPO, "objective/kind", "reinforce", "/model/critic", "contradiction", "remove it"),
    (
        PPO,
        "model/actor",
        {"layers": [linear(4), "Softmax"]},
        "/model/actor/layers/1",
        "contradiction",
        "remove this layer",
    ),
    (
        PPO,
        "model/actor",
        {"layers": [linear(4), "log_softmax"]},
        "/model/actor/layers/1",
        "contradiction",
        "remove this layer",
    ),
]


@pytest.mark.parametrize(("document", "path", "value", "pointer", "code", "hint"), MISTAKES)
def test_a_mistake_is_told_at_its_place(
    document: dict[str, Any], path: str, value: Any, pointer: str, code: str, hint: str
) -> None:
    parse_job(document)
    with pytest.raises(InvalidInput) as caught:
        parse_job(changed(document, path, value))
    [problem] = caught.value.problems
    assert (problem.pointer, problem.code) == (pointer, code)
    assert hint in problem.hint


def given_twice(name: str, value: Any, other: Any) -> dict[str, Any]:
    return changed(changed(SAC, f"objective/{name}", value), "data/experience", {"kind": "replay", name: other})


def test_a_setting_at_two_places_is_one_value() -> None:
    assert parse_job(given_twice("capacity", 5000, 5000)) == parse_job(changed(SAC, "objective/capacity", 5000))
    apart = changed(SAC, "data/experience", {"kind": "replay", "capacity": 5000})
    assert parse_job(apart) == parse_job(given_twice("capacity", 5000, 5000))
    with pytest.raises(InvalidInput) as caught:
        parse_job(given_twice("capacity", 5000, 6000))
    assert [(each.pointer, each.code) for each in caught.value.problems] == [("/objective/capacity", "contradiction")]


FIXED_ALPHA = changed(SAC, "objective/alpha", 0.2)
TWO_SAY: list[tuple[Callable[[], dict[str, Any]], str]] = [
    (lambda: changed(changed(SAC, "objective/alpha", 0.2), "objective/initial_alpha", 0.5), "/objective/initial_alpha"),
    (
        lambda: changed(changed(SAC, "objective/alpha", 0.2), "objective/target_entropy", -1),
        "/objective/target_entropy",
    ),
    (
        lambda: changed(changed(PPO, "model/trunk", mlp(8)), "objective/critic_optimizer", "Adam"),
        "/objective/critic_optimizer",
    ),
    (
        lambda: (
            algorithm_job("td3", {"actor": mlp(2), "critic": mlp(1)}, exploration_noise=0.2)
            | {"data": SAC["data"] | {"exploration": {"kind": "gaussian", "std": 0.3}}}
        ),
        "/objective/exploration_noise",
    ),
]


@pytest.mark.parametrize(("document", "pointer"), TWO_SAY)
def test_settings_that_contradict_each_other(document: Callable[[], dict[str, Any]], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_job(document())
    assert [(each.pointer, each.code) for each in caught.value.problems] == [(pointer, "contradiction")]


def test_several_outputs_are_refused_unless_they_are_a_gaussian() -> None:
    nodes = [{"id": name, "kind": "Linear", "inputs": "observation", "out_features": 2} for name in ("mean", "std")]
    actor = {"nodes": nodes, "outputs": {"mean": "mean", "std": "std"}}
    with pytest.raises(InvalidInput) as caught:
        parse_job(changed(SAC, "model/actor", actor))
    [problem] = caught.value.problems
    assert (problem.pointer, problem.code) == ("/model/actor/outputs", "unknown_output")
    assert "mean and log_std" in problem.hint
