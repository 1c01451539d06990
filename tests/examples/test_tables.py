"""Public tables: how their files are read, baselines on rows that can be judged by hand, the arithmetic of the gate."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples import tables
from examples.data import public_tables
from examples.data.public_tables import PublicTable, parse_banana, parse_cells, split_rows, write_cells
from examples.table_baselines import class_scores, is_number_column, number_scores, table_baselines

HEADER = ["a", "kind", "y"]
ROWS = [[str(n / 10), "xy"[n % 2], str(n / 5 + n % 2)] for n in range(80)]


def test_lines_behind_the_header_that_describe_columns_are_skipped() -> None:
    text = "status\tage\nd\td\n\tclass\nfirst\t adult\n\nthird\t'a\tb'\n"
    assert parse_cells(text, "\t", "'", 2) == (["status", "age"], [["first", "adult"], ["third", "a\tb"]])


def test_sparse_lines_are_columns() -> None:
    assert parse_banana("-1,1:1.5,2:-0.2\n1 1:0 2:3\n") == (
        ["at1", "at2", "class"],
        [["1.5", "-0.2", "c-1"], ["0", "3", "c1"]],
    )


def test_rows_without_a_target_and_columns_that_tell_it_are_left_out() -> None:
    table = PublicTable("t", lambda cache: (HEADER, [["1", "x", "NA"], ["2", "y", "3"]]), "y", True, True, ("a",))
    assert table.cells(Path()) == (["kind", "y"], [["y", "3"]])


def test_a_split_is_the_same_for_everybody_and_keeps_the_shares_of_classes(tmp_path: Path) -> None:
    table = PublicTable("t", lambda cache: (HEADER, ROWS), "kind", False, False)
    train, test = split_rows(table, (HEADER, ROWS), 0)
    assert (train, test) == split_rows(table, (HEADER, ROWS), 0)
    assert sorted([*train, *test]) == list(range(80))
    assert [sum(place % 2 for place in part) for part in (train, test)] == [30, 10]
    write_cells(tmp_path / "t.csv", HEADER, [["1", 'a, "b"', "2"]])
    assert (tmp_path / "t.csv").read_text() == 'a,kind,y\n1,"a, ""b""",2\n'


def test_half_of_the_tables_were_held_out() -> None:
    assert [table.held_out for table in public_tables.TABLES].count(True) == len(public_tables.TABLES) / 2 >= 10
    assert len({table.name for table in public_tables.TABLES}) == len(public_tables.TABLES)


def test_the_bundled_tables_have_their_targets() -> None:
    for table in public_tables.TABLES:
        if table.source.__qualname__.startswith("_sklearn"):
            header, rows = table.cells(Path("nowhere"))
            target = header.index(table.target)
            assert is_number_column([row[target] for row in rows]) == table.is_number
            assert len(rows) > 100


def test_a_straight_line_is_what_the_linear_baseline_finds() -> None:
    train, test = [row for row in ROWS if row[0] != "3.0"], ROWS[::7]
    scores = table_baselines(train, test, 2, True)
    assert scores["linear"]["r2"] > 0.99
    assert set(scores) == {"linear", "boosting"}
    assert table_baselines(train, test, 1, False)["boosting"]["accuracy"] == 1


def test_scores_are_those_of_their_definitions() -> None:
    assert number_scores(np.array([0.0, 2.0]), np.array([1.0, 1.0])) == {"r2": 0.0}
    scores = class_scores(["a", "b"], ["a", "b"], np.array([[0.5, 0.5], [0.25, 0.75]]))
    assert scores == {"accuracy": 1.0, "log_loss": pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)}


def run(proposed: float, linear: float, boosting: float, held_out: bool = True) -> dict[str, Any]:
    scores = {"proposed": proposed, "linear": linear, "boosting": boosting}
    named = {model: {"r2": score} for model, score in scores.items()}
    return {"table": "t", "rows": 9, "held_out": held_out, "seconds": 1.0, "scores": named}


def test_the_gate_counts_points_behind_the_better_baseline() -> None:
    assert tables.shortfalls(run(0.5, 0.52, 0.47)) == pytest.approx((2, 2))
    assert tables.shortfalls(run(0.5, 0.4, 0.53)) == pytest.approx((3, -10))
    measured = [claim["measured"] for claim in tables.claims([run(0.5, 0.51, 0.4), run(0.5, 0.56, 0.4, False)])]
    assert measured == [0.5, 1.0, 6.0]
    assert "behind  +1.0, linear  +1.0" in tables.format_run(run(0.5, 0.51, 0.4))
