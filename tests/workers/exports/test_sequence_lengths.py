"""Graphs of networks that read sequences: of any length, or of one."""

from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch

from app.errors import NotExportable
from app.spec.data.columns import Column, DataSchema
from tests.workers.exports.test_catalog import FILE_NAMES
from tests.workers.network.networks import parse_model
from workers.exports.catalog import export_graph
from workers.network.runtime.build import build

EMBEDDING_NODE = {"id": "tokens", "kind": "Embedding", "inputs": ["text"], "embedding_dim": 8}
OUTPUT_NODE = {"id": "scores", "kind": "Linear", "inputs": ["pooled"], "out_features": 2}
SEQUENCE_NODES: dict[str, list[dict[str, Any]]] = {
    "attention": [
        EMBEDDING_NODE,
        {"id": "placed", "kind": "add_sinusoids", "inputs": ["tokens"]},
        {
            "id": "read",
            "kind": "TransformerEncoderLayer",
            "inputs": ["placed", "text_length"],
            "nhead": 2,
            "dim_feedforward": 8,
        },
        {"id": "pooled", "kind": "pool_sequence", "inputs": ["read", "text_length"], "by": "max"},
        OUTPUT_NODE,
    ],
    "convolution": [
        EMBEDDING_NODE,
        {"id": "turned", "kind": "transpose", "inputs": ["tokens"], "dim0": 1, "dim1": 2},
        {"id": "kernel", "kind": "Conv1d", "inputs": ["turned"], "out_channels": 8, "kernel_size": 3, "padding": 1},
        {"id": "pooled", "kind": "amax", "inputs": ["kernel"], "dim": 2},
        OUTPUT_NODE,
    ],
    "places": [
        EMBEDDING_NODE,
        {"id": "places", "kind": "arange", "inputs": ["text"]},
        {"id": "learned", "kind": "Embedding", "inputs": ["places"], "embedding_dim": 8},
        {"id": "sum", "kind": "add", "inputs": ["tokens", "learned"]},
        {"id": "pooled", "kind": "mean", "inputs": ["sum"], "dim": 1},
        OUTPUT_NODE,
    ],
}
TEXTS = DataSchema(
    columns=(
        Column(name="text", shape=(12,), dtype="int64", classes=30, ragged=True),
        Column(name="text_length", dtype="int64"),
    ),
    rows={"train": 8},
    inputs=("text", "text_length"),
)


@pytest.mark.parametrize("form", FILE_NAMES)
@pytest.mark.parametrize("name", SEQUENCE_NODES)
def test_sequences_may_have_any_length(name: str, form: str, tmp_path: Path) -> None:
    model = parse_model({"inputs": ["text", "text_length"], "nodes": SEQUENCE_NODES[name]})
    network = build(model, TEXTS, TEXTS.inputs).eval()
    path = tmp_path / FILE_NAMES[form]
    assert export_graph(model, TEXTS, TEXTS.inputs, network.state_dict(), form, path) <= 1e-5
    session = onnxruntime.InferenceSession(path) if form == "onnx" else None
    module = torch.export.load(path).module() if session is None else None
    for count, length in ((1, 1), (2, 5), (4, 12), (5, 11)):
        lengths = torch.randint(1, length + 1, (count,))
        values = {"text": torch.randint(0, 30, (count, length)), "text_length": lengths}
        wanted = network(values)["output"]
        if session is not None:
            fed = {item.name: values[item.name].numpy() for item in session.get_inputs()}
            found = torch.as_tensor(session.run(None, fed)[0])
        else:
            assert module is not None
            found = module(*values.values())
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", FILE_NAMES)
def test_steps_are_written_out_for_one_length_alone(form: str, tmp_path: Path) -> None:
    nodes = [
        EMBEDDING_NODE,
        {"id": "pooled", "kind": "GRU", "inputs": ["tokens", "text_length"], "hidden_size": 3, "returns": "last"},
        OUTPUT_NODE,
    ]
    model = parse_model({"inputs": ["text", "text_length"], "nodes": nodes})
    weights = build(model, TEXTS, TEXTS.inputs).state_dict()
    path = tmp_path / FILE_NAMES[form]
    with pytest.raises(NotExportable, match="its steps are unrolled"):
        export_graph(model, TEXTS, TEXTS.inputs, weights, form, path)
    text, length = TEXTS.columns
    fixed = (text.model_copy(update={"ragged": False, "padded": True, "shape": (5,)}), length)
    assert export_graph(model, TEXTS.model_copy(update={"columns": fixed}), TEXTS.inputs, weights, form, path) <= 1e-5
