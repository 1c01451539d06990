"""Lanes: every route is in one, none is full for others than those who fill it, and none waits for another."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.api.auth import enter_lane
from app.api.lanes import LANES, Lane, LaneLimits, lane_limits
from app.api.main import ROUTERS
from app.jobs.states import Status
from app.settings import Settings
from tests.app.api.client import Api, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import create_job_in_status

FILE = "/v1/checkpoints/{checkpoint_id}"
# Whoever adds a route that costs more than a read or a write of some rows says here, a second time, what it costs.
DECLARED = {
    "GET /readyz": Lane.HEALTH,
    "GET /metrics": Lane.HEALTH,
    "GET /v1/jobs/{job_id}/stream": Lane.STREAM,
    "GET /v1/jobs/{job_id}/metrics": Lane.DOWNLOAD,
    "GET /v1/jobs/{job_id}/statistics": Lane.DOWNLOAD,
    "GET /v1/jobs/{job_id}/statistics/histograms": Lane.DOWNLOAD,
    "POST /v1/jobs": Lane.INSPECTION,
    "POST /v1/jobs/validate": Lane.INSPECTION,
    "POST /v1/jobs/{job_id}/fork": Lane.INSPECTION,
    "POST /v1/models/inspect": Lane.INSPECTION,
    "POST /v1/jobs/{job_id}/edits": Lane.INSPECTION,
    "GET /v1/jobs/{job_id}/network": Lane.INSPECTION,
    "GET /v1/jobs/{job_id}/network/diff": Lane.INSPECTION,
    "POST /v1/jobs/{job_id}/edits/dry-run": Lane.PREDICTION,
    "POST /v1/jobs/{job_id}/predict": Lane.PREDICTION,
    "POST /v1/jobs/{job_id}/evaluate": Lane.PREDICTION,
    "PUT /v1/datasets/{dataset_id}/content": Lane.UPLOAD,
    **{
        f"{method} {path}": lane
        for method in ("GET", "HEAD")
        for path, lane in {
            "/v1/checkpoints/{checkpoint_id}/files/{name}": Lane.DOWNLOAD,
            "/v1/checkpoints/{checkpoint_id}/exports/{form}": Lane.EXPORT,
            "/v1/jobs/{job_id}/weights": Lane.DOWNLOAD,
            "/v1/datasets/{dataset_id}/content": Lane.DOWNLOAD,
        }.items()
    },
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def routes() -> Iterator[tuple[str, APIRoute]]:
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            (method,) = route.methods
            yield f"{method} {route.path}", route


def dependencies(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for each in dependant.dependencies:
        assert each.call is not None
        yield each.call
        yield from dependencies(each)


def test_every_route_takes_a_place_in_one_lane() -> None:
    declared = {}
    for name, route in routes():
        calls = list(dict.fromkeys(dependencies(route.dependant)))  # one that two others need is called once
        lanes = [call.lane for call in calls if getattr(call, "lane", None) is not None]
        takes = [call for call in calls if getattr(call, "scope", None) is not None or call is enter_lane]
        assert len(takes) == (0 if name == "GET /livez" else 1), name
        assert len(lanes) <= 1, name
        if lanes:
            declared[name] = lanes[0]
    assert declared == DECLARED


def test_livez_needs_nothing() -> None:
    """No thread, no lock, no database: its route is a coroutine without dependencies."""
    route = dict(routes())["GET /livez"]
    assert asyncio.iscoroutinefunction(route.endpoint)
    assert not list(dependencies(route.dependant))


def test_every_lane_leaves_room_for_another_key() -> None:
    assert set(LANES) == set(Lane)
    for lane, limits in LANES.items():
        assert limits.per_key < limits.concurrent or lane is Lane.HEALTH, lane


def test_settings_scale_a_lane_and_its_share() -> None:
    limits = lane_limits(Settings(max_streams=1000, max_uploads=1, predictors=4))
    assert (limits[Lane.STREAM].concurrent, limits[Lane.STREAM].per_key) == (1000, 800)
    assert (limits[Lane.UPLOAD].concurrent, limits[Lane.UPLOAD].per_key) == (1, 1)
    assert limits[Lane.PREDICTION].concurrent == 36
    assert limits[Lane.READ] == LANES[Lane.READ]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {lane: LaneLimits(1, 1, 0.05, each.threads) for lane, each in LANES.items()}
    monkeypatch.setattr("tests.app.api.conftest.lane_limits", lambda settings: limits)


@contextmanager
def full(api: Api, lane: Lane) -> Iterator[None]:
    """Another key holds the only place of a lane."""
    queue = api.services.lanes.queues[lane]
    api.portal.call(queue.acquire, "another")
    yield
    api.portal.call(queue.release, "another")


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("lane", "route"),
    [(lane, route) for route, lane in {**DECLARED, "GET /v1/jobs": Lane.READ, "POST /v1/webhooks": Lane.WRITE}.items()],
)
def test_a_full_lane_answers_503_and_no_other(serve: StartApp, lane: Lane, route: str) -> None:
    api = serve()
    anna = api.client()
    method, _, path = route.partition(" ")
    for name in ("job_id", "checkpoint_id", "dataset_id", "name"):
        path = path.replace(f"{{{name}}}", name[:3] + "_" + "0" * 32)
    path = path.replace("{form}", "bundle")
    with full(api, lane):
        response = anna(method, path)
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        if method != "HEAD":
            assert_problem(response, 503, "overloaded")
        assert anna.get("/livez").status_code == 200
        for other, probe in {Lane.READ: "/v1/jobs", Lane.HEALTH: "/readyz"}.items():
            assert anna.get(probe).status_code == (503 if other is lane else 200)
    assert anna(method, path).status_code not in (500, 503)


@pytest.mark.usefixtures("tiny")
def test_a_long_poll_is_in_a_lane_of_its_own(serve: StartApp) -> None:
    api = serve()
    anna = api.client()
    path = f"/v1/jobs/{create_job_in_status(api.services.db, Status.QUEUED)}"
    with full(api, Lane.READ):
        assert_problem(anna.get(path), 503, "overloaded")
        assert_problem(anna.get(path, params={"wait": 0}), 503, "overloaded")
        assert anna.get(path, params={"wait": 0.01}).status_code == 200
    with full(api, Lane.WAIT):
        assert_problem(anna.get(path, params={"wait": 0.01}), 503, "overloaded")
        assert anna.get(path).status_code == 200


def test_a_place_is_held_until_the_response_is_sent(serve: StartApp) -> None:
    """A download whose client reads nothing keeps its place; one that hangs up gives it back."""
    api = serve()
    anna = api.client()
    job = create_job_in_status(api.services.db, Status.QUEUED)
    in_use: list[int] = []
    queue = api.services.lanes.queues[Lane.DOWNLOAD]

    async def request() -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"/v1/jobs/{job}/metrics",
            "query_string": b"",
            "headers": [(b"authorization", anna.headers["Authorization"].encode()), (b"accept", b"text/csv")],
        }

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            in_use.append(queue.in_use)

        await api.app(scope, receive, send)

    api.portal.call(request)
    assert set(in_use) == {1}
    assert queue.in_use == 0
