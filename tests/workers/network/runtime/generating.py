"""Networks that generate: a Scan with a recurrent cell, and a block with a causal Transformer."""

from typing import Any

import torch

from app.spec.data.columns import DataSchema
from app.spec.network.network import Network
from workers.network.runtime.build import BuiltNetwork, build

CLASSES, LENGTH = 9, 12
TEXT = {"name": "text", "shape": [LENGTH], "dtype": "int64", "classes": CLASSES, "ragged": True, "padded": True}
TOPIC = {"name": "topic", "shape": [], "dtype": "int64", "classes": 5}
SCHEMA = DataSchema.model_validate({"columns": [TEXT, TOPIC], "rows": {"train": 10}, "inputs": ["text"]})


def scan_network(**generate: Any) -> dict[str, Any]:
    """Return a GRU cell that scores the next token of a text on a topic."""
    return {
        "inputs": ["topic", "text"],
        "nodes": [
            {"id": "about", "kind": "Embedding", "inputs": ["topic"], "embedding_dim": 8},
            {"id": "start", "kind": "zeros", "inputs": ["text"], "shape": [8]},
            {"id": "factor", "kind": "Parameter", "shape": [8], "init": "ones"},
            {
                "id": "write",
                "kind": "Scan",
                "over": ["text"],
                "carry": ["start"],
                "inputs": ["factor", "about"],
                "generate": generate,
                "body": {
                    "inputs": ["h", "token", "factor", "about"],
                    "nodes": [
                        {"id": "vector", "kind": "Embedding", "inputs": ["token"], "embedding_dim": 8},
                        {"id": "scaled", "kind": "mul", "inputs": ["vector", "factor"]},
                        {"id": "sum", "kind": "add", "inputs": ["scaled", "about"]},
                        {"id": "new", "kind": "GRUCell", "inputs": ["sum", "h"], "hidden_size": 8},
                        {"id": "scores", "kind": "Linear", "inputs": ["new"], "out_features": CLASSES},
                    ],
                    "outputs": {"h": "new", "scores": "scores"},
                },
            },
        ],
        "outputs": {"scores": "write.scores"},
    }


def block_network(**generate: Any) -> dict[str, Any]:
    """Return a Transformer that scores the next token."""
    return {
        "inputs": ["text"],
        "nodes": [{"id": "write", "kind": "block", "name": "Decoder", "inputs": ["text"], "generate": generate}],
        "outputs": {"scores": "write"},
        "blocks": {
            "Decoder": {
                "inputs": ["tokens"],
                "nodes": [
                    {"id": "vectors", "kind": "Embedding", "inputs": ["tokens"], "embedding_dim": 8},
                    {"id": "placed", "kind": "add_sinusoids", "inputs": ["vectors"]},
                    {
                        "id": "read",
                        "kind": "TransformerEncoderLayer",
                        "inputs": ["placed"],
                        "nhead": 2,
                        "dim_feedforward": 16,
                        "is_causal": True,
                    },
                    {"id": "scores", "kind": "Linear", "inputs": ["read"], "out_features": CLASSES},
                ],
                "outputs": {"scores": "scores"},
            }
        },
    }


def prompts(rows: int, length: int) -> dict[str, torch.Tensor]:
    """Return beginnings of texts of one length, and their topics."""
    generator = torch.Generator().manual_seed(rows)
    text = torch.randint(3, CLASSES, (rows, length), generator=generator)
    return {"text": text, "topic": torch.arange(rows) % 5}


NETWORKS = {"Scan": scan_network, "block": block_network}


def built_network(kind: str, seed: int = 0, **generate: Any) -> BuiltNetwork:
    """Return a network with random weights, which are large enough for scores that differ, in evaluation."""
    torch.manual_seed(seed)
    network = build(Network.model_validate(NETWORKS[kind](**generate)), SCHEMA, ("text",)).eval()
    for weight in network.parameters():
        weight.data *= 2
    return network
