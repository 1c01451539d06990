"""The census of a blueprint is that of the network built from it."""

from typing import Any

import pytest
from torch import nn

from tests.workers.network.kinds.test_catalog import CASES as KINDS
from tests.workers.network.kinds.test_catalog import model
from tests.workers.network.networks import Columns, Model, build_model
from tests.workers.network.runtime.control_flow_cases import CASES, VECTOR, graph_spec
from workers.network.analysis.parameters import ParameterIndex, ParameterInfo, index_parameters
from workers.network.runtime.build import GraphModule

LINEAR_NORM_BLOCK = {"layers": [{"kind": "Linear", "out_features": 6}, {"kind": "BatchNorm1d"}]}
EXTRA_NETWORKS: dict[str, tuple[Model, Columns]] = {
    "blocks in shared blocks": (
        graph_spec(
            {"id": "a", "kind": "block", "name": "Outer", "inputs": ["x"], "share": "one"},
            {"id": "b", "kind": "block", "name": "Outer", "inputs": ["a"], "share": "one"},
            {"id": "c", "kind": "block", "name": "Outer", "inputs": ["b"]},
            {"id": "bias", "kind": "Parameter", "shape": [6], "init": {"kind": "zeros"}},
            {"id": "sum", "kind": "add", "inputs": ["c", "bias"]},
            blocks={
                "Part": LINEAR_NORM_BLOCK,
                "Outer": {
                    "layers": [
                        {"kind": "block", "name": "Part"},
                        {"kind": "Repeat", "times": 2, "share": False, "body": LINEAR_NORM_BLOCK},
                    ]
                },
            },
        ),
        VECTOR,
    )
}
NETWORKS: dict[str, tuple[Any, Columns]] = (
    CASES
    | EXTRA_NETWORKS
    | {
        f"{kind}-{number}": (model(kind, settings, named), named or {"x": (6,)})
        for number, (kind, settings, named) in enumerate(KINDS)
    }
)


def index_built_network(network: nn.Module) -> ParameterIndex:
    """Count the parameters themselves."""
    first = {id(parameter): name for name, parameter in network.named_parameters()}
    found = ParameterIndex()
    for name, parameter in network.named_parameters(remove_duplicate=False):
        owner = network.get_submodule(name.rpartition(".")[0])
        plain = "bias" in name.rpartition(".")[2] or "Norm" in type(owner).__name__
        found.weights[name] = ParameterInfo(first[id(parameter)], tuple(parameter.shape), plain)
    for path, part in network.named_modules(remove_duplicate=False):
        found.paths |= {path} if path else set()
        if isinstance(part, GraphModule):
            found.paths |= {f"{path}.{node.id}".removeprefix(".") for node in part.blueprint.nodes}
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_shapes_are_those_of_the_network(name: str) -> None:
    network = build_model(*NETWORKS[name])
    counted, found = index_parameters(network.blueprint), index_built_network(network)
    assert counted.weights == found.weights
    assert counted.paths == found.paths


def test_parts_of_backbones_have_paths() -> None:
    network = build_model([{"id": "net", "kind": "resnet18", "num_classes": 3}], {"x": (3, 32, 32)})
    counted = index_parameters(network.blueprint)
    assert counted.weights["net.layer1.0.bn1.weight"].is_bias_or_norm
    assert not counted.weights["net.layer1.0.conv1.weight"].is_bias_or_norm
    assert "net.layer1.0" in counted.paths
