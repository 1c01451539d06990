"""The graph of backward, and gradients beside differences."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.workers.network.networks import build_model, schema
from workers.network.analysis.gradients import MAX_CHECKED_ELEMENTS, backward_graph, check_gradients, random_inputs

COLUMNS = {"x": (3,)}
TWO_LAYERS: dict[str, Any] = {
    "inputs": ["x"],
    "nodes": [
        {"id": "w1", "kind": "Parameter", "shape": [3, 4]},
        {"id": "a", "kind": "matmul", "inputs": ["x", "w1"]},
        {"id": "h", "kind": "sigmoid", "inputs": ["a"]},
        {"id": "w2", "kind": "Parameter", "shape": [4, 2]},
        {"id": "y", "kind": "matmul", "inputs": ["h", "w2"]},
    ],
}


def values(columns: Any = COLUMNS) -> dict[str, Tensor]:
    return random_inputs(schema(columns), tuple(columns))


def test_the_graph_leads_from_the_outputs_to_the_parameters() -> None:
    found = backward_graph(build_model(TWO_LAYERS, COLUMNS), values())
    names = {node["id"]: node["name"] for node in found["nodes"]}
    assert names[found["outputs"]["output"]] == "MmBackward0"
    assert sorted(names.values()).count("MmBackward0") == 2
    assert {node["parameter"] for node in found["nodes"] if "parameter" in node} == {"w1", "w2"}
    reached = {found["outputs"]["output"]}
    for source, target in found["edges"]:
        assert source in reached
        reached.add(target)
    assert reached == names.keys()


def test_a_deep_network_has_a_graph() -> None:
    found = backward_graph(
        build_model([{"kind": "Tanh"}] * 5000 + [{"kind": "Linear", "out_features": 1}], COLUMNS), values()
    )
    assert len(found["nodes"]) > 2


@pytest.mark.parametrize(
    "model",
    [
        TWO_LAYERS,
        [{"kind": "Linear", "out_features": 4}, {"kind": "Dropout"}, {"kind": "BatchNorm1d"}, {"kind": "Tanh"}],
        {
            "layers": [
                {
                    "kind": "Repeat",
                    "times": 3,
                    "body": {"layers": [{"kind": "Linear", "out_features": 3}, {"kind": "Tanh"}]},
                }
            ]
        },
    ],
    ids=["raw", "layers", "repeat"],
)
def test_right_gradients_pass(model: Any) -> None:
    found = check_gradients(build_model(model, COLUMNS), values())
    assert found.passed
    assert found.differences.keys() >= {"x"}
    assert len(found.differences) > 1


def test_wrong_gradients_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, value: Tensor) -> Tensor:
            return value.sigmoid()

        @staticmethod
        def backward(context: Any, gradient: Tensor) -> Tensor:
            return gradient * 0.5

    network = build_model(TWO_LAYERS, COLUMNS)
    monkeypatch.setattr(
        network,
        "_plan",
        network._plan._replace(
            steps=tuple(
                step._replace(chained=tuple(Wrong.apply if call is torch.sigmoid else call for call in step.chained))
                for step in network._plan.steps
            )
        ),
    )
    found = check_gradients(network, values())
    assert not found.passed
    assert found.differences["w1"] > 1e-4
    assert found.differences["w2"] < 1e-5


def test_a_network_that_is_too_large_is_refused() -> None:
    network = build_model([{"kind": "Linear", "out_features": MAX_CHECKED_ELEMENTS}], COLUMNS)
    with pytest.raises(ValueError, match="would be checked"):
        check_gradients(network, values())
