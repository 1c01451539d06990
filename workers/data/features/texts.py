"""Texts: tokens as numbers, by a tokenizer that is trained on the training rows alone."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import torch
from tokenizers import Tokenizer

from app.spec.data.columns import DataSchema
from workers.data.columns import Made, Ragged, Split
from workers.data.features.numbers import column_of, stored_column
from workers.data.features.tokenizers import PADDING, UNKNOWN, loaded, trained, trained_on_words

BLOCK = 1000  # texts that are encoded at once


@dataclass(frozen=True)
class Texts:
    """A column of texts, or of lists of words that are tokens already."""

    name: str
    part: Any
    words: bool  # whether the column holds lists of words
    tokenizer: Tokenizer

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: Split) -> Self:
        """Train the tokenizer."""
        rows = stored_column(split, part.column)
        if column_of(stored, part.column).type == "words":
            return cls(name, part, True, trained_on_words(part.tokenizer, chain.from_iterable(rows)))
        return cls(name, part, False, trained(part.tokenizer, (text for text in rows if text is not None)))

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take over the tokenizer."""
        return cls(name, part, column_of(stored, part.column).type == "words", loaded(fitted))

    def fitted(self) -> Any:
        """Return the tokenizer as JSON. In plain Python it cuts texts as here; only a text without tokens has none."""
        whole = loaded(json.loads(self.tokenizer.to_str()))
        whole.enable_truncation(self.part.max_length)
        return json.loads(whole.to_str())

    def apply(self, split: Split) -> dict[str, Made]:
        """Return the tokens, int64 (rows, length), and how many there are of each row: at least one."""
        rows = stored_column(split, self.part.column)
        most, cut, made = self.part.max_length, 0, []
        for tokens in self._encoded_words(rows) if self.words else self._encoded(rows):
            cut += len(tokens) > most
            made.append(torch.tensor(tokens[:most] or [UNKNOWN]))
        least = most if self.part.pad == "max_length" else self.part.min_length
        column = Ragged.of(made, PADDING, least, cut)
        return {self.name: column, f"{self.name}_length": column.lengths}

    def _encoded(self, texts: Sequence[str | None]) -> Iterator[list[int]]:
        for start in range(0, len(texts), BLOCK):
            block = [text or "" for text in texts[start : start + BLOCK]]
            yield from (found.ids for found in self.tokenizer.encode_batch_fast(block))

    def _encoded_words(self, lists: Sequence[Sequence[str]]) -> Iterator[list[int]]:
        """Look words up one by one, for each must be one token: also one that is empty, or written like padding."""
        normalizer, codes = self.tokenizer.normalizer, self.tokenizer.get_vocab()
        known: dict[str, int] = {}
        for words in lists:
            for word in words:
                if word not in known:
                    known[word] = codes.get(normalizer.normalize_str(word)) or UNKNOWN
            yield [known[word] for word in words]
