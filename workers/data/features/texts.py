"""Texts: tokens as numbers, by a tokenizer that is trained on the training rows alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self, cast

import torch
from tokenizers import Tokenizer

from app.spec.data.columns import BEGIN, END, DataSchema
from app.spec.data.sequence_features import TextFeature
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns, StringColumn, WordListColumn
from workers.data.features.categories import IGNORE_INDEX
from workers.data.features.preprocessor import Preprocessor, column_schema, column_values
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
