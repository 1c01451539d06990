"""Curves over HTTP."""

import json
import math
from typing import Any

import pytest

from app.api.routes.jobs.curves import POINTS_PER_READ
from app.curves import CHUNK_SIZE
from app.jobs.states import Status
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import (
    create_job_in_status,
    create_queued_job,
    create_running_job,
    curve_block,
    finish_job,
    record_curve,
    record_message,
)
from workers.protocol.messages import ProgressReport

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def value(step: int) -> float:
    """A noisy curve: every point differs."""
    return 1 / step + (step * 7919 % 101) / 1000


def series(anna: Client, job_id: str, name: str = "train/loss", **params: Any) -> dict[str, Any]:
    response = anna.get(f"/v1/jobs/{job_id}/metrics", params=params)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()["series"][name]
    rows = len(found["x"])
    assert all(len(found[column]) == rows for column in ("step", "min", "max", "last", "count"))
    return found


def test_points_that_fit_are_exact(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db)
    record_curve(api.services.db, job, 1500, value)
    found = series(anna, job.id)
    values = [value(step) for step in range(1, 1501)]
    assert (found["width"], found["points"]) == (1, 1500)
    assert found["x"] == found["step"] == list(range(1, 1501))
    assert found["min"] == found["max"] == found["last"] == values
    assert set(found["count"]) == {1}


def test_buckets_keep_the_extremes(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db)
    record_curve(api.services.db, job, 3000, value)
    found = series(anna, job.id, max_points=100)
    assert (found["width"], found["points"], len(found["x"])) == (32, 3000, 94)
    start = 0
    for index, count in enumerate(found["count"]):
        values = [value(step) for step in range(start + 1, start + count + 1)]
        row = [found[column][index] for column in ("min", "max", "last", "step")]
        assert row == [min(values), max(values), values[-1], start + count]
        start += count
    assert start == 3000


@pytest.mark.parametrize(("first", "then"), [(3000, 40), (CHUNK_SIZE * 2 - 5, 20)])
def test_buckets_keep_their_place_while_the_curve_grows(api: Api, anna: Client, first: int, then: int) -> None:
    job = create_running_job(api.services.db)
    record_curve(api.services.db, job, first, value)
    before = series(anna, job.id, max_points=100)
    record_curve(api.services.db, job, then, value, first=first + 1)
    after = series(anna, job.id, max_points=100)
    assert before["width"] == after["width"]
    for column in ("step", "min", "max", "last", "count", "x"):
        assert after[column][: len(before["x"]) - 1] == before[column][:-1]
    assert sum(after["count"]) == first + then


@SQLITE
def test_a_very_coarse_view_reads_summaries(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db)
    record_curve(api.services.db, job, CHUNK_SIZE + 1000, value)
    found = series(anna, job.id, max_points=10)
    assert (found["width"], len(found["x"]), sum(found["count"])) == (512, 10, CHUNK_SIZE + 1000)
    values = [value(step) for step in range(1, CHUNK_SIZE + 1001)]
    assert (min(found["min"]), max(found["max"]), found["last"][-1]) == (min(values), max(values), values[-1])
    assert found["min"][1] == min(values[512:1024])


@SQLITE
@pytest.mark.parametrize("axis", ["step", "epoch", "elapsed", "time"])
def test_axes_and_their_bounds(api: Api, anna: Client, axis: str) -> None:
    job = create_running_job(api.services.db)
    record_curve(api.services.db, job, 100)
    x = {
        "step": lambda step: step,
        "epoch": lambda step: step / 10,
        "elapsed": lambda step: step / 10,
        "time": lambda step: 1e9 + step,
    }[axis]
    found = series(anna, job.id, x=axis)
    assert found["x"] == [x(step) for step in range(1, 101)]
    part = series(anna, job.id, **{"x": axis, "from": x(20), "to": x(40)})
    assert part["step"] == list(range(20, 41))
    assert part["points"] == 100
    assert series(anna, job.id, **{"x": axis, "from": x(99)})["step"] == [99, 100]
    assert series(anna, job.id, x=axis, to=x(2))["step"] == [1, 2]
    assert series(anna, job.id, **{"x": axis, "from": x(101)})["step"] == []
    assert series(anna, job.id, **{"x": axis, "from": x(5), "to": x(4)})["x"] == []


@SQLITE
def test_a_zoomed_view_keeps_whole_buckets_in_place(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db)
    record_curve(api.services.db, job, 1000, value)
    found = series(anna, job.id, **{"from": 101, "to": 900, "max_points": 100})
    assert found["width"] == 16
    assert found["step"][:2] == [112, 128]
    assert found["count"][:2] == [12, 16]
    assert (sum(found["count"]), found["step"][-1]) == (800, 900)


@SQLITE
def test_smoothing_is_debiased_and_comes_first(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db)
    record_curve(api.services.db, job, 50, lambda step: math.nan if step == 3 else float(step))
    found = series(anna, job.id, smooth=0.9)
    average, bias, expected = 0.0, 1.0, []
    for step in range(1, 51):
        if step != 3:
            average, bias = 0.9 * average + 0.1 * step, bias * 0.9
        expected.append(average / (1 - bias))
    assert found["last"] == pytest.approx(expected)
    assert found["last"][0] == 1.0
    part = series(anna, job.id, **{"smooth": 0.9, "from": 40})
    assert part["last"] == found["last"][39:]


