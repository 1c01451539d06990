"""Dynamics that do not fit what they say: every problem with its place, reason and remedy."""

import copy
from typing import Any

import pytest

from app.errors import InvalidInput
from app.spec.data.environments.environment import EnvironmentData
from tests.workers.environments.dynamics_documents import CARTPOLE, NOISY, PENDULUM, dynamics, node
from workers.environments.build import build_environments
from workers.environments.dynamics_networks import build_dynamics

Document = dict[str, Any]


def changed(**parts: Any) -> Document:
    return copy.deepcopy(PENDULUM) | parts


def step_with(*nodes: Document, **outputs: str | None) -> Document:
    """Return Pendulum with more nodes in its step, and other outputs; `None` removes one."""
    document = changed()
    document["step"]["nodes"] += nodes
    document["step"]["outputs"] = {
        name: source for name, source in (document["step"]["outputs"] | outputs).items() if source is not None
    }
    return document


WRONG: list[tuple[Document, str, str, str]] = [
    (
        step_with(node("short", "narrow", "state", dim=1, start=0, length=1), state="short"),
        "/step/outputs/state",
        "shape_mismatch",
        "the state is 1 per example of float32, and should be [2] of float32 for each copy",
    ),
    (step_with(reward="new_state"), "/step/outputs/reward", "shape_mismatch", "(N, 1) or (N)"),
    (step_with(reward=None), "/step/outputs", "missing", 'no output "reward"'),
    (step_with(node("mean", "mean", "reward", dim=0), reward="mean"), "/step/outputs/reward", "shape_mismatch", "(N)"),
    (step_with(done="reward"), "/step/outputs/done", "unknown_output", '"done" that nothing reads'),
    (
        step_with(node("whole", "to", "new_state", dtype="int64"), state="whole"),
        "/step/outputs/state",
        "dtype_mismatch",
        "int64",
    ),
    (
        changed(observation={"kind": "box", "shape": [2]}),
        "/observe/outputs/observation",
        "shape_mismatch",
        "should be [2] of float32",
    ),
    (changed(observation={"kind": "discrete", "n": 4}), "/observe/outputs/observation", "dtype_mismatch", "one int64"),
    (
        changed(reset={"layers": ["rand_like", {"kind": "Linear", "out_features": 2}]}),
        "/reset/layers/1",
        "not_allowed",
        "has parameters or buffers",
    ),
    (
        changed(reset={"nodes": [{"id": "b", "kind": "Buffer", "shape": [2]}, node("s", "add", "state", "b")]}),
        "/reset/nodes/0",
        "not_allowed",
        "has parameters or buffers",
    ),
    (
        changed(
            reset={
                "nodes": [
                    {"id": "zero", "kind": "Constant", "value": [0.0, 0.0]},
                    node("draws", "rand_like", "zero"),
                    node("first", "add", "state", "draws"),
                ]
            }
        ),
        "/reset/nodes/1",
        "not_allowed",
        "all of them would draw alike",
    ),
    (
        changed(reset=changed()["reset"] | {"outputs": {"state": "first", "other": "draws"}}),
        "/reset/outputs",
        "unknown_output",
        "reset has 2 outputs (state, other), and gives the state alone",
    ),
    (step_with(node("bad", "cat", "state", "reward", dim=0)), "/step/nodes/23", "shape_mismatch", "bad cannot combine"),
]


@pytest.mark.parametrize(("document", "pointer", "code", "detail"), WRONG)
def test_a_problem_has_its_place_and_reason(document: Document, pointer: str, code: str, detail: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        build_dynamics(dynamics(document))
    (problem,) = raised.value.problems
    assert (problem.pointer, problem.code) == (pointer, code)
    assert detail in problem.detail
    assert problem.hint


def test_every_problem_is_found() -> None:
    document = step_with(reward="new_state") | {"reset": {"layers": [{"kind": "Linear", "out_features": 2}]}}
    with pytest.raises(InvalidInput) as raised:
        build_dynamics(dynamics(document))
    assert {problem.pointer for problem in raised.value.problems} == {"/reset/layers/0", "/step/outputs/reward"}


def test_problems_of_a_job_lead_into_it() -> None:
    data = EnvironmentData.model_validate(
        {"kind": "environment", "dynamics": step_with(reward="new_state"), "experience": {"kind": "replay"}}
    )
    with pytest.raises(InvalidInput) as raised:
        build_environments(data, 1, 0)
    assert raised.value.problems[0].pointer == "/data/dynamics/step/outputs/reward"


@pytest.mark.parametrize("document", [PENDULUM, CARTPOLE, NOISY])
def test_dynamics_are_built(document: Document) -> None:
    networks = build_dynamics(dynamics(document))
    assert networks.reset.is_random
    assert not list(networks.step.parameters())


def test_blocks_and_loops_are_dynamics_too() -> None:
    """A step of a physical model may be ten small ones; noise within a body is drawn for each copy too."""
    document = copy.deepcopy(NOISY)
    body = {"layers": [{"id": "noise", "kind": "Dropout", "p": 0.5}, {"id": "small", "kind": "mul", "scalar": 0.9}]}
    document["step"]["blocks"] = {"Part": body}
    document["step"]["nodes"] += [{"id": "parts", "kind": "Repeat", "inputs": ["new"], "times": 3, "body": "Part"}]
    document["step"]["outputs"]["state"] = "parts"
    assert build_dynamics(dynamics(document)).step.is_random
