import copy
from typing import Any
from weakref import WeakSet

import pytest
import torch
from torch import Tensor, nn

from app.errors import InvalidInput, OutOfMemory
from tests.workers.network.networks import Model, build_model, infer_model, make_examples, parse_model
from workers.network.runtime import build as builder
from workers.network.runtime.build import BuiltNetwork

RESIDUAL: dict[str, Any] = {
    "inputs": ["x"],
    "nodes": [
        {"id": "sum", "kind": "add", "inputs": ["stem", "branch"]},  # written before what it reads
        {"id": "stem", "kind": "Linear", "inputs": ["x"], "out_features": 6},
        {"id": "branch", "kind": "Linear", "inputs": ["act"], "out_features": 6},
        {"id": "act", "kind": "ReLU", "inputs": ["stem"]},
    ],
    "outputs": {"y": "sum", "same": "sum", "inner": "act", "raw": "x"},
}


def test_a_residual_block() -> None:
    network = build_model(RESIDUAL, {"x": (4,)})
    x = torch.randn(5, 4)
    parts = dict(network.named_children())
    assert list(parts) == ["stem", "act", "branch"]
    stem = parts["stem"](x)
    outputs = network({"x": x})
    assert list(outputs) == ["y", "same", "inner", "raw"]
    assert outputs["y"].equal(stem + parts["branch"](stem.relu()))
    assert outputs["same"] is outputs["y"]
    assert outputs["inner"].equal(stem.relu())
    assert outputs["raw"] is x


def test_several_inputs_are_taken_by_name() -> None:
    nodes = [{"id": "both", "kind": "cat", "inputs": ["b", "a"]}]
    network = build_model({"inputs": ["a", "b"], "nodes": nodes}, {"a": (2,), "b": (3,)})
    values = make_examples({"a": (2,), "b": (3,)})
    assert network(values)["output"].equal(torch.cat([values["b"], values["a"]], 1))


@pytest.mark.parametrize(("scalar", "dtype"), [(7919, torch.int64), (7919.0, torch.float32), (2**63, torch.float32)])
def test_a_whole_number_leaves_whole_numbers_whole(scalar: float, dtype: torch.dtype) -> None:
    nodes = [{"id": "more", "kind": "mul", "inputs": ["word"], "scalar": scalar}]
    again = parse_model({"nodes": nodes}).model_dump(mode="json")
    network = build_model(again, {"word": ((3,), "int64")})
    words = torch.tensor([[1, 2, 3]])
    output = network({"word": words})["output"]
    assert output.dtype == dtype
    assert output.tolist() == [[number * scalar for number in (1, 2, 3)]]


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        (
            [{"kind": "Linear", "out_features": 4}, {"kind": "ReLU"}, {"kind": "Linear", "out_features": 2}],
            ["linear1", "relu1", "linear2"],
        ),
        ([{"kind": "Linear", "out_features": 4, "id": "fc"}, {"kind": "Linear", "out_features": 2}], ["fc", "linear2"]),
        (
            [
                {"kind": "Linear", "out_features": 4},
                {"kind": "Linear", "out_features": 4, "id": "x"},
                {"kind": "Linear", "out_features": 2},
            ],
            ["linear1", "x", "linear3"],
        ),  # like the input of the chain
    ],
)
def test_layers_are_named_by_kind_and_count(layers: list[Any], names: list[str]) -> None:
    network = build_model(layers, {"x": (3,)})
    assert [name for name, _ in network.named_children()] == names
    sequence = nn.Sequential(*network.children())
    x = torch.randn(5, 3)
    assert network({"x": x})["output"].equal(sequence(x))


def test_a_seed_decides_the_weights() -> None:
    leaf = {"id": "p", "kind": "Parameter", "shape": [6]}
    model = RESIDUAL | {"nodes": [leaf, *RESIDUAL["nodes"]]}
    first, again, other = (build_model(model, {"x": (4,)}, seed).state_dict() for seed in (1, 1, 2))
    assert all(first[name].equal(again[name]) for name in first)
    assert not any(first[name].equal(other[name]) for name in first)


def test_weights_are_those_of_torch_in_the_order_of_the_nodes() -> None:
    network = build_model(
        [{"kind": "Linear", "out_features": 6}, {"kind": "Linear", "out_features": 2}], {"x": (4,)}, seed=3
    )
    torch.manual_seed(3)
    plain = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
    assert all(one.equal(two) for one, two in zip(network.parameters(), plain.parameters(), strict=True))


