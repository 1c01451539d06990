"""Texts: tokens as numbers, by a tokenizer that is trained on the training rows alone, and bags of n-grams."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self, TypedDict, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor

from app.spec.data.columns import BEGIN, END, DataSchema
from app.spec.data.encodings.ngrams_feature import NgramsFeature
from app.spec.data.sequence_features import TextFeature
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns, StringColumn, WordListColumn
from workers.data.features.categories import IGNORE_INDEX
from workers.data.features.preprocessor import Preprocessor, column_schema, column_values
from workers.data.ngrams import bucket_counts
from workers.data.tokenizers import (
    PAD_ID,
    SPECIAL_TOKENS,
    UNK_ID,
    load_tokenizer,
    train_tokenizer,
    train_word_tokenizer,
)

ENCODE_BATCH_SIZE = 1000  # texts that are encoded at once

TokenizerState = Mapping[str, object]  # tokenizer.json of the library tokenizers


@dataclass(frozen=True)
class TextPreprocessor(Preprocessor[TextFeature, TokenizerState]):
    """A column of texts, or of lists of words that are tokens already."""

    is_tokenized: bool  # whether the column holds lists of words
    tokenizer: Tokenizer

    @classmethod
    def fit(cls, name: str, feature: TextFeature, stored: DataSchema, split: SplitColumns) -> Self:
        """Train the tokenizer. Raises `DataError`."""
        rows, special_tokens = column_values(split, feature.column), SPECIAL_TOKENS[: feature.special_tokens]
        if column_schema(stored, feature.column).type == "words":
            words = chain.from_iterable(cast(WordListColumn, rows))
            return cls(name, feature, True, train_word_tokenizer(feature.tokenizer, words, special_tokens))
        texts = (text for text in cast(StringColumn, rows) if text is not None)
        return cls(name, feature, False, train_tokenizer(feature.tokenizer, texts, special_tokens))

    @classmethod
    def load(cls, name: str, feature: TextFeature, stored: DataSchema, state: TokenizerState) -> Self:
        """Return the preprocessor of a stored state. Raises `DataError`."""
        is_tokenized = column_schema(stored, feature.column).type == "words"
        tokenizer = load_tokenizer(state)
        tokenizer.no_truncation()  # what follows the last token of a long text is known
        return cls(name, feature, is_tokenized, tokenizer)

    def state(self) -> TokenizerState:
        """Return the tokenizer, which truncates texts as `transform` does.

        Only an empty text has no token there, and [BEGIN] is left out.
        """
        tokenizer = load_tokenizer(json.loads(self.tokenizer.to_str()))
        tokenizer.enable_truncation(self.feature.max_length - len(self._beginning))
        document: TokenizerState = json.loads(tokenizer.to_str())
        return document

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return the tokens, int64 (rows, length), and their number, int64 (rows), at least 1. Raises `DataError`.

        With `next` also the tokens that follow, int64 (rows, length): -100 where none is known, which losses ignore.
        """
        rows = column_values(split, self.feature.column)
        encoded = (
            self._encode_words(cast(WordListColumn, rows))
            if self.is_tokenized
            else self._encode(cast(StringColumn, rows))
        )
        lengths, truncated, tokens, following = self.feature.batch_lengths, 0, [], []
        for encoding in encoded:
            codes = [*self._beginning, *encoding] or [UNK_ID]
            truncated += len(codes) > lengths.max_length
            tokens.append(torch.tensor(codes[: lengths.max_length]))
            if self.feature.next:
                codes.append(END if self.feature.end else IGNORE_INDEX)
                following.append(torch.tensor(codes[1 : lengths.max_length + 1]))
        column = RaggedTensor.from_rows(tokens, PAD_ID, lengths.min_batch_length, truncated)
        columns: list[PreparedColumn] = [column, column.lengths]
        if self.feature.next:
            columns.append(RaggedTensor.from_rows(following, IGNORE_INDEX, lengths.min_batch_length))
        return dict(zip(self.columns, columns, strict=True))

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without those that stand for none; words of lists are joined by blanks."""
        plain = [token for token in tokens if token >= self.feature.special_tokens]
        text: str = self.tokenizer.decode(plain)
        return text

    @property
    def token_names(self) -> tuple[str, ...]:
        """The tokens, in the order of their numbers."""
        return tuple(str(self.tokenizer.id_to_token(code)) for code in range(self.tokenizer.get_vocab_size()))

    @property
    def _beginning(self) -> list[int]:
        return [BEGIN] if self.feature.next and self.feature.begin else []

    def coverage(self, column: RaggedTensor) -> dict[str, float]:
        """Return the share of the tokens that are unknown, and of the texts that were truncated."""
        unknown = (column.values == UNK_ID).double().mean()
        return {"unknown": float(unknown), "cut": column.truncated_count / len(column)}

    def _encode(self, texts: Sequence[str | None]) -> Iterator[list[int]]:
        for start in range(0, len(texts), ENCODE_BATCH_SIZE):
            block = [text or "" for text in texts[start : start + ENCODE_BATCH_SIZE]]
            yield from (encoding.ids for encoding in self.tokenizer.encode_batch_fast(block))

    def _encode_words(self, lists: WordListColumn) -> Iterator[list[int]]:
        """Look words up one by one, for each must be one token: also one that is empty, or written like padding."""
        normalizer, codes = self.tokenizer.normalizer, self.tokenizer.get_vocab()
        known: dict[str, int] = {}
        for words in lists:
            for word in words:
                if word not in known:
                    code = codes.get(normalizer.normalize_str(word), UNK_ID)
                    known[word] = code if code >= self.feature.special_tokens else UNK_ID
            yield [known[word] for word in words]


class NgramsState(TypedDict):
    """The texts of train, and in how many of them each bucket is that a network sees, as JSON."""

    texts: int
    buckets: list[int]
    frequencies: list[int]


@dataclass(frozen=True)
class NgramsPreprocessor(Preprocessor[NgramsFeature, NgramsState]):
    """A column of texts or of lists of words, as bags of n-grams that enough texts of train have."""

    texts: int
    frequencies: Mapping[int, int]  # by bucket: the texts of train that have it

    @classmethod
    def fit(cls, name: str, feature: NgramsFeature, stored: DataSchema, split: SplitColumns) -> Self:
        """Count the texts that have each bucket."""
        rows = _texts(split, feature.column)
        counts = Counter[int]()
        for row in rows:
            counts.update(bucket_counts(row, feature).keys())
        kept = {bucket: count for bucket, count in sorted(counts.items()) if count >= feature.min_count}
        return cls(name, feature, len(rows), kept)

    @classmethod
    def load(cls, name: str, feature: NgramsFeature, stored: DataSchema, state: NgramsState) -> Self:
        """Return the preprocessor of a stored state."""
        return cls(name, feature, state["texts"], dict(zip(state["buckets"], state["frequencies"], strict=True)))

    def state(self) -> NgramsState:
        """Return the counts as JSON."""
        return {"texts": self.texts, "buckets": list(self.frequencies), "frequencies": list(self.frequencies.values())}

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return the buckets, int64 (rows, length), their number, int64 (rows), and weights, float32 (rows, length).

        A text without a known n-gram has one of bucket 0 with weight 0.
        """
        buckets, weights, truncated = list[Tensor](), list[Tensor](), 0
        for row in _texts(split, self.feature.column):
            known = [
                (each, count) for each, count in bucket_counts(row, self.feature).items() if each in self.frequencies
            ]
            truncated += len(known) > self.feature.max_length
            own = known[: self.feature.max_length] or [(PAD_ID, 0)]
            buckets.append(torch.tensor([bucket for bucket, _ in own]))
            weights.append(self._weights(own))
        column = RaggedTensor.from_rows(buckets, PAD_ID, 1, truncated)
        weight = RaggedTensor.from_rows(weights, 0.0, 1, truncated)
        return dict(zip(self.columns, (column, column.lengths, weight), strict=True))

    def _weights(self, own: Sequence[tuple[int, int]]) -> Tensor:
        if self.feature.weights == "count":
            return torch.tensor([count for _, count in own], dtype=torch.float32)
        weights = torch.tensor([self._tfidf(bucket, count) for bucket, count in own], dtype=torch.float64)
        return (weights / (weights.norm() or 1.0)).float()

    def _tfidf(self, bucket: int, count: int) -> float:
        """Return a bucket's weight, as scikit-learn's `TfidfTransformer(sublinear_tf=True)` has it."""
        if not count:
            return 0.0
        return (1 + math.log(count)) * (1 + math.log((1 + self.texts) / (1 + self.frequencies[bucket])))


def _texts(split: SplitColumns, name: str) -> Sequence[str | Sequence[str] | None]:
    return cast(Sequence[str | Sequence[str] | None], column_values(split, name))
