"""What outputs depend on, and the part of a network that some of them need."""

from typing import Any

import torch

from app.spec.data.columns import Column, DataSchema
from app.spec.network.network import Network
from workers.network.analysis.dependencies import input_dependencies, prune_to_outputs
from workers.network.inference.shape_inference import infer_shapes
from workers.network.runtime.build import BuiltNetwork, build

COLUMNS = tuple(Column(name=name, shape=(4,)) for name in ("x", "y", "z"))
SCHEMA = DataSchema(columns=COLUMNS, rows={"train": 2}, inputs=("x", "y", "z"))
MODEL: dict[str, Any] = {
    "inputs": ["x", "y", "z"],
    "nodes": [
        {"id": "body", "kind": "Linear", "inputs": ["x"], "out_features": 4},
        {"id": "head", "kind": "Linear", "inputs": ["body"], "out_features": 2},
        {"id": "error", "kind": "sub", "inputs": ["body", "y"]},
        {"id": "both", "kind": "block", "name": "Two", "inputs": ["error", "z"]},
        {"id": "alone", "kind": "Linear", "inputs": ["z"], "out_features": 1},
    ],
    "outputs": {"told": "head", "loss": "both.second", "other": "alone", "same": "x"},
    "blocks": {
        "Two": {
            "inputs": ["a", "b"],
            "nodes": [
                {"id": "first", "kind": "add", "inputs": ["a", "b"]},
                {"id": "second", "kind": "Linear", "inputs": ["first"], "out_features": 3},
            ],
            "outputs": {"first": "first", "second": "second"},
        }
    },
}
CHAIN = {"layers": [{"id": "x", "kind": "Linear", "out_features": 4}, {"id": "last", "kind": "ReLU"}]}


def test_what_outputs_depend_on() -> None:
    blueprint = infer_shapes(Network.model_validate(MODEL), SCHEMA, SCHEMA.inputs).blueprint
    assert input_dependencies(blueprint) == {"told": {"x"}, "loss": {"x", "y", "z"}, "other": {"z"}, "same": {"x"}}


def test_a_layer_may_be_named_like_the_input() -> None:
    blueprint = infer_shapes(Network.model_validate(CHAIN), SCHEMA, SCHEMA.inputs).blueprint
    assert input_dependencies(blueprint) == {"output": {"x"}}
    assert prune_to_outputs(blueprint, ["output"]) == blueprint


def test_the_needed_part_computes_the_same() -> None:
    whole = build(Network.model_validate(MODEL), SCHEMA, SCHEMA.inputs)
    values = {name: torch.randn(3, 4) for name in "xyz"}
    outputs = whole(values)
    for names in (["told"], ["other", "same"], ["loss"], ["loss", "told"]):
        part = BuiltNetwork(prune_to_outputs(whole.blueprint, names))
        state = whole.state_dict()
        part.load_state_dict({name: state[name] for name in part.state_dict()})
        found = part({name: values[name] for name in part.blueprint.inputs})
        assert list(found) == names
        for name in names:
            assert torch.equal(found[name], outputs[name])
    part = BuiltNetwork(prune_to_outputs(whole.blueprint, ["told"]))
    assert (part.blueprint.inputs, [node.id for node in part.blueprint.nodes]) == (("x",), ["body", "head"])


def test_a_tie_to_a_node_that_is_not_needed_is_left_out() -> None:
    first = {"id": "first", "kind": "Linear", "inputs": ["x"], "out_features": 2}
    tied = {"id": "tied", "kind": "Linear", "inputs": ["y"], "out_features": 2, "tie": {"weight": "first.weight"}}
    model = {"inputs": ["x", "y"], "nodes": [first, tied], "outputs": {"a": "first", "b": "tied"}}
    whole = build(Network.model_validate(model), SCHEMA, SCHEMA.inputs)
    part = BuiltNetwork(prune_to_outputs(whole.blueprint, ["b"]))
    state = whole.state_dict()
    part.load_state_dict({name: state[name] for name in part.state_dict()}, strict=True)
    values = {"x": torch.rand(3, 4), "y": torch.rand(3, 4)}
    assert part(values)["b"].equal(whole(values)["b"])
    assert prune_to_outputs(whole.blueprint, ["a", "b"]).nodes == whole.blueprint.nodes
