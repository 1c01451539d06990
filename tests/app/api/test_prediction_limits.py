"""Limits of predictions, hostile bodies, and children that die."""

import os
import signal
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.api.children.predictor import PredictorPool
from app.settings import Settings
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.sample_dataset import TRAINING_PLAN
from tests.app.api.test_predictions import JOB, ROWS, asked, labels
from tests.app.api.trained_jobs import train_job, train_job_cached


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def path(api: Api, anna: Client) -> str:
    """Where the predictions of a trained job are."""
    return f"/v1/jobs/{train_job_cached(api, anna, JOB)}/predict"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ('{"rows": [{"x": [NaN, 1, 2, 3]}]}', 422, "not_finite"),
        ('{"rows": [{"x": [1e999, 1, 2, 3]}]}', 422, "not_finite"),
        ('{"rows": [{"x": [1, 2, 3, 4], "x": [1]}]}', 422, "duplicate_key"),
        ('{"rows": [{"x": ' + "[" * 100_000 + "]" * 100_000 + "}]}", 422, "too_deep"),
        ('{"rows": [{"x": ' + "[" * 800 + "]" * 800 + "}]}", 422, "wrong_type"),
        ('{"rows": [{"x": [[1, 2, 3, 4]]}]}', 422, "wrong_shape"),
        ('{"rows": [{"x": ' + str([0] * 100_000) + "}]}", 422, "wrong_shape"),
        ('{"rows": [{"x": "1, 2, 3, 4"}]}', 422, "wrong_type"),
        ('{"rows": [{"x": [1, 2, 3, "\\ud800"]}]}', 422, "invalid_text"),
        ('{"rows": [{"x": [9223372036854775808, 2, 3, 4]}]}', 422, "out_of_range"),
        ('{"rows": [{}]}', 422, "missing_column"),
        ('{"rows": []}', 422, "no_rows"),
        ('{"rows": {}}', 422, "invalid_value"),
        ('{"rows": [1]}', 422, "invalid_value"),
        ("{}", 422, "missing"),
        ("[]", 422, "not_an_object"),
        ('{"rows": [{"x": [1, 2, 3, 4]}], "outputs": "all"}', 422, "unknown_value"),
        ('{"rows": [{"x": [1, 2, 3, 4]}], "checkpoint": "best"}', 422, "invalid_name"),
        ('{"rows": [{"x": [1, 2, 3, 4]}], "batch_size": 0}', 422, "out_of_range"),
        ('{"rows": [{"x": [1, 2, 3, 4]}], "row": 1}', 422, "unknown_field"),
        ('{"rows": [', 400, "malformed"),
        ("", 400, "malformed"),
        ("\xff", 400, "malformed"),
    ],
)
def test_hostile_bodies(anna: Client, path: str, body: str, status: int, code: str) -> None:
    response = anna.post(path, content=body.encode("latin-1"))
    document = assert_problem(response, status, code if status == 400 else "invalid_input")
    assert status == 400 or document["errors"][0]["code"] == code, document
    assert labels(asked(anna, path))


def test_other_bodies(anna: Client, path: str) -> None:
    assert_problem(
        anna.post(path, content=b"x", headers={"Content-Type": "application/pdf"}), 415, "unsupported_media_type"
    )
    yaml = anna.post(path, content=b"rows:\n- x: [1, 2, 3, 4]\n", headers={"Content-Type": "application/yaml"})
    assert len(labels(yaml)) == 1
    document = assert_problem(
        anna.post(path, json={"rows": ROWS}, params={"outputs": "labels,all"}), 400, "invalid_parameter"
    )
    assert "outputs" in document["detail"]
    assert_problem(anna.post(path, json={"rows": ROWS}, params={"output": "raw"}), 400, "unknown_parameter")


def test_limits(serve: StartApp, api: Api, anna: Client, path: str, tmp_path: Path) -> None:
    settings = {"predict_rows": 3, "predict_limit": 2000}
    predictors = PredictorPool(Settings(home=tmp_path, predictors=1, **settings))  # type: ignore[arg-type]
    strict = serve(other={"predictors": predictors}, **settings).client_with_token(
        anna.headers["Authorization"].split()[1]
    )
    assert labels(asked(strict, path))
    assert "at most 3" in assert_problem(asked(strict, path, ROWS * 2), 413, "too_large")["detail"]
    assert_problem(asked(strict, path, [{"x": list(range(1000))}]), 413, "too_large")
    assert_problem(strict.post(path, content=pieces()), 413, "too_large")
    full = {"outputs": ["labels", "probabilities", "raw"], "top": 3}
    assert asked(strict, path, ROWS, **full).status_code == 200
    strict.post(path, json={"rows": ROWS}, headers={"Accept": "text/csv"}).raise_for_status()
    predictors.close()


