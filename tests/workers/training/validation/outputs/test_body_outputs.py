"""What the bodies of an algorithm give: refused with the shapes, and the layer to change."""

from copy import deepcopy
from typing import Any

import pytest

from app.errors import Problem
from tests.app.spec.training.algorithms.written import BOX, CLASSES, algorithm_job, linear, mlp
from workers.children.inspect import InspectionLimits, inspect_job

LIMITS = InspectionLimits(max_nodes=1000, max_parameters=10**6, memory_limit=1 << 33)


def problems(document: dict[str, Any]) -> list[Problem]:
    return list(inspect_job(document, None, LIMITS).problems)


# (algorithm, bodies, action space, widths that are right)
FITTING: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, int]]] = [
    ("sac", {"actor": mlp(4), "critic": mlp(1)}, BOX, {"actor": 4, "critic": 1}),
    ("td3", {"actor": mlp(2), "critic": mlp(1)}, BOX, {"actor": 2, "critic": 1}),
    ("dqn", {"critic": mlp(3)}, CLASSES, {"critic": 3}),
    ("ppo", {"actor": mlp(2), "critic": mlp(1)}, BOX, {"actor": 2, "critic": 1}),
    ("ppo", {"actor": mlp(3), "critic": mlp(1)}, CLASSES, {"actor": 3, "critic": 1}),
    ("reinforce", {"actor": mlp(3)}, CLASSES, {"actor": 3}),
]


@pytest.mark.parametrize(("kind", "model", "action", "widths"), FITTING)
def test_the_layer_to_change_is_named(
    kind: str, model: dict[str, Any], action: dict[str, Any], widths: dict[str, int]
) -> None:
    assert not problems(algorithm_job(kind, model, action))
    for body, width in widths.items():
        for wrong in (width + 1, 7):
            misfit = deepcopy(model)
            misfit[body]["layers"][2] = linear(wrong)
            [problem] = problems(algorithm_job(kind, misfit, action))
            place = f"/model/{body}/layers/2/out_features"
            assert (problem.pointer, problem.code) == (place, "shape_mismatch")
            assert f"gives {wrong} per example" in problem.detail
            assert problem.detail.endswith(f": {width} per example")
            assert problem.hint == f'set "out_features" to {width}'


def test_every_body_that_does_not_fit_is_told() -> None:
    found = problems(algorithm_job("sac", {"actor": mlp(3), "critic": mlp(2)}))
    assert [each.pointer for each in found] == [f"/model/{body}/layers/2/out_features" for body in ("actor", "critic")]


def test_a_body_that_ends_otherwise() -> None:
    actor = {"layers": [linear(8), {"kind": "LayerNorm"}]}
    [problem] = problems(algorithm_job("td3", {"actor": actor, "critic": mlp(1)}))
    assert problem.pointer == "/model/actor/layers/1"
    assert '"out_features": 2' in problem.hint
    nodes = [
        {"id": "hidden", "kind": "Linear", "inputs": "observation", "out_features": 8},
        {"id": "mean", "kind": "Linear", "inputs": "hidden", "out_features": 2},
        {"id": "log_std", "kind": "Linear", "inputs": "hidden", "out_features": 3},
    ]
    actor = {"nodes": nodes, "outputs": {"mean": "mean", "log_std": "log_std"}}
    [problem] = problems(algorithm_job("sac", {"actor": actor, "critic": mlp(1)}))
    assert problem.pointer == "/model/actor/nodes/2/out_features"
    assert problem.hint == 'set "out_features" to 2'


def test_a_sequence_is_no_action() -> None:
    """A GRU without the choice of a step, behind stacked observations."""
    document = algorithm_job("ppo", {"actor": {"layers": [{"kind": "GRU", "hidden_size": 2}]}, "critic": mlp(1)})
    document["data"]["wrappers"] = [{"kind": "FrameStack", "frames": 4}]
    document["model"]["critic"] = {"layers": ["Flatten", linear(1)]}
    [problem] = problems(document)
    assert (problem.pointer, problem.code) == ("/model/actor/layers/0", "shape_mismatch")
    assert "4x2 per example" in problem.detail
    document["model"]["actor"]["layers"].append({"kind": "select", "dim": 1, "index": -1})
    assert not problems(document)
