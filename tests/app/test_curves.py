"""Curves, compared with a naive model of them."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import curves
from app.curves import BLOCK_SIZE, CHUNK_SIZE, Points
from app.db.session import Database
from app.jobs import repository

NAME = "train/loss"
ONE_DATABASE = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)


@pytest.fixture
def job_id(database: Database) -> str:
    return new_job(database)


def new_job(database: Database) -> str:
    values: dict[str, Any] = {"owner": "anna", "name": "job", "queue": "default", "priority": 0}
    documents: dict[str, Any] = {name: {} for name in ("spec", "data_schema", "inspection", "labels")}
    return database.run(repository.insert, **values, **documents).id


def made(steps: Any, values: Any = None) -> Points:
    """Points with a value of its own for every step."""
    points = np.zeros(len(steps), curves.POINT_DTYPE)
    points["step"] = steps
    points["value"] = np.sin(np.asarray(steps, float)) if values is None else values
    points["time"], points["elapsed"] = points["step"] + 1e9, points["step"] / 10
    return points


def steps_of(points: Points) -> list[int]:
    return [int(step) for step in points["step"]]


ACTIONS = st.lists(
    st.tuples(st.just("append"), st.integers(0, 3 * CHUNK_SIZE))
    | st.tuples(st.just("again"), st.integers(0, 300))
    | st.tuples(st.just("rewind"), st.integers(0, 10 * CHUNK_SIZE)),
    max_size=8,
)


@ONE_DATABASE
@given(ACTIONS, st.integers(0, 5 * CHUNK_SIZE), st.integers(0, 5 * CHUNK_SIZE))
def test_a_series_is_the_list_of_its_points(
    database: Database, actions: list[tuple[str, int]], start: int, stop: int
) -> None:
    """Whatever is appended, sent again or rewound: points, ranges and summaries are those of a list."""
    job_id, model = new_job(database), []
    for verb, number in actions:
        last = model[-1] if model else 0
        if verb == "rewind":
            database.run(curves.rewind, job_id, number)
            model = [step for step in model if step <= number]
            continue
        first = max(1, last + 1 - number) if verb == "again" else last + 1
        sent = range(first, last + 1 + (5 if verb == "again" else number))
        span = database.run(curves.append, job_id, {NAME: made(sent)})[NAME]
        before = len(model)
        model += [step for step in sent if step > last]
        assert span == (before, len(model))
    assert steps_of(database.read(curves.read_points, job_id, NAME)) == model
    assert steps_of(database.read(curves.read_points, job_id, NAME, start, stop)) == model[start:stop]
    assert steps_of(database.read(curves.read_points, job_id, NAME, start)) == model[start:]
    whole = database.read(curves.downsample, job_id, [NAME], max_points=1)[NAME]
    assert (whole["points"], int(whole["count"].sum())) == (len(model), len(model))
    if model:
        values = made(model)["value"]
        assert (whole["min"].min(), whole["max"].max(), whole["last"][-1]) == (values.min(), values.max(), values[-1])


VALUES = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])
CURVES = st.integers(0, 300).flatmap(lambda count: st.lists(VALUES, min_size=count, max_size=count))  # long ones too


@ONE_DATABASE
@given(CURVES, st.integers(1, 40), st.none() | st.integers(-5, 310), st.none() | st.integers(-5, 310))
def test_buckets_are_those_of_a_naive_model(
    database: Database, values: list[float], most: int, low: int | None, high: int | None
) -> None:
    job_id = new_job(database)
    database.run(curves.append, job_id, {NAME: made(range(1, len(values) + 1), values)})
    found = database.read(curves.downsample, job_id, [NAME], max_points=most, low=low, high=high)[NAME]
    kept = [
        index
        for index in range(len(values))
        if (low is None or index + 1 >= low) and (high is None or index + 1 <= high)
    ]
    width = 1
    while len({index // width for index in kept}) > most:
        width *= 2
    groups: dict[int, list[int]] = {}
    for index in kept:
        groups.setdefault(index // width, []).append(index)
    assert found["width"] == width
    assert found["points"] == len(values)
    assert found["count"].tolist() == [len(group) for group in groups.values()]
    assert found["nan"].tolist() == [sum(math.isnan(values[index]) for index in group) for group in groups.values()]
    assert found["step"].tolist() == found["x"].tolist() == [group[-1] + 1 for group in groups.values()]
    same(found["last"], [values[group[-1]] for group in groups.values()])
    same(found["min"], [extreme(min, [values[index] for index in group]) for group in groups.values()])
    same(found["max"], [extreme(max, [values[index] for index in group]) for group in groups.values()])


def extreme(choose: Any, values: list[float]) -> float:
    numbers = [value for value in values if not math.isnan(value)]
    return float(choose(numbers)) if numbers else math.nan


def same(found: Any, expected: list[float]) -> None:
    np.testing.assert_array_equal(found, np.array(expected, float))


@ONE_DATABASE
@given(st.integers(1, 2 * CHUNK_SIZE), st.integers(1, 500), st.integers(1, 30))
def test_buckets_keep_their_place_while_the_curve_grows(database: Database, count: int, more: int, most: int) -> None:
    job_id = new_job(database)
    database.run(curves.append, job_id, {NAME: made(range(1, count + 1))})
    before = database.read(curves.downsample, job_id, [NAME], max_points=most)[NAME]
    database.run(curves.append, job_id, {NAME: made(range(count + 1, count + more + 1))})
    after = database.read(curves.downsample, job_id, [NAME], max_points=most)[NAME]
    assert len(after["x"]) <= most
    assert after["width"] % before["width"] == 0
    if after["width"] == before["width"]:
        settled = len(before["x"]) - 1
        for column in ("step", "min", "max", "last", "count", "nan"):
            assert after[column][:settled].tolist() == before[column][:settled].tolist()


@pytest.mark.parametrize(
    "count", [BLOCK_SIZE - 1, BLOCK_SIZE, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE + 100]
)
@pytest.mark.parametrize("most", [1, 10])
def test_summaries_say_what_points_say(database: Database, job_id: str, count: int, most: int) -> None:
    database.run(curves.append, job_id, {NAME: made(range(1, count + 1))})
    coarse = database.read(curves.downsample, job_id, [NAME], max_points=most)[NAME]
    exact = database.read(curves.downsample, job_id, [NAME], max_points=most, low=-1)[NAME]  # reads every point
    for column in ("x", "step", "min", "max", "last", "count", "nan"):
        assert coarse[column].tolist() == exact[column].tolist()
    assert (coarse["width"], coarse["points"]) == (exact["width"], exact["points"])


def test_series_do_not_mix(database: Database, job_id: str) -> None:
    other = new_job(database)
    database.run(curves.append, job_id, {"b": made([1, 2]), "a": made([1])})
    database.run(curves.append, other, {"b": made([7])})
    assert database.read(curves.series_names, job_id) == ["a", "b"]
    assert list(database.read(curves.downsample, job_id)) == ["a", "b"]
    database.run(curves.rewind, job_id, 0)
    assert database.read(curves.series_names, job_id) == []
    assert steps_of(database.read(curves.read_points, other, "b")) == [7]
    assert len(database.read(curves.read_points, job_id, "b")) == 0


@given(st.lists(VALUES, max_size=60), st.floats(0.01, 0.99))
def test_smoothing_is_debiased(values: list[float], weight: float) -> None:
    found = curves.exponential_moving_average(made(range(len(values)), values), weight)["value"].tolist()
    seen: list[float] = []
    for value, smooth in zip(values, found, strict=True):
        seen += [value] if math.isfinite(value) else []
        if not seen:
            assert smooth == value or (math.isnan(smooth) and math.isnan(value))
            continue
        weights = [weight ** (len(seen) - 1 - index) for index in range(len(seen))]
        mean = sum(w * number for w, number in zip(weights, seen, strict=True)) / sum(weights)
        assert smooth == pytest.approx(mean, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("axis", ["step", "epoch", "elapsed"])
@pytest.mark.parametrize(
    ("low", "high"), [(None, 5000), (4096, 4097), (4097.5, None), (8191, 30_000), (90_000, None), (-5, -1)]
)
def test_a_range_is_found_in_its_chunks(
    database: Database, job_id: str, axis: curves.Axis, low: float | None, high: float | None
) -> None:
    """Every axis tells the same points, whether or not the chunks are chosen by their steps; so do all widths."""
    database.run(curves.append, job_id, {NAME: made(range(1, 3 * CHUNK_SIZE + 100))})
    scale = {"step": 1.0, "epoch": 10.0, "elapsed": 10.0}[axis]
    bounds = {"low": low if low is None else low / scale, "high": high if high is None else high / scale}
    for most in (3, 100, 20_000):
        found = database.read(
            curves.downsample, job_id, [NAME], max_points=most, axis=axis, steps_per_epoch=10, **bounds
        )[NAME]
        by_time = database.read(
            curves.downsample, job_id, [NAME], max_points=most, axis="time",
            low=None if low is None else low + 1e9, high=None if high is None else high + 1e9,
        )[NAME]  # fmt: skip
        for column in ("step", "min", "max", "last", "count", "nan"):
            assert found[column].tolist() == by_time[column].tolist()
        assert found["width"] == by_time["width"]


@pytest.mark.parametrize("weight", [0.01, 0.6, 0.99, 0.9999])
@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000])
def test_the_average_is_that_of_the_definition(count: int, weight: float) -> None:
    points = made(range(count))
    points["value"][::7] = [math.nan, math.inf, -math.inf][count % 3]
    average, bias, expected = 0.0, 1.0, []
    for value in points["value"].tolist():
        if math.isfinite(value):
            average, bias = weight * average + (1 - weight) * value, bias * weight
        expected.append(average / (1 - bias) if bias < 1 else value)
    found = curves.exponential_moving_average(points, weight)
    np.testing.assert_allclose(found["value"], expected, rtol=1e-9, atol=1e-12)
    assert found["step"].tolist() == points["step"].tolist()


def test_summaries_from_before_counts_of_nan_have_none() -> None:
    stored = np.zeros(3, [*curves.POINT_DTYPE.descr, ("min", "<f8"), ("max", "<f8"), ("count", "<i8")])
    stored["count"] = [64, 64, 7]
    found = np.frombuffer(stored.tobytes(), curves.SUMMARY_DTYPE)
    assert (found["count"].tolist(), found["nan"].tolist()) == ([64, 64, 7], [0, 0, 0])
