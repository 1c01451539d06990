"""Texts become numbers by tokenizers that are trained on the training rows alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from app.spec.data.columns import Column
from app.spec.data.sequence_features import Tokenizer as Plan
from tests.workers.data.schemas import fit_preparation, job_view, stored_schema
from workers.data.columns import RaggedTensor
from workers.data.features.preparation import Preparation
from workers.data.tokenizers import PAD_ID, TOKENIZER_TRAINERS, UNK_ID, train_tokenizer

TEXTS = [
    "The cat sat on the mat.",
    "Don't STOP — the café is naïve!",
    "नमस्ते, 你好世界 👩‍👩‍👧 🇩🇪 \u202eabc\x00 [PAD] [UNK] ##s",
    "e\u0301",
    "x" * 5000,
    "the the the",
]
SCHEMA = stored_schema(text="text")
ROOT = Path(__file__).parents[4]


def feature(kind: str = "word", max_length: int = 64, **tokenizer: Any) -> dict[str, Any]:
    plan = {"kind": kind, "vocabulary": 300, **tokenizer}
    return {"features": {"text": {"kind": "text", "column": "text", "max_length": max_length, "tokenizer": plan}}}


def prepare_texts(texts: list[str | None], **settings: Any) -> tuple[Preparation, RaggedTensor, list[int]]:
    result = fit_preparation(SCHEMA, {"text": texts}, ("text", "text_length"), **feature(**settings))
    made = result.transform({"text": texts}, ("text", "text_length"))
    column, lengths = made["text"], made["text_length"]
    assert isinstance(column, RaggedTensor)
    assert isinstance(lengths, torch.Tensor)
    return result, column, lengths.tolist()


def row(column: RaggedTensor, place: int) -> list[int]:
    original: list[int] = column.take(torch.tensor([place])).values.tolist()
    return original


@pytest.mark.parametrize("kind", TOKENIZER_TRAINERS)
@pytest.mark.parametrize("vocabulary", [258, 300, 25_000])
def test_codes_are_below_the_vocabulary_and_never_padding(kind: str, vocabulary: int) -> None:
    _, column, lengths = prepare_texts(TEXTS, kind=kind, vocabulary=vocabulary)
    assert int(column.values.max()) < vocabulary
    assert int(column.values.min()) >= UNK_ID > PAD_ID
    assert lengths == column.lengths.tolist()
    assert max(lengths) <= 64


@pytest.mark.parametrize("kind", ["word", "character", "wordpiece"])
def test_small_vocabularies_hold_what_is_frequent(kind: str) -> None:
    _, column, _ = prepare_texts(["a a a b b c d", "a b"], kind=kind, vocabulary=4)
    assert int(column.values.max()) < 4
    first = row(column, 1)
    assert first[0] > UNK_ID


@pytest.mark.parametrize("kind", TOKENIZER_TRAINERS)
def test_texts_without_tokens_are_one_unknown_token(kind: str) -> None:
    _, column, lengths = prepare_texts([None, "", "a", " \n"], kind=kind)
    assert [row(column, place) for place in (0, 1)] == [[UNK_ID], [UNK_ID]]
    assert min(lengths) == 1


@pytest.mark.parametrize("kind", TOKENIZER_TRAINERS)
def test_plain_python_gives_the_same_codes(kind: str, tmp_path: Path) -> None:
    result, column, _ = prepare_texts(TEXTS, kind=kind)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(result.document()["features"]["text"]))
    plain = Tokenizer.from_file(str(path))
    for place, text in enumerate(TEXTS):
        assert plain.encode(text).ids == row(column, place)


@pytest.mark.parametrize("kind", TOKENIZER_TRAINERS)
def test_a_tokenizer_makes_a_round_trip(kind: str) -> None:
    data = feature(kind=kind)
    result, column, _ = prepare_texts(TEXTS, kind=kind)
    again = Preparation.load(job_view(SCHEMA, **data), SCHEMA, json.loads(json.dumps(result.document())))
    other = again.transform({"text": TEXTS}, ("text",))["text"]
    assert isinstance(other, RaggedTensor)
    assert other.values.equal(column.values)
    assert again.document() == result.document()


def test_validation_rows_teach_nothing() -> None:
    result, _, _ = prepare_texts(["a b", "c"])
    column = result.transform({"text": ["a z", "c z z"]}, ("text",))["text"]
    assert isinstance(column, RaggedTensor)
    assert [row(column, place).count(UNK_ID) for place in (0, 1)] == [1, 2]


def test_settings_of_a_tokenizer() -> None:
    _, column, _ = prepare_texts(["A a", "a b"], lowercase=False)
    assert row(column, 0)[0] != row(column, 0)[1]
    _, column, _ = prepare_texts(["a a b", "c"], min_count=2)
    assert [row(column, place) for place in (0, 1)] == [[2, 2, UNK_ID], [UNK_ID]]


def test_long_texts_lose_their_end() -> None:
    _, column, lengths = prepare_texts(["a b c d", "a"], max_length=3)
    assert lengths == [3, 1]
    assert column.truncated_count == 1


def test_batches_are_padded_to_their_longest_row_or_to_the_maximum() -> None:
    texts = ["a b c", "a", "a b"]
    _, column, _ = prepare_texts(texts)
    assert column[1:3].shape == (2, 2)
    assert column[1:3].tolist()[0][1] == PAD_ID
    fields = feature()["features"]["text"]
    for settings, width in (({"min_length": 5}, 5), ({"pad": "max_length", "max_length": 9}, 9)):
        data = {"features": {"text": fields | settings}}
        result = fit_preparation(SCHEMA, {"text": texts}, ("text",), **data)
        assert result.transform({"text": texts}, ("text",))["text"][1:3].shape == (2, width)
        described = job_view(SCHEMA, **data).schema.column("text")
        assert described is not None
        assert described.shape[0] >= width
        assert (described.ragged, described.shortest) == (("pad" not in settings), settings.get("min_length", 1))


@pytest.mark.parametrize("kind", TOKENIZER_TRAINERS)
def test_no_token_is_longer_than_what_is_looked_at_in_one(kind: str) -> None:
    """BPE takes time with the square of a word's length: a megabyte without a gap would take days."""
    result, column, _ = prepare_texts(["x" * 300_000, "ab " * 10], kind=kind, max_length=10_000)
    assert len(row(column, 0)) >= 3000
    vocabulary = Tokenizer.from_str(json.dumps(result.document()["features"]["text"])).get_vocab()
    assert max(map(len, vocabulary)) <= 100 + len("##")