@SQLITE
def test_what_is_not_finite_is_a_word(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db)
    words = {2: math.nan, 3: math.inf, 4: -math.inf}
    record_curve(api.services.db, job, 8, lambda step: words.get(step, 1.0))
    assert series(anna, job.id)["last"] == [1.0, "NaN", "Infinity", "-Infinity", 1.0, 1.0, 1.0, 1.0]
    found = series(anna, job.id, max_points=4)
    assert found["min"] == [1.0, "-Infinity", 1.0, 1.0]
    assert found["max"] == [1.0, "Infinity", 1.0, 1.0]
    assert found["last"] == ["NaN", "-Infinity", 1.0, 1.0]
    lines = anna.get(f"/v1/jobs/{job.id}/metrics", headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert [json.loads(line)["value"] for line in lines[:4]] == [1.0, "NaN", "Infinity", "-Infinity"]
    rows = anna.get(f"/v1/jobs/{job.id}/metrics", headers={"Accept": "text/csv"}).text.splitlines()
    assert [float(row.split(",")[2]) for row in rows[3:5]] == [math.inf, -math.inf]
    assert math.isnan(float(rows[2].split(",")[2]))


def test_every_point_over_many_chunks(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db)
    count = POINTS_PER_READ + 10
    steps = range(1, count + 1)
    record_message(
        api.services.db,
        job,
        ProgressReport(series={"train/loss": curve_block(steps, value), "val/loss": curve_block([10, 20], value)}),
    )
    path = f"/v1/jobs/{job.id}/metrics"
    response = anna.get(path, headers={"Accept": "text/csv"})
    assert response.headers["content-type"].startswith("text/csv")
    rows = [row.split(",") for row in response.text.splitlines()]
    assert rows[0] == ["series", "step", "value", "time", "elapsed"]
    assert len(rows) == count + 3
    assert [int(row[1]) for row in rows[1:]] == [*steps, 10, 20]
    assert [float(row[2]) for row in rows[1:-2]] == [value(step) for step in steps]
    assert {row[0] for row in rows[1:-2]} == {"train/loss"}
    response = anna.get(path, headers={"Accept": "application/x-ndjson"}, params={"names": "val/loss"})
    assert response.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in response.text.splitlines()] == [
        {"series": "val/loss", "step": step, "value": value(step), "time": 1e9 + step, "elapsed": step / 10}
        for step in (10, 20)
    ]


@SQLITE
def test_names(api: Api, anna: Client) -> None:
    db = api.services.db
    job = create_running_job(db)
    for name in ("val/loss", "train/loss"):
        record_curve(db, job, 10, name=name)
    path = f"/v1/jobs/{job.id}/metrics"
    assert list(anna.get(path).json()["series"]) == ["train/loss", "val/loss"]
    assert list(anna.get(path, params={"names": "val/loss,val/loss"}).json()["series"]) == ["val/loss"]
    assert series(anna, job.id, "val/accuracy", names="val/accuracy")["x"] == []  # it may come
    document = assert_problem(anna.get(path, params={"names": "train/loss,loss"}), 404, "not_found")
    assert "val/loss" in document["errors"][0]["hint"]
    for name in ("", ",", "x" * 4000):
        assert anna.get(path, params={"names": name}).status_code == (200 if name == "" else 404)
    assert_problem(anna.get(path, params={"names": "x" * 4001}), 400, "invalid_parameter")
    finish_job(db, job)
    document = assert_problem(anna.get(path, params={"names": "val/lss"}), 404, "not_found")
    assert 'did you mean "val/loss"' in document["errors"][0]["hint"]


@SQLITE
@pytest.mark.parametrize("accept", ["*/*", "text/csv", "application/x-ndjson"])
def test_a_job_without_points(api: Api, anna: Client, accept: str) -> None:
    db = api.services.db
    for job_id in (create_queued_job(db), create_job_in_status(db, Status.FAILED)):
        response = anna.get(f"/v1/jobs/{job_id}/metrics", headers={"Accept": accept})
        assert response.status_code == 200
        if accept == "*/*":
            assert response.json() == {"x": "step", "series": {}}
        else:
            assert response.text == ("series,step,value,time,elapsed\n" if accept == "text/csv" else "")
    assert series(anna, create_queued_job(db), "train/loss", names="train/loss")["points"] == 0
    assert_problem(
        anna.get(f"/v1/jobs/{create_job_in_status(db, Status.FAILED)}/metrics?names=train/loss"), 404, "not_found"
    )


@SQLITE
def test_after_a_rewind_there_are_no_points_twice(api: Api, anna: Client) -> None:
    db = api.services.db
    job = create_running_job(db)
    record_curve(db, job, 100)
    record_message(db, job, ProgressReport(events=(("rewound", {"step": 60}),)))
    record_curve(db, job, 10, lambda step: -1.0, first=61)
    found = series(anna, job.id)
    assert found["step"] == list(range(1, 71))
    assert found["last"][60:] == [-1.0] * 10
