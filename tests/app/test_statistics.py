"""Samples of statistics as rows: each step once, rewound like curves, and read in the buckets of curves."""

import math
from typing import Any

import numpy as np
import pytest

from app import curves, statistics
from app.curves import points_from
from app.db.session import Database
from app.db.tables import JobRow
from app.errors import StaleFence
from app.events import EventKind
from app.jobs.rollback import roll_back
from app.spec.edits.rollback import Rollback
from tests.app.api.job_factories import (
    create_checkpoint,
    create_running_job,
    curve_block,
    record_message,
    record_statistics,
)
from workers.protocol.messages import HistogramCounts, ProgressReport, StatisticsSample

ALL = statistics.Selection()
MANY = 200_000


@pytest.fixture
def job(database: Database) -> JobRow:
    return create_running_job(database)


def read(database: Database, job: JobRow, selection: statistics.Selection = ALL, most: int = MANY) -> dict[str, Any]:
    return database.read(statistics.read, job.id, selection, most)


def steps(database: Database, job: JobRow) -> list[int]:
    found: list[int] = read(database, job)["linear"]["grad_norm"]["step"].tolist()
    return found


def test_a_step_is_there_once(database: Database, job: JobRow) -> None:
    record_statistics(database, job, [1, 10, 20])
    record_statistics(database, job, [10, 20, 30])
    assert steps(database, job) == [1, 10, 20, 30]
    assert database.read(statistics.extent, job.id) == (4, 30)


def test_an_attempt_that_resumes_takes_later_samples_again(database: Database, job: JobRow) -> None:
    record_statistics(database, job, [1, 10, 20, 30])
    record_message(database, job, ProgressReport(events=((EventKind.REWOUND, {"step": 15, "checkpoint": None}),)))
    assert steps(database, job) == [1, 10]
    record_statistics(database, job, [20, 30], lambda step: 7.0)
    assert read(database, job)["linear"]["grad_norm"]["last"].tolist() == pytest.approx([1, 0.1, 7, 7])


def test_a_superseded_attempt_records_nothing(database: Database, job: JobRow) -> None:
    job.fence -= 1
    with pytest.raises(StaleFence):
        record_statistics(database, job, [1])
    assert read(database, job) == {}


def test_a_rollback_drops_what_came_later(database: Database, job: JobRow, store: Any) -> None:
    record_statistics(database, job, [1, 10, 20])
    create_checkpoint(database, store, job, 10, {"weights.safetensors": b"x"})
    database.run(roll_back, "anna", job.id, Rollback(revision=1), "")
    assert steps(database, job) == [1, 10]


@pytest.mark.parametrize(("low", "high"), [(None, None), (333, None), (None, 700), (251, 749)])
@pytest.mark.parametrize("most", [1, 7, 100, 10_000])
def test_buckets_are_those_of_curves(database: Database, job: JobRow, low: Any, high: Any, most: int) -> None:
    def value(step: int) -> float:
        return math.nan if step % 97 == 0 else math.sin(step) * step

    sampled = range(5, 1000, 5)
    samples = tuple(StatisticsSample(step, "x", [value(step)], [("linear", "grad_norm")], []) for step in sampled)
    block = curve_block(sampled, lambda step: float(np.float32(value(step))))
    record_message(database, job, ProgressReport(series={"x": block}, statistics=samples))
    selection = statistics.Selection(low=low, high=high, max_points=most)
    found = read(database, job, selection)["linear"]["grad_norm"]
    bounds: dict[str, Any] = {"max_points": most, "low": low, "high": high}
    expected = database.read(lambda session: curves.downsample(session, job.id, ["x"], **bounds))["x"]
    assert found["width"] == expected["width"]
    for column in ("step", "min", "max", "last"):
        np.testing.assert_array_equal(found[column], expected[column])
    assert len(points_from(block)) == len(sampled)


def test_a_series_has_the_steps_at_which_it_has_a_value(database: Database, job: JobRow) -> None:
    values = {1: None, 2: -math.inf, 3: math.nan, 4: 0.0, 5: None, 6: -1e38}
    record_statistics(database, job, list(values), values.__getitem__)
    found = read(database, job)["linear"]["grad_norm"]
    assert found["step"].tolist() == [2, 3, 4, 6]
    np.testing.assert_array_equal(found["last"], np.array([-math.inf, math.nan, 0, np.float32(-1e38)]))