def test_a_length_of_ones_own_gives_way_to_that_of_the_text() -> None:
    schema = stored_schema(text_length="number", text="text", other="number")
    view = job_view(schema)
    assert [column.name for column in view.schema.columns] == ["x", "text", "text_length", "other"]
    assert view.schema.column("text_length") == Column(name="text_length", dtype="int64")
    assert view.features["x"].columns == ("text_length", "other")  # type: ignore[attr-defined]
    parts = {"text": {"kind": "text", "column": "text"}, "text_length": {"kind": "numbers", "columns": ["other"]}}
    (problem,) = job_view(schema, features=parts).problems
    assert (problem.pointer, problem.code) == ("/data/features/text_length", "duplicate_id")


def test_words_are_tokens_as_they_are() -> None:
    schema = stored_schema(words="words")
    lists = [["New York", "don't", "", "[PAD]", "[UNK]", "New York"], [], ["unseen", "DON'T"]]
    result = fit_preparation(schema, {"words": lists[:2]}, ("words", "words_length"))
    made = result.transform({"words": lists}, ("words", "words_length"))
    column = made["words"]
    assert isinstance(column, RaggedTensor)
    assert made["words_length"].tolist() == [6, 1, 2]  # type: ignore[union-attr]
    first, empty, last = (row(column, place) for place in range(3))
    assert first[0] == first[-1] > UNK_ID
    assert first[3:5] == [UNK_ID, UNK_ID]
    assert empty == [UNK_ID]
    assert last == [UNK_ID, first[1]]
    plain = Tokenizer.from_str(json.dumps(result.document()["features"]["words"]))
    assert plain.encode(["New York", "don't", "unseen"], is_pretokenized=True).ids == [first[0], first[1], UNK_ID]


PROGRAM = """
import hashlib, os
from workers.data.tokenizers import TOKENIZER_TRAINERS, train_tokenizer
from app.spec.data.sequence_features import Tokenizer
os.environ["TOKENIZERS_PARALLELISM"] = "{parallel}"
texts = [f"{{chr(97 + n % 26)}}{{chr(0x4e00 + n % 997)}}ing w{{n % 301}} {{'ab' * (n % 7)}}" for n in range(3000)]
for kind in TOKENIZER_TRAINERS:
    for size in (300, 900):
        state = train_tokenizer(Tokenizer(kind=kind, vocabulary=size), texts).to_str()
        print(hashlib.sha256(state.encode()).hexdigest())
"""


def test_the_same_texts_give_the_same_tokenizer_in_any_process() -> None:
    answers = set()
    for parallel, seed in (("false", "1"), ("true", "2"), ("true", "3")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": "4", "PYTHONPATH": str(ROOT)}
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(parallel=parallel)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        answers.add(run.stdout)
    assert len(answers) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_after_training_neither_warns_nor_hangs(capfd: pytest.CaptureFixture[str]) -> None:
    program = (
        "import os\nfrom workers.data.tokenizers import train_tokenizer\n"
        "from app.spec.data.sequence_features import Tokenizer as Plan\n"
        "texts = ['a b c'] * 5000\nfirst = train_tokenizer(Plan(), texts)\nfirst.encode_batch(texts)\npid = os.fork()\n"
        "again = train_tokenizer(Plan(), texts).to_str() == first.to_str()\n"
        "os._exit(not again) if pid == 0 else None\nassert os.waitpid(pid, 0)[1] == 0\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(("kind", "least"), [("word", 4), ("character", 4), ("wordpiece", 4), ("bpe", 258)])
def test_a_vocabulary_has_room_for_what_is_always_there(kind: str, least: int) -> None:
    train_tokenizer(Plan.model_validate({"kind": kind, "vocabulary": least}), TEXTS)
    with pytest.raises(ValueError, match="too few"):
        Plan.model_validate({"kind": kind, "vocabulary": least - 1})


def test_features_of_text_are_told_what_is_wrong() -> None:
    words = stored_schema(words="words", label={"type": "category", "labels": ("a", "b")})
    bpe = {"t": {"kind": "text", "column": "words", "tokenizer": {"kind": "bpe"}}}
    long = {"t": {"kind": "text", "column": "words", "min_length": 300}}
    assert [(each.pointer, each.code) for each in job_view(words, features=bpe).problems] == [
        ("/data/features/t/tokenizer/kind", "contradiction")
    ]
    assert [(each.pointer, each.code) for each in job_view(words, features=long).problems] == [
        ("/data/features/t/min_length", "contradiction")
    ]
