"""What lies behind the end of a sequence has no influence; what comes later has none where it must not be seen."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from app.spec.data.columns import Column, DataSchema
from app.spec.network.network import Network
from tests.workers.network import networks
from tests.workers.network.networks import build_model
from workers.network.inference.partial_network import PartialNetwork
from workers.network.inference.shape_inference import infer_shapes

LENGTHS = torch.tensor([4, 1, 3])
SEQUENCE, LENGTH = (4, 6), ((), "int64")
SETTINGS: dict[str, dict[str, Any]] = {
    "GRU": {"hidden_size": 3, "bidirectional": True, "returns": "state"},
    "TransformerEncoderLayer": {"nhead": 2, "dim_feedforward": 8, "dropout": 0.0},
    "TransformerEncoderLayer, before": {"nhead": 3, "dim_feedforward": 8, "dropout": 0.0, "norm_first": True},
    "MultiheadAttention": {"num_heads": 2},
    "pool_sequence, mean": {"by": "mean"},
    "pool_sequence, sum": {"by": "sum"},
    "pool_sequence, max": {"by": "max"},
    "pool_sequence, last": {"by": "last"},
}


def network(name: str, **settings: Any) -> tuple[torch.nn.Module, Any]:
    kind = name.partition(",")[0]
    inputs = ["x", "x", "x", "n"] if kind == "MultiheadAttention" else ["x", "n"]
    node = {"id": "node", "kind": kind, "inputs": inputs, **SETTINGS[name], **settings}
    made = build_model({"inputs": ["x", "n"], "nodes": [node]}, {"x": SEQUENCE, "n": LENGTH}, seed=1)
    return made, lambda x, n: made({"x": x, "n": n})["output"]


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("train", [True, False])
def test_what_lies_behind_an_end_has_no_influence(name: str, train: bool) -> None:
    module, run = network(name)
    module.train(train)
    x = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
    with torch.set_grad_enabled(train):  # torch takes a faster way where it can
        whole = run(x, LENGTHS)
        for row, length in enumerate(LENGTHS.tolist()):
            alone = run(x[row : row + 1, :length], LENGTHS[row : row + 1])
            found = whole[row : row + 1] if alone.ndim == 2 else whole[row : row + 1, :length]
            torch.testing.assert_close(found, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["TransformerEncoderLayer", "TransformerEncoderLayer, before", "MultiheadAttention"])
@pytest.mark.parametrize("train", [True, False])
def test_causally_nothing_later_is_seen(name: str, train: bool) -> None:
    module, run = network(name, is_causal=True)
    module.train(train)
    x = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(0))
    with torch.set_grad_enabled(train):
        whole = run(x, torch.tensor([4]))
        for length in (1, 2, 3):
            part = run(x[:, :length], torch.tensor([length]))
            torch.testing.assert_close(whole[:, :length], part, rtol=1e-5, atol=1e-5)


def test_a_decoder_sees_its_memory_to_the_end_and_itself_to_its_place() -> None:
    node = {
        "id": "node",
        "kind": "TransformerDecoderLayer",
        "inputs": ["x", "memory", "n"],
        "nhead": 2,
        "dim_feedforward": 8,
        "dropout": 0.0,
        "is_causal": True,
    }
    columns = {"x": (3, 6), "memory": SEQUENCE, "n": LENGTH}
    module = build_model({"inputs": list(columns), "nodes": [node]}, columns)
    generator = torch.Generator().manual_seed(0)
    x, memory = torch.randn(3, 3, 6, generator=generator), torch.randn(3, 4, 6, generator=generator)
    whole = module({"x": x, "memory": memory, "n": LENGTHS})["output"]
    for row, length in enumerate(LENGTHS.tolist()):
        values = {"x": x[row : row + 1, :2], "memory": memory[row : row + 1, :length], "n": LENGTHS[row : row + 1]}
        torch.testing.assert_close(whole[row : row + 1, :2], module(values)["output"], rtol=1e-5, atol=1e-5)


def test_a_mask_tells_what_is_there() -> None:
    module = build_model(
        {"inputs": ["x", "n"], "nodes": [{"id": "m", "kind": "length_mask", "inputs": ["x", "n"]}]},
        {"x": SEQUENCE, "n": LENGTH},
    )
    found = module({"x": torch.zeros(3, 4, 6), "n": LENGTHS})["output"]
    assert found.tolist() == [[True] * 4, [True, False, False, False], [True, True, True, False]]


def test_sinusoids_are_those_of_the_paper() -> None:
    found = build_model([{"kind": "add_sinusoids"}], {"x": (7, 5)})({"x": torch.zeros(1, 7, 5)})["output"][0]
    for place in range(7):
        for feature in range(5):
            angle = place / 10_000 ** (feature // 2 * 2 / 5)
            expected = math.cos(angle) if feature % 2 else math.sin(angle)
            assert abs(float(found[place, feature]) - expected) < 1e-5


def infer_sequence_network(nodes: list[Any], classes: int | None = 30, shape: tuple[int, ...] = (4,)) -> PartialNetwork:
    column = Column(name="x", shape=shape, dtype="int64", classes=classes)
    schema = DataSchema(columns=(column,), rows={"train": 1}, inputs=("x",))
    return infer_shapes(Network.model_validate({"layers": nodes}), schema, ("x",))


@pytest.mark.parametrize(
    ("kind", "inputs", "place"),
    [
        ("MultiheadAttention", ["x", "n"], 3),
        ("MultiheadAttention", ["x", "x", "n"], 3),
        ("TransformerDecoderLayer", ["x", "n", "x"], 2),
    ],
)
def test_lengths_in_the_wrong_place_are_told(kind: str, inputs: list[str], place: int) -> None:
    settings = {"num_heads": 2} if kind == "MultiheadAttention" else {"nhead": 2}
    model = {"inputs": ["x", "n"], "nodes": [{"id": "a", "kind": kind, "inputs": inputs, **settings}]}
    (problem,) = networks.infer_model(model, {"x": SEQUENCE, "n": LENGTH}).problems
    assert problem.pointer == f"/nodes/0/inputs/{inputs.index('n')}"
    assert problem.detail == f"a reads lengths as its input {place}"


EMBED = {"kind": "Embedding", "embedding_dim": 2}


@pytest.mark.parametrize(
    "nodes",
    [
        [EMBED],
        [{"kind": "Flatten"}, EMBED],
        [{"kind": "select", "dim": 1, "index": 0}, EMBED],
        [{"kind": "EmbeddingBag", "embedding_dim": 2}],
        [{"kind": "Repeat", "times": 2, "body": {"layers": [{"kind": "flip", "dims": [1]}]}, "id": "r"}],
    ],
)
def test_as_many_vectors_as_there_are_numbers(nodes: list[Any]) -> None:
    found = infer_sequence_network(nodes)
    assert found.problems == []
    if nodes[-1].get("embedding_dim"):
        assert found.nodes[-1].node.parameters["num_embeddings"] == 30
        assert found.nodes[-1].parameters == 60


def test_positions_are_as_many_as_there_are_places() -> None:
    assert infer_sequence_network([{"kind": "arange"}, EMBED]).nodes[-1].node.parameters["num_embeddings"] == 4


@pytest.mark.parametrize(
    ("nodes", "classes", "detail", "hint"),
    [
        (
            [EMBED],
            None,
            "embedding1 needs num_embeddings, which does not follow from its input",
            "set num_embeddings to the largest number plus one",
        ),
        (
            [EMBED | {"num_embeddings": 29}],
            30,
            "embedding1 has 29 vectors but receives numbers up to 29",
            "set num_embeddings to 30, or leave it out",
        ),
        (
            [{"kind": "arange"}, EMBED | {"num_embeddings": 3}],
            None,
            "embedding1 has 3 vectors but receives numbers up to 3",
            "set num_embeddings to 4, or leave it out",
        ),
    ],
)
def test_too_few_vectors_are_told(nodes: list[Any], classes: int | None, detail: str, hint: str) -> None:
    (problem,) = infer_sequence_network(nodes, classes).problems
    assert problem.pointer.endswith("/num_embeddings")
    assert (problem.detail, problem.hint) == (detail, hint)


def test_more_vectors_than_needed_and_sums_of_numbers_are_nobodys_business() -> None:
    assert infer_sequence_network([EMBED | {"num_embeddings": 50}]).problems == []
    assert infer_sequence_network([{"kind": "cumsum", "dim": 1}, EMBED | {"num_embeddings": 3}]).problems == []


def test_like_embeddings_of_unlike_columns_are_told_apart() -> None:
    columns = tuple(Column(name=name, shape=(4,), dtype="int64", classes=count) for name, count in (("a", 3), ("b", 5)))
    nodes = [{"id": f"e{name}", "inputs": [name], **EMBED} for name in ("a", "b")]
    nodes.append({"id": "both", "kind": "cat", "inputs": ["ea", "eb"]})
    schema = DataSchema(columns=columns, rows={"train": 1}, inputs=("a", "b"))
    found = infer_shapes(Network.model_validate({"inputs": ["a", "b"], "nodes": nodes}), schema, ("a", "b"))
    assert [trace.node.parameters["num_embeddings"] for trace in found.nodes[:2]] == [3, 5]


def test_lengths_go_with_any_device() -> None:
    """They may lie on the CPU, where packing needs them."""
    _, run = network("pool_sequence, mean")
    meta = torch.zeros(3, 4, 6, device="meta")
    found: Tensor = run(meta, LENGTHS.to("meta"))
    assert found.device.type == "meta"
