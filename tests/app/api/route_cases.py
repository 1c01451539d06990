"""One object of every kind, and every route with what it needs."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.access import keys
from app.api.main import ROUTERS
from app.datasets import registry
from app.edits import repository as edits
from app.spec.data.sources import NewDataset
from app.webhooks import outbox, repository
from tests.app.api.client import Api
from tests.app.api.job_factories import (
    SPEC,
    create_checkpoint,
    create_running_job,
    finish_job,
    record_curve,
    record_statistics,
)
from tests.app.webhooks.factories import create_webhook

NEW_DATASET = NewDataset.model_validate({"name": "theirs", "source": {"kind": "upload", "format": "csv"}})


def create_objects(api: Api, owner: str) -> dict[str, str]:
    """Make one object of every kind, which a path may name."""
    db = api.services.db
    job = create_running_job(db, owner)
    record_curve(db, job, 10)
    record_statistics(db, job, [1, 10])
    report = b'{"version": 1, "step": 5, "rows": 30, "heads": []}'
    files = {"model.py": b"x", "weights.safetensors": b"y", "report.json": report}
    checkpoint = create_checkpoint(db, api.services.store, job, 5, files)
    values = {"state": "rejected", "origin": "user", "at": "now", "operations": []}
    edit = db.run(lambda session: edits.insert(session, job, **values))
    hook = create_webhook(db, owner)
    message = db.run(lambda session: outbox.enqueue_ping(session, repository.find(session, owner, hook)))
    return {
        "job_id": finish_job(db, job),
        "checkpoint_id": checkpoint,
        "name": "model.py",
        "number": str(edit.number),
        "form": "bundle",
        "dataset_id": db.run(registry.register, owner, NEW_DATASET).id,
        "webhook_id": hook,
        "message_id": message.id,
        "key_id": db.run(keys.create, owner, "theirs", ["read"])[0].id,
    }


class RouteCase(NamedTuple):
    """What a route needs, and what it answers to a request that is right, about the objects above."""

    scope: str | None  # none: no key at all
    status: int
    body: Any = None  # a document, or bytes
    query: Mapping[str, str] = {}


BUILTIN_DATASET = {"name": "x", "source": {"kind": "builtin", "name": "iris"}}
EDIT = {"operations": [{"op": "set", "path": "training.optimizer.lr", "value": 0.1}]}
INSPECTION = {"model": SPEC["model"], "inputs": {"x": {"shape": [4]}}}
ROUTE_CASES: dict[str, RouteCase] = {
    "GET /livez": RouteCase(None, 200),
    "GET /metrics": RouteCase(None, 200),
    "GET /readyz": RouteCase(None, 200),
    "GET /v1/catalog": RouteCase("read", 200),
    "GET /v1/openapi.json": RouteCase("read", 200),
    "POST /v1/models/inspect": RouteCase("read", 200, INSPECTION),
    "GET /v1/jobs": RouteCase("read", 200),
    "POST /v1/jobs": RouteCase("write", 201, SPEC),
    "POST /v1/jobs/validate": RouteCase("write", 200, SPEC),
    "GET /v1/jobs/{job_id}": RouteCase("read", 200),
    "DELETE /v1/jobs/{job_id}": RouteCase("write", 204),
    "GET /v1/jobs/{job_id}/checkpoints": RouteCase("read", 200),
    "GET /v1/jobs/{job_id}/events": RouteCase("read", 200),
    "GET /v1/jobs/{job_id}/metrics": RouteCase("read", 200),
    "GET /v1/jobs/{job_id}/statistics": RouteCase("read", 200),
    "GET /v1/jobs/{job_id}/statistics/histograms": RouteCase("read", 200, query={"node": "linear"}),
    "GET /v1/jobs/{job_id}/edits": RouteCase("read", 200),
    "POST /v1/jobs/{job_id}/edits": RouteCase("write", 409, EDIT),  # it has ended
    "POST /v1/jobs/{job_id}/edits/dry-run": RouteCase("read", 409, EDIT),
    "GET /v1/jobs/{job_id}/edits/{number}": RouteCase("read", 200),
    "DELETE /v1/jobs/{job_id}/edits/{number}": RouteCase("write", 409),
    "POST /v1/jobs/{job_id}/rollback": RouteCase("write", 409, {"revision": 1}),
    "GET /v1/jobs/{job_id}/network": RouteCase("read", 200),
    "GET /v1/jobs/{job_id}/network/diff": RouteCase("read", 200),
    "GET /v1/jobs/{job_id}/report": RouteCase("read", 200),
    "GET /v1/jobs/{job_id}/stream": RouteCase("read", 200),
    "GET /v1/jobs/{job_id}/weights": RouteCase("read", 200),
    "HEAD /v1/jobs/{job_id}/weights": RouteCase("read", 200),
    "POST /v1/jobs/{job_id}/cancel": RouteCase("write", 409),  # it has ended
    "POST /v1/jobs/{job_id}/pause": RouteCase("write", 409),
    "POST /v1/jobs/{job_id}/resume": RouteCase("write", 409),
    "POST /v1/jobs/{job_id}/retry": RouteCase("write", 409),
    "POST /v1/jobs/{job_id}/restore": RouteCase("write", 200),  # nothing to do
    "POST /v1/jobs/{job_id}/fork": RouteCase("write", 201, {}),
    "POST /v1/jobs/{job_id}/evaluate": RouteCase("read", 422, {"dataset": "ds_" + "0" * 32}),  # there is no such one
    "POST /v1/jobs/{job_id}/predict": RouteCase(
        "read", 409, {"rows": [{"x": [5.1, 3.5, 1.4, 0.2]}]}
    ),  # its weights are none
    "GET /v1/checkpoints/{checkpoint_id}": RouteCase("read", 200),
    "GET /v1/checkpoints/{checkpoint_id}/exports/{form}": RouteCase("read", 200),
    "HEAD /v1/checkpoints/{checkpoint_id}/exports/{form}": RouteCase("read", 200),
    "GET /v1/checkpoints/{checkpoint_id}/files/{name}": RouteCase("read", 200),
    "HEAD /v1/checkpoints/{checkpoint_id}/files/{name}": RouteCase("read", 200),
    "GET /v1/datasets": RouteCase("read", 200),
    "POST /v1/datasets": RouteCase("write", 201, BUILTIN_DATASET),
    "GET /v1/datasets/{dataset_id}": RouteCase("read", 200),
    "DELETE /v1/datasets/{dataset_id}": RouteCase("write", 204),
    "POST /v1/datasets/{dataset_id}/propose": RouteCase("read", 409, {"target": "y"}),  # nothing has arrived
    "GET /v1/datasets/{dataset_id}/content": RouteCase("read", 409),  # nothing has arrived
    "HEAD /v1/datasets/{dataset_id}/content": RouteCase("read", 409),
    "PUT /v1/datasets/{dataset_id}/content": RouteCase("write", 200, b"a,b\n1,2\n3,4\n"),
    "GET /v1/keys": RouteCase("admin", 200),
    "POST /v1/keys": RouteCase("admin", 201, {"name": "x"}),
    "DELETE /v1/keys/{key_id}": RouteCase("admin", 204),
    "PATCH /v1/keys/{key_id}": RouteCase("admin", 200, {"name": "other"}),
    "POST /v1/keys/{key_id}/rotate": RouteCase("admin", 200, {}),
    "POST /v1/session": RouteCase(None, 401, {"key": "gw_x_y"}),
    "GET /v1/session": RouteCase("read", 404),  # the request is by a key
    "DELETE /v1/session": RouteCase("read", 404),
    "POST /v1/session/links": RouteCase("read", 201),
    "GET /v1/usage": RouteCase("read", 200),
    "GET /v1/audit": RouteCase("admin", 200),
    "GET /v1/workers": RouteCase("admin", 200),
    "GET /v1/webhooks": RouteCase("admin", 200),
    "POST /v1/webhooks": RouteCase("admin", 201, {"url": "https://127.0.0.1/"}),
    "GET /v1/webhooks/{webhook_id}": RouteCase("admin", 200),
    "DELETE /v1/webhooks/{webhook_id}": RouteCase("admin", 204),
    "POST /v1/webhooks/{webhook_id}/enable": RouteCase("admin", 200),
    "POST /v1/webhooks/{webhook_id}/ping": RouteCase("admin", 202),
    "POST /v1/webhooks/{webhook_id}/rotate": RouteCase("admin", 200),
    "GET /v1/webhooks/{webhook_id}/deliveries": RouteCase("admin", 200),
    "POST /v1/webhooks/{webhook_id}/deliveries/{message_id}/resend": RouteCase("admin", 202),
}


ROUTES_DELETE_LAST = sorted(
    ROUTE_CASES, key=lambda route: (route.startswith("DELETE"), route)
)  # what deletes comes last


def request_options(row: RouteCase) -> dict[str, Any]:
    """Return how a client sends the row's parameters and body."""
    params = {"params": dict(row.query)} if row.query else {}
    if row.body is None:
        return params
    return params | ({"content": row.body} if isinstance(row.body, bytes) else {"json": row.body})


def route_scopes() -> Iterator[tuple[str, str | None]]:
    """Yield every route, and the scope that its dependencies declare."""
    for route in iter_routes():
        scopes = {scope for dependant in iter_dependencies(route.dependant) if (scope := _scope(dependant)) is not None}
        assert len(scopes) <= 1, route.path
        for method in route.methods:
            yield f"{method} {route.path}", next(iter(scopes), None)


def iter_routes() -> Iterator[APIRoute]:
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute), route
            yield route


def iter_dependencies(dependant: Dependant) -> Iterator[Dependant]:
    for each in dependant.dependencies:
        yield each
        yield from iter_dependencies(each)


def _scope(dependant: Dependant) -> str | None:
    scope: str | None = getattr(dependant.call, "scope", None)
    return scope
