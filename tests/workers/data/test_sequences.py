"""Series and trees become tensors, and tags are as long as what they belong to."""

from typing import Any

import pytest
from torch import Tensor

from app.errors import DataError
from app.spec.data.columns import DataSchema
from tests.workers.data.schemas import fit_preparation, job_view, series_column, stored_schema
from workers.data.columns import RaggedTensor, SplitColumns
from workers.data.features.preparation import Preparation
from workers.data.features.trees import node_rows
from workers.network.runtime.tree_levels import schedule_trees

SERIES = stored_schema(wave={"type": "series", "shape": (2,), "longest": 3})
WAVES = series_column([[1, 10], [3, 30], [5, 50]], [[3, 30]], [[1, 10], [5, 50]], width=2)


def ragged(result: Preparation, split: SplitColumns, name: str) -> RaggedTensor:
    column = result.transform(split, (name,))[name]
    assert isinstance(column, RaggedTensor)
    return column


def test_series_are_scaled_by_all_moments_of_train() -> None:
    part = {"wave": {"kind": "series", "column": "wave", "scale": "standard"}}
    result = fit_preparation(SERIES, {"wave": WAVES}, ("wave", "wave_length"), features=part)
    column = ragged(result, {"wave": WAVES}, "wave")
    assert column.values.mean(0).abs().max() < 1e-6
    assert column.values.std(0, correction=0).sub(1).abs().max() < 1e-6
    assert column[0:2][1, 1:].eq(0).all()  # behind the end
    again = Preparation.load(job_view(SERIES, features=part), SERIES, result.document())
    assert ragged(again, {"wave": WAVES}, "wave").values.equal(column.values)
    assert result.transform({"wave": WAVES}, ("wave_length",))["wave_length"].tolist() == [3, 1, 2]  # type: ignore[union-attr]


@pytest.mark.parametrize("rows", [([], [[1, 2]], []), ([[1, 2]], [], [[3, 4]]), ([], [], [])])
def test_a_series_without_moments_is_one_of_zeros(rows: tuple[list[Any], ...]) -> None:
    split = {"wave": series_column(*rows, width=2)}
    made = ragged(fit_preparation(SERIES, split, ("wave",)), split, "wave")
    assert made.lengths.tolist() == [max(1, len(row)) for row in rows]
    for place, row in enumerate(rows):
        assert made[place : place + 1][0].tolist() == (row or [[0, 0]])


def test_long_series_lose_their_end() -> None:
    part = {"wave": {"kind": "series", "column": "wave", "max_length": 2}}
    made = ragged(fit_preparation(SERIES, {"wave": WAVES}, ("wave",), features=part), {"wave": WAVES}, "wave")
    assert made.lengths.tolist() == [2, 1, 2]
    assert made.truncated_count == 1
    assert made[0:1].tolist() == [[[1, 10], [3, 30]]]


def test_what_is_no_number_is_refused_with_its_row() -> None:
    with pytest.raises(DataError, match="a value that is not finite in row 2"):
        fit_preparation(SERIES, {"wave": series_column([[1, 1]], [[2, 2], [float("nan"), 1]], width=2)}, ("wave",))


TREES = [
    {
        "label": "add",
        "children": [
            {"label": "x", "children": []},
            {
                "label": "mul",
                "children": [
                    {"label": "x", "children": []},
                    {"label": "y", "children": []},
                    {"label": "x", "children": []},
                ],
            },
        ],
    },
    {"label": "x", "children": []},
    None,
]
FOREST = stored_schema(tree={"type": "tree", "longest": 6, "widest": 3})


def test_trees_are_tables_of_rows() -> None:
    result = fit_preparation(FOREST, {"tree": TREES}, ("tree", "tree_children"))
    assert result.document()["features"]["tree"] == ["x", "add", "mul", "y"]  # by frequency, then by the alphabet
    labels, children = (ragged(result, {"tree": TREES}, name) for name in ("tree", "tree_children"))
    assert labels[0:3].tolist() == [[2, 1, 3, 1, 4, 1], [1, 0, 0, 0, 0, 0], [0] * 6]
    assert children[0:1].tolist() == [[[1, 2, -1], [-1] * 3, [3, 4, 5], [-1] * 3, [-1] * 3, [-1] * 3]]
    plan = schedule_trees(children[0:3])
    assert sorted(plan.rows.tolist()) == [0, 1, 2, 3, 4, 5, 6, 12]  # the nodes, and nothing else
    assert plan.heights.tolist() == [2, 0, 0]
    again = Preparation.load(job_view(FOREST), FOREST, result.document())
    assert ragged(again, {"tree": TREES}, "tree").values.equal(labels.values)


def test_labels_that_train_does_not_know_are_unknown() -> None:
    result = fit_preparation(FOREST, {"tree": TREES[1:2]}, ("tree",))
    assert ragged(result, {"tree": TREES}, "tree")[0:1].tolist() == [[0, 1, 0, 1, 0, 1]]
    part = {"tree": {"kind": "tree", "column": "tree", "vocabulary": 3}}
    result = fit_preparation(FOREST, {"tree": TREES}, ("tree",), features=part)
    assert ragged(result, {"tree": TREES}, "tree")[0:1].tolist() == [[2, 1, 0, 1, 0, 1]]