async def pieces() -> AsyncIterator[bytes]:
    """A body without a Content-Length."""
    for _ in range(3):
        yield b" " * 1000


def test_an_answer_has_a_limit_too(serve: StartApp, anna: Client, path: str, tmp_path: Path) -> None:
    predictors = PredictorPool(Settings(home=tmp_path, predictors=1, predict_limit=1024))
    client = serve(other={"predictors": predictors}).client_with_token(anna.headers["Authorization"].split()[1])
    rows = [{"x": [number, 0, 0, 0]} for number in range(20)]
    document = assert_problem(asked(client, path, rows, outputs=["probabilities", "raw"]), 413, "too_large")
    assert "the response has" in document["detail"]
    predictors.close()


def test_a_killed_child_is_replaced(serve: StartApp, anna: Client, path: str, tmp_path: Path) -> None:
    predictors = PredictorPool(Settings(home=tmp_path, predictors=1))
    client = serve(other={"predictors": predictors}).client_with_token(anna.headers["Authorization"].split()[1])
    before = labels(asked(client, path))
    (pid,) = pids(predictors)
    os.kill(pid, signal.SIGKILL)
    assert labels(asked(client, path)) == before
    (other,) = pids(predictors)
    assert other != pid
    predictors.close()


def pids(predictors: PredictorPool) -> list[int]:
    with predictors.pool.acquire_all() as places:
        return [place.child.pid for place in places if place.child is not None and place.child.pid is not None]


def test_what_takes_too_long_is_refused(serve: StartApp, anna: Client, path: str, tmp_path: Path) -> None:
    predictors = PredictorPool(Settings(home=tmp_path, predictors=1, predict_seconds=0.001))
    client = serve(other={"predictors": predictors}).client_with_token(anna.headers["Authorization"].split()[1])
    document = assert_problem(asked(client, path), 422, "invalid_input")
    assert document["errors"][0]["code"] == "too_complex"
    assert "0.001 s" in document["errors"][0]["detail"]
    assert not pids(predictors)
    predictors.close()


def test_batches_fit_into_the_memory_that_there_is(serve: StartApp, api: Api, anna: Client, tmp_path: Path) -> None:
    """256 rows at once would take 200 MiB of 64; a body that takes more by itself is refused."""
    wide = [{"kind": "Linear", "out_features": 200_000}, {"kind": "Linear", "out_features": 3}]
    plan = TRAINING_PLAN | {"epochs": 1}
    path = f"/v1/jobs/{train_job(api, anna, JOB | {'model': {'layers': wide}, 'training': plan})}/predict"
    predictors = PredictorPool(Settings(home=tmp_path, predictors=1, predict_memory=1 << 26))
    client = serve(other={"predictors": predictors}).client_with_token(anna.headers["Authorization"].split()[1])
    rows = [{"x": [number / 50, 1, 2, 3]} for number in range(256)]
    few = labels(asked(client, path, rows[:2]))
    before = pids(predictors)
    assert labels(asked(client, path, rows))[:2] == few
    assert pids(predictors) == before
    document = assert_problem(asked(client, path, [{"x": [0] * 4_000_000}]), 422, "invalid_input")
    assert document["errors"][0]["code"] == "too_complex"
    assert "64 MiB" in document["errors"][0]["detail"]
    assert labels(asked(client, path, rows[:2])) == few
    predictors.close()


def test_many_at_once(api: Api, anna: Client, path: str) -> None:
    other = f"/v1/jobs/{train_job(api, anna, JOB | {'training': TRAINING_PLAN | {'seed': 9}})}/predict"
    expected = {each: asked(anna, each).json()["predictions"] for each in (path, other)}
    found: list[tuple[str, Any]] = []

    def ask(place: str) -> None:
        while (response := asked(anna, place)).status_code == 503:  # on a machine that has much else to do
            time.sleep(0.1)
        found.append((place, response.json()))

    threads = [threading.Thread(target=ask, args=(place,)) for place in (path, other) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(document["predictions"] == expected[place] for place, document in found), found


def test_beyond_capacity_requests_are_turned_away(serve: StartApp, anna: Client, path: str, tmp_path: Path) -> None:
    predictors = PredictorPool(Settings(home=tmp_path, predictors=1, inspect_seconds=0.2))
    client = serve(other={"predictors": predictors}).client_with_token(anna.headers["Authorization"].split()[1])
    with predictors.pool.acquire_all():
        response = asked(client, path)
        assert_problem(response, 503, "overloaded")
        assert int(response.headers["retry-after"]) > 0
    assert labels(asked(client, path))
    predictors.close()