def test_an_edit_changes_the_series(database: Database, job: JobRow) -> None:
    record_statistics(database, job, [1, 2])
    record_statistics(database, job, [3], series=[("new", "grad_norm"), ("linear", "weight_norm")])
    record_statistics(database, job, [4])
    found = read(database, job)
    assert {node: {name: columns["step"].tolist() for name, columns in own.items()} for node, own in found.items()} == {
        "linear": {"grad_norm": [1, 2, 4], "weight_norm": [1, 2, 3, 4]},
        "new": {"grad_norm": [3]},
    }


SERIES = [
    ("a", "grad_norm"),
    ("a/then/b", "branch_shares/then"),
    ("a/then/b", "branch_shares/else"),
    ("c", "dead_share"),
]


@pytest.mark.parametrize(
    ("nodes", "quantities", "expected"),
    [
        (None, None, SERIES),
        ({"a"}, None, SERIES[:1]),
        ({"a", "c"}, None, [SERIES[0], SERIES[3]]),
        (None, {"branch_shares"}, SERIES[1:3]),
        (None, {"branch_shares/else"}, SERIES[2:3]),
        ({"nobody"}, None, []),
    ],
)
def test_a_selection_of_series(database: Database, job: JobRow, nodes: Any, quantities: Any, expected: Any) -> None:
    sample = StatisticsSample(1, "x", [0.0, 1.0, 2.0, 3.0], SERIES, [])
    record_message(database, job, ProgressReport(statistics=(sample,)))
    selection = statistics.Selection(nodes and frozenset(nodes), quantities and frozenset(quantities))
    found = read(database, job, selection)
    values = {(node, name): columns["last"].tolist() for node, own in found.items() for name, columns in own.items()}
    assert values == {series: [SERIES.index(series)] for series in expected}


def test_an_answer_is_bounded(database: Database, job: JobRow) -> None:
    record_statistics(database, job, range(1, 201))
    assert len(read(database, job, most=20)["linear"]["grad_norm"]["step"]) <= 10


def histograms(database: Database, job: JobRow, **selection: Any) -> dict[str, Any]:
    chosen = statistics.Selection(**selection)
    return database.read(statistics.read_histograms, job.id, "linear", "weights", chosen)


def test_histograms_are_there_as_they_were_taken(database: Database, job: JobRow) -> None:
    record_statistics(database, job, [1, 2, 3])
    found = histograms(database, job)
    assert found["steps"] == [1, 2, 3]
    edge = statistics.bin_edge(500)
    assert found["edges"] == [-statistics.bin_edge(501), -edge, edge, statistics.bin_edge(501)]
    assert found["counts"].tolist() == [[1, 0, 2], [2, 0, 4], [3, 0, 6]]
    assert histograms(database, job, low=2, high=2)["counts"].tolist() == [[2, 0, 4]]


def test_of_many_histograms_every_second_is_shown_and_the_last(database: Database, job: JobRow) -> None:
    record_statistics(database, job, range(1, 12))
    assert histograms(database, job, max_points=6)["steps"] == [2, 4, 6, 8, 10, 11]


def test_without_histograms_there_are_no_bins(database: Database, job: JobRow) -> None:
    assert histograms(database, job)["steps"] == []
    assert len(histograms(database, job)["edges"]) == 2


def test_bins_cover_all_numbers_in_order() -> None:
    edges = [statistics.bin_edge(number) for number in range(1, 1017)]
    assert edges == sorted(edges)
    assert edges[0] == float(np.finfo(np.float32).tiny)
    assert edges[500] * 2 == edges[504]
    assert statistics.bin_edge(-7) == -statistics.bin_edge(8)


def test_values_far_below_the_largest_are_around_zero(database: Database, job: JobRow) -> None:
    wide = HistogramCounts([3, 2], [0, 400, 500, 300, 310], [1, 10, 100, 4, 5])
    series = [("linear", "weights"), ("other", "weights")]
    samples = (
        StatisticsSample(1, "x", [], [], series, wide),
        StatisticsSample(2, "x", [], None, None, HistogramCounts([1, 0], [435], [7])),
        StatisticsSample(3, "x", [], None, None, HistogramCounts([1, 0], [436], [8])),
    )
    record_message(database, job, ProgressReport(statistics=samples))
    found = histograms(database, job)
    assert found["counts"][:, :2].tolist() == [[11, 0], [7, 0], [0, 8]]
    assert found["counts"].sum(1).tolist() == [111, 7, 8]
    assert len(found["edges"]) == found["counts"].shape[1] + 1
