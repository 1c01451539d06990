"""How columns become tensors: what is fitted on the training rows, and what a network then sees."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from app.ids import DATASET_ID_PATTERN
from app.spec.base import Name, Size, SpecModel, validation_error
from app.spec.data.columns import ColumnName
from app.spec.data.transforms import Transforms
from app.spec.kinds import discriminated_union

Scale = Literal["none", "unit", "standard"]
VocabularySize = Annotated[Size, Field(le=1_000_000)]
SequenceLength = Annotated[Size, Field(le=1_000_000)]
SCALE_DESCRIPTION = (
    "Of numbers: none; unit: divided by the largest value, so images lie in 0..1; standard: zero mean and unit "
    "variance, feature by feature, on train. Default: unit for images of bytes, else none."
)
DEFAULT_MAX_LENGTH = 256
PadMode = Literal["batch", "max_length"]
PAD_DESCRIPTION = "Whether batches are as long as their longest row, or all as long as max_length."
MIN_LENGTH_DESCRIPTION = "How long batches are at least, which a large kernel may need."
BYTE_ALPHABET_SIZE = 256  # what byte-level BPE begins with


class TensorFeature(SpecModel):
    """A column that is a tensor already."""

    kind: Literal["tensor"] = "tensor"
    column: ColumnName
    scale: Scale | None = Field(None, description=SCALE_DESCRIPTION)


class NumbersFeature(SpecModel):
    """Columns of numbers side by side: float32 (k)."""

    kind: Literal["numbers"] = "numbers"
    columns: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=10_000)]
    missing: Literal["mean", "median", "zero", "refuse"] = Field(
        "mean", description="What stands for a missing value: the mean or the median of train, zero, or an error."
    )
    indicators: bool = Field(False, description="Add a 0 or 1 for each column: whether its value is missing.")
    scale: Scale | None = Field(None, description=SCALE_DESCRIPTION)


class CategoryFeature(SpecModel):
    """A column of few words, as an input: int64 (), from 1 on; 0 stands for a missing or an unknown word."""

    kind: Literal["category"] = "category"
    column: ColumnName


class ClassFeature(SpecModel):
    """A column of few words or whole numbers, as a target: int64 (), from 0 on."""

    kind: Literal["class"] = "class"
    column: ColumnName


class Tokenizer(SpecModel):
    """How a text becomes numbers; trained on the job's own training rows. 0 is padding, 1 an unknown token.

    word: words and single signs; character: single characters; bpe: byte-level BPE as GPT-2 has it, which knows every
    text; wordpiece: WordPiece as BERT has it, over words and single signs.
    """

    kind: Literal["word", "bpe", "wordpiece", "character"] = "word"
    vocabulary: VocabularySize = Field(
        25_000, description="At most so many tokens, the most frequent ones, with 0 and 1."
    )
    lowercase: bool = True
    min_count: Size = Field(1, description="Rarer tokens are unknown; of bpe and wordpiece: rarer pairs stay apart.")

    @field_validator("vocabulary")
    @classmethod
    def _has_room(cls, vocabulary: int, info: ValidationInfo) -> int:
        least = BYTE_ALPHABET_SIZE + 2 if info.data.get("kind") == "bpe" else 4
        if vocabulary < least:
            what = (
                f"a byte-level BPE begins with {BYTE_ALPHABET_SIZE} bytes"
                if least > 4
                else "two tokens are padding and unknown"
            )
            raise validation_error("out_of_range", f"{vocabulary} tokens are too few: {what}", f"use at least {least}")
        return vocabulary


class Vectors(SpecModel):
    """Pretrained vectors of words, put into an Embedding."""

    dataset: Annotated[str, Field(pattern=DATASET_ID_PATTERN)]
    into: Annotated[str, Field(min_length=1, max_length=200, description="The id of the Embedding.")]


class TextFeature(SpecModel):
    """A column of texts, or of lists of words: int64 (length), and `<name>_length`: int64 ().

    A text without any token is one unknown token: every length is at least 1.
    """

    kind: Literal["text"] = "text"
    column: ColumnName
    tokenizer: Tokenizer = Tokenizer()
    max_length: SequenceLength = Field(DEFAULT_MAX_LENGTH, description="Longer texts lose their end.")
    min_length: SequenceLength = Field(1, description=MIN_LENGTH_DESCRIPTION)
    pad: PadMode = Field("batch", description=PAD_DESCRIPTION)
    vectors: Vectors | None = None


class TagsFeature(SpecModel):
    """A column of lists of words, as a target: a class for every token, int64 (length); -100 behind the end.

    They are cut and padded as what they belong to: the words of a text, the moments of a series, the rows of a tree.
    """

    kind: Literal["tags"] = "tags"
    column: ColumnName
    of: ColumnName | None = Field(
        None, description="The column of words, series or trees that they belong to. Default: the first that is read."
    )
    max_length: SequenceLength | None = Field(None, description="Longer lists lose their end.")
    min_length: SequenceLength | None = Field(None, description=MIN_LENGTH_DESCRIPTION)
    pad: PadMode | None = Field(None, description=PAD_DESCRIPTION)


class LabelsFeature(SpecModel):
    """A column of lists of words, as a target: several labels at once, float32 (classes) of 0 and 1."""

    kind: Literal["labels"] = "labels"
    column: ColumnName


class SeriesFeature(SpecModel):
    """A column of series: float32 (length, …), 0 behind the end, and `<name>_length`: int64 ().

    A series without any moment is one of zeros: every length is at least 1.
    """

    kind: Literal["series"] = "series"
    column: ColumnName
    max_length: SequenceLength | None = Field(
        None, description="Longer series lose their end; default: the longest there is."
    )
    min_length: SequenceLength = Field(1, description=MIN_LENGTH_DESCRIPTION)
    pad: PadMode = Field("batch", description=PAD_DESCRIPTION)
    scale: Scale | None = Field(None, description=SCALE_DESCRIPTION)


class TreeFeature(SpecModel):
    """A column of trees: labels int64 (nodes), and `<name>_children`: int64 (nodes, children); see Fold.

    The root is row 0; labels are numbered from 1 on, 0 is an unknown one and what is no node; -1 is no child.
    """

    kind: Literal["tree"] = "tree"
    column: ColumnName
    vocabulary: VocabularySize = Field(1000, description="At most so many labels, the most frequent ones, with 0.")


class ImageFeature(SpecModel):
    """A column of pictures: float32 (channels, height, width), after its transforms."""

    kind: Literal["image"] = "image"
    column: ColumnName
    scale: Scale | None = Field(None, description="none, or unit: divided by the largest value, so in 0..1; default.")
    transforms: Transforms | None = Field(None, description="In training; default: the data's.")
    evaluation_transforms: Transforms | None = Field(
        None, description="Otherwise. Default: the transforms that draw nothing, or the data's."
    )


FEATURE_CLASSES: dict[str, type[SpecModel]] = {
    "tensor": TensorFeature,
    "numbers": NumbersFeature,
    "category": CategoryFeature,
    "class": ClassFeature,
    "text": TextFeature,
    "tags": TagsFeature,
    "labels": LabelsFeature,
    "series": SeriesFeature,
    "tree": TreeFeature,
    "image": ImageFeature,
}
if TYPE_CHECKING:
    Feature = SpecModel
else:
    Feature = discriminated_union(FEATURE_CLASSES)
Features = Annotated[dict[Name, Feature], Field(min_length=1, max_length=256)]
