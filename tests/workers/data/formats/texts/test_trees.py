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
from workers.data.features.trees import node_rows

SST = "(3 (2 It) (4 (2 's) (3 good)))\n(1 (0 bad) (2 film))\n"
PENN = "( (S (NP (DT The) (NN cat)) (VP (VBD sat))) )\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.trees"


def test_what_is_learned_does_not_stand_in_the_tree(path: Path) -> None:
    file = make_upload(path, SST)
    assert train(file)["tree"][0] == {
        "label": "node",
        "children": [
            {"label": "It", "children": []},
            {"label": "node", "children": [{"label": "'s", "children": []}, {"label": "good", "children": []}]},
        ],
    }
    assert train(file)["label"] == ["3", "1"]
    found = schema(file)
    assert (found.inputs, found.target, column(file, "label").labels) == (("tree",), "label", ("1", "3"))
    assert (column(file, "tree").longest, column(file, "tree").widest) == (5, 2)


def test_labels_stand_in_the_order_of_the_rows_of_a_tree(path: Path) -> None:
    file = make_upload(path, SST)
    labels, tree = train(file)["nodes"][0], train(file)["tree"][0]
    assert [name for name, _ in node_rows(tree)] == ["node", "It", "node", "'s", "good"]
    assert labels == ("3", "2", "4", "2", "3")
    assert column(file, "nodes").labels == ("0", "1", "2", "3", "4")


def test_syntax_stays_in_the_tree(path: Path) -> None:
    file = make_upload(path, PENN)
    assert [name for name, _ in node_rows(train(file)["tree"][0])] == ["node", "NP", "VP", "The", "cat", "sat"]
    assert train(file)["nodes"] == [("S", "NP", "VP", "DT", "NN", "VBD")]
    assert train(file)["label"] == ["S"]


def test_words_without_labels_are_leaves(path: Path) -> None:
    file = make_upload(path, "(p the cat)\n(q a)\n(r)\n")
    assert [list(node_rows(tree)) for tree in train(file)["tree"]] == [
        [("node", [1, 2]), ("the", []), ("cat", [])],
        [("a", [])],
        [("r", [])],
    ]
    assert schema(file).column("nodes") is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("(3 (2 a) (2 b)", 'column 15: 1 times ")" is missing'),
        ("(3 a) b", "column 7: something follows"),
        ("3 a)", 'column 1: a tree begins with "("'),
        ("(3 ())", "column 5: a node has neither"),
        ("()", "column 2"),
        ("(1 " * 401 + "x" + ")" * 401, "more than 400 levels"),
    ],
)
def test_a_bad_line_is_told_with_its_place(path: Path, line: str, said: str) -> None:
    file = make_upload(path, f"{SST}\n{line}\n", format="trees")
    assert upload_problems(file) == [("not_a_tree", "/4")]
    assert said in problem_text(file)


def test_a_million_brackets_are_no_danger(path: Path) -> None:
    assert problem_codes(make_upload(path, "(" * 1_000_000, format="trees")) == {"not_a_tree"}
    assert problem_codes(make_upload(path, "\n", format="trees")) == {"no_rows"}
    assert problem_codes(make_upload(path, "((a b) (c d))\n" * 2)) == {"missing_value"}  # roots without a label


def test_splits_lie_in_an_archive(path: Path) -> None:
    write_zip(path, {"trees/train.txt": SST, "trees/test.txt": "(0 (2 so) (1 dull))\n", "trees/.keep": ""})
    assert schema(make_upload(path)).rows == {"train": 2, "test": 1}
    assert column(make_upload(path), "label").labels == ("0", "1", "3")