LEAVES: dict[str, Any] = {
    "inputs": ["x"],
    "nodes": [
        {"id": "w", "kind": "Parameter", "shape": [4, 2]},
        {"id": "b", "kind": "Buffer", "shape": [2], "init": {"kind": "constant", "value": 0.5}},
        {"id": "c", "kind": "Constant", "value": [1, 2]},
        {"id": "xw", "kind": "matmul", "inputs": ["x", "w"]},
        {"id": "shifted", "kind": "add", "inputs": ["xw", "b"]},
        {"id": "y", "kind": "mul", "inputs": ["shifted", "c"]},
    ],
}


def test_leaves_are_parameters_buffers_and_constants() -> None:
    network = build_model(LEAVES, {"x": (4,)})
    assert list(network.state_dict()) == ["w", "b"]  # a constant is no part of the weights
    assert [name for name, _ in network.named_parameters()] == ["w"]
    x = torch.randn(5, 4)
    state = network.state_dict()
    assert network({"x": x})["output"].equal((x @ state["w"] + 0.5) * torch.tensor([1.0, 2.0]))


def test_leaves_are_read_anew_by_every_call() -> None:
    network = build_model(LEAVES, {"x": (4,)}).to(torch.float64)
    assert network({"x": torch.randn(5, 4, dtype=torch.float64)})["output"].dtype == torch.float64
    twin = copy.deepcopy(network)
    with torch.no_grad():
        twin.get_parameter("w").zero_()
    x = torch.randn(5, 4, dtype=torch.float64)
    assert not network({"x": x})["output"].equal(twin({"x": x})["output"])


def test_a_copy_runs_on_its_own_weights() -> None:
    network = build_model([{"kind": "Linear", "out_features": 2}], {"x": (4,)})
    twin = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert twin({"x": torch.randn(5, 4)})["output"].eq(0).all()
    assert not network({"x": torch.randn(5, 4)})["output"].eq(0).any()


@pytest.mark.parametrize("form", ["layers", "nodes"])
def test_five_thousand_layers(form: str) -> None:
    """Nothing recurses: not the draft, not the plan, not a forward and a backward pass, not a copy of the weights."""
    count = 5000
    layers: list[Any] = [
        {"kind": "Linear", "out_features": 2} if place % 50 == 0 else {"kind": "Tanh"} for place in range(count)
    ]
    model: Model = layers
    if form == "nodes":
        nodes = [
            {"id": f"n{place}", "inputs": [f"n{place - 1}" if place else "x"], **layer}
            for place, layer in enumerate(layers)
        ]
        model = {"inputs": ["x"], "nodes": nodes[::-1], "outputs": {"output": f"n{count - 1}"}}
    network = build_model(model, {"x": (2,)})
    assert len(network.blueprint.nodes) == count
    network({"x": torch.randn(3, 2)})["output"].sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    network.load_state_dict(network.state_dict())


def test_what_nobody_reads_any_more_is_freed() -> None:
    """A pass without gradients holds a few values at a time, however many nodes there are."""
    alive: WeakSet[Tensor] = WeakSet()
    most = 0

    def watch(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal most
        alive.add(output)
        most = max(most, len(alive))

    nodes: list[dict[str, Any]] = [{"id": "n0", "kind": "Tanh", "inputs": ["x"]}]
    for place in range(1, 30):
        nodes.append({"id": f"n{place}", "kind": "Tanh", "inputs": [f"n{place - 1}"]})
        nodes.append({"id": f"s{place}", "kind": "add", "inputs": [f"n{place}", f"n{place - 1}"]})
    network = build_model({"inputs": ["x"], "nodes": nodes, "outputs": {"y": "s29"}}, {"x": (2,)})
    for part in network.children():
        part.register_forward_hook(watch)
    with torch.no_grad():
        network({"x": torch.randn(3, 2)})
    assert most == 2


def test_every_problem_is_raised_at_once() -> None:
    layers = [{"kind": "Linear", "out_features": 2, "in_features": 5}, {"kind": "ReLU"}]
    with pytest.raises(InvalidInput) as caught:
        build_model(layers, {"x": (4,)})
    assert [each.pointer for each in caught.value.problems] == ["/layers/0/in_features"]


def test_weights_beyond_memory_are_told_from_other_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutOfMemory):
        build_model([{"kind": "Linear", "out_features": 2**20}], {"x": (2**20,)})  # 4 TiB

    def broken(_blueprint: object) -> BuiltNetwork:
        raise RuntimeError("something else")

    monkeypatch.setattr(builder, "BuiltNetwork", broken)
    with pytest.raises(RuntimeError, match="something else"):
        build_model([{"kind": "ReLU"}], {"x": (2,)})


def test_the_blueprint_is_complete() -> None:
    network = build_model(RESIDUAL, {"x": (4,)})
    assert network.blueprint == infer_model(RESIDUAL, {"x": (4,)}).blueprint
    assert [node.id for node in network.blueprint.nodes] == ["stem", "act", "branch", "sum"]
