"""Rows by role, against the properties that scikit-learn's splitters have."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit, TimeSeriesSplit
from torch import Tensor

from app.errors import DataError
from app.spec.data.sources import Split
from app.spec.splits import SplitPlan
from workers.data.columns import ParsedColumn, SplitColumns
from workers.data.loading.splits import SPLIT_STREAM, random_split, split_source
from workers.data.rng import stream_seed


def source(rows: int, **columns: ParsedColumn) -> dict[str, SplitColumns]:
    return {"train": {"row": torch.arange(rows), **columns}}


def divided(
    splits: dict[str, SplitColumns],
    validation: dict[str, Any] | None = None,
    test: dict[str, Any] | None = None,
    classes: str | None = None,
    seed: int = 0,
) -> dict[str, list[int]]:
    """Return the row numbers of each role."""
    held = [Split(**fields) if fields is not None else None for fields in (validation, test)]
    roles = split_source(splits, SplitPlan(*held, class_column=classes), seed)
    return {role: columns["row"].tolist() for role, columns in roles.items() if isinstance(columns["row"], Tensor)}


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.5, 0.99, 1.0])
def test_both_sides_of_a_draw_have_rows_and_share_none(fraction: float) -> None:
    training, held_out = random_split(10, fraction, seed=3)
    assert min(len(training), len(held_out)) >= 1
    assert sorted([*training.tolist(), *held_out.tolist()]) == list(range(10))


def test_a_single_row_cannot_be_split() -> None:
    with pytest.raises(DataError, match="single row"):
        random_split(1, 0.5, seed=0)


def test_a_plain_draw_is_the_head_of_a_permutation() -> None:
    order = torch.randperm(50, generator=torch.Generator().manual_seed(stream_seed(7, SPLIT_STREAM)))
    classes = torch.arange(50) % 3
    roles = divided(source(50, y=classes), {"fraction": 0.2, "stratify": False}, classes="y", seed=7)
    assert roles["validation"] == sorted(order[:10].tolist())
    assert roles["train"] == sorted(order[10:].tolist())


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("sizes", [(60, 30, 10), (71, 21, 3, 5), (2, 98)])
def test_a_stratified_draw_has_the_counts_of_scikit_learn(fraction: float, sizes: tuple[int, ...]) -> None:
    classes = np.repeat(np.arange(len(sizes)), sizes)
    np.random.default_rng(0).shuffle(classes)
    roles = divided(source(len(classes), y=torch.tensor(classes)), {"fraction": fraction}, classes="y")
    count = round(fraction * len(classes))
    theirs = StratifiedShuffleSplit(1, test_size=count, random_state=0).split(classes, classes)
    expected = np.bincount(classes[next(theirs)[1]], minlength=len(sizes))
    mine = np.bincount(classes[roles["validation"]], minlength=len(sizes))
    assert len(roles["validation"]) == count
    assert np.abs(mine - expected).max() <= 1  # scikit-learn draws between equal remainders
    assert np.abs(mine - fraction * np.array(sizes)).max() < 1 + 1e-9
    assert np.bincount(classes[roles["train"]], minlength=len(sizes)).min() >= 1


def test_words_and_missing_ones_are_classes_too() -> None:
    words = ["a"] * 10 + ["b"] * 5 + [None] * 5
    roles = divided(source(20, y=words), {"fraction": 0.4}, classes="y")
    assert [sum(words[row] == word for row in roles["validation"]) for word in ("a", "b", None)] == [4, 2, 2]


def test_a_class_of_one_row_is_trained_on() -> None:
    classes = torch.tensor([0] * 9 + [1])
    for seed in range(20):
        assert 9 in divided(source(10, y=classes), {"fraction": 0.5}, classes="y", seed=seed)["train"]


def test_classes_of_one_row_each_are_drawn_at_random() -> None:
    roles = divided(source(10, y=torch.arange(10)), {"fraction": 0.3}, classes="y")
    assert (len(roles["train"]), len(roles["validation"])) == (7, 3)


def test_another_column_can_be_stratified_by() -> None:
    kinds = ["x", "y"] * 20
    roles = divided(source(40, kind=kinds), {"fraction": 0.25, "stratify": "kind"})
    assert sum(kinds[row] == "x" for row in roles["validation"]) == 5


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_on_both_sides(seed: int) -> None:
    groups = np.random.default_rng(seed).integers(0, 12, 200)
    roles = divided(source(200, who=torch.tensor(groups)), {"fraction": 0.25, "group": "who"}, seed=seed)
    held, kept = (set(groups[roles[role]]) for role in ("validation", "train"))
    assert not held & kept
    assert held | kept == set(groups)
    assert abs(len(roles["validation"]) - 50) <= np.bincount(groups).max() / 2


def test_the_test_of_groups_shares_none_with_the_validation() -> None:
    who = [f"p{number % 10}" for number in range(100)]
    roles = divided(source(100, who=who), {"fraction": 0.2, "group": "who"}, {"fraction": 0.3, "group": "who"})
    parts = [{who[row] for row in roles[role]} for role in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [5, 2, 3]
    assert len(set.union(*parts)) == 10


def test_the_latest_rows_are_held_out_and_equal_times_stay_together() -> None:
    times = torch.tensor([5.0, 1.0, 3.0, 3.0, 2.0, 4.0, 5.0, 0.0])
    assert divided(source(8, when=times), {"fraction": 0.25, "time": "when"})["validation"] == [0, 6]
    assert divided(source(8, when=times), {"fraction": 0.5, "time": "when"})["validation"] == [0, 5, 6]


def test_dates_are_times() -> None:
    dates = ["2024-12-31", "2025-01-01T12:00:00+01:00", "2023-05-05", "2025-01-01T10:30:00Z", "2024-02-29"]
    assert divided(source(5, when=dates), {"fraction": 0.2, "time": "when"})["validation"] == [1]
    with pytest.raises(DataError, match=r'"when" is "31\.12\.2024" in row 2, which is no date'):
        divided(source(2, when=["2024-01-01", "31.12.2024"]), {"fraction": 0.5, "time": "when"})


@pytest.mark.parametrize("role", ["validation", "test"])
def test_a_column_names_the_rows(role: str) -> None:
    part = ["train", "val", "test", "train", "test"]
    roles = divided(source(5, part=part), **{role: {"column": "part", "value": "test"}})
    assert roles == {"train": [0, 1, 3], role: [2, 4]}


@pytest.mark.parametrize(
    ("values", "value"),
    [
        (torch.tensor([0, 1, 1]), 1),
        (torch.tensor([0.0, 1, 1]), "1"),
        (torch.tensor([False, True, True]), True),
        (["0", "1", "1"], 1),
    ],
)
def test_numbers_of_a_column_are_compared_as_numbers(values: ParsedColumn, value: object) -> None:
    assert divided(source(3, part=values), {"column": "part", "value": value})["validation"] == [1, 2]


@pytest.mark.parametrize(
    ("held", "text"),
    [
        ({"column": "part", "value": "dev"}, 'no row has "dev" in "part"'),
        ({"column": "gap", "value": "a"}, r'"gap" is missing in row 2 \(1 in all\)'),
        ({"fraction": 0.5, "group": "gap"}, r'"gap" is missing in row 2 \(1 in all\)'),
        ({"fraction": 0.5, "time": "hole"}, r'"hole" is missing in row 3 \(1 in all\)'),
        ({"fraction": 0.5, "group": "same"}, "2 groups are needed"),
        ({"fraction": 0.5, "time": "same"}, "no rows remain for the validation"),
        ({"column": "same", "value": 1}, "no rows remain for training"),
        ({"fold": 1, "of": 4, "group": "part"}, "4 groups are needed"),
        ({"split": "validation"}, "has no split validation"),
    ],
)
def test_rows_that_belong_nowhere_are_an_error(held: dict[str, Any], text: str) -> None:
    columns: dict[str, ParsedColumn] = {
        "part": ["a", "b", "c"],
        "gap": ["a", None, "b"],
        "hole": torch.tensor([1.0, 2.0, torch.nan]),
        "same": torch.ones(3),
    }
    with pytest.raises(DataError, match=text) as raised:
        divided(source(3, **columns), held)
    assert raised.value.pointer.startswith("/data/validation")


def test_splits_of_the_source_are_kept_apart() -> None:
    splits = {role: {"row": torch.arange(rows)} for role, rows in (("train", 6), ("validation", 3), ("test", 2))}
    roles = divided(splits, {"split": "validation"}, {"split": "test"})
    assert {role: len(rows) for role, rows in roles.items()} == {"train": 6, "validation": 3, "test": 2}
    assert divided(splits, {"split": "test"}).keys() == {"train", "validation"}


def test_fractions_are_of_all_rows_and_the_roles_share_none() -> None:
    roles = divided(source(100), {"fraction": 0.2}, {"fraction": 0.3})
    assert [len(roles[role]) for role in ("train", "validation", "test")] == [50, 20, 30]
    assert sorted(row for rows in roles.values() for row in rows) == list(range(100))


def test_the_test_is_the_same_rows_whatever_the_seed_of_the_training() -> None:
    first, second = (divided(source(60), {"fraction": 0.2}, {"fraction": 0.2}, seed=seed) for seed in (0, 1))
    other = divided(source(60), None, {"fraction": 0.2, "seed": 5})
    assert first["test"] == second["test"] != other["test"]
    assert first["validation"] != second["validation"]


@pytest.mark.parametrize("options", [{}, {"stratify": "y"}, {"group": "who"}])
def test_folds_are_a_partition_whatever_the_seed(options: dict[str, Any]) -> None:
    columns = {"y": torch.arange(53) % 3, "who": torch.arange(53) // 4}
    folds = [divided(source(53, **columns), {"fold": fold, "of": 5} | options, seed=fold) for fold in range(1, 6)]
    assert sorted(row for roles in folds for row in roles["validation"]) == list(range(53))
    for roles in folds:
        assert sorted([*roles["train"], *roles["validation"]]) == list(range(53))
    if "group" not in options:
        assert sorted(len(roles["validation"]) for roles in folds) == [10, 10, 11, 11, 11]


def test_stratified_folds_have_the_counts_of_scikit_learn() -> None:
    classes = np.array([0] * 23 + [1] * 11 + [2] * 7)
    folds = [divided(source(41, y=torch.tensor(classes)), {"fold": fold, "of": 4}, classes="y") for fold in range(1, 5)]
    mine = [np.bincount(classes[roles["validation"]]) for roles in folds]
    theirs = [np.bincount(classes[test]) for _, test in StratifiedKFold(4).split(classes, classes)]
    for counts in (mine, theirs):
        assert np.ptp(np.array(counts), axis=0).max() <= 1
    assert sorted(map(sum, mine)) == sorted(map(sum, theirs))


def test_groups_of_folds_are_apart() -> None:
    who = torch.tensor(np.random.default_rng(1).integers(0, 15, 120))
    folds = [divided(source(120, who=who), {"fold": fold, "of": 5, "group": "who"}) for fold in range(1, 6)]
    for roles in folds:
        assert not set(who[roles["train"]].tolist()) & set(who[roles["validation"]].tolist())
    assert max(len(roles["validation"]) for roles in folds) <= 35


def test_folds_of_time_are_those_of_scikit_learn() -> None:
    times = torch.tensor(np.random.default_rng(2).permutation(47)).double()
    order = times.argsort().numpy()
    for fold, (train, test) in enumerate(TimeSeriesSplit(4).split(order), start=1):
        roles = divided(source(47, when=times), {"fold": fold, "of": 4, "time": "when"})
        assert roles["train"] == sorted(order[train])
        assert roles["validation"] == sorted(order[test])


def test_folds_are_of_the_rows_that_the_test_leaves() -> None:
    folds = [divided(source(50), {"fold": fold, "of": 4}, {"fraction": 0.2}) for fold in range(1, 5)]
    (test,) = {tuple(roles["test"]) for roles in folds}
    held = sorted(row for roles in folds for row in roles["validation"])
    assert sorted([*test, *held]) == list(range(50))
