"""Rows of a source as a job would see them."""

from typing import Any

from app.spec.data.columns import DataSchema
from app.spec.data.feature_schema import TargetRequest, resolve_features
from app.spec.data.sources import BuiltinData, Split
from app.spec.splits import SplitPlan
from workers.data.loading.examples import TrainingData
from workers.data.loading.sources import SourceData
from workers.data.loading.training_data import build_training_data


def build_data(
    loaded: SourceData, stored: DataSchema, split: Split | None = None, seed: int = 0, **data: Any
) -> TrainingData:
    """Return the data as a network sees it by default, or as `data` says."""
    target = data.get("target", stored.target)
    resolved = resolve_features(
        BuiltinData(kind="builtin", name="iris", **data), stored, [TargetRequest("/data/target", target)]
    )
    assert not resolved.problems
    inputs = tuple(data.get("inputs", resolved.schema.inputs))
    targets, plan = tuple(resolved.targets.values()), SplitPlan(split)
    return build_training_data(loaded, stored, resolved, inputs=inputs, targets=targets, plan=plan, seed=seed)
