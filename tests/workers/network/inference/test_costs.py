"""Weights and operations are those that torch counts."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from app.spec.network.nodes import NODE_KINDS
from tests.workers.network.networks import Columns, build_model, infer_model, make_examples
from workers.network.inference.costs import FLOP_COUNTS, WEIGHT_COUNTS, count_weights, flops
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE

IMAGE, SEQUENCE = {"x": (4, 6, 6)}, {"x": (5, 6)}
PAIR = {"x": (5, 6), "y": (4, 6)}
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
    ("TransformerDecoderLayer", {"nhead": 2, "dim_feedforward": 9}, PAIR),
    ("TransformerEncoder", {"nhead": 2, "dim_feedforward": 9, "num_layers": 3}, SEQUENCE),
    ("TransformerDecoder", {"nhead": 2, "dim_feedforward": 9, "num_layers": 3}, PAIR),
    ("Transformer", {"nhead": 2, "dim_feedforward": 9, "num_encoder_layers": 3, "num_decoder_layers": 2}, PAIR),
    ("MultiheadAttention", {"num_heads": 2, "kdim": 3, "vdim": 4}, {"x": (5, 6), "y": (4, 3), "z": (4, 4)}),
    ("LSTM", DEEP | {"proj_size": 2}, SEQUENCE),
    (
        "AdaptiveLogSoftmaxWithLoss",
        {"n_classes": 20, "cutoffs": [3, 8], "div_value": 1.7},
        {"x": (6,), "y": ((), "int64")},
    ),
    ("LayerNorm", {"normalized_shape": (5, 6)}, SEQUENCE),
    ("RMSNorm", {}, SEQUENCE),
    ("Parameter", {"shape": (2, 3)}, SEQUENCE),
    ("Buffer", {"shape": (2, 3)}, SEQUENCE),
]
VECTORS = frozenset({"LayerNorm", "RMSNorm"})  # their main weights have one dimension per dimension normalised
COUNTED = frozenset({"Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"})


def model(kind: str, settings: Mapping[str, Any], columns: Columns) -> dict[str, Any]:
    inputs = list(columns) if NODE_KINDS[kind].inputs != (0, 0) else []
    return {"inputs": list(columns), "nodes": [{"id": "node", "kind": kind, "inputs": inputs, **settings}]}


def test_every_formula_has_a_case() -> None:
    assert {kind for kind, _, _ in CASES} == WEIGHT_COUNTS.keys()
    assert FLOP_COUNTS.keys() <= NODE_KINDS.keys()


@pytest.mark.parametrize(("kind", "settings", "columns"), CASES)
def test_main_weights(kind: str, settings: Mapping[str, Any], columns: Columns) -> None:
    network = build_model(model(kind, settings, columns), columns)
    state = network.state_dict()
    named = [value for name, value in state.items() if kind not in VECTORS or "weight" in name]
    main = sum(value.numel() for value in named if value.ndim > 1 or kind in VECTORS)
    assert count_weights(kind, network.blueprint.nodes[0].parameters) == main


@pytest.mark.parametrize(("kind", "settings", "columns"), [case for case in CASES if case[0] in COUNTED])
def test_operations_are_those_of_a_forward_pass(kind: str, settings: Mapping[str, Any], columns: Columns) -> None:
    (trace,) = infer_model(model(kind, settings, columns), columns).nodes
    shapes = [value.shape for value in trace.inputs]
    network, values = build_model(model(kind, settings, columns), columns), make_examples(columns)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(values)
    count = len(next(iter(values.values())))
    assert (
        flops(kind, trace.node.parameters, shapes, trace.output.shape) * count
        == counter.get_total_flops() * SYMBOLIC_BATCH_SIZE
    )


def test_operations_of_matrices_attention_and_the_rest() -> None:
    assert flops("matmul", {}, [(8, 3, 4), (8, 4, 5)], (8, 3, 5)) == 8 * 3 * 5 * 4 * 2
    attention = flops("MultiheadAttention", {"embed_dim": 6}, [(8, 5, 6)], (8, 5, 6))
    assert attention == 8 * 5 * (4 * 6 * 6) * 2 + 8 * (5 * 5 * 6) * 2 * 2
    assert flops(
        "GRU", {"hidden_size": 3, "num_layers": 1, "bidirectional": False, "input_size": 6}, [(8, 5, 6)], ()
    ) == (8 * 5 * 3 * 3 * (6 + 3) * 2)
    assert flops("ReLU", {}, [(8, 5)], (8, 5)) == 40
    assert flops("Parameter", {}, [], (8, 5)) == 0
