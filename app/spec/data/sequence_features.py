"""Features of variable length: texts, tags of their tokens, series and trees."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from app.errors import Problem
from app.ids import DATASET_ID_PATTERN
from app.spec.base import Size, SpecModel, validation_error
from app.spec.data.base_feature import (
    LENGTH_SUFFIX,
    SCALE_DESCRIPTION,
    ColumnFeature,
    FeatureContext,
    PadMode,
    Scale,
    SequenceLengths,
    log_problems,
    min_length_problems,
    sequence_column,
    with_length,
)
from app.spec.data.columns import END, UNKNOWN, Column, ColumnName, ColumnType, DataSchema
from app.spec.kinds import kind_or_name

VocabularySize = Annotated[Size, Field(le=1_000_000)]
SequenceLength = Annotated[Size, Field(le=1_000_000)]
DEFAULT_MAX_LENGTH = 256
PAD_DESCRIPTION = "Pad batches to their longest row, or all of them to max_length."
MIN_LENGTH_DESCRIPTION = "The minimum length of batches, which a large kernel may need."
BYTE_ALPHABET_SIZE = 256  # the initial alphabet of byte-level BPE
CHILDREN_SUFFIX, NEXT_SUFFIX = "_children", "_next"


class Tokenizer(SpecModel):
    """How a text becomes tokens; trained on the job's own training rows. 0 is padding, 1 an unknown token.

    word: words and punctuation marks; character: single characters; bpe: byte-level BPE as in GPT-2, to which no text
    is unknown; wordpiece: WordPiece as in BERT, of words and punctuation marks.
    """

    kind: Literal["word", "bpe", "wordpiece", "character"] = "word"
    vocabulary: VocabularySize = Field(
        25_000, description="The maximum number of tokens, the most frequent ones, including padding and unknown."
    )
    lowercase: bool = True
    min_count: Size = Field(
        1, description="Rarer tokens are unknown; with bpe and wordpiece: rarer pairs are not merged."
    )

    @field_validator("vocabulary")
    @classmethod
    def _has_room(cls, vocabulary: int, info: ValidationInfo) -> int:
        least = BYTE_ALPHABET_SIZE + 2 if info.data.get("kind") == "bpe" else 4
        if vocabulary < least:
            own = f"a byte-level BPE starts from {BYTE_ALPHABET_SIZE} bytes"
            what = own if least > 4 else "two tokens are padding and unknown"
            raise validation_error("out_of_range", f"{vocabulary} tokens are too few: {what}", f"use at least {least}")
        return vocabulary


if TYPE_CHECKING:
    TokenizerOrKind = Tokenizer
else:
    TokenizerOrKind = kind_or_name(Tokenizer)


class Vectors(SpecModel):
    """Pretrained word vectors, copied into an Embedding."""

    dataset: Annotated[str, Field(pattern=DATASET_ID_PATTERN)]
    into: Annotated[str, Field(min_length=1, max_length=200, description="The id of the Embedding.")]


class TextFeature(ColumnFeature):
    """A column of texts, or of lists of words: int64 (length), `<name>_length`: int64 (), and, if asked, `<name>_next`.

    A text without tokens becomes one unknown token, so every length is at least 1.
    """

    column_types: ClassVar[tuple[ColumnType, ...]] = ("text", "category", "words")
    input_types: ClassVar[tuple[ColumnType, ...]] = ("text", "words")
    target_types: ClassVar[tuple[ColumnType, ...]] = ("text",)

    kind: Literal["text"] = "text"
    tokenizer: TokenizerOrKind = Tokenizer()
    max_length: SequenceLength = Field(DEFAULT_MAX_LENGTH, description="Longer texts are truncated.")
    min_length: SequenceLength = Field(1, description=MIN_LENGTH_DESCRIPTION)
    pad: PadMode = Field("batch", description=PAD_DESCRIPTION)
    vectors: Vectors | None = None
    next: bool = Field(False, description="Also make <name>_next, a target: at each place the token that follows.")
    begin: bool = Field(True, description="With next: a token [BEGIN], 2, precedes the text.")
    end: bool = Field(True, description="With next: a token [END], 3, follows the last one in <name>_next.")

    @property
    def batch_lengths(self) -> SequenceLengths:
        """The numbers of tokens in batches."""
        return SequenceLengths(self.column, self.max_length, self.min_length, self.pad)

    @property
    def special_tokens(self) -> int:
        """How many tokens stand for no text."""
        return (END if self.next else UNKNOWN) + 1

    def column_names(self, name: str) -> tuple[str, ...]:
        """Return the names of the tokens, of their number, and of the tokens that follow."""
        return name, name + LENGTH_SUFFIX, *self.target_names(name)

    def target_names(self, name: str) -> tuple[str, ...]:
        """Return the name of the tokens that follow, if there are such."""
        return (name + NEXT_SUFFIX,) if self.next else ()

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return the tokens, int64 (length), their number, int64 (), and the tokens that follow, int64 (length)."""
        tokens = sequence_column(name, self.batch_lengths, dtype="int64", classes=self.tokenizer.vocabulary)
        follows = name if self.begin and self.end else None
        targets = (tokens.model_copy(update={"name": each, "follows": follows}) for each in self.target_names(name))
        return [*with_length(tokens), *targets]

    def sequence_lengths(self, stored: DataSchema) -> SequenceLengths | None:
        """Return the lengths of lists of words, whose elements are tokens; the tokens of a text have no tags."""
        return self.batch_lengths if self._reads_words(stored) else None

    def problems(self, name: str, context: FeatureContext) -> Iterator[Problem]:
        """Yield a tokenizer for what is tokenized already, and a minimum length above the maximum."""
        if self._reads_words(context.stored) and self.tokenizer.kind != "word":
            detail = f'"{self.column}" holds lists of words, which are not tokenized again'
            yield Problem(context.pointer(name, "/tokenizer/kind"), "contradiction", detail, 'use "word"')
        yield from min_length_problems(name, self.min_length, self.max_length, context) if self.pad == "batch" else ()
        for field in () if self.next else sorted(self.model_fields_set & {"begin", "end"}):
            detail = f"{field} is about the text that a network learns to continue"
            yield Problem(context.pointer(name, f"/{field}"), "contradiction", detail, 'add "next": true')
        least = self.special_tokens + (BYTE_ALPHABET_SIZE if self.tokenizer.kind == "bpe" else 2)
        if self.tokenizer.vocabulary < least:
            detail, hint = f"{self.special_tokens} of the tokens stand for no text", f"use at least {least}"
            yield Problem(context.pointer(name, "/tokenizer/vocabulary"), "out_of_range", detail, hint)

    def _reads_words(self, stored: DataSchema) -> bool:
        return stored.column_type(self.column) == "words"


