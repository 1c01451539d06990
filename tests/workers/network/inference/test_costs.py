"""Weights and operations are those that torch counts."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from app.spec.network.network import KINDS
from tests.workers.network.networks import Columns, built, drafted, examples
from workers.network.inference.costs import FLOPS, WEIGHTS, flops, weights
from workers.network.inference.sizes import BATCH

IMAGE, SEQUENCE = {"x": (4, 6, 6)}, {"x": (5, 6)}
DEEP = {"hidden_size": 3, "num_layers": 3, "bidirectional": True}

CASES: list[tuple[str, Mapping[str, Any], Columns]] = [
    ("Linear", {"out_features": 7}, SEQUENCE),
    ("Bilinear", {"out_features": 7}, {"x": (5, 6), "y": (5, 3)}),
    ("Embedding", {"num_embeddings": 9, "embedding_dim": 4}, {"x": ((5,), "int64")}),
    ("Conv1d", {"out_channels": 6, "kernel_size": 2, "stride": 2}, SEQUENCE),
    ("Conv2d", {"out_channels": 6, "kernel_size": (3, 2), "groups": 2, "padding": 1}, IMAGE),
    ("Conv3d", {"out_channels": 6, "kernel_size": 2}, {"x": (2, 4, 4, 4)}),
    ("ConvTranspose1d", {"out_channels": 6, "kernel_size": 2, "stride": 2}, SEQUENCE),
    ("ConvTranspose2d", {"out_channels": 6, "kernel_size": 3, "groups": 2, "padding": 1}, IMAGE),
    ("ConvTranspose3d", {"out_channels": 6, "kernel_size": 2}, {"x": (2, 4, 4, 4)}),
    *((kind, settings, SEQUENCE) for kind in ("RNN", "GRU", "LSTM") for settings in ({"hidden_size": 3}, DEEP)),
    ("MultiheadAttention", {"num_heads": 2}, SEQUENCE),
    ("TransformerEncoderLayer", {"nhead": 2, "dim_feedforward": 9}, SEQUENCE),
    ("LayerNorm", {"normalized_shape": (5, 6)}, SEQUENCE),
    ("RMSNorm", {}, SEQUENCE),
    ("Parameter", {"shape": (2, 3)}, SEQUENCE),
    ("Buffer", {"shape": (2, 3)}, SEQUENCE),
]
VECTORS = frozenset({"LayerNorm", "RMSNorm"})  # their main weights have one dimension per dimension normalised
COUNTED = frozenset({"Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"})


def model(kind: str, settings: Mapping[str, Any], columns: Columns) -> dict[str, Any]:
    inputs = list(columns) if KINDS[kind].inputs != (0, 0) else []
    return {"inputs": list(columns), "nodes": [{"id": "node", "kind": kind, "inputs": inputs, **settings}]}


def test_every_formula_has_a_case() -> None:
    assert {kind for kind, _, _ in CASES} == WEIGHTS.keys()
    assert FLOPS.keys() <= KINDS.keys()


@pytest.mark.parametrize(("kind", "settings", "columns"), CASES)
def test_main_weights(kind: str, settings: Mapping[str, Any], columns: Columns) -> None:
    network = built(model(kind, settings, columns), columns)
    state = network.state_dict()
    named = [value for name, value in state.items() if kind not in VECTORS or "weight" in name]
    main = sum(value.numel() for value in named if value.ndim > 1 or kind in VECTORS)
    assert weights(kind, network.blueprint.nodes[0].parameters) == main


@pytest.mark.parametrize(("kind", "settings", "columns"), [case for case in CASES if case[0] in COUNTED])
def test_operations_are_those_of_a_forward_pass(kind: str, settings: Mapping[str, Any], columns: Columns) -> None:
    (trace,) = drafted(model(kind, settings, columns), columns).traces
    shapes = [value.shape for value in trace.inputs]
    network, values = built(model(kind, settings, columns), columns), examples(columns)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(values)
    count = len(next(iter(values.values())))
    assert flops(kind, trace.node.parameters, shapes, trace.output.shape) * count == counter.get_total_flops() * BATCH


def test_operations_of_matrices_attention_and_the_rest() -> None:
    assert flops("matmul", {}, [(8, 3, 4), (8, 4, 5)], (8, 3, 5)) == 8 * 3 * 5 * 4 * 2
    attention = flops("MultiheadAttention", {"embed_dim": 6}, [(8, 5, 6)], (8, 5, 6))
    assert attention == 8 * 5 * (4 * 6 * 6) * 2 + 8 * (5 * 5 * 6) * 2 * 2
    assert flops("GRU", {"hidden_size": 3, "num_layers": 1, "bidirectional": False, "input_size": 6}, [(8, 5,
    6)], ()) == (
        8 * 5 * 3 * 3 * (6 + 3) * 2)  # fmt: skip
    assert flops("ReLU", {}, [(8, 5)], (8, 5)) == 40
    assert flops("Parameter", {}, [], (8, 5)) == 0
