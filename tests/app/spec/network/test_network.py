"""Names and wiring of a network, in both forms."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from app.spec.network.network import Network
from app.spec.network.validation import check_network

RELU = {"kind": "ReLU"}


def node(name: str | None, kind: str = "ReLU", inputs: Iterable[str] = ("x",), **fields: Any) -> dict[str, Any]:
    named = {} if name is None else {"id": name}
    return {"kind": kind, "inputs": list(inputs), **named, **fields}


def network(*nodes: Mapping[str, Any], **parts: Any) -> dict[str, Any]:
    return {"inputs": ["x"], "nodes": list(nodes), **parts}


def problems(document: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return the problems of a network on the columns x and y: pointer, code, detail, hint."""
    found = check_network(Network.model_validate(document), ("x", "y"), ("x",))
    return [(each.pointer, each.code, each.detail, each.hint) for each in found]


FORM, ARITY, DUPLICATE = "network_form", "arity", "duplicate_id"
EITHER = "a network has either layers or nodes"

# (network, pointer, code, detail, hint)
MISTAKES: list[tuple[dict[str, Any], str, str, str, str]] = [
    ({}, "", FORM, EITHER, 'add "layers": […]'),
    ({"layers": [RELU], "nodes": [node("a")]}, "", FORM, EITHER, "remove layers or nodes"),
    (
        {"layers": [RELU], "outputs": {"y": "relu1"}},
        "/outputs",
        FORM,
        "a chain of layers has one output, its last layer",
        "remove outputs, or write the network with nodes",
    ),
    (
        {"layers": [RELU], "inputs": ["x", "y"]},
        "/inputs",
        FORM,
        "a chain of layers has one input",
        "write the network with nodes",
    ),
    (
        {"layers": [RELU | {"inputs": ["x"]}]},
        "/layers/0/inputs",
        FORM,
        "a layer reads the layer before it and has no inputs",
        "remove inputs, or write the network with nodes",
    ),
    ({"layers": [RELU], "inputs": ["z"]}, "/inputs/0", "unknown_input", 'the data has no field "z"', "one of: x, y"),
    (
        network(node("a"), inputs=["xx"]) | {"nodes": [node("a", inputs=["xx"])]},
        "/inputs/0",
        "unknown_input",
        'the data has no field "xx"',
        'did you mean "x"?',
    ),
    (network(node("a"), inputs=["x", "y", "x"]), "/inputs/2", "duplicate_id", '"x" is listed twice', "remove it"),
    # Ids
    (
        {"layers": [RELU | {"id": "a"}, RELU | {"id": "a"}]},
        "/layers/1/id",
        DUPLICATE,
        'the id "a" is taken by /layers/0',
        'use "relu1"',
    ),
    (
        {"layers": [RELU | {"id": "relu2"}, RELU]},
        "/layers/1/id",
        DUPLICATE,
        'the id "relu2" is taken by /layers/0',
        'use "relu1"',
    ),
    (network(node("a"), node("a")), "/nodes/1/id", "duplicate_id", 'the id "a" is taken by /nodes/0', 'use "relu1"'),
    (
        network(node("x", inputs=["y"]), inputs=["x", "y"]),
        "/nodes/0/id",
        DUPLICATE,
        '"x" is an input of the network',
        'use "relu1"',
    ),
    (network(node(None)), "/nodes/0/id", "missing", '"id" is required', 'add "id": "relu1"'),
    *(
        (document, place, "reserved_id", f'a node cannot have the id "{name}", which is reserved', 'use "relu1"')
        for name in ("forward", "train", "class", "None", "blueprint", "_plan", "__init__", "_")
        for document, place in (
            (network(node(name)), "/nodes/0/id"),
            ({"layers": [RELU | {"id": name}]}, "/layers/0/id"),
        )
    ),
    # Wiring
    (
        network(node("block_one"), node("b", inputs=["block_ome"])),
        "/nodes/1/inputs/0",
        "unknown_node",
        '"block_ome" is neither a node nor an input',
        'did you mean "block_one"?',
    ),
    (
        network(node("a"), outputs={"y": "b"}),
        "/outputs/y",
        "unknown_node",
        'output "y" names "b", which is not a node',
        "one of: x, a",
    ),
    (
        network(node("a", "MaxPool1d", kernel_size=2), node("b", "MaxUnpool1d", ["a", "a.indices"], kernel_size=2)),
        "/nodes/1/inputs/1",
        "unknown_output",
        '"a.indices": but a has no named outputs',
        'set "return_indices": true in a',
    ),
    (
        network(node("a", "Linear", out_features=2), outputs={"y": "a.indices"}),
        "/outputs/y",
        "unknown_node",
        'output "y" names "a.indices", but a has no named outputs',
        "one of: a",
    ),
    (
        network(node("a", inputs=["b"]), node("b", inputs=["a"]), node("c")),
        "/nodes/0/inputs",
        "cycle",
        "there is a cycle among a, b",
        "remove one of the references",
    ),
    (
        network(node("a", "add", ["x", "a"])),
        "/nodes/0/inputs",
        "cycle",
        "there is a cycle among a",
        "remove one of the references",
    ),
    # Arity
    (network(node("a", "ReLU", [])), "/nodes/0/inputs", ARITY, "ReLU takes 1 input and has 0", 'add "inputs": ["x"]'),
    (
        network(node("a", "ReLU", ["x", "x"])),
        "/nodes/0/inputs",
        ARITY,
        "ReLU takes 1 input and has 2",
        "keep 1 of them, or join them by cat",
    ),
    (
        network(node("a", "GRU", ["x", "x", "x"], hidden_size=2)),
        "/nodes/0/inputs",
        ARITY,
        "GRU takes 1 to 2 inputs and has 3",
        "keep 2 of them",
    ),
    (
        network(node("a", "add")),
        "/nodes/0/inputs",
        ARITY,
        "add takes 2 inputs and has 1",
        'name 1 more, or give a "scalar"',
    ),
    (
        network(node("a", "add", ["x", "x"], scalar=1)),
        "/nodes/0/inputs",
        ARITY,
        "add takes 1 input and has 2",
        'keep 1 of them, or remove "scalar"',
    ),
    (network(node("a", "cat")), "/nodes/0/inputs", ARITY, "cat takes 2 to 1024 inputs and has 1", "name 1 more"),
    (
        network(node("a", "Constant", ["x"], value=1)),
        "/nodes/0/inputs",
        ARITY,
        "Constant takes 0 inputs and has 1",
        "remove inputs",
    ),
    (
        {"layers": [{"kind": "maximum"}]},
        "/layers/0",
        ARITY,
        "maximum takes 2 inputs and a layer has one",
        "write the network with nodes",
    ),
    (
        {"layers": [{"kind": "Constant", "value": 1}]},
        "/layers/0",
        ARITY,
        "Constant takes 0 inputs and a layer has one",
        "write the network with nodes",
    ),
    (
        {"layers": [{"kind": "mul"}]},
        "/layers/0",
        ARITY,
        "mul takes 2 inputs and a layer has one",
        'write the network with nodes or give a "scalar"',
    ),
]


