"""Rows of a source as a job would see them."""

from typing import Any

from app.spec.data.columns import DataSchema
from app.spec.data.feature_schema import view
from app.spec.data.sources import BuiltinData, Split
from workers.data.loading.sources import Loaded
from workers.data.loading.tensors import Tensors, tensors


def cut(loaded: Loaded, stored: DataSchema, split: Split | None = None, seed: int = 0, **data: Any) -> Tensors:
    """Return the data as a network sees it by default, or as `data` says."""
    target = data.get("target", stored.target)
    seen = view(BuiltinData(kind="builtin", name="iris", **data), stored, [("/data/target", target)])
    assert not seen.problems
    inputs = tuple(data.get("inputs", seen.schema.inputs))
    return tensors(loaded, stored, seen, inputs=inputs, targets=tuple(seen.targets.values()), split=split, seed=seed)
