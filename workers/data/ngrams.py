"""N-grams of texts as numbers, by a hash that every program has: CRC-32."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from zlib import crc32

from app.spec.data.encodings.ngrams_feature import NgramsFeature

TOKEN = re.compile(r"\w+|[^\w\s]")  # words, and every other sign alone
CHARACTER_SEED = 1  # so that characters fall into other buckets than words of the same letters


def bucket_counts(text: str | Sequence[str] | None, feature: NgramsFeature) -> Counter[int]:
    """Return how often each bucket occurs in a text, or in a list of words, in the order of its first n-gram.

    The bucket of words is ``crc32(" ".join(words).encode()) % buckets + 1``; of characters, ``crc32(…, 1)``.
    """
    tokens = _tokens(text, feature.lowercase)
    return Counter(value % feature.buckets + 1 for value in _hashes(tokens, feature))


def _tokens(text: str | Sequence[str] | None, lowercase: bool) -> list[str]:
    if text is None:
        return []
    if isinstance(text, str):
        return TOKEN.findall(_normalize(text, lowercase))
    return [_normalize(word, lowercase) for word in text]


def _normalize(text: str, lowercase: bool) -> str:
    normal = unicodedata.normalize("NFC", text)
    return normal.lower() if lowercase else normal


def _hashes(tokens: Sequence[str], feature: NgramsFeature) -> Iterator[int]:
    if feature.words is not None:
        for size in range(feature.words[0], feature.words[1] + 1):
            for first in range(len(tokens) - size + 1):
                yield crc32(" ".join(tokens[first : first + size]).encode())
    if feature.characters is not None:
        for token in tokens:
            word = f"<{token}>"
            for size in range(feature.characters[0], feature.characters[1] + 1):
                for first in range(len(word) - size + 1):
                    yield crc32(word[first : first + size].encode(), CHARACTER_SEED)
