"""Graphs for other programs: what they compute, and what has none."""

from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch

from app.errors import MissingDependency, NotExportable
from tests.workers.network.networks import Columns, Model, build_model, make_examples, parse_model, schema
from tests.workers.network.runtime.test_build import LEAVES, RESIDUAL
from workers.exports import catalog
from workers.exports.catalog import export_graph
from workers.exports.program import ExportCase, RunExported
from workers.network.runtime.build import BuiltNetwork

FILE_NAMES = {"onnx": "model.onnx", "torch_export": "model.pt2"}
TOLERANCE = 1e-4
WORDS = {"words": ((6,), "int64")}
TEXT: list[Any] = [
    {"kind": "Embedding", "num_embeddings": 9, "embedding_dim": 8},
    {"kind": "LSTM", "hidden_size": 6, "returns": "last", "bidirectional": True},
    {"kind": "Linear", "out_features": 3},
]
IMAGES: list[Any] = [
    {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3},
    {"kind": "BatchNorm2d"},
    {"kind": "ReLU"},
    {"kind": "MaxPool2d", "kernel_size": 2},
    {"kind": "Dropout"},
    {"kind": "Flatten"},
    {"kind": "Linear", "out_features": 3},
]
ATTENTION: list[Any] = [
    {"kind": "TransformerEncoderLayer", "nhead": 2, "dim_feedforward": 16},
    {"kind": "mean", "dim": 1},
    {"kind": "Linear", "out_features": 3},
]
STEP = {
    "inputs": ["h", "x"],
    "nodes": [{"id": "sum", "kind": "add", "inputs": ["h", "x"]}, {"id": "new", "kind": "tanh", "inputs": ["sum"]}],
    "outputs": {"h": "new", "y": "new"},
}
FIXED_ITERATIONS = {
    "inputs": ["x"],
    "nodes": [
        {"id": "first", "kind": "select", "inputs": ["x"], "dim": 1, "index": 0},
        {"id": "scan", "kind": "Scan", "over": ["x"], "carry": ["first"], "body": STEP},
        {
            "id": "again",
            "kind": "Repeat",
            "times": 3,
            "inputs": ["scan.h"],
            "body": {"layers": [{"kind": "Linear", "out_features": 4}, {"kind": "Tanh"}]},
        },
    ],
    "outputs": {"last": "again", "all": "scan.y"},
}
RAGGED = {
    "inputs": ["x", "h", "n"],
    "outputs": {"last": "scan.h", "all": "scan.y"},
    "nodes": [{"id": "scan", "kind": "Scan", "over": ["x"], "carry": ["h"], "lengths": "n", "body": STEP}],
}
HALF = {"layers": [{"kind": "Linear", "out_features": 4}]}
DATA_DEPENDENT = {
    "inputs": ["x"],
    "nodes": [
        {"id": "total", "kind": "sum", "inputs": ["x"]},
        {"id": "big", "kind": "gt", "inputs": ["total"], "scalar": 0.0},
        {"id": "choice", "kind": "If", "predicate": "big", "inputs": ["x"], "then": HALF},
        {
            "id": "loop",
            "kind": "While",
            "inputs": ["choice"],
            "body": HALF,
            "condition": {
                "inputs": ["x"],
                "nodes": [
                    {"id": "s", "kind": "sum", "inputs": ["x"]},
                    {"id": "c", "kind": "lt", "inputs": ["s"], "scalar": 1.0},
                ],
            },
        },
    ],
}
LENGTHS = {
    "inputs": ["x", "n"],
    "nodes": [
        {"id": "all", "kind": "GRU", "inputs": ["x", "n"], "hidden_size": 4, "bidirectional": True},
        {"id": "last", "kind": "LSTM", "inputs": ["all", "n"], "hidden_size": 3, "returns": "last"},
    ],
    "outputs": {"all": "all", "last": "last"},
}
PAIRED = {
    "inputs": ["x", "y"],
    "nodes": [
        {"id": "take", "kind": "maximum", "inputs": ["x", "y"]},
        {"id": "back", "kind": "flip", "inputs": ["take"], "dims": [1]},
    ],
}
UNPOOLED = {
    "inputs": ["image"],
    "nodes": [
        {"id": "pool", "kind": "MaxPool2d", "inputs": ["image"], "kernel_size": 3, "return_indices": True},
        {
            "id": "back",
            "kind": "MaxUnpool2d",
            "inputs": ["pool", "pool.indices"],
            "kernel_size": 3,
            "output_size": [8, 8],
        },
        {"id": "over", "kind": "MaxPool2d", "inputs": ["back"], "kernel_size": 2, "stride": 1, "return_indices": True},
    ],
    "outputs": {"back": "back", "over": "over", "places": "over.indices"},
}
NETWORKS: dict[str, tuple[Model, Columns]] = {
    "images": (IMAGES, {"image": (1, 8, 8)}),
    "weights": ([{"kind": "Linear", "out_features": 8, "parametrization": "spectral_norm"}], {"image": (8,)}),
    "unpooled": (UNPOOLED, {"image": (2, 8, 8)}),
    "text": (TEXT, WORDS),
    "attention": (ATTENTION, {"x": (5, 8)}),
    "residual": (RESIDUAL, {"x": (4,)}),
    "leaves": (LEAVES, {"x": (4,)}),
    "turns": (FIXED_ITERATIONS, {"x": (5, 4)}),
    "ragged": (RAGGED, {"x": (5, 4), "h": (4,), "n": ((), "int64")}),
    "lengths": (LENGTHS, {"x": (3, 4), "n": ((), "int64")}),
    "paired": (PAIRED, {"x": (4,), "y": (4,)}),
}


