"""Mixing of rows: which inputs of data without images MixUp can blend."""

from collections.abc import Iterable, Iterator, Mapping

from app.errors import Problem
from app.spec.data.base_feature import BaseFeature
from app.spec.data.columns import Column
from app.spec.data.images.checks import mixing_transforms
from app.spec.data.images.feature import ImageFeature
from app.spec.data.job_data import Data


def row_mixing_problems(data: Data, features: Mapping[str, BaseFeature], read: Iterable[Column]) -> Iterator[Problem]:
    """Yield the columns that the network reads, of data without images, of which there are no mixtures."""
    if not mixing_transforms(data) or any(isinstance(feature, ImageFeature) for feature in features.values()):
        return
    for column in read:
        if not column.dtype.startswith("float") or column.ragged:
            what = "a sequence of its own length" if column.ragged else "whole numbers"
            detail = f'MixUp blends numbers, and "{column.name}" is {what}: there is nothing between two of them'
            hint = "read words by a feature of kind table, which has a place for each; or remove MixUp"
            if column.ragged or not column.labels:
                hint = "let the network read numbers alone (inputs of model), or remove MixUp"
            yield Problem("/data/transforms", "contradiction", detail, hint)
