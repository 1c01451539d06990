from pathlib import Path

import pytest
import torch

from tests.workers.data.formats.uploads import (
    describe_upload,
    make_upload,
    problem_codes,
    problem_text,
    schema,
    upload_problems,
)
from workers.data.formats.texts.word_vectors import read_word_vectors

GLOVE = "the 0.5 1 -2e-1\n, 1 2 3\n. . . 4 5 6\n42 7 8 9\nthe 0 0 0\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "glove.txt"


@pytest.mark.parametrize("first", ["", "5 3\n"])
def test_words_and_their_vectors_are_read(path: Path, first: str) -> None:
    words, values = read_word_vectors(make_upload(path, first + GLOVE))
    assert words == ["the", ",", ". . .", "42"]
    assert values[0].tolist() == pytest.approx([0.5, 1, -0.2])
    assert (values.dtype, tuple(values.shape)) == (torch.float32, (4, 3))


def test_only_wanted_ones_are_kept(path: Path) -> None:
    words, values = read_word_vectors(make_upload(path, GLOVE), {"42", "the", "dog"})
    assert words == ["the", "42"]
    assert values[1].tolist() == [7, 8, 9]
    assert read_word_vectors(make_upload(path, GLOVE), set())[0] == []


def test_they_are_no_data_to_train_on(path: Path) -> None:
    found = schema(make_upload(path, GLOVE, format="vectors"))
    assert (found.rows, found.inputs, found.target) == ({"vectors": 4}, (), None)
    assert found.columns[1].shape == (3,)
    assert describe_upload(make_upload(path, GLOVE, format="vectors")).preview[3] == {"word": "42", "vector": [7, 8, 9]}


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ("a 1 2\nb 1\n", "columns_differ", "/2"),
        ("a 1 2\nb 1 x\nc 1 2\n", "not_a_number", "/2"),
        ("\n\n", "no_rows", ""),
        ("a 1 2\nb 1 inf\n", "not_a_number", ""),
        ("a\nb\n", "columns_differ", "/1"),
        ("a " + "1 " * 10_001 + "\n", "columns_differ", "/1"),
    ],
)
def test_a_bad_line_is_a_problem(path: Path, text: str, code: str, pointer: str) -> None:
    assert upload_problems(make_upload(path, text, format="vectors"))[0] == (code, pointer)
    assert problem_text(make_upload(path, text, format="vectors"))


def test_vectors_have_no_splits(path: Path) -> None:
    from tests.workers.data.formats.uploads import write_zip

    write_zip(path, {"train.txt": GLOVE, "test.txt": GLOVE})
    assert problem_codes(make_upload(path, format="vectors")) == {"unknown_file"}
