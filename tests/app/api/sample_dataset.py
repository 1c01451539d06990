"""A small data set: its content, a job on it, and rows to ask about."""

from dataclasses import dataclass, field
from typing import Any

CROSS_ENTROPY = {"loss": {"kind": "CrossEntropyLoss"}}
LINEAR_NODE = {"kind": "Linear", "out_features": 2}
TRAINING_PLAN: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 16,
    "device": "cpu",
    "optimizer": {"kind": "Adam", "lr": 0.05},
}


@dataclass(frozen=True)
class SampleDataset:
    """Content to upload, the job that learns from it, and rows to ask about, as JSON and as files by media type."""

    content: bytes
    model: dict[str, Any]
    objective: dict[str, Any]
    rows: list[dict[str, Any]]
    prediction_field: str  # what is told of every row
    options: dict[str, Any] = field(default_factory=dict)  # of the job's data
    files: dict[str, bytes] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
