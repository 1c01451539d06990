"""Flowers of which several things can be learned, and jobs on them."""

import random
from typing import Any

import torch

from tests.workers.data.schemas import stored_schema
from tests.workers.training.datasets import InMemoryDataset, dataset_job

CROSS_ENTROPY, MSE, OUTPUT_LOSS = {"kind": "CrossEntropyLoss"}, {"kind": "MSELoss"}, {"kind": "Output"}
BCE_WITH_LOGITS = {"kind": "BCEWithLogitsLoss"}
COLOUR_NAMES = ("blue", "green", "red")


def flower_dataset(rows: int = 80) -> InMemoryDataset:
    """Return rows of three numbers, from which a rare kind, a price, a yes or no, and colours follow."""
    drawn = random.Random(4)
    columns: dict[str, list[Any]] = {"kind": [], "colours": []}
    x = torch.tensor([[drawn.gauss(0, 1) for _ in range(3)] for _ in range(rows)])
    for one, two, three in x.tolist():
        columns["kind"].append("rare" if one > 1 else "often" if two > 0 else "usual")
        columns["colours"].append(
            [word for word, number in zip(COLOUR_NAMES, (one, two, three), strict=True) if number > 0]
        )
    schema = stored_schema(
        "kind",
        rows=rows,
        x={"type": "tensor", "shape": (3,)},
        kind={"type": "category", "labels": ("often", "rare", "usual")},
        price="number",
        good={"type": "tensor", "dtype": "bool"},
        colours={"type": "words", "labels": COLOUR_NAMES, "longest": 3},
    )
    schema = schema.model_copy(update={"inputs": ("x",)})
    return InMemoryDataset(schema, {"x": x, "price": x.sum(1) * 2 + 1, "good": x[:, 2] > 0, **columns})


def linear(name: str, width: int, source: str = "hidden") -> dict[str, Any]:
    return {"id": name, "kind": "Linear", "inputs": [source], "out_features": width}


def network(**outputs: int) -> dict[str, Any]:
    """Return a network with a head of each width."""
    nodes = [
        linear("first", 8, "x"),
        {"id": "hidden", "kind": "Tanh", "inputs": ["first"]},
        *(linear(name, width) for name, width in outputs.items()),
    ]
    return {"inputs": ["x"], "nodes": nodes, "outputs": {name: name for name in outputs}}


FOUR_HEAD_NETWORK = network(kinds=3, prices=1, goods=1, colours=3)
HEAD_SPECS: dict[str, Any] = {
    "kind": {"loss": CROSS_ENTROPY | {"weight": "balanced"}, "output": "kinds", "metrics": ["accuracy", "f1"]},
    "price": {"loss": MSE, "output": "prices", "target": "price", "weight": 0.25, "metrics": ["r2"]},
    "good": {
        "loss": BCE_WITH_LOGITS | {"pos_weight": "balanced"},
        "output": "goods",
        "target": "good",
        "metrics": ["auroc"],
    },
    "colours": {
        "loss": BCE_WITH_LOGITS,
        "output": "colours",
        "target": "colours",
        "weight": 2.0,
        "metrics": ["f1", "exact_match"],
    },
}


def flower_job(objective: Any, model: Any = FOUR_HEAD_NETWORK, features: Any = None, **training: Any) -> Any:
    made = dataset_job(model, training=training, **({"features": features} if features else {}))
    return made | {"objective": objective}


COLOUR_FEATURES = {"x": {"kind": "tensor", "column": "x"}, "colours": {"kind": "labels", "column": "colours"}}


def four_head_job(**training: Any) -> Any:
    return flower_job({"heads": HEAD_SPECS}, features=COLOUR_FEATURES, **training)