class TagsFeature(ColumnFeature):
    """A column of lists of words, as a target: a class for every token, int64 (length), padded with -100.

    Tags are truncated and padded as what they belong to: words of a text, time steps of a series, nodes of a tree.
    """

    column_types: ClassVar[tuple[ColumnType, ...]] = ("words",)
    target_types: ClassVar[tuple[ColumnType, ...]] = ("words",)
    requires_labels: ClassVar[bool] = True

    kind: Literal["tags"] = "tags"
    of: ColumnName | None = Field(
        None, description="The column of words, series or trees that they belong to. Default: the first default input."
    )
    max_length: SequenceLength | None = Field(None, description="Longer lists are truncated.")
    min_length: SequenceLength | None = Field(None, description=MIN_LENGTH_DESCRIPTION)
    pad: PadMode | None = Field(None, description=PAD_DESCRIPTION)

    @property
    def batch_lengths(self) -> SequenceLengths:
        """The numbers of tags in batches."""
        most = self.max_length or DEFAULT_MAX_LENGTH
        return SequenceLengths(self.column, most, self.min_length or 1, self.pad or "batch")

    @property
    def length_source(self) -> str:
        """The column that they belong to."""
        return self.of or self.column

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return the classes of the elements, int64 (length)."""
        labels = stored[self.column].labels or ()
        return [sequence_column(name, self.batch_lengths, dtype="int64", classes=len(labels), labels=labels)]

    def resolve(self, name: str, context: FeatureContext) -> "TagsFeature":
        """Return tags that are truncated and padded as the sequence that they belong to."""
        owner = next((each for each in context.sequences if self._may_belong_to(each.column)), None)
        if owner is None:
            return self.model_copy(update={"max_length": self.max_length or DEFAULT_MAX_LENGTH})
        lengths = {"max_length": owner.max_length, "min_length": owner.min_length, "pad": owner.pad}
        return self.model_copy(update={"of": owner.column, **lengths})

    def _may_belong_to(self, column: str) -> bool:
        return column == self.of if self.of is not None else column != self.column

    def problems(self, name: str, context: FeatureContext) -> Iterator[Problem]:
        """Yield a column that has no elements to tag, and settings unlike those of the column that is tagged."""
        declared = context.declaration(name, self)
        if declared is None:
            return
        if declared.of is not None and context.stored.column_type(declared.of) not in ("words", "series", "tree"):
            detail = f'"{declared.of}" is not a column of words, series or trees'
            yield Problem(
                context.pointer(name, "/of"), "unknown_column", detail, "name the column whose elements are tagged"
            )
        for field, given, resolved in (
            ("max_length", declared.max_length, self.max_length),
            ("min_length", declared.min_length, self.min_length),
            ("pad", declared.pad, self.pad),
        ):
            if given not in (None, resolved):
                detail = f'the tags belong to "{self.of}", whose {field} is {resolved}'
                yield Problem(context.pointer(name, f"/{field}"), "contradiction", detail, f"remove {field}")


class SeriesFeature(ColumnFeature):
    """A column of series: float32 (length, …), padded with 0, and `<name>_length`: int64 ().

    A series without time steps becomes one time step of zeros, so every length is at least 1.
    """

    column_types: ClassVar[tuple[ColumnType, ...]] = ("series",)
    input_types: ClassVar[tuple[ColumnType, ...]] = ("series",)
    is_own_target: ClassVar[bool] = True

    kind: Literal["series"] = "series"
    max_length: SequenceLength | None = Field(
        None, description="Longer series are truncated; default: the longest of the data."
    )
    min_length: SequenceLength = Field(1, description=MIN_LENGTH_DESCRIPTION)
    pad: PadMode = Field("batch", description=PAD_DESCRIPTION)
    scale: Scale | None = Field(None, description=SCALE_DESCRIPTION)

    @classmethod
    def as_target(cls, column: Column) -> "SeriesFeature | None":
        """Return a series that a loss compares with: as it is stored."""
        return cls(column=column.name, scale="none") if column.type == "series" else None

    def column_names(self, name: str) -> tuple[str, ...]:
        """Return the names of the values and of the number of time steps."""
        return name, name + LENGTH_SUFFIX

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return the values, float32 (length, …), and the number of time steps, int64 ()."""
        return with_length(sequence_column(name, self.sequence_lengths(stored), *stored[self.column].shape))

    def sequence_lengths(self, stored: DataSchema) -> SequenceLengths:
        """Return the numbers of time steps in batches."""
        return self.batch_lengths(stored.max_length(self.column))

    def batch_lengths(self, max_length: int) -> SequenceLengths:
        """Return the numbers of time steps in batches, where no row has more than `max_length`."""
        return SequenceLengths(self.column, self.max_length or max_length, self.min_length, self.pad)

    def max_input_length(self, column: Column) -> int | None:
        """Return the largest number of time steps to predict from; `None` if longer series are truncated."""
        return None if self.max_length is not None else column.longest

    def resolve(self, name: str, context: FeatureContext) -> "SeriesFeature":
        """Return the series, scaled as all data unless it has its own scale."""
        return self._with_scale(self.scale, context)

    def problems(self, name: str, context: FeatureContext) -> Iterator[Problem]:
        """Yield a minimum length above the maximum, and numbers without a logarithm."""
        yield from log_problems(name, self.scale, self.source_columns, context)
        if self.pad == "batch":
            most = self.sequence_lengths(context.stored).max_length
            yield from min_length_problems(name, self.min_length, most, context)


