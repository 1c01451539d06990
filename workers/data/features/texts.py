"""Texts: tokens as numbers, by a tokenizer that is trained on the training rows alone."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import torch
from tokenizers import Tokenizer

from app.spec.data.columns import DataSchema
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns
from workers.data.features.numbers import column_schema, column_values
from workers.data.features.tokenizers import PAD_ID, UNK_ID, load_tokenizer, train_tokenizer, train_word_tokenizer

ENCODE_BATCH_SIZE = 1000  # texts that are encoded at once


@dataclass(frozen=True)
class TextPreprocessor:
    """A column of texts, or of lists of words that are tokens already."""

    name: str
    part: Any
    words: bool  # whether the column holds lists of words
    tokenizer: Tokenizer

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: SplitColumns) -> Self:
        """Train the tokenizer."""
        rows = column_values(split, part.column)
        if column_schema(stored, part.column).type == "words":
            return cls(name, part, True, train_word_tokenizer(part.tokenizer, chain.from_iterable(rows)))
        return cls(name, part, False, train_tokenizer(part.tokenizer, (text for text in rows if text is not None)))

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take over the tokenizer."""
        return cls(name, part, column_schema(stored, part.column).type == "words", load_tokenizer(fitted))

    def fitted_state(self) -> Any:
        """Return the tokenizer as JSON. In plain Python it cuts texts as here; only a text without tokens has none."""
        whole = load_tokenizer(json.loads(self.tokenizer.to_str()))
        whole.enable_truncation(self.part.max_length)
        return json.loads(whole.to_str())

    def apply(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return the tokens, int64 (rows, length), and how many there are of each row: at least one."""
        rows = column_values(split, self.part.column)
        most, cut, made = self.part.max_length, 0, []
        for tokens in self._encode_words(rows) if self.words else self._encode(rows):
            cut += len(tokens) > most
            made.append(torch.tensor(tokens[:most] or [UNK_ID]))
        least = most if self.part.pad == "max_length" else self.part.min_length
        column = RaggedTensor.from_rows(made, PAD_ID, least, cut)
        return {self.name: column, f"{self.name}_length": column.lengths}

    def _encode(self, texts: Sequence[str | None]) -> Iterator[list[int]]:
        for start in range(0, len(texts), ENCODE_BATCH_SIZE):
            block = [text or "" for text in texts[start : start + ENCODE_BATCH_SIZE]]
            yield from (found.ids for found in self.tokenizer.encode_batch_fast(block))

    def _encode_words(self, lists: Sequence[Sequence[str]]) -> Iterator[list[int]]:
        """Look words up one by one, for each must be one token: also one that is empty, or written like padding."""
        normalizer, codes = self.tokenizer.normalizer, self.tokenizer.get_vocab()
        known: dict[str, int] = {}
        for words in lists:
            for word in words:
                if word not in known:
                    known[word] = codes.get(normalizer.normalize_str(word)) or UNK_ID
            yield [known[word] for word in words]