def test_a_deep_tree_is_no_trouble() -> None:
    tree: dict[str, Any] = {"label": "end"}
    for _ in range(5000):
        tree = {"label": "link", "children": [tree]}
    rows = list(node_rows(tree))
    assert len(rows) == 5001
    assert rows[-2:] == [("link", [5000]), ("end", [])]


def test_more_children_than_announced_are_refused() -> None:
    narrow = stored_schema(tree={"type": "tree", "longest": 6, "widest": 2})
    with pytest.raises(DataError, match=r"a node of row 1 in .tree. has 3 children, at most 2"):
        fit_preparation(narrow, {"tree": TREES}, ("tree",)).transform({"tree": TREES}, ("tree",))


LABELS = ("O", "PER")
TAGGED = stored_schema(
    "tags", words="words", tags={"type": "words", "labels": LABELS}, wave={"type": "series", "longest": 2}
)
SPLIT: SplitColumns = {
    "words": [["a", "b", "c"], [], ["d"]],
    "tags": [["O", "PER", "O"], [], ["PER"]],
    "wave": series_column([1, 2], [1], [1]),
}


def tags(schema: DataSchema, split: SplitColumns, **data: Any) -> Tensor:
    result = fit_preparation(schema, split, ("words", "tags"), **data)
    assert isinstance(words := result.transform(split, ("words",))["words"], RaggedTensor)
    made = ragged(result, split, "tags")[0:3]
    assert made.shape == words[0:3].shape
    return made


def test_tags_are_as_long_as_their_words() -> None:
    assert tags(TAGGED, SPLIT).tolist() == [[0, 1, 0], [-100] * 3, [1, -100, -100]]
    short = {"words": {"kind": "text", "column": "words", "max_length": 2}, "tags": {"kind": "tags", "column": "tags"}}
    assert tags(TAGGED, SPLIT, features=short).tolist() == [[0, 1], [-100] * 2, [1, -100]]
    original = {"words": {**short["words"], "pad": "max_length", "max_length": 4}, "tags": short["tags"]}
    assert tags(TAGGED, SPLIT, features=original).shape == (3, 4)


def test_tags_of_another_length_are_refused_with_their_row() -> None:
    wrong = {**SPLIT, "tags": [["O", "PER", "O"], [], ["PER", "O"]]}
    with pytest.raises(DataError, match='row 3 has 2 words in "tags" and 1 in "words"'):
        tags(TAGGED, wrong)


def test_tags_may_belong_to_a_series() -> None:
    part = {"wave": {"kind": "series", "column": "wave"}, "tags": {"kind": "tags", "column": "tags", "of": "wave"}}
    split = {**SPLIT, "tags": [["O", "PER"], ["O"], ["O"]]}
    result = fit_preparation(TAGGED, split, ("wave", "tags"), features=part)
    assert ragged(result, split, "tags")[0:2].tolist() == [[0, 1], [0, -100]]
    with pytest.raises(DataError, match='row 1 has 3 words in "tags" and 2 in "wave"'):
        fit_preparation(TAGGED, SPLIT, ("tags",), features=part).transform(SPLIT, ("tags",))


def test_tags_may_belong_to_a_tree() -> None:
    schema = stored_schema(
        "nodes", tree={"type": "tree", "longest": 6, "widest": 3}, nodes={"type": "words", "labels": LABELS}
    )
    split: SplitColumns = {"tree": TREES, "nodes": [["O"] * 5 + ["PER"], ["PER"], []]}
    result = fit_preparation(schema, split, ("tree", "nodes"))
    assert ragged(result, split, "nodes")[0:3].tolist() == [[0, 0, 0, 0, 0, 1], [1, *[-100] * 5], [-100] * 6]
    assert ragged(result, split, "nodes")[0:3].shape == ragged(result, split, "tree")[0:3].shape
    with pytest.raises(DataError, match='row 2 has 0 words in "nodes" and 1 in "tree"'):
        result.transform({**split, "nodes": [["O"] * 6, [], []]}, ("nodes",))


@pytest.mark.parametrize(
    ("part", "place", "code"),
    [
        ({"max_length": 7}, "max_length", "contradiction"),
        ({"pad": "max_length"}, "pad", "contradiction"),
        ({"of": "wrds"}, "of", "unknown_column"),
        ({"of": "tags"}, "", ""),
    ],
)
def test_tags_that_contradict_what_they_belong_to(part: dict[str, Any], place: str, code: str) -> None:
    result = job_view(
        TAGGED, features={"words": {"kind": "text", "column": "words"}, "y": {"kind": "tags", "column": "tags", **part}}
    ).problems
    expected = [(f"/data/features/y/{place}", code)] if place else []
    assert [(each.pointer, each.code) for each in result] == expected
