"""What cannot run freely is refused, with its place."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from app.spec.network.network import Network
from app.spec.network.validation import check_network
from tests.workers.network.runtime.generating import SCHEMA, block_network, scan_network
from workers.network.inference.shape_inference import infer_shapes

Change = Callable[[dict[str, Any]], None]


def problems(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (pointer, detail) of a network on texts."""
    network, names = Network.model_validate(document), ("text", "text_length", "topic")
    found = check_network(network, names, names) or infer_shapes(network, SCHEMA, names).problems
    return [(each.pointer, each.detail) for each in found]


def scan_changed(change: Change) -> dict[str, Any]:
    document = deepcopy(scan_network())
    change(document)
    return document


def block_changed(change: Change) -> dict[str, Any]:
    document = deepcopy(block_network())
    change(document)
    return document


def set_at(*path: Any, value: Any) -> Change:
    """Return a change of one value."""

    def change(document: dict[str, Any]) -> None:
        place = document
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


def read_lengths(document: dict[str, Any]) -> None:
    document["inputs"].append("text_length")
    document["nodes"].insert(0, {"id": "size", "kind": "to", "inputs": ["text_length"], "dtype": "float32"})
    document["nodes"].append({"id": "start2", "kind": "unsqueeze", "inputs": ["size"], "dim": 1})
    document["nodes"][-2]["inputs"].append("start2")


def two_generators(document: dict[str, Any]) -> None:
    document["nodes"].append({**document["nodes"][0], "id": "again"})


def inside_a_block(document: dict[str, Any]) -> None:
    inner = {"id": "inner", "kind": "block", "name": "Decoder", "inputs": ["tokens"], "generate": {}}
    document["blocks"]["Outer"] = {"inputs": ["tokens"], "nodes": [inner]}
    document["nodes"] = [{"id": "write", "kind": "block", "name": "Outer", "inputs": ["text"]}]


def both_ways(document: dict[str, Any]) -> None:
    document["blocks"]["Decoder"]["nodes"][2] = {
        "id": "read", "kind": "GRU", "inputs": ["placed"], "hidden_size": 4, "bidirectional": True
    }  # fmt: skip


SCAN = [
    (set_at("nodes", 3, "over", value=["text", "text"]), "/nodes/3/over", "generates one sequence"),
    (set_at("nodes", 3, "reverse", value=True), "/nodes/3/reverse", "runs from the end"),
    (set_at("nodes", 3, "over", value=["about"]), "/nodes/3/over/0", "as the data has them"),
    (set_at("nodes", 3, "generate", value={"scores": "score"}), "/nodes/3/generate/scores", "beside its carry"),
    (set_at("nodes", 3, "body", "nodes", 4, "out_features", value=10), "/nodes/3/generate", "there are 9"),
    (set_at("nodes", 3, "generate", value={"stop": 9}), "/nodes/3/generate/stop", "there are 9"),
    (set_at("nodes", 3, "generate", value={"exclude": [0, 99]}), "/nodes/3/generate/exclude", "the token 99"),
    (read_lengths, "/nodes/4/inputs/2", "depends on the whole of"),
]
BLOCK = [
    (set_at("blocks", "Decoder", "nodes", 2, "is_causal", value=False), "/blocks/Decoder/nodes/2/is_causal", "later"),
    (both_ways, "/blocks/Decoder/nodes/2/bidirectional", "from the end"),
    (two_generators, "/nodes/1/generate", "generates already"),
    (inside_a_block, "/blocks/Outer/nodes/0/generate", "inside another body"),
]


@pytest.mark.parametrize(("change", "pointer", "detail"), SCAN)
def test_a_scan_that_cannot_run_freely(change: Change, pointer: str, detail: str) -> None:
    (found,) = problems(scan_changed(change))
    assert found[0] == pointer
    assert detail in found[1]


@pytest.mark.parametrize(("change", "pointer", "detail"), BLOCK)
def test_a_block_that_cannot_run_freely(change: Change, pointer: str, detail: str) -> None:
    (found,) = problems(block_changed(change))
    assert found[0] == pointer
    assert detail in found[1]


def test_both_as_they_are() -> None:
    assert problems(scan_network()) == problems(block_network()) == []
