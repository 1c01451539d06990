"""From stored columns to tensors: fitted on the training rows alone, and kept with every checkpoint.

What is fitted (means, vocabularies, tokenizers) is JSON, so that a prediction prepares its rows as training did.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from app.errors import DataError
from app.spec.data.columns import DataSchema
from app.spec.data.feature_schema import View
from workers.data.columns import Made, Split
from workers.data.features.categories import Categories, Classes, ManyLabels, TagLists
from workers.data.features.images import PictureColumn
from workers.data.features.numbers import NumberColumns, TensorColumn
from workers.data.features.series import Series
from workers.data.features.texts import Texts
from workers.data.features.trees import Trees

VERSION = 1


class Preparer(Protocol):
    """Makes the tensors of one feature."""

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: Split) -> Self:
        """Look at the training rows. Raises `DataError`."""
        ...

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take over what `fitted` returned."""
        ...

    def fitted(self) -> Any:
        """Return what was learned from the training rows, as JSON."""
        ...

    def apply(self, split: Split) -> dict[str, Made]:
        """Return the columns of the feature by name, of the dtypes and shapes of the view. Raises `DataError`."""
        ...


# Kind of feature → what makes its tensors.
PREPARERS: Mapping[str, type[Preparer]] = {
    "tensor": TensorColumn,
    "numbers": NumberColumns,
    "category": Categories,
    "class": Classes,
    "tags": TagLists,
    "labels": ManyLabels,
    "text": Texts,
    "series": Series,
    "tree": Trees,
    "image": PictureColumn,
}


@dataclass(frozen=True)
class Preparation:
    """The preparers of some features of a job, by name."""

    preparers: Mapping[str, Preparer]

    @classmethod
    def fit(cls, seen: View, names: tuple[str, ...], stored: DataSchema, split: Split) -> Self:
        """Fit the features of which these columns come, on the training rows. Raises `DataError`."""
        return cls({name: _preparer(part.kind).fit(name, part, stored, split)  # type: ignore[attr-defined]
                    for name, part in seen.needed(names).items()})  # fmt: skip

    @classmethod
    def load(cls, seen: View, stored: DataSchema, document: Mapping[str, Any]) -> Self:
        """Take over what `document` returned. Raises `DataError` if it is of another version."""
        if document.get("version") != VERSION:
            raise DataError(f"the preparation has version {document.get('version')}, this is {VERSION}")
        return cls({name: _preparer(seen.features[name].kind).load(name, seen.features[name], stored, fitted)  # type: ignore[attr-defined]
                    for name, fitted in document["features"].items()})  # fmt: skip

    def document(self) -> dict[str, Any]:
        """Return everything that was fitted, as JSON."""
        return {"version": VERSION, "features": {name: each.fitted() for name, each in self.preparers.items()}}

    def texts(self) -> dict[str, Texts]:
        """Return the features of text."""
        return {name: each for name, each in self.preparers.items() if isinstance(each, Texts)}

    def files(self) -> dict[str, str]:
        """Return the tokenizers by the names of their files: tokenizer.json, or one for each of several features."""
        texts = self.texts()
        return {"tokenizer.json" if len(texts) == 1 else f"{name}.tokenizer.json": json.dumps(each.fitted())
                for name, each in texts.items()}  # fmt: skip

    def apply(self, split: Split, names: tuple[str, ...]) -> dict[str, Made]:
        """Return these columns of a split. Raises `DataError`."""
        made: dict[str, Made] = {}
        for preparer in self.preparers.values():
            made |= preparer.apply(split)
        return {name: made[name] for name in names}


def _preparer(kind: str) -> type[Preparer]:
    return PREPARERS[kind]
