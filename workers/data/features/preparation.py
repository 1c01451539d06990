"""The preprocessors of a job: fitted on the training rows alone, and stored with every checkpoint.

What is fitted (means, vocabularies, tokenizers) is JSON, so that a prediction prepares its rows as training did.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from app.errors import DataError
from app.spec.data.base_feature import BaseFeature
from app.spec.data.columns import DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns
from workers.data.features.categories import (
    CategoryPreprocessor,
    ClassPreprocessor,
    LabelsPreprocessor,
    TagsPreprocessor,
)
from workers.data.features.datetimes import DatetimePreprocessor
from workers.data.features.images import ImagePreprocessor
from workers.data.features.numbers import NumbersPreprocessor
from workers.data.features.preprocessor import Preprocessor
from workers.data.features.series import SeriesPreprocessor
from workers.data.features.tables import TablePreprocessor
from workers.data.features.tensors import TensorPreprocessor
from workers.data.features.texts import NgramsPreprocessor, TextPreprocessor
from workers.data.features.trees import TreePreprocessor

VERSION = 1
AnyPreprocessor = Preprocessor[Any, Any]
NUMBERED_WORDS = (TextPreprocessor, TreePreprocessor)  # they number the words that they meet when they are fitted

# Kind of feature → preprocessor.
PREPROCESSORS: Mapping[str, type[AnyPreprocessor]] = {
    "tensor": TensorPreprocessor,
    "numbers": NumbersPreprocessor,
    "table": TablePreprocessor,
    "datetime": DatetimePreprocessor,
    "category": CategoryPreprocessor,
    "class": ClassPreprocessor,
    "tags": TagsPreprocessor,
    "labels": LabelsPreprocessor,
    "text": TextPreprocessor,
    "ngrams": NgramsPreprocessor,
    "series": SeriesPreprocessor,
    "tree": TreePreprocessor,
    "image": ImagePreprocessor,
}


@dataclass(frozen=True)
class Preparation:
    """The preprocessors of some features of a job, by name."""

    preprocessors: Mapping[str, AnyPreprocessor]
    time_step: float | None = None  # of windows: the time between the rows that were trained on

    @classmethod
    def fit(
        cls,
        resolved: ResolvedFeatures,
        names: tuple[str, ...],
        stored: DataSchema,
        split: SplitColumns,
        known: Mapping[str, Any] | None = None,
    ) -> Self:
        """Fit the features that make these columns on the training rows.

        `known` is the document of another job's preparation: features that it has by the same name and kind are as
        fitted there. Raises `DataError`.
        """
        fitted = {
            name: _class(feature).fit(name, feature, stored, split)
            for name, feature in resolved.features_for(names).items()
        }
        return cls({name: _take_over(name, each, known, stored) for name, each in fitted.items()})

    @classmethod
    def load(cls, resolved: ResolvedFeatures, stored: DataSchema, document: Mapping[str, Any]) -> Self:
        """Return the preparation of a stored document.

        Raises `DataError` if it is of another version, or of other features than the job has now.
        """
        if document.get("version") != VERSION:
            raise DataError(f"the preparation has version {document.get('version')}, this is {VERSION}")
        kinds = document.get("kinds", {})
        preprocessors = {}
        for name, state in document["features"].items():
            feature = resolved.features.get(name)
            try:
                if feature is None or kinds.get(name, feature.kind) != feature.kind:
                    raise KeyError(name)
                preprocessors[name] = _class(feature).load(name, feature, stored, state)
            except (KeyError, TypeError):  # defaults of features have changed since
                detail = f'the checkpoint prepared "{name}" in another way than this version of the service does'
                raise DataError(detail, pointer="/data/features", hint="submit the job again") from None
        return cls(preprocessors, document.get("time_step"))

    def document(self) -> dict[str, Any]:
        """Return everything that was fitted, as JSON."""
        return {
            "version": VERSION,
            "kinds": {name: each.feature.kind for name, each in self.preprocessors.items()},
            "features": {name: each.state() for name, each in self.preprocessors.items()},
            **({} if self.time_step is None else {"time_step": self.time_step}),
        }

    def differences(self, other: Mapping[str, Any]) -> dict[str, bool]:
        """Return the features that another job's preparation has by the same name and kind, but fitted otherwise.

        The value says whether they number words: an embedding's rows then mean other words.
        """
        kinds, states = other.get("kinds", {}), other["features"]
        return {
            name: isinstance(each, NUMBERED_WORDS)
            for name, each in self.preprocessors.items()
            if kinds.get(name) == each.feature.kind and _learned(states.get(name)) != _learned(each.state())
        }

    def text_preprocessors(self) -> dict[str, TextPreprocessor]:
        """Return the preprocessors of texts."""
        return {name: each for name, each in self.preprocessors.items() if isinstance(each, TextPreprocessor)}

    def token_names(self, target: str) -> tuple[str, ...] | None:
        """Return the tokens that the numbers of a target stand for, in order; `None` if it is no text."""
        texts = self.text_preprocessors()
        found = next((each for name, each in texts.items() if target in (name, *each.feature.target_names(name))), None)
        return found.token_names if found is not None else None

    def tokenizer_files(self) -> dict[str, str]:
        """Return the tokenizers by the names of their files: tokenizer.json, or one for each of several features."""
        texts = self.text_preprocessors()
        return {
            "tokenizer.json" if len(texts) == 1 else f"{name}.tokenizer.json": json.dumps(each.state())
            for name, each in texts.items()
        }

    def transform(self, split: SplitColumns, names: tuple[str, ...]) -> dict[str, PreparedColumn]:
        """Return these columns of a split, each (rows, …). Raises `DataError`."""
        columns: dict[str, PreparedColumn] = {}
        for preprocessor in self.preprocessors.values():
            columns |= preprocessor.transform(split)
        return {name: columns[name] for name in names}

    def truncated_columns(self, prepared: Mapping[str, PreparedColumn]) -> Iterator[tuple[str, int, int]]:
        """Yield the stored columns of which rows were truncated: their name, how many rows, and the length left."""
        for preprocessor in self.preprocessors.values():
            column = prepared.get(preprocessor.columns[0])
            if isinstance(column, RaggedTensor) and column.truncated_count:
                yield preprocessor.feature.source_columns[0], column.truncated_count, int(column.lengths.max())


def _take_over(
    name: str, fitted: AnyPreprocessor, known: Mapping[str, Any] | None, stored: DataSchema
) -> AnyPreprocessor:
    """Return a preprocessor as another job has fitted it, if it has. Raises `DataError` if that does not fit."""
    if known is None or known.get("kinds", {}).get(name) != fitted.feature.kind:
        return fitted
    state = known["features"][name]
    if not isinstance(fitted, NUMBERED_WORDS) and _layout(state) != _layout(fitted.state()):
        detail = f'"{name}" has other columns or another scale here than in the job of the checkpoint'
        hint = 'give the feature another name, or set "preparation": "fit"'
        raise DataError(detail, pointer="/start_from/preparation", hint=hint)
    return type(fitted).load(name, fitted.feature, stored, state)


def _layout(state: Any) -> Any:
    """Return the form of a state: its names, and how many numbers stand where."""
    if isinstance(state, Mapping):
        return {name: _layout(value) for name, value in state.items()}
    return [_layout(value) for value in state] if isinstance(state, list) else state is None


def _learned(state: Any) -> Any:
    """Return what was fitted, without the lengths at which texts are cut."""
    return {name: each for name, each in state.items() if name != "truncation"} if isinstance(state, Mapping) else state


def _class(feature: BaseFeature) -> type[AnyPreprocessor]:
    return PREPROCESSORS[feature.kind]
