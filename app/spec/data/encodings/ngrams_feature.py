"""The feature of n-grams: a text as a bag of short sequences of words and characters, each a number by its hash."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app.errors import Problem
from app.spec.base import Size
from app.spec.data.base_feature import ColumnFeature, FeatureContext, SequenceLengths
from app.spec.data.columns import Column, ColumnType, DataSchema

LENGTH_SUFFIX, WEIGHT_SUFFIX = "_length", "_weight"
NgramSize = Annotated[int, Field(strict=True, ge=1, le=10)]
NgramRange = Annotated[tuple[NgramSize, NgramSize], Field(description="The least and the greatest length.")]


class NgramsFeature(ColumnFeature):
    """A column of texts as a bag of n-grams: int64 (length), and `<name>_length`, `<name>_weight`: float32 (length).

    Each different n-gram of a text stands once, as the bucket that its hash falls into (Joulin et al. 2016), from 1 on.
    """

    column_types: ClassVar[tuple[ColumnType, ...]] = ("text", "category", "words")

    kind: Literal["ngrams"] = "ngrams"
    words: NgramRange | None = Field((1, 2), description="Words and signs in a row; null: none.")
    characters: NgramRange | None = Field(
        None, description="Characters in a row, within words between `<` and `>`; null: none."
    )
    buckets: Annotated[Size, Field(ge=2, le=10_000_000)] = Field(
        65_536, description="The numbers that n-grams are hashed to; those of one bucket are taken for each other."
    )
    weights: Literal["tfidf", "count"] = Field(
        "tfidf",
        description="What `<name>_weight` has. tfidf: (1 + log count) (1 + log((1 + texts) / (1 + texts with it))), by "
        "the texts of train, of norm 1 for each text; count: how often it occurs.",
    )
    min_count: Size = Field(2, description="N-grams in fewer texts of train are left out, such as those of new words.")
    max_length: Annotated[Size, Field(le=1_000_000)] = Field(
        1000, description="Different n-grams of a text; the first ones are kept."
    )
    lowercase: bool = True

    def column_names(self, name: str) -> tuple[str, ...]:
        """Return the names of the n-grams, of their number, and of their weights."""
        return name, name + LENGTH_SUFFIX, name + WEIGHT_SUFFIX

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return the n-grams, int64 (length), their number, int64 (), and their weights, float32 (length)."""
        shape = {"shape": (self.max_length,), "ragged": True, "padded": True}
        return [
            Column(name=name, dtype="int64", classes=self.buckets + 1, **shape),
            Column(name=name + LENGTH_SUFFIX, dtype="int64"),
            Column(name=name + WEIGHT_SUFFIX, dtype="float32", **shape),
        ]

    def max_input_length(self, column: Column) -> int | None:
        """Return `None`: longer texts lose their last n-grams."""
        return None

    def sequence_lengths(self, stored: DataSchema) -> SequenceLengths | None:
        """Return `None`: n-grams are in no order, and have no tags."""
        return None

    def problems(self, name: str, context: FeatureContext) -> Iterator[Problem]:
        """Yield ranges that hold nothing."""
        if self.words is None and self.characters is None:
            detail = "there are neither words nor characters to make n-grams of"
            yield Problem(context.pointer(name, "/words"), "contradiction", detail, 'use "words": [1, 2]')
        for field, sizes in (("words", self.words), ("characters", self.characters)):
            if sizes is not None and sizes[0] > sizes[1]:
                detail = f"the least length {sizes[0]} is above the greatest, {sizes[1]}"
                hint = f"use [{sizes[1]}, {sizes[0]}]"
                yield Problem(context.pointer(name, f"/{field}"), "contradiction", detail, hint)
