"""The inspection of jobs whose networks act in environments."""

from copy import deepcopy
from typing import Any

import pytest

from tests.app.spec.data.environments.acting_jobs import DYNAMICS, continuous_job, discrete_job, own_job
from tests.workers.jobs import LIMITS
from workers.children.inspect import InspectionLimits, inspect_job


@pytest.mark.parametrize("document", [continuous_job(), discrete_job(), own_job()])
def test_jobs_without_problems(document: dict[str, Any]) -> None:
    found = inspect_job(document, None, LIMITS)
    assert (found.problems, found.warnings) == ((), ())


def test_the_report_says_what_is_learned_from_and_what_is_evaluated() -> None:
    report = inspect_job(continuous_job({"copies": 2, "episodes": 20}), None, LIMITS).report
    assert report["splits"] == {
        "train": {"rows": None, "how": "drawn from the last 1,000 transitions of Pendulum-v1 in 2 copies"},
        "validation": {"rows": None, "how": "20 episodes of Pendulum-v1, played without exploration"},
    }
    assert {each["column"]: each["role"] for each in report["columns"]} == dict.fromkeys(
        ("observation", "action", "reward", "next_observation", "terminated"), "input"
    )
    assert report["inputs"]["next_observation"] == {"shape": ["N", 3], "dtype": "float32"}
    how = {
        kind: inspect_job(discrete_job({"experience": kind}), None, LIMITS).report.get("splits", {})
        for kind in ("rollout", "replay")
    }
    assert how["rollout"]["train"]["how"] == "rollouts of 128 steps of CartPole-v1, each passed 10 times"


def in_step(*nodes: dict[str, Any], **outputs: str) -> dict[str, Any]:
    """Return dynamics whose step has more nodes, and other outputs."""
    step = deepcopy(DYNAMICS["step"])
    return {"step": {**step, "nodes": step["nodes"] + list(nodes), "outputs": step["outputs"] | outputs}}


def node(name: str, kind: str, *inputs: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "kind": kind, "inputs": list(inputs)} | fields


WRONG: list[tuple[dict[str, Any], str, str]] = [
    (in_step(reward="new"), "/data/dynamics/step/outputs/reward", "shape_mismatch"),
    (in_step(state="new_x"), "/data/dynamics/step/outputs/state", "shape_mismatch"),
    (in_step(terminated="new"), "/data/dynamics/step/outputs/terminated", "shape_mismatch"),
    (in_step(done="gone"), "/data/dynamics/step/outputs/done", "unknown_output"),
    (in_step(node("wide", "cat", "state", "gone", dim=7)), "/data/dynamics/step/nodes/8/dim", "shape_mismatch"),
    (in_step(node("w", "Linear", "state", out_features=2), state="w"), "/data/dynamics/step/nodes/8", "not_allowed"),
    ({"reset": {"layers": [{"kind": "rand", "shape": [3]}]}}, "/data/dynamics/reset", "shape_mismatch"),
    ({"reset": {"layers": [{"kind": "to", "dtype": "int64"}]}}, "/data/dynamics/reset", "dtype_mismatch"),
    (
        {"observation": {"kind": "discrete", "n": 4}, "observe": {"layers": ["Tanh"]}},
        "/data/dynamics/observe",
        "dtype_mismatch",
    ),
]


@pytest.mark.parametrize(("dynamics", "pointer", "code"), WRONG)
def test_dynamics_that_cannot_be_built(dynamics: dict[str, Any], pointer: str, code: str) -> None:
    problems = inspect_job(own_job(**dynamics), None, LIMITS).problems
    told = {each.pointer: each for each in problems if each.pointer.startswith("/data")}
    assert told.keys() == {pointer}
    assert told[pointer].code == code
    assert told[pointer].hint


def test_a_reward_of_a_row_for_each_copy_is_told_with_its_shape() -> None:
    [problem] = inspect_job(own_job(**in_step(reward="new")), None, LIMITS).problems
    assert (
        problem.detail
        == "the reward is 2 per example of float32, and should be one number for each copy, (N, 1) or (N)"
    )


def test_nodes_of_dynamics_count() -> None:
    few = InspectionLimits(max_nodes=25, max_parameters=10**6, memory_limit=1 << 30)
    assert [each.code for each in inspect_job(own_job(), None, few).problems] == ["too_many_nodes"]
    assert inspect_job(own_job(), None, LIMITS).problems == ()


def test_problems_of_the_network_and_of_the_environment_are_told_at_once() -> None:
    document = continuous_job({"exploration": "epsilon_greedy", "report": ["absent"]}, steps=None, epochs=2)
    document["training"].pop("steps")
    document["objective"] = {
        "heads": document["objective"]["heads"] | {"other": {"loss": "MSELoss", "target": "reward"}}
    }
    pointers = {each.pointer for each in inspect_job(document, None, LIMITS).problems}
    assert pointers >= {"/data/exploration/kind", "/data/report/0", "/training/epochs", "/objective/heads/other/loss"}


def test_an_empty_network_of_dynamics_is_a_problem_of_its_form() -> None:
    told = [(each.pointer, each.code) for each in inspect_job(own_job(reset={}), None, LIMITS).problems]
    assert told == [("/data/dynamics/reset", "network_form")]
