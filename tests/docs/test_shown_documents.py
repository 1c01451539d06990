"""The documents that the pages show are taken by what they are for, and the parts of answers exist."""

import re
from pathlib import Path
from typing import Any

import pytest

from app.spec.data.columns import Column, DataSchema
from app.spec.data.features import FEATURE_CLASSES
from app.spec.inspection import InspectionRequest
from app.spec.job import canonical_document, parse_job
from app.spec.network.wiring import RESERVED_IDS
from app.spec.prediction import Prediction
from tests.docs.test_documents import json_blocks
from workers.children.inspect import InspectionLimits, inspect_job
from workers.children.query import inspect_network

DOCS = Path(__file__).parents[2] / "docs"
LIMITS = InspectionLimits(100, 10**8, 1 << 34)
NETWORK = {
    "inputs": ["x", "species"],
    "nodes": [
        {"id": "kinds", "kind": "Embedding", "inputs": "species", "embedding_dim": 4},
        {"id": "both", "kind": "cat", "inputs": ["x", "kinds"]},
        {"id": "girth", "kind": "Linear", "inputs": "both", "out_features": 1},
    ],
}
TREES = DataSchema(
    columns=(
        Column(name="height", type="number"),
        Column(name="age", type="number"),
        Column(name="kind", type="category", labels=("ash", "oak")),
        Column(name="girth", type="number"),
    ),
    rows={"train": 100},
    inputs=("height", "age", "kind"),
)


def page(name: str) -> str:
    return (DOCS / name).read_text()


def test_features_that_are_shown_make_a_job() -> None:
    (data,) = [each for each in json_blocks(page("data.md")) if "features" in each and "windows" not in each]
    job = {
        "model": NETWORK,
        "data": data | {"id": "ds_" + "1" * 32},
        "objective": {"loss": "MSELoss", "metrics": "mae"},
    }
    assert inspect_job(job, TREES, LIMITS).problems == ()


def test_windows_that_are_shown_make_a_job() -> None:
    (data,) = [each for each in json_blocks(page("data.md")) if "windows" in each]
    names = {"day": "number", "shop": "text", "sales": "number", "price": "number", "holiday": "number"}
    columns = tuple(Column(name=name, type=kind) for name, kind in names.items())
    shops = DataSchema(columns=columns, rows={"train": 400}, inputs=("day", "shop", "price", "holiday"), target="sales")
    inputs = ["x", "holiday", "holiday_future"]
    flat = [{"id": f"flat_{name}", "kind": "Flatten", "inputs": [name]} for name in inputs]
    joined = {"id": "all", "kind": "cat", "inputs": [each["id"] for each in flat], "dim": 1}
    last = {"id": "next", "kind": "Linear", "inputs": ["all"], "out_features": 7}
    job = {
        "model": {"inputs": inputs, "nodes": [*flat, joined, last], "outputs": {"next": "next"}},
        "data": data | {"id": "ds_" + "1" * 32},
        "objective": {"loss": "MSELoss", "metrics": "mae"},
    }
    assert inspect_job(job, shops, LIMITS).problems == ()


@pytest.mark.parametrize("kind", FEATURE_CLASSES)
def test_every_kind_of_feature_is_in_the_table(kind: str) -> None:
    (row,) = re.findall(rf"^\| `{kind}` \|.*\|$", page("data.md").partition("generated: features")[2], re.MULTILINE)
    assert all(f"`{name}: " in row for name in FEATURE_CLASSES[kind].model_fields if name != "kind")


def test_a_network_that_is_shown_is_inspected() -> None:
    (request,) = [each for each in json_blocks(page("api.md")) if "model" in each]
    report, problems = inspect_network(request, 100)
    assert problems == []
    section = page("api.md").partition("## Inspecting a network")[2].partition("\n## ")[0]
    assert {*report, *InspectionRequest.model_fields} - {"edges"} <= set(re.findall(r"`(\w+)", section))


def test_rows_that_are_shown_are_a_prediction() -> None:
    (request,) = [each for each in json_blocks(page("api.md")) if "rows" in each]
    assert Prediction.model_validate(request).top == 2


def test_the_shorthands_that_are_shown_are_what_they_say() -> None:
    text = page("spec.md").partition("## Shorthands")[2].partition("\n## ")[0]
    (short,) = json_blocks(text)
    full: dict[str, Any] = canonical_document(parse_job(short), short)
    assert full["model"]["layers"][0] == {"kind": "Flatten"}
    assert full["data"]["validation"] == {"fraction": 0.2}
    assert full["objective"] == {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]}
    assert full["training"]["optimizer"] == {"kind": "AdamW", "lr": 0.003}


def test_reserved_ids_are_listed() -> None:
    listed = page("spec.md").partition("generated: reserved")[2].partition("<!-- end -->")[0]
    named = set(re.findall(r"`(\w+)`", listed))
    assert named <= RESERVED_IDS
    assert {"forward", "train", "to", "blueprint"} <= named
