"""`model.py`, where names and forms are unusual; that every kind is written right is in `test_catalog`."""

import ast
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from tests.workers.network.networks import Columns, Model, build_model, import_source, make_examples
from tests.workers.network.runtime.test_build import LEAVES, RESIDUAL
from workers.network.analysis.dependencies import prune_to_outputs
from workers.network.codegen.source import write_source


def assert_source_matches(model: Model, columns: Columns, folder: Path) -> Any:
    """Compare a network with its source, and return what the source's network gives."""
    network = build_model(model, columns).eval()
    other = import_source(network, folder, seed=9)
    other.load_state_dict(network.state_dict(), strict=True)
    values = make_examples(columns)
    outputs, found = network(values), other.eval()(*values.values())
    named = found if isinstance(found, dict) else {"output": found}
    assert all(value.equal(named[name]) for name, value in outputs.items())
    assert len(named) == len(outputs)
    return found


def test_one_output_is_a_tensor_and_several_are_a_dict(tmp_path: Path) -> None:
    assert list(assert_source_matches(RESIDUAL, {"x": (4,)}, tmp_path)) == ["y", "same", "inner", "raw"]
    single = RESIDUAL | {"outputs": {"output": "sum"}}
    assert isinstance(assert_source_matches(single, {"x": (4,)}, tmp_path), Tensor)


def test_leaves(tmp_path: Path) -> None:
    assert_source_matches(LEAVES, {"x": (4,)}, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "class",
        "None",
        "lambda",
        "match",
        "self",
        "torch",
        "nn",
        "Tensor",
        "Sequence",
        "reshape",
        "attend",
        "run_recurrent",
        "Network",
        "dict",
        "super",
        "print",
        "forward",
        "__debug__",
        "_",
        "__x",
        "pack_padded_sequence",
    ],
)
@pytest.mark.parametrize("node", ["h", "torch_", "nn_", "class_", "Tensor_"])
def test_inputs_and_outputs_may_have_any_name(name: str, node: str, tmp_path: Path) -> None:
    nodes = [
        {"id": node, "kind": "GRU", "inputs": [name], "hidden_size": 4},
        {"id": "r", "kind": "reshape", "inputs": [node], "shape": [0, -1]},
        {"id": "y", "kind": "relu", "inputs": ["r"]},
    ]
    assert_source_matches(
        {"inputs": [name], "nodes": nodes, "outputs": {name: "y", "other": node}}, {name: (3, 2)}, tmp_path
    )


@pytest.mark.parametrize(
    "name", ["torch", "nn", "Tensor", "Sequence", "reshape", "attend", "Network", "print", "super"]
)
def test_nodes_may_be_called_like_what_the_source_uses(name: str, tmp_path: Path) -> None:
    nodes = [
        {"id": name, "kind": "Linear", "inputs": ["x"], "out_features": 4},
        {"id": "a", "kind": "MultiheadAttention", "inputs": [name], "num_heads": 2},
        {"id": "c", "kind": "cat", "inputs": ["a", name]},
        {"id": "r", "kind": "reshape", "inputs": ["c"], "shape": [0, -1]},
    ]
    assert_source_matches({"inputs": ["x"], "nodes": nodes}, {"x": (3, 2)}, tmp_path)


def test_a_layer_may_be_called_like_the_input(tmp_path: Path) -> None:
    assert_source_matches([{"kind": "Linear", "out_features": 4, "id": "x"}, {"kind": "ReLU"}], {"x": (3,)}, tmp_path)


def test_the_whole_file(tmp_path: Path) -> None:
    layers = [
        {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3},
        {"kind": "ReLU"},
        {"kind": "Flatten"},
        {"kind": "Linear", "out_features": 2},
    ]
    source = write_source(build_model(layers, {"image": (1, 8, 8)}))
    body = source.partition('"""\n\n')[2]
    assert (
        body
        == """\
import torch
from torch import Tensor, nn


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv2d1 = nn.Conv2d(in_channels=1, out_channels=4, kernel_size=3)
        self.relu1 = nn.ReLU()
        self.flatten1 = nn.Flatten()
        self.linear1 = nn.Linear(in_features=144, out_features=2)

    def forward(self, image: Tensor) -> Tensor:
        conv2d1 = self.conv2d1(image)
        relu1 = self.relu1(conv2d1)
        flatten1 = self.flatten1(relu1)
        linear1 = self.linear1(flatten1)
        return linear1
"""
    )


def test_the_source_needs_nothing_but_torch(tmp_path: Path) -> None:
    nodes = [
        {"id": "g", "kind": "GRU", "inputs": ["x", "n"], "hidden_size": 4},
        {"id": "a", "kind": "MultiheadAttention", "inputs": ["g"], "num_heads": 2},
        {"id": "r", "kind": "reshape", "inputs": ["a"], "shape": [0, -1]},
    ]
    columns = {"x": (3, 2), "n": ((), "int64")}
    model: Model = {"inputs": ["x", "n"], "nodes": nodes}
    assert_source_matches(model, columns, tmp_path)
    tree = ast.parse(write_source(build_model(model, columns)))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports}
    assert modules == {"collections.abc", "torch", "torch.nn.utils.rnn"}
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    helpers = {"run_padded", "first_states", "last_output", "padding_mask", "attention_mask"}
    assert defined == {"Network", "__init__", "forward", "run_recurrent", "attend", "reshape"} | helpers
    assert not {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & {"exec", "eval", "__import__"}


def test_a_policy_reads_what_it_acts_by_alone(tmp_path: Path) -> None:
    nodes = [
        {"id": "forward_", "kind": "block", "name": "Actor", "inputs": ["observation"]},
        {"id": "policy", "kind": "tanh", "inputs": ["forward_"]},
        {"id": "both", "kind": "cat", "inputs": ["observation", "action"]},
        {"id": "value", "kind": "Linear", "inputs": ["both"], "out_features": 1},
    ]
    blocks = {"Actor": {"layers": [{"kind": "Linear", "out_features": 2}]}}
    outputs = {"value": "value", "action": "policy"}
    model = {"inputs": ["observation", "action"], "nodes": nodes, "outputs": outputs, "blocks": blocks}
    columns: Columns = {"observation": (3,), "action": (2,)}
    network, values = build_model(model, columns).eval(), make_examples(columns)
    policy = import_source(network, tmp_path, seed=9, policy=prune_to_outputs(network.blueprint, ("action",)))
    policy.load_state_dict(network.state_dict(), strict=True)
    assert policy.eval()(values["observation"]).equal(network(values)["action"])
    assert "class Policy" not in write_source(network)
