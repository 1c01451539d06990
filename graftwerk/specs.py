"""Specs on a client's side: an example put on data of one's own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graftwerk.errors import NotData


def read_spec(path: str | Path) -> dict[str, Any]:
    """Return a spec from a JSON file. Raises `NotData` for another one."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise NotData(f"{path} is not JSON, which a spec that is put on data must be: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("data"), dict):
        raise NotData(f"{path} is no spec: an object with data")
    return document


def on_data(spec: Mapping[str, Any], dataset: str | None = None, vectors: str | None = None) -> dict[str, Any]:
    """Return the spec with the ids of registered data sets: what it trains on, and its features' word vectors."""
    data = dict(spec["data"])
    if dataset is not None:
        data = {name: value for name, value in data.items() if name != "name"} | {"kind": "dataset", "id": dataset}
    if vectors is not None:
        data["features"] = {name: _known(feature, vectors) for name, feature in (data.get("features") or {}).items()}
    return {**spec, "data": data}


def _known(feature: Mapping[str, Any], vectors: str) -> dict[str, Any]:
    named = feature.get("vectors")
    return {**feature, "vectors": {**named, "dataset": vectors}} if named else dict(feature)