@pytest.mark.parametrize(("document", "place", "code", "detail", "hint"), MISTAKES)
def test_a_mistake(document: dict[str, Any], place: str, code: str, detail: str, hint: str) -> None:
    assert problems(document) == [(place, code, detail, hint)]


def test_all_mistakes_at_once() -> None:
    nodes = [node("a", inputs=["q"]), node("a", "add"), node("eval"), node(None)]
    found = problems(network(*nodes, inputs=["z"], outputs={"y": "nowhere"}))
    assert {place for place, *_ in found} == {
        "/inputs/0",
        "/nodes/0/inputs/0",
        "/nodes/1/id",
        "/nodes/1/inputs",
        "/nodes/2/id",
        "/nodes/3/id",
        "/outputs/y",
    } | {f"/nodes/{place}/inputs/0" for place in (1, 2, 3)}


@pytest.mark.parametrize(
    "document",
    [
        {"layers": [RELU, {"kind": "add", "scalar": 1}, {"kind": "Linear", "out_features": 3, "id": "x"}]},
        {"layers": [RELU], "inputs": ["y"]},
        network(node("b", inputs=["a"]), node("a")),
        network(node("p", "Parameter", [], shape=[2]), node("s", "add", ["x", "p"]), outputs={"one": "s", "two": "x"}),
        network(node("both", "add", ["x", "y"]), inputs=["y", "x"]),
        network(node("lambda_"), node("match"), node("a_b1")),
    ],
)
def test_what_is_in_order(document: dict[str, Any]) -> None:
    assert problems(document) == []


def test_layers_are_a_chain_with_names() -> None:
    layers = [{"kind": "Linear", "out_features": 3}, RELU, {"kind": "Linear", "out_features": 3}, RELU | {"id": "last"}]
    chain = Network.model_validate({"layers": layers})
    assert [(placed.id, placed.inputs, placed.pointer) for placed in chain.wired_nodes(("a", "b"))] == [
        ("linear1", ("a",), "/layers/0"),
        ("relu1", ("linear1",), "/layers/1"),
        ("linear2", ("relu1",), "/layers/2"),
        ("last", ("linear2",), "/layers/3"),
    ]
    assert chain.output_names() == {"output": "last"}
    assert chain.input_names(("a", "b")) == ("a",)
    named = Network.model_validate({"layers": layers, "inputs": ["b"]})
    assert named.input_names(("a", "b")) == ("b",)
    assert named.wired_nodes(("a", "b"))[0].inputs == ("b",)


def test_nodes_have_the_last_one_written_as_output_unless_told_otherwise() -> None:
    document = network(node("b", inputs=["a"]), node("a"))
    assert Network.model_validate(document).output_names() == {"output": "a"}
    assert Network.model_validate(document | {"outputs": {"y": "b"}}).output_names() == {"y": "b"}
    assert Network.model_validate({"nodes": [node("a")]}).input_names(("p", "q")) == ("p", "q")
