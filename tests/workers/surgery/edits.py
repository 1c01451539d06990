"""Edits for the tests: from JSON to revisions of small jobs."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from app.errors import InvalidInput, Problem
from app.spec.data.columns import Column, DataSchema
from app.spec.edits.operations import Operation
from workers.surgery.draft import Revision
from workers.surgery.revise import revise

OPERATIONS = TypeAdapter[tuple[Operation, ...]](tuple[Operation, ...])
IMAGES = DataSchema(
    columns=(
        Column(name="image", shape=(2, 6, 6), dtype="float32"),
        Column(name="label", shape=(), dtype="int64", classes=3),
    ),
    rows={"train": 8},
    inputs=("image",),
    target="label",
)
CHAIN = [
    {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1},
    "ReLU",
    {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1},
    {"kind": "Flatten"},
    {"kind": "Linear", "out_features": 3},
]


def image_job(model: Any, **parts: Any) -> dict[str, Any]:
    """Return a job that classifies images by a network, or by a chain of layers."""
    network = {"layers": model} if isinstance(model, list) else model
    return {
        "model": network,
        "data": {"kind": "dataset", "id": "ds_" + "0" * 32},
        "objective": {"loss": "CrossEntropyLoss"},
        **parts,
    }


def edit(job: Mapping[str, Any], *operations: Any, schema: DataSchema = IMAGES) -> Revision:
    """Return the next revision of a job."""
    return revise(job, schema, OPERATIONS.validate_python(operations))


def problems_of(job: Mapping[str, Any], *operations: Any, schema: DataSchema = IMAGES) -> list[Problem]:
    """Return the problems of an edit."""
    try:
        edit(job, *operations, schema=schema)
    except InvalidInput as error:
        return list(error.problems)
    return []