def export_model(model: Model, columns: Columns, form: str, folder: Path) -> tuple[BuiltNetwork, Path, float]:
    """Export a network with weights of its own; returns it, the file, and the difference that is told."""
    network = build_model(model, columns, seed=3).eval()
    path = folder / FILE_NAMES[form]
    told = export_graph(parse_model(model), schema(columns), tuple(columns), network.state_dict(), form, path)
    return network, path, told


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_gives_what_the_network_gives(name: str, tmp_path: Path) -> None:
    model, columns = NETWORKS[name]
    network, path, told = export_model(model, columns, "onnx", tmp_path)
    assert told <= TOLERANCE
    session = onnxruntime.InferenceSession(path)
    assert list(tmp_path.iterdir()) == [path]
    for count in (1, 4, 7):
        values = make_examples(columns, count)
        fed = {item.name: values[item.name].numpy() for item in session.get_inputs()}
        wanted = network(values)
        found = session.run(list(wanted), fed)
        for value, expected in zip(found, wanted.values(), strict=True):
            torch.testing.assert_close(torch.as_tensor(value), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", NETWORKS)
def test_torch_export_gives_what_the_network_gives(name: str, tmp_path: Path) -> None:
    model, columns = NETWORKS[name]
    network, path, told = export_model(model, columns, "torch_export", tmp_path)
    assert told <= 1e-6
    program = torch.export.load(path)
    assert program.state_dict.keys() == network.state_dict().keys()
    module = program.module()
    for count in (1, 4, 7):
        values = make_examples(columns, count)
        found = module(*values.values())
        several = found if isinstance(found, tuple) else (found,)
        for value, expected in zip(several, network(values).values(), strict=True):
            torch.testing.assert_close(value, expected, rtol=0, atol=1e-6)


def export_problems(model: Model, columns: Columns, form: str, folder: Path) -> list[tuple[str, str]]:
    with pytest.raises(NotExportable) as caught:
        export_model(model, columns, form, folder)
    assert {problem.code for problem in caught.value.problems} == {"not_exportable"}
    assert not list(folder.iterdir())
    return [(problem.pointer, problem.detail) for problem in caught.value.problems]


@pytest.mark.parametrize("form", FILE_NAMES)
def test_every_node_that_the_data_decides_about_is_named(form: str, tmp_path: Path) -> None:
    (choice, loop) = export_problems(DATA_DEPENDENT, {"x": (4,)}, form, tmp_path)
    assert choice == ("/model/nodes/2", "choice (If) has no fixed graph: which branch runs depends on the data")
    assert loop == ("/model/nodes/3", "loop (While) has no fixed graph: how often the body runs depends on the data")


def test_random_numbers_are_no_fixed_graph(tmp_path: Path) -> None:
    (found,) = export_problems([{"kind": "randn_like"}], {"x": (4,)}, "onnx", tmp_path)
    assert found[1].endswith("it draws new random numbers in every run")


def test_nodes_in_bodies_are_named_by_their_path(tmp_path: Path) -> None:
    block = {"inputs": ["x"], "nodes": DATA_DEPENDENT["nodes"][:3]}
    model = {"nodes": [{"id": "part", "kind": "block", "name": "Part", "inputs": ["x"]}], "blocks": {"Part": block}}
    (found,) = export_problems(model, {"x": (4,)}, "onnx", tmp_path)
    assert found[0] == "/model/blocks/Part/nodes/2"
    assert found[1].startswith("part/choice (If)")


def test_a_told_number_of_turns_is_no_fixed_graph(tmp_path: Path) -> None:
    nodes = [{"id": "again", "kind": "Repeat", "times": "n", "inputs": ["x"], "body": HALF}]
    model = {"inputs": ["x", "n"], "nodes": [{"id": "most", "kind": "amax", "inputs": ["n"]}, *nodes]}
    nodes[0]["times"] = "most"
    (found,) = export_problems(model, {"x": (4,), "n": ((), "int64")}, "onnx", tmp_path)
    assert "a node computes how often the body runs" in found[1]


def test_a_node_that_an_exporter_refuses_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = catalog.GRAPH_WRITERS["torch_export"]

    def picky(case: ExportCase, path: Path) -> RunExported:
        if any(node.kind == "LSTM" for node in case.graph.blueprint.nodes):
            raise RuntimeError("no such operator\nand a long story")
        return real(case, path)

    monkeypatch.setattr(catalog, "GRAPH_WRITERS", {"torch_export": picky})
    (found,) = export_problems(TEXT, WORDS, "torch_export", tmp_path)
    assert found == ("/model/layers/1", "lstm1 (LSTM) has no fixed graph: no such operator")


def test_a_full_memory_is_no_fault_of_the_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def greedy(case: ExportCase, path: Path) -> RunExported:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(catalog, "GRAPH_WRITERS", {"torch_export": greedy})
    with pytest.raises(MemoryError):
        export_model(IMAGES, {"image": (1, 8, 8)}, "torch_export", tmp_path)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(catalog, "PACKAGES", {"onnx": ("onnx", "no_such_package")})
    with pytest.raises(MissingDependency, match="lacks the packages no_such_package") as caught:
        export_model(IMAGES, {"image": (1, 8, 8)}, "onnx", tmp_path)
    assert "graftwerk[onnx]" in caught.value.hint
