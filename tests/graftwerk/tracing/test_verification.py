"""The end of a trace: the client's interpreter is the workers' network, and differences are found."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.spec.network.nodes import NODE_KINDS
from graftwerk.tracing.functions.function_table import NN_FUNCTIONS, PYTHON_OPERATORS, TORCH_FUNCTIONS
from graftwerk.tracing.module_parameters import MODULE_PARAMETERS
from graftwerk.tracing.trace import trace
from graftwerk.tracing.verification.comparison import find_difference
from graftwerk.tracing.verification.interpreter import InterpretedNetwork
from tests.workers.network.kinds.catalog_cases import CASES
from tests.workers.network.networks import Columns, build_model, make_examples

HANDLED = """
    linear conv1d conv2d conv3d embedding reshape flatten squeeze where masked_fill to arange zeros ones full rand randn
    expand index_select gather topk sort interpolate vector_norm einsum scaled_dot_product_attention std var
"""
WRITTEN = {form.kind for table in (TORCH_FUNCTIONS, NN_FUNCTIONS, PYTHON_OPERATORS) for form in table.values()}
KINDS = sorted({*MODULE_PARAMETERS, *WRITTEN, *HANDLED.split()})
UNWRITTEN_FIELDS = {"returns": ("last",)}  # values that tracing never writes
UNWRITTEN = {"init", "parametrization", "return_indices", "return_states", "need_weights"}  # and fields


def written_cases() -> list[tuple[str, Mapping[str, Any], Columns]]:
    return [
        (kind, settings, columns)
        for kind, settings, columns in CASES
        if kind in KINDS
        and not any(settings.get(name) in values for name, values in UNWRITTEN_FIELDS.items())
        and not settings.keys() & {*UNWRITTEN, *NODE_KINDS[kind].references}
        and ("n" not in columns or kind in ("RNN", "GRU", "LSTM"))
    ]


@pytest.mark.parametrize(("kind", "settings", "columns"), written_cases(), ids=lambda value: str(value)[:40])
def test_the_interpreter_computes_what_the_workers_compute(
    kind: str, settings: Mapping[str, Any], columns: Columns
) -> None:
    node = {"id": "node", "kind": kind, "inputs": list(columns), **json.loads(json.dumps(dict(settings)))}
    names = NODE_KINDS[kind].output_names(settings)
    outputs = {name: f"node.{name}" for name in names} or {"output": "node"}
    built = build_model({"inputs": list(columns), "nodes": [node], "outputs": outputs}, columns)
    resolved = node | sizes(built.blueprint.nodes[0].parameters, node)
    document = {"inputs": list(columns), "nodes": [resolved], "outputs": outputs}
    network = InterpretedNetwork(document, {}, built.state_dict())
    values = make_examples(columns)
    if "n" in values:
        values["n"] = torch.tensor([4, 2, 3, 1, 4], dtype=values["n"].dtype)
    for training in (False, True):
        built.train(training)
        network.train(training)
        torch.manual_seed(5)
        wanted = built(values)
        torch.manual_seed(5)
        found = network(*values.values())
        for name in wanted:
            torch.testing.assert_close(found[name], wanted[name], equal_nan=True)


def sizes(parameters: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sizes that the workers infer; tracing writes all of them."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in parameters.items()
        if name not in node and name in MODULE_PARAMETERS.get(str(node["kind"]), ()) and value is not None
    }


class Affine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.norm, self.drop = nn.BatchNorm1d(4), nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.norm(self.b(torch.relu(self.a(x)))))


def difference(change: Any) -> str:
    """Return what is found after a change of the nodes or weights of a right network."""
    torch.manual_seed(0)
    module = Affine()
    traced = trace(module)
    nodes = [dict(node) for node in traced.model["nodes"]]
    weights = dict(traced.weights)
    change(nodes, weights, module)
    examples = [(torch.randn(rows, 4),) for rows in (3, 4, 6)]
    return find_difference(module, {**traced.model, "nodes": nodes}, weights, examples)


def set_field(place: int, name: str, value: Any) -> Any:
    return lambda nodes, weights, module: nodes[place].__setitem__(name, value)


def untie(nodes: Any, weights: Any, module: Affine) -> None:
    module.b.weight = module.a.weight
    weights["b.weight"] = weights["a.weight"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda nodes, weights, module: None, ""),
        (set_field(1, "kind", "abs"), "in evaluation"),
        (set_field(4, "p", 0.25), "in training"),
        (set_field(3, "momentum", 0.3), "after one step"),
        (set_field(3, "inputs", ["a"]), "in evaluation"),
        (lambda nodes, weights, module: module.a.weight.requires_grad_(False), "the gradient of the network"),
        (untie, "the gradient of the network"),
        (lambda nodes, weights, module: weights.update({"b.bias": weights["b.bias"] + 1e-3}), "in evaluation"),
        (lambda nodes, weights, module: nodes.append({"id": "s", "kind": "sum", "inputs": ["drop"]}), "gives ()"),
    ],
)
def test_every_difference_is_found(change: Any, words: str) -> None:
    found = difference(change)
    assert bool(found) == bool(words)
    assert words in found
