"""The syntax trees: what is in them, what is hidden, and that a Tree-LSTM reads what a bag of tokens cannot."""

import ast
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.examples.example_runner import TREES_FILE, ExampleRunner, example_spec, load_script
from tests.workers.training.harness import TrainingAttempt, rows_of
from workers.network.runtime.build import flow_metrics

syntax_trees = load_script("syntax_trees")
PLAN = {"epochs": 4, "checkpoint": {"every_seconds": None, "keep_best": 0}, "device": "cpu"}
BAG = {
    "inputs": ["value"],
    "nodes": [
        {
            "id": "kinds",
            "kind": "Embedding",
            "inputs": ["value"],
            "num_embeddings": 96,
            "embedding_dim": 48,
            "padding_idx": 0,
        },
        {"id": "bag", "kind": "sum", "inputs": ["kinds"], "dim": 1},
        {"id": "hidden", "kind": "Linear", "inputs": ["bag"], "out_features": 64},
        {"id": "bent", "kind": "ReLU", "inputs": ["hidden"]},
        {"id": "scores", "kind": "Linear", "inputs": ["bent"], "out_features": 2},
    ],
}


def planted(source: str) -> Any:
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    return syntax_trees.function_tree(syntax_trees.body_without_docstring(function))


def test_a_tree_is_in_order_and_hides_what_tells() -> None:
    assert planted('def f(x):\n    "Explain."\n    g(x)\n    return x + 1') == [
        ("Function", [1, 5]),
        ("Statement", [2]),
        ("Call", [3, 4]),
        ("Name", []),
        ("Name", []),
        ("Statement", [6]),
        ("BinOp", [7, 8]),
        ("Name", []),
        ("Constant", []),
    ]


def test_many_children_are_handed_on() -> None:
    tree = planted("def f(x):\n" + "    pass\n" * 6)
    assert tree[0] == ("Function", [1, 2, 3, 4])
    assert tree[4] == ("More", [5, 6, 7])


def test_the_columns_are_trees(lessons: ExampleRunner) -> None:
    path = lessons.laboratory.folder / "store" / TREES_FILE
    assert path.stat().st_size < 200_000
    with np.load(path) as archive:
        made = dict(archive)
    rows = len(made["label"])
    assert rows > 1000
    assert made["value"].shape == (rows, 48)
    assert made["children"].shape == (rows, 48, 4)
    assert 0.3 < made["label"].mean() < 0.7
    assert made["value"].max() < 96
    nodes = (made["value"] > 0).sum(1)
    assert ((made["children"] >= 0).sum((1, 2)) == nodes - 1).all()  # each but the root is somebody's child


@pytest.fixture(scope="module")
def read(lessons: ExampleRunner) -> TrainingAttempt:
    """The example, for fewer epochs."""
    document = example_spec("tree-lstm")
    return lessons.run(document | {"training": document["training"] | PLAN})


def test_a_tree_lstm_reads_what_a_bag_cannot(lessons: ExampleRunner, read: TrainingAttempt) -> None:
    document = example_spec("tree-lstm")
    bag = lessons.run(document | {"model": BAG, "training": document["training"] | PLAN})
    held = rows_of(read.prepared).validation
    assert held is not None
    majority = float(torch.bincount(next(iter(held.targets.values()))).max() / len(held))
    accuracy = read.points("val/accuracy")[-1][1]
    assert accuracy > majority + 0.15
    assert accuracy > bag.points("val/accuracy")[-1][1] + 0.05
    heights = [value for _, value in read.points("flow/tree/height")]
    assert len(heights) == len(read.points("train/loss"))
    assert all(2 < value < 20 for value in heights)


@torch.no_grad()
def test_the_numbers_are_those_of_the_paper(lessons: ExampleRunner, read: TrainingAttempt) -> None:
    """Tai et al. (2015), equations 2 to 8, node by node."""
    network = read.prepared.network.eval()
    inputs, _ = lessons.batch(read.prepared, 6)
    gates = network.get_submodule("gates")(network.get_submodule("kinds")(inputs["value"]))
    inner = network.get_submodule("tree.node")
    sums, forgets = inner.get_submodule("iou_h"), inner.get_submodule("f_h")

    def state(tree: int, node: int) -> tuple[Tensor, Tensor]:
        below = [state(tree, child) for child in inputs["children"][tree, node].tolist() if child >= 0]
        value = gates[tree, node]
        hidden = sum((h for h, _ in below), torch.zeros(48))
        i, o, u = (value[:144] + sums(hidden)).split(48)
        c = i.sigmoid() * u.tanh() + sum(((value[144:] + forgets(h)).sigmoid() * c for h, c in below), torch.zeros(48))
        return o.sigmoid() * c.tanh(), c

    roots = torch.stack([state(tree, 0)[0] for tree in range(6)])
    flow_metrics(network)
    assert network(inputs)["scores"].allclose(network.get_submodule("scores")(roots), atol=1e-5)
