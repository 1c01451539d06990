"""Checks of the data section of a job in an environment: pointer and code of each problem, and what its hint says."""

from typing import Any

import pytest

from app.spec.job import named_dataset_schema, parse_job
from app.spec.job_checks import check_job, job_warnings
from tests.app.spec.data.environments.acting_jobs import DYNAMICS, REPLAY, continuous_job, discrete_job, own_job


def problems_of(document: dict[str, Any]) -> dict[str, str]:
    """Return the codes and hints of the problems of a job by their pointers."""
    job = parse_job(document)
    schema = named_dataset_schema(job)
    assert schema is not None
    return {each.pointer: f"{each.code}: {each.hint}" for each in check_job(job, schema, max_nodes=100)}


@pytest.mark.parametrize("document", [continuous_job(), discrete_job(), own_job()])
def test_jobs_without_problems(document: dict[str, Any]) -> None:
    assert problems_of(document) == {}


FRAMES = {"kind": "FrameStack", "frames": 2}
SCALED = {"kind": "NormalizeObservation", "mean": [1, 2]}
CLIPPED = {"kind": "ClipReward", "low": 1, "high": -1}
STATE_ONLY = {"inputs": ["state"], "nodes": [{"id": "a", "kind": "ReLU", "inputs": ["stat"]}]}
WRONG: list[tuple[dict[str, Any], dict[str, str]]] = [
    (discrete_job({"exploration": "gaussian"}), {"/data/exploration/kind": 'contradiction: use "epsilon_greedy"'}),
    (continuous_job({"exploration": "epsilon_greedy"}), {"/data/exploration/kind": 'contradiction: use "gaussian"'}),
    (
        continuous_job({"copies": 3}),
        {
            "/data/experience/start_steps": 'contradiction: set "start_steps" to 99, or "copies" to 2',
            "/data/experience/capacity": 'contradiction: set "capacity" to 999, or "copies" to 2',
        },
    ),
    (
        continuous_job({"experience": REPLAY | {"capacity": 50}}),
        {"/data/experience/capacity": 'contradiction: set "capacity" to at least 100, or "start_steps" to less'},
    ),
    (
        continuous_job({"wrappers": [FRAMES, SCALED, CLIPPED]}),
        {
            "/data/wrappers/1/mean": "shape_mismatch: give one number, or 3",
            "/data/wrappers/2/low": "contradiction: give low a smaller number, or high a larger one",
        },
    ),
    (
        discrete_job({"name": "FrozenLake-v1", "wrappers": [FRAMES]}),
        {"/data/wrappers/0": "contradiction: remove it: an Embedding reads such an observation"},
    ),
    (
        discrete_job({"name": "CliffWalking-v1"}),
        {"/data/wrappers": 'no_time_limit: add "wrappers": [{"kind": "TimeLimit", "steps": 200}]'},
    ),
    (discrete_job({"name": "CliffWalking-v1", "wrappers": [{"kind": "TimeLimit", "steps": 200}]}), {}),
    (
        continuous_job({"action": "act", "behaviour": "explored", "report": ["q", "return", "q"]}),
        {
            "/data/action": 'unknown_output: did you mean "action"?',
            "/data/behaviour": 'unknown_output: add "explored" to the outputs of the network, or name another one: '
            "one of: action, q, critic_loss, actor_loss",
            "/data/report/1": 'unknown_output: add "return" to the outputs of the network, or name another one: '
            "one of: action, q, critic_loss, actor_loss",
            "/data/report/2": "duplicate_id: rename the output, or remove it",
        },
    ),
    (
        own_job(action={"kind": "box", "shape": [1], "low": -1.0}),
        {"/data/dynamics/action": 'missing: add "low" and "high" to the action, such as "low": -1.0, "high": 1.0'},
    ),
    (
        own_job(observation={"kind": "box", "shape": [3]}),
        {"/data/dynamics/observation": 'contradiction: remove it, or add "observe": …'},
    ),
    (
        own_job(reset={"layers": ["add"]}, observe=STATE_ONLY),
        {
            "/data/dynamics/reset/layers/0": 'arity: write the network with nodes or give a "scalar"',
            "/data/dynamics/observe/nodes/0/inputs/0": 'unknown_node: did you mean "state"?',
        },
    ),
    (
        own_job(step=DYNAMICS["step"] | {"inputs": ["state", "acton"]}),
        {
            "/data/dynamics/step/inputs/1": 'unknown_input: did you mean "action"?',
            "/data/dynamics/step/nodes/2/inputs/1": 'unknown_node: add "action" to the inputs of the network',
        },
    ),
    (
        discrete_job() | {"model": {"layers": [{"kind": "Linear", "out_features": 2}]}},
        {
            "/data/action": 'unknown_output: name the one that there is: "action": "output"',
            "/data/experience/log_prob": 'unknown_output: name the one that there is: "log_prob": "output"',
            "/data/experience/value": 'unknown_output: name the one that there is: "value": "output"',
            "/objective/output": "unknown_output: one of: output",
        },
    ),
    (
        discrete_job({"experience": "episodes"}),
        {
            "/model/inputs/2": "unknown_input: one of: observation, action, returns",
            "/model/inputs/3": "unknown_input: one of: observation, action, returns",
            "/model/inputs/4": "unknown_input: one of: observation, action, returns",
            "/training/batch_size": 'unsupported: remove it: "episodes" of the experience counts',
        },
    ),
]


@pytest.mark.parametrize(("document", "problems"), WRONG)
def test_problems_have_a_place_and_a_fix(document: dict[str, Any], problems: dict[str, str]) -> None:
    assert problems_of(document) == problems


def test_a_network_of_too_many_nodes_is_not_looked_at() -> None:
    job = parse_job(discrete_job())
    schema = named_dataset_schema(job)
    assert schema is not None
    assert [each.code for each in check_job(job, schema, max_nodes=8)] == ["too_many_nodes"]


@pytest.mark.parametrize(("name", "package"), [("LunarLanderContinuous-v3", "box2d"), ("Swimmer-v5", "mujoco")])
def test_a_package_that_workers_may_lack_is_a_warning(name: str, package: str) -> None:
    job = parse_job(continuous_job({"name": name}))
    schema = named_dataset_schema(job)
    assert schema is not None
    [warning] = job_warnings(job, schema, None, [])  # type: ignore[arg-type]
    assert (warning.pointer, warning.code) == ("/data/name", "needs_package")
    assert f'pip install "graftwerk[{package}]"' in warning.hint
