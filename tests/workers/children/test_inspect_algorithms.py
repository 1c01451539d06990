"""Jobs with an algorithm, inspected: problems that arise in the long form have the places of the short one."""

from copy import deepcopy
from typing import Any

import pytest

from app.spec.job import canonical_document, parse_job
from tests.app.spec.training.algorithms.written import CLASSES, algorithm_job, linear, mlp
from workers.children.inspect import InspectionLimits, inspect_job

LIMITS = InspectionLimits(max_nodes=1000, max_parameters=10**6, memory_limit=1 << 33)
JOBS: dict[str, dict[str, Any]] = {
    "sac": algorithm_job("sac", {"actor": mlp(4), "critic": mlp(1)}),
    "td3": algorithm_job("td3", {"actor": mlp(2), "critic": mlp(1)}),
    "dqn": algorithm_job("dqn", {"critic": mlp(3)}, CLASSES),
    "ppo": algorithm_job("ppo", {"trunk": mlp(5), "actor": mlp(3), "critic": mlp(1)}, CLASSES),
    "reinforce": algorithm_job("reinforce", {"actor": mlp(2)}, entropy_coefficient=0.1),
}


@pytest.mark.parametrize("name", JOBS)
def test_both_forms_have_the_same_report(name: str) -> None:
    document = JOBS[name]
    short = inspect_job(document, None, LIMITS)
    long = inspect_job(canonical_document(parse_job(document), document), None, LIMITS)
    assert not short.problems
    assert short == long


def conv() -> dict[str, Any]:
    return {"kind": "Conv2d", "out_channels": 2, "kernel_size": 3}


USE = {"kind": "block", "name": "Part"}
# (algorithm, section, path in it, value, pointer of the problem, code)
MISTAKES: list[tuple[str, list[Any], Any, str, str]] = [
    ("sac", ["model", "actor", "layers", 0], conv(), "/model/actor/layers/0", "shape_mismatch"),
    ("sac", ["model", "critic", "layers", 0, "in_features"], 4, "/model/critic/layers/0/in_features", "shape_mismatch"),
    ("dqn", ["model", "critic", "layers", 0, "in_features"], 4, "/model/critic/layers/0/in_features", "shape_mismatch"),
    ("ppo", ["model", "trunk", "layers", 0, "in_features"], 4, "/model/trunk/layers/0/in_features", "shape_mismatch"),
    ("ppo", ["model", "actor", "layers", 0, "in_features"], 4, "/model/actor/layers/0/in_features", "shape_mismatch"),
    (
        "sac",
        ["model", "actor", "layers", 1],
        {"kind": "block", "name": "P"},
        "/model/actor/layers/1/name",
        "unknown_block",
    ),
    ("sac", ["model", "critic", "layers", 1], {"kind": "cat"}, "/model/critic/layers/1", "arity"),
    ("sac", ["model", "actor"], {}, "/model/actor", "network_form"),
    ("sac", ["objective", "capacity"], 10, "/objective/capacity", "contradiction"),
    ("dqn", ["objective", "target_every"], 10**6, "/objective/target_every", "contradiction"),
    ("td3", ["objective", "policy_delay"], 10**6, "/objective/policy_delay", "contradiction"),
    ("ppo", ["training", "batch_size"], 1000, "/training/batch_size", "contradiction"),
    ("ppo", ["training", "optimizer"], "Muon", "/training/optimizer", "unsupported"),
    ("td3", ["objective", "critic_optimizer"], "Muon", "/objective/critic_optimizer", "unsupported"),
    ("td3", ["data", "action"], "move", "/data/action", "unknown_output"),
    (
        "td3",
        ["training", "early_stop"],
        {"monitor": "val/lss", "mode": "min"},
        "/training/early_stop/monitor",
        "unknown_series",
    ),
]


@pytest.mark.parametrize(("name", "path", "value", "pointer", "code"), MISTAKES)
def test_a_problem_of_the_long_form_is_told_where_the_user_wrote_it(
    name: str, path: list[Any], value: Any, pointer: str, code: str
) -> None:
    document = deepcopy(JOBS[name])
    here: Any = document
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = value
    found = inspect_job(document, None, LIMITS).problems
    assert [(each.pointer, each.code) for each in found] == [(pointer, code)]


def test_a_partial_report_has_the_places_of_the_short_form() -> None:
    document = deepcopy(JOBS["sac"])
    document["model"]["critic"]["layers"][2] = linear(2)
    response = inspect_job(document, None, LIMITS)
    nodes = {node["id"]: node for node in response.report["nodes"]}
    assert nodes["policy"]["pointer"] == nodes["next_policy"]["pointer"] == "/model/actor"
    inner = nodes["policy"]["bodies"]["name"]["nodes"]
    assert [node["pointer"] for node in inner] == [f"/model/actor/layers/{place}" for place in range(3)]


def test_the_nodes_that_are_written_count() -> None:
    limits = InspectionLimits(max_nodes=20, max_parameters=10**6, memory_limit=1 << 33)
    [problem] = inspect_job(JOBS["sac"], None, limits).problems
    assert (problem.pointer, problem.code) == ("/model", "too_many_nodes")
