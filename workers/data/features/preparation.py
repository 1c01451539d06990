"""From stored columns to tensors: fitted on the training rows alone, and kept with every checkpoint.

What is fitted (means, vocabularies, tokenizers) is JSON, so that a prediction prepares its rows as training did.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from app.errors import DataError
from app.spec.data.columns import DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from workers.data.columns import PreparedColumn, SplitColumns
from workers.data.features.categories import (
    CategoryPreprocessor,
    ClassPreprocessor,
    LabelsPreprocessor,
    TagsPreprocessor,
)
from workers.data.features.images import ImagePreprocessor
from workers.data.features.numbers import NumbersPreprocessor, TensorPreprocessor
from workers.data.features.series import SeriesPreprocessor
from workers.data.features.texts import TextPreprocessor
from workers.data.features.trees import TreePreprocessor

VERSION = 1


class FeaturePreprocessor(Protocol):
    """Makes the tensors of one feature."""

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: SplitColumns) -> Self:
        """Look at the training rows. Raises `DataError`."""
        ...

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take over what `fitted` returned."""
        ...

    def fitted_state(self) -> Any:
        """Return what was learned from the training rows, as JSON."""
        ...

    def apply(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return the columns of the feature by name, of the dtypes and shapes of the view. Raises `DataError`."""
        ...


# Kind of feature → what makes its tensors.
PREPROCESSORS: Mapping[str, type[FeaturePreprocessor]] = {
    "tensor": TensorPreprocessor,
    "numbers": NumbersPreprocessor,
    "category": CategoryPreprocessor,
    "class": ClassPreprocessor,
    "tags": TagsPreprocessor,
    "labels": LabelsPreprocessor,
    "text": TextPreprocessor,
    "series": SeriesPreprocessor,
    "tree": TreePreprocessor,
    "image": ImagePreprocessor,
}


@dataclass(frozen=True)
class Preparation:
    """The preparers of some features of a job, by name."""

    preprocessors: Mapping[str, FeaturePreprocessor]

    @classmethod
    def fit(cls, seen: ResolvedFeatures, names: tuple[str, ...], stored: DataSchema, split: SplitColumns) -> Self:
        """Fit the features of which these columns come, on the training rows. Raises `DataError`."""
        return cls(
            {
                name: _preprocessor_class(part.kind).fit(name, part, stored, split)  # type: ignore[attr-defined]
                for name, part in seen.features_for(names).items()
            }
        )

    @classmethod
    def load(cls, seen: ResolvedFeatures, stored: DataSchema, document: Mapping[str, Any]) -> Self:
        """Take over what `document` returned. Raises `DataError` if it is of another version."""
        if document.get("version") != VERSION:
            raise DataError(f"the preparation has version {document.get('version')}, this is {VERSION}")
        return cls(
            {
                name: _preprocessor_class(seen.features[name].kind).load(name, seen.features[name], stored, fitted)  # type: ignore[attr-defined]
                for name, fitted in document["features"].items()
            }
        )

    def document(self) -> dict[str, Any]:
        """Return everything that was fitted, as JSON."""
        return {
            "version": VERSION,
            "features": {name: each.fitted_state() for name, each in self.preprocessors.items()},
        }

    def text_preprocessors(self) -> dict[str, TextPreprocessor]:
        """Return the features of text."""
        return {name: each for name, each in self.preprocessors.items() if isinstance(each, TextPreprocessor)}

    def tokenizer_files(self) -> dict[str, str]:
        """Return the tokenizers by the names of their files: tokenizer.json, or one for each of several features."""
        texts = self.text_preprocessors()
        return {
            "tokenizer.json" if len(texts) == 1 else f"{name}.tokenizer.json": json.dumps(each.fitted_state())
            for name, each in texts.items()
        }

    def apply(self, split: SplitColumns, names: tuple[str, ...]) -> dict[str, PreparedColumn]:
        """Return these columns of a split. Raises `DataError`."""
        made: dict[str, PreparedColumn] = {}
        for preparer in self.preprocessors.values():
            made |= preparer.apply(split)
        return {name: made[name] for name in names}


def _preprocessor_class(kind: str) -> type[FeaturePreprocessor]:
    return PREPROCESSORS[kind]
