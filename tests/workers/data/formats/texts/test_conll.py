from pathlib import Path

import pytest

from tests.workers.data.formats.uploads import (
    column,
    make_upload,
    problem_codes,
    problem_text,
    schema,
    train,
    upload_problems,
    write_zip,
)

NER = """-DOCSTART- -X- O

EU NNP B-ORG
rejects VBZ O
# NN O

# a comment about the next one
Peter NNP B-PER
"""
UD = """# sent_id = 1
# text = Don't go
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_

1\tYes\tyes\tINTJ\tUH\t_\t0\troot\t_\t_
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.conll"


@pytest.mark.parametrize("joint", [" ", "\t"])
def test_tokens_and_tags_are_the_first_and_the_last_column(path: Path, joint: str) -> None:
    file = make_upload(path, NER.replace(" ", joint).replace(f"#{joint}a{joint}comment", "# a comment"))
    assert train(file)["tokens"] == [("EU", "rejects", "#"), ("Peter",)]
    assert train(file)["tags"] == [("B-ORG", "O", "O"), ("B-PER",)]
    found = schema(file)
    assert (found.inputs, found.target, column(file, "tags").labels) == (("tokens",), "tags", ("B-ORG", "B-PER", "O"))
    assert column(file, "tokens").longest == 3


def test_universal_dependencies_have_words_and_parts_of_speech(path: Path) -> None:
    file = make_upload(path, UD)
    assert train(file)["tokens"] == [("Do", "n't", "go"), ("Yes",)]
    assert train(file)["tags"] == [("AUX", "PART", "VERB"), ("INTJ",)]


def test_a_line_of_another_width_is_a_problem(path: Path) -> None:
    file = make_upload(path, "a O\nb\n\nc X O\nd O\n", format="conll")
    assert upload_problems(file) == [("columns_differ", "/2"), ("columns_differ", "/4")]
    assert "line 2 has 1 columns, the first token has 2" in problem_text(file)
    assert upload_problems(make_upload(path, "alone\n\nagain\n", format="conll")) == [
        ("columns_differ", "/1"),
        ("columns_differ", "/3"),
    ]


def test_nothing_and_too_much_are_problems(path: Path) -> None:
    assert problem_codes(make_upload(path, "# only\n\n", format="conll")) == {"no_rows"}
    assert problem_codes(make_upload(path, "a O\n" * 100_001, format="conll")) == {"too_long"}


def test_splits_lie_in_an_archive(path: Path) -> None:
    write_zip(path, {"eng/train.txt": NER, "eng/dev.txt": "x NN B-LOC\n\ny NN O\n"})
    assert schema(make_upload(path)).rows == {"train": 2, "validation": 2}
    assert column(make_upload(path), "tags").labels == ("B-LOC", "B-ORG", "B-PER", "O")
