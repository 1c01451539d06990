"""Jobs that are accepted, and what a mistake in one of them is."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from app.spec.data.columns import Column, DataSchema
from tests.app.spec.hints.edits import Edit


class Mistake(NamedTuple):
    """A mistake in one of the jobs. `mended` are edits for a hint in free words, by the start of the hint."""

    job: str
    edits: Sequence[Edit]
    mended: Sequence[Edit] = ()


TABLE: dict[str, Any] = {
    "model": {
        "layers": [
            {"kind": "Linear", "out_features": 16},
            {"kind": "ReLU"},
            {"kind": "Dropout", "p": 0.1},
            {"kind": "Linear", "out_features": 3},
        ]
    },
    "data": {"kind": "builtin", "name": "iris", "validation": {"fraction": 0.2}, "scale": "standard"},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
    "training": {
        "optimizer": {"kind": "Adam", "lr": 0.01},
        "schedule": {"kind": "StepLR", "step_size": 5},
        "early_stop": {"patience": 3},
        "epochs": 5,
        "batch_size": 32,
    },
}
PICTURES: dict[str, Any] = {
    "model": {
        "layers": [
            {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3},
            {"kind": "BatchNorm2d"},
            {"kind": "ReLU"},
            {"kind": "MaxPool2d", "kernel_size": 2},
            {"kind": "Flatten"},
            {"kind": "Linear", "out_features": 10},
        ]
    },
    "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
    "training": {"optimizer": {"kind": "SGD", "lr": 0.1, "momentum": 0.9}, "epochs": 2},
}
NUMBERS: dict[str, Any] = {
    "model": {
        "layers": [{"kind": "Linear", "out_features": 8}, {"kind": "Tanh"}, {"kind": "Linear", "out_features": 1}]
    },
    "data": {"kind": "builtin", "name": "diabetes", "validation": {"fraction": 0.2}},
    "objective": {"loss": {"kind": "MSELoss"}, "metrics": ["mae"]},
    "training": {"optimizer": {"kind": "AdamW"}, "epochs": 2},
}
GRAPH: dict[str, Any] = {
    "model": {
        "inputs": ["review", "review_length", "stars"],
        "nodes": [
            {"id": "tokens", "kind": "Embedding", "inputs": ["review"], "embedding_dim": 8},
            {"id": "read", "kind": "GRU", "inputs": ["tokens", "review_length"], "hidden_size": 6, "returns": "last"},
            {"id": "both", "kind": "cat", "inputs": ["read", "stars"]},
            {"id": "scores", "kind": "Linear", "inputs": ["both"], "out_features": 2},
        ],
        "outputs": {"scores": "scores"},
    },
    "data": {
        "kind": "dataset",
        "id": "ds_" + "1" * 32,
        "target": "mood",
        "validation": {"fraction": 0.25},
        "features": {
            "review": {"kind": "text", "column": "review", "max_length": 20},
            "stars": {"kind": "numbers", "columns": ["stars"]},
        },
    },
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "output": "scores", "metrics": ["f1"]},
    "training": {"optimizer": {"kind": "Adam"}, "epochs": 1},
}
UPLOAD = DataSchema(
    columns=(
        Column(name="review", type="text", longest=400),
        Column(name="stars", type="number"),
        Column(name="votes", type="number"),
        Column(name="town", type="category", labels=("Ulm", "Paris")),
        Column(name="mood", type="category", labels=("bad", "good")),
    ),
    rows={"train": 400},
    inputs=("review", "stars", "town"),
    target="mood",
)
JOBS = {"table": TABLE, "pictures": PICTURES, "numbers": NUMBERS, "graph": GRAPH}

FIRST = "/model/layers/0"
LAST = "/model/layers/3"
RATE = "/training/optimizer/lr"
OPTIMIZER = "/training/optimizer"
