"""Adaptive softmax (Grave et al. 2017): torch's bits, and predictions without targets."""

from typing import Any

import pytest
import torch
from torch import nn

from app.spec.data.columns import Column, DataSchema
from app.spec.network.network import Network
from tests.workers.network.networks import build_model, infer_model
from workers.network.analysis.dependencies import input_dependencies
from workers.network.inference.shape_inference import infer_shapes
from workers.network.runtime.build import BuiltNetwork, network_part

COLUMNS = {"x": (16,), "y": ((), "int64")}
NODE = {"id": "a", "kind": "AdaptiveLogSoftmaxWithLoss", "inputs": ["x", "y"], "n_classes": 20, "cutoffs": [5, 10]}
OUTPUTS = {"output": "a", "loss": "a.loss"}


def document(**settings: Any) -> dict[str, Any]:
    outputs = OUTPUTS | ({"log_prob": "a.log_prob"} if settings.get("return_log_prob") else {})
    return {"inputs": ["x", "y"], "nodes": [NODE | settings], "outputs": outputs}


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize(
    "settings", [{}, {"head_bias": True, "div_value": 2.0}, {"cutoffs": [1]}, {"cutoffs": [2, 19], "div_value": 1.5}]
)
def test_torch_computes_the_same_bits(settings: dict[str, Any], rows: int) -> None:
    network = build_model(document(**settings), COLUMNS)
    module = nn.AdaptiveLogSoftmaxWithLoss(16, 20, **({"cutoffs": [5, 10]} | settings))
    module.load_state_dict(network.get_submodule("a").state_dict())
    x, y = torch.randn(rows, 16, requires_grad=True), torch.randint(0, 20, (rows,))
    output, loss = module(x, y)
    found = network({"x": x, "y": y})
    assert found["output"].equal(output)
    assert found["loss"].equal(loss)
    expected = torch.autograd.grad(loss, [x, *module.parameters()], allow_unused=True)
    gradients = torch.autograd.grad(found["loss"], [x, *network.parameters()], allow_unused=True)
    for ours, theirs in zip(gradients, expected, strict=True):
        assert ours is theirs is None or (ours is not None and theirs is not None and ours.equal(theirs))


def test_all_classes_need_no_targets() -> None:
    network = build_model(document(return_log_prob=True), COLUMNS)
    assert isinstance(network, BuiltNetwork)
    assert input_dependencies(network.blueprint) == {"output": {"x", "y"}, "loss": {"x", "y"}, "log_prob": {"x"}}
    values = {"x": torch.randn(4, 16), "y": torch.tensor([0, 4, 5, 19])}
    whole, part = network(values), network_part(network, ("log_prob",))
    assert part.blueprint.inputs == ("x",)
    found = part({"x": values["x"]})["log_prob"]
    assert found.equal(whole["log_prob"])
    assert found.exp().sum(1).allclose(torch.ones(4))
    assert found.gather(1, values["y"].unsqueeze(1)).squeeze(1).allclose(whole["output"])
    assert network_part(network, ("log_prob", "loss"))(values)["log_prob"].equal(found)


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"cutoffs": [5, 20]}, "/cutoffs"),
        ({"cutoffs": [5, 10, 15]}, "/div_value"),
        ({"div_value": 1e300}, "/div_value"),
        ({"inputs": ["x", "x"]}, "/inputs/1"),
    ],
)
def test_settings_that_do_not_fit_are_told(settings: dict[str, Any], place: str) -> None:
    (problem,) = infer_model(document(**settings), COLUMNS).problems
    assert problem.pointer == f"/nodes/0{place}"


def test_class_numbers_beyond_the_classes_are_told() -> None:
    columns = (Column(name="x", shape=(16,), dtype="float32"), Column(name="y", shape=(), dtype="int64", classes=21))
    schema = DataSchema(columns=columns, rows={"train": 1}, inputs=("x", "y"))
    (problem,) = infer_shapes(Network.model_validate(document()), schema, ("x", "y")).problems
    assert (problem.pointer, problem.hint) == ("/nodes/0/n_classes", "set n_classes to 21")


def test_an_output_that_is_not_requested_is_not_there() -> None:
    network = Network.model_validate(document(return_log_prob=True))
    assert network.node_output_names((network.nodes or ())[0]) == ("output", "loss", "log_prob")
    network = Network.model_validate(document())
    assert network.node_output_names((network.nodes or ())[0]) == ("output", "loss")
