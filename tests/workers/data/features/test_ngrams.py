"""Bags of n-grams, beside scikit-learn's counts and TF-IDF of the same n-grams."""

import json
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from app.spec.data.encodings.ngrams_feature import NgramsFeature
from tests.workers.data.schemas import job_view, stored_schema
from workers.data.columns import RaggedTensor
from workers.data.features.texts import NgramsPreprocessor

TEXTS = [
    "The cat sat on the mat.",
    "A cat; a CAT!",
    "",
    None,
    "Straße über cafe\u0301",
    "dogs on mats, on cats",
    "the the the",
]
SCHEMA = stored_schema(text="text", rows=len(TEXTS))
BUCKETS = 1 << 20  # so many that no two n-grams of these share one


def fitted(texts: Any = TEXTS, **settings: Any) -> NgramsPreprocessor:
    feature = NgramsFeature.model_validate({"column": "text", "buckets": BUCKETS, **settings})
    return NgramsPreprocessor.fit("text", feature, SCHEMA, {"text": texts})


def dense(preprocessor: NgramsPreprocessor, texts: Any = TEXTS) -> np.ndarray:
    """Return the weights by bucket: (texts, buckets + 1)."""
    columns = preprocessor.transform({"text": texts})
    buckets, weights = columns["text"], columns["text_weight"]
    assert isinstance(buckets, RaggedTensor)
    assert isinstance(weights, RaggedTensor)
    assert buckets.lengths.equal(columns["text_length"])  # type: ignore[arg-type]
    table = np.zeros((len(texts), preprocessor.feature.buckets + 1), np.float32)
    for row in range(len(texts)):
        span = slice(int(buckets.offsets[row]), int(buckets.offsets[row + 1]))
        assert len(set(buckets.values[span].tolist())) == len(buckets.values[span])
        table[row, buckets.values[span].numpy()] = weights.values[span].numpy()
    return table


@pytest.mark.parametrize("min_count", [1, 2])
@pytest.mark.parametrize("weights", ["tfidf", "count"])
def test_weights_are_those_of_scikit_learn(weights: str, min_count: int) -> None:
    found = dense(fitted(weights=weights, min_count=min_count))
    counter = CountVectorizer(ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", min_df=min_count)
    texts = [(text or "").replace("e\u0301", "é") for text in TEXTS]
    expected = counter.fit_transform(texts)
    if weights == "tfidf":
        expected = TfidfTransformer(sublinear_tf=True).fit_transform(expected)
    places = [crc32(gram.encode()) % BUCKETS + 1 for gram in counter.get_feature_names_out()]
    np.testing.assert_allclose(found[:, places], expected.toarray(), rtol=1e-6)
    assert np.delete(found, places, 1).any() == False  # noqa: E712 - a NumPy bool


def test_characters_stand_within_words() -> None:
    preprocessor = fitted(["abc"], words=None, characters=[3, 3], min_count=1)
    expected = {crc32(gram.encode(), 1) % BUCKETS + 1 for gram in ("<ab", "abc", "bc>")}
    assert set(preprocessor.frequencies) == expected


def test_a_stored_bag_is_the_same_and_new_words_are_left_out() -> None:
    preprocessor = fitted()
    state = json.loads(json.dumps(preprocessor.state()))
    again = NgramsPreprocessor.load("text", preprocessor.feature, SCHEMA, state)
    assert (dense(again) == dense(preprocessor)).all()
    new = again.transform({"text": ["unheard words", "cat"]})
    assert new["text"].index_select(0, torch.tensor([0])).tolist() == [[0]]  # type: ignore[union-attr]
    assert new["text_weight"].index_select(0, torch.tensor([0, 1])).tolist() == [[0.0], [1.0]]  # type: ignore[union-attr]


def test_long_texts_and_lists_of_words() -> None:
    preprocessor = fitted(["a b c d", "a b c d"], words=[1, 1], max_length=3)
    column = preprocessor.transform({"text": ["a b c d"]})["text"]
    assert isinstance(column, RaggedTensor)
    assert (column.lengths.tolist(), column.truncated_count) == ([3], 1)
    assert (dense(fitted([["The", "cat"], ["the", "cat"]]), [["the", "cat"]])).sum() > 0


@pytest.mark.parametrize(
    ("settings", "pointer", "hint"),
    [
        ({"words": None}, "words", 'use "words": [1, 2]'),
        ({"words": [3, 2]}, "words", "use [2, 3]"),
        ({"characters": [5, 3]}, "characters", "use [3, 5]"),
    ],
)
def test_empty_ranges_are_refused(settings: dict[str, Any], pointer: str, hint: str) -> None:
    features = {"bag": {"kind": "ngrams", "column": "text", **settings}}
    (problem,) = job_view(stored_schema(text="text"), features=features).problems
    assert (problem.pointer, problem.code) == (f"/data/features/bag/{pointer}", "contradiction")
    assert problem.hint == hint
