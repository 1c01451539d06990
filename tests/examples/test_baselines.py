"""The baselines' own arithmetic, on examples that can be counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from examples import baselines
from examples.data.files import write_conll
from examples.data.split import Example


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("O B-a I-a O", {("a", 1, 3)}),
        ("B-a B-a I-a", {("a", 0, 1), ("a", 1, 3)}),
        ("B-a I-b I-b", {("a", 0, 1)}),
        ("I-a I-a", set()),
        ("B-a", {("a", 0, 1)}),
        ("O O", set()),
    ],
)
def test_a_span_begins_with_b_and_goes_on_with_its_own_kind(tags: str, found: set[baselines.Span]) -> None:
    assert baselines.entity_spans(tags.split()) == found


def test_a_span_counts_only_if_it_is_whole() -> None:
    guesses = [["B-a", "I-a", "O"], ["B-b", "O", "B-a"]]
    truths = [["B-a", "I-a", "I-a"], ["B-b", "O", "O"]]
    assert baselines.span_scores(guesses, truths) == (1 / 3, 1 / 2, 2 / 5)
    assert baselines.span_scores([["O"]], [["O"]]) == (0.0, 0.0, 0.0)


def test_each_token_gets_the_tag_it_has_most_often(tmp_path: Path) -> None:
    train = [Example("", ("Rome", "is", "Rome"), ("B-x", "O", "B-x")), Example("", ("Rome",), ("O",))]
    write_conll(tmp_path / "train.conll", train)
    write_conll(tmp_path / "test.conll", [Example("", ("Rome", "was", "Paris"), ("B-x", "O", "B-x"))])
    found = baselines.tags_baseline(tmp_path)
    assert (found["accuracy"], found["span precision"], found["span recall"]) == (0.6667, 1.0, 0.5)


def test_the_best_line_leaves_what_is_not_on_it() -> None:
    x = np.array([[0.0], [1.0], [2.0], [3.0]])
    assert baselines.least_squares_error(x, 2 * x + 1) == pytest.approx(0, abs=1e-20)
    assert baselines.least_squares_error(x, np.array([1.0, -1.0, -1.0, 1.0])) == pytest.approx(1)


def test_a_series_of_any_length_comes_to_as_many_figures() -> None:
    assert baselines.sequence_statistics([[1.0, 2.0], [3.0, 2.0]]).tolist() == [2, 2, 1, 0, 1, 2, 3, 2]
    assert len(baselines.sequence_statistics([[1.0, 2.0]])) == 8


def test_every_node_of_a_tree_is_in_its_bag() -> None:
    tree = {"label": "f", "children": [{"label": "g", "children": []}, {"label": "f", "children": []}]}
    assert list(baselines.node_kinds(tree)) == ["f", "g", "f"]
