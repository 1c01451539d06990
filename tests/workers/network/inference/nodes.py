"""Nodes as a user writes them, and the form of a mistake."""

from typing import Any

from tests.workers.network.networks import Columns, Model

HUGE = 2**31 - 1
IMAGE = {"x": (1, 28, 28)}
FLATTEN = 'insert {"kind": "Flatten"} before '
SHAPE, DTYPE, VALUE = "shape_mismatch", "dtype_mismatch", "invalid_value"
Mistake = tuple[Model, Columns, str, str, str, str]  # network, columns, pointer, code, detail, hint


def linear(size: int = 10, **fields: Any) -> dict[str, Any]:
    return {"kind": "Linear", "out_features": size, **fields}


def conv(size: int, kernel: int = 5, **fields: Any) -> dict[str, Any]:
    return {"kind": "Conv2d", "out_channels": size, "kernel_size": kernel, **fields}


def multi_input_network(kind: str, *inputs: str, **fields: Any) -> dict[str, Any]:
    """Return a network of one node that reads several inputs."""
    return {"inputs": list(inputs), "nodes": [{"id": "node", "kind": kind, "inputs": list(inputs), **fields}]}


def leaf(kind: str, **fields: Any) -> dict[str, Any]:
    return {"nodes": [{"id": "leaf", "kind": kind, **fields}]}
