"""Stored columns of every type, in memory, and the view that a job has of them."""

from typing import Any

import torch

from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import ResolvedFeatures, TargetRequest, resolve_features
from app.spec.data.sources import UploadedData
from workers.data.columns import RaggedTensor, SplitColumns
from workers.data.features.preparation import Preparation

ID = "ds_" + "0" * 32


def stored_schema(target: str | None = None, *, rows: int = 2, **types: Any) -> DataSchema:
    """Return a stored schema: a type by column, or the column's fields."""
    fields = {name: {"type": given} if isinstance(given, str) else given for name, given in types.items()}
    columns = tuple(Column.model_validate({"name": name, **each}) for name, each in fields.items())
    inputs = tuple(name for name in fields if name != target)
    return DataSchema(columns=columns, rows={"train": rows}, inputs=inputs, target=target)


def job_view(schema: DataSchema, target: str | None = None, **data: Any) -> ResolvedFeatures:
    """Return what a job sees of it."""
    source = UploadedData.model_validate({"kind": "dataset", "id": ID, **data})
    name = target or schema.target
    return resolve_features(source, schema, [TargetRequest("/data/target", name)] if name else [])


def fit_preparation(schema: DataSchema, split: SplitColumns, names: tuple[str, ...], **data: Any) -> Preparation:
    """Fit the features of these columns on a split."""
    result = job_view(schema, **data)
    assert not result.problems
    return Preparation.fit(result, names, schema, split)


def series_column(*rows: list[Any], width: int | None = None) -> RaggedTensor:
    """Return a column of series, of one number per moment or of `width`."""
    shape = (-1,) if width is None else (-1, width)
    return RaggedTensor.from_rows([torch.tensor(row, dtype=torch.float32).reshape(shape) for row in rows])