class TreeFeature(ColumnFeature):
    """A column of trees: labels int64 (nodes), and `<name>_children`: int64 (nodes, children); see Fold.

    The root is row 0. Labels are numbered from 1 on; 0 is an unknown label and padding; -1 is no child.
    """

    column_types: ClassVar[tuple[ColumnType, ...]] = ("tree",)
    input_types: ClassVar[tuple[ColumnType, ...]] = ("tree",)
    target_types: ClassVar[tuple[ColumnType, ...]] = ("tree",)

    kind: Literal["tree"] = "tree"
    vocabulary: VocabularySize = Field(
        1000, description="The maximum number of labels, the most frequent ones, including unknown."
    )

    def column_names(self, name: str) -> tuple[str, ...]:
        """Return the names of the labels and of the children."""
        return name, name + CHILDREN_SUFFIX

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return the labels, int64 (nodes), and the rows of the children, int64 (nodes, children)."""
        lengths, width = self.sequence_lengths(stored), stored[self.column].max_width
        return [
            sequence_column(name, lengths, dtype="int64", classes=self.vocabulary),
            sequence_column(name + CHILDREN_SUFFIX, lengths, width, dtype="int64"),
        ]

    def sequence_lengths(self, stored: DataSchema) -> SequenceLengths:
        """Return the numbers of nodes, of which none is ever cut off."""
        return SequenceLengths(self.column, stored.max_length(self.column))
