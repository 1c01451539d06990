"""Texts that a network learns to continue: at each place the token that follows, from [BEGIN] to [END]."""

from typing import Any

import pytest
import torch

from app.spec.data.columns import BEGIN, END
from tests.workers.data.schemas import fit_preparation, job_view, stored_schema
from workers.data.columns import RaggedTensor
from workers.data.features.preparation import Preparation
from workers.data.features.texts import TextPreprocessor
from workers.data.tokenizers import PAD_ID, SPECIAL_TOKENS, TOKENIZER_TRAINERS, UNK_ID

TEXTS: list[Any] = ["abba", "", None, "cab", "a"]
SCHEMA, WORDS = stored_schema(text="text"), stored_schema(text="words")
NAMES = ("text", "text_length", "text_next")
ROUND_TRIP = {
    "word": "a fine day .",
    "character": "a fine  day.",
    "bpe": "A fine  day, na\u00efve \u4f60!",
    "wordpiece": "a fine day",
}


def prepare(rows: list[Any], words: bool = False, kind: str = "character", **settings: Any) -> Preparation:
    declared = {
        "kind": "text",
        "column": "text",
        "next": True,
        "tokenizer": {"kind": kind, "vocabulary": 400},
    } | settings
    return fit_preparation(WORDS if words else SCHEMA, {"text": rows}, NAMES, features={"text": declared})


def columns(preparation: Preparation, rows: list[Any]) -> list[list[list[int]]]:
    """Return the tokens and those that follow of every row."""
    made = preparation.transform({"text": rows}, NAMES)
    ragged = [made["text"], made["text_next"]]
    assert all(isinstance(each, RaggedTensor) for each in ragged)
    lengths = made["text_length"]
    assert isinstance(lengths, torch.Tensor)
    found = [[each.take(torch.tensor([row])).values.tolist() for row in range(len(rows))] for each in ragged]
    assert lengths.tolist() == [len(row) for row in found[0]]
    return found


def texts(preparation: Preparation) -> TextPreprocessor:
    return preparation.text_preprocessors()["text"]


@pytest.mark.parametrize("kind", TOKENIZER_TRAINERS)
def test_the_next_token_stands_a_place_earlier(kind: str) -> None:
    tokens, following = columns(prepare(TEXTS, kind=kind), TEXTS)
    for row, after in zip(tokens, following, strict=True):
        assert [*row, END] == [BEGIN, *after]
        assert all(token == UNK_ID or token > END for token in row[1:])


@pytest.mark.parametrize(
    ("settings", "tokens", "following"),
    [
        ({}, [BEGIN, 4, 5, 5, 4], [4, 5, 5, 4, END]),
        ({"begin": False}, [4, 5, 5, 4], [5, 5, 4, END]),
        ({"end": False}, [BEGIN, 4, 5, 5, 4], [4, 5, 5, 4, -100]),
        ({"begin": False, "end": False}, [4, 5, 5, 4], [5, 5, 4, -100]),
        ({"max_length": 3}, [BEGIN, 4, 5], [4, 5, 5]),
        ({"max_length": 5}, [BEGIN, 4, 5, 5, 4], [4, 5, 5, 4, END]),
    ],
)
def test_beginnings_and_ends(settings: dict[str, Any], tokens: list[int], following: list[int]) -> None:
    preparation = prepare(["abba"], **settings)
    assert columns(preparation, ["abba"]) == [[tokens], [following]]
    view = job_view(SCHEMA, features={"text": {"kind": "text", "column": "text", "next": True, **settings}})
    again = Preparation.load(view, SCHEMA, preparation.document())
    assert columns(again, ["abba"]) == [[tokens], [following]]  # a resumed job has the same targets


def test_batches_have_one_length_and_ignore_what_is_behind_the_end() -> None:
    made = prepare(TEXTS).transform({"text": TEXTS}, NAMES)
    tokens, following = (made[name].index_select(0, torch.tensor([0, 4])) for name in ("text", "text_next"))
    assert tokens.shape == following.shape == (2, 5)
    assert tokens[1, 2:].tolist() == [PAD_ID] * 3
    assert following[1, 2:].tolist() == [-100] * 3


@pytest.mark.parametrize("kind", TOKENIZER_TRAINERS)
def test_tokens_become_text_again(kind: str) -> None:
    text = ROUND_TRIP[kind]
    preparation = prepare([text], kind=kind, tokenizer={"kind": kind, "vocabulary": 400, "lowercase": False})
    (tokens,), _ = columns(preparation, [text])
    assert texts(preparation).text([*tokens, END]) == text


def test_words_like_special_tokens_are_none() -> None:
    rows = [["[BEGIN]", "a", "[END]", "[PAD]"], ["a"]]
    preparation = prepare(rows, words=True, kind="word", tokenizer={"vocabulary": 10, "lowercase": False})
    assert columns(preparation, rows)[0] == [[BEGIN, UNK_ID, 4, UNK_ID, UNK_ID], [BEGIN, 4]]
    assert [texts(preparation).tokenizer.id_to_token(token) for token in range(4)] == list(SPECIAL_TOKENS)


@pytest.mark.parametrize(
    ("settings", "pointer", "hint"),
    [
        ({"next": False, "end": False}, "end", 'add "next": true'),
        ({"begin": True, "next": False}, "begin", 'add "next": true'),
        ({"tokenizer": {"kind": "bpe", "vocabulary": 258}}, "tokenizer/vocabulary", "use at least 260"),
        ({"tokenizer": {"kind": "character", "vocabulary": 5}}, "tokenizer/vocabulary", "use at least 6"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], pointer: str, hint: str) -> None:
    declared = {"kind": "text", "column": "text", "next": True} | settings
    (problem,) = job_view(SCHEMA, features={"text": declared}).problems
    assert (problem.pointer, problem.hint) == (f"/data/features/text/{pointer}", hint)


def test_a_name_that_is_taken() -> None:
    declared = {
        "text": {"kind": "text", "column": "text", "next": True},
        "text_next": {"kind": "text", "column": "text"},
    }
    assert [each.code for each in job_view(SCHEMA, features=declared).problems] == ["duplicate_id"]


def test_dates_that_are_texts_to_a_network() -> None:
    (problem,) = job_view(stored_schema(day="datetime"), features={"day": {"kind": "text", "column": "day"}}).problems
    assert problem.hint.startswith('register the data set with "types": {"day": "text"}, or use the kind')


def test_the_next_tokens_of_a_text_that_has_none_are_told_how_to_be_made() -> None:
    features = {"words": {"kind": "text", "column": "text"}}
    (problem,) = job_view(stored_schema(text="text"), target="words_next", features=features).problems
    assert (problem.pointer, problem.code) == ("/data/target", "unknown_column")
    assert problem.hint == 'say "next": true in the feature words'
