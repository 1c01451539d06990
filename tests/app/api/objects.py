"""One object of every kind, and every route with what it needs."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.access import keys
from app.api.main import ROUTERS
from app.datasets import registry
from app.spec.data.sources import NewDataset
from app.webhooks import outbox, repository
from tests.app.api.client import Api
from tests.app.api.scenes import SPEC, curve, end, running, saved
from tests.app.webhooks.scenes import webhook

NEW = NewDataset.model_validate({"name": "theirs", "source": {"kind": "upload", "format": "csv"}})


def objects(api: Api, owner: str) -> dict[str, str]:
    """Make one object of every kind, which a path may name."""
    db = api.services.db
    job = running(db, owner)
    curve(db, job, 10)
    report = b'{"version": 1, "step": 5, "rows": 30, "heads": []}'
    files = {"model.py": b"x", "weights.safetensors": b"y", "report.json": report}
    checkpoint = saved(db, api.services.store, job, 5, files)
    hook = webhook(db, owner)
    message = db.run(lambda session: outbox.ping(session, repository.find(session, owner, hook)))
    return {
        "job_id": end(db, job), "checkpoint_id": checkpoint, "name": "model.py", "form": "bundle",
        "dataset_id": db.run(registry.register, owner, NEW).id, "webhook_id": hook, "message_id": message.id,
        "key_id": db.run(keys.create, owner, "theirs", ["read"])[0].id,
    }  # fmt: skip


class Row(NamedTuple):
    """What a route needs, and what it answers to a request that is right, about the objects above."""

    scope: str | None  # none: no key at all
    status: int
    body: Any = None  # a document, or bytes


BUILTIN = {"name": "x", "source": {"kind": "builtin", "name": "iris"}}
QUESTION = {"model": SPEC["model"], "inputs": {"x": {"shape": [4]}}}
ROWS: dict[str, Row] = {
    "GET /livez": Row(None, 200),
    "GET /metrics": Row(None, 200),
    "GET /readyz": Row(None, 200),
    "GET /v1/catalog": Row("read", 200),
    "POST /v1/models/inspect": Row("read", 200, QUESTION),
    "GET /v1/jobs": Row("read", 200),
    "POST /v1/jobs": Row("write", 201, SPEC),
    "POST /v1/jobs/validate": Row("write", 200, SPEC),
    "GET /v1/jobs/{job_id}": Row("read", 200),
    "DELETE /v1/jobs/{job_id}": Row("write", 204),
    "GET /v1/jobs/{job_id}/checkpoints": Row("read", 200),
    "GET /v1/jobs/{job_id}/events": Row("read", 200),
    "GET /v1/jobs/{job_id}/metrics": Row("read", 200),
    "GET /v1/jobs/{job_id}/network": Row("read", 200),
    "GET /v1/jobs/{job_id}/report": Row("read", 200),
    "GET /v1/jobs/{job_id}/stream": Row("read", 200),
    "GET /v1/jobs/{job_id}/weights": Row("read", 200),
    "HEAD /v1/jobs/{job_id}/weights": Row("read", 200),
    "POST /v1/jobs/{job_id}/cancel": Row("write", 409),  # it has ended
    "POST /v1/jobs/{job_id}/pause": Row("write", 409),
    "POST /v1/jobs/{job_id}/resume": Row("write", 409),
    "POST /v1/jobs/{job_id}/retry": Row("write", 409),
    "POST /v1/jobs/{job_id}/restore": Row("write", 200),  # nothing to do
    "POST /v1/jobs/{job_id}/fork": Row("write", 201, {}),
    "POST /v1/jobs/{job_id}/predict": Row("read", 409, {"rows": [{"x": [5.1, 3.5, 1.4, 0.2]}]}),  # its weights are none
    "GET /v1/checkpoints/{checkpoint_id}": Row("read", 200),
    "GET /v1/checkpoints/{checkpoint_id}/exports/{form}": Row("read", 200),
    "HEAD /v1/checkpoints/{checkpoint_id}/exports/{form}": Row("read", 200),
    "GET /v1/checkpoints/{checkpoint_id}/files/{name}": Row("read", 200),
    "HEAD /v1/checkpoints/{checkpoint_id}/files/{name}": Row("read", 200),
    "GET /v1/datasets": Row("read", 200),
    "POST /v1/datasets": Row("write", 201, BUILTIN),
    "GET /v1/datasets/{dataset_id}": Row("read", 200),
    "DELETE /v1/datasets/{dataset_id}": Row("write", 204),
    "GET /v1/datasets/{dataset_id}/content": Row("read", 409),  # nothing has arrived
    "HEAD /v1/datasets/{dataset_id}/content": Row("read", 409),
    "PUT /v1/datasets/{dataset_id}/content": Row("write", 200, b"a,b\n1,2\n3,4\n"),
    "GET /v1/keys": Row("admin", 200),
    "POST /v1/keys": Row("admin", 201, {"name": "x"}),
    "DELETE /v1/keys/{key_id}": Row("admin", 204),
    "PATCH /v1/keys/{key_id}": Row("admin", 200, {"name": "other"}),
    "POST /v1/keys/{key_id}/rotate": Row("admin", 200, {}),
    "GET /v1/usage": Row("read", 200),
    "GET /v1/audit": Row("admin", 200),
    "GET /v1/workers": Row("admin", 200),
    "GET /v1/webhooks": Row("admin", 200),
    "POST /v1/webhooks": Row("admin", 201, {"url": "https://127.0.0.1/"}),
    "GET /v1/webhooks/{webhook_id}": Row("admin", 200),
    "DELETE /v1/webhooks/{webhook_id}": Row("admin", 204),
    "POST /v1/webhooks/{webhook_id}/enable": Row("admin", 200),
    "POST /v1/webhooks/{webhook_id}/ping": Row("admin", 202),
    "POST /v1/webhooks/{webhook_id}/rotate": Row("admin", 200),
    "GET /v1/webhooks/{webhook_id}/deliveries": Row("admin", 200),
    "POST /v1/webhooks/{webhook_id}/deliveries/{message_id}/resend": Row("admin", 202),
}


LAST = sorted(ROWS, key=lambda route: (route.startswith("DELETE"), route))  # what deletes comes last


def sent(row: Row) -> dict[str, Any]:
    """Return how a client sends the row's body."""
    if row.body is None:
        return {}
    return {"content": row.body} if isinstance(row.body, bytes) else {"json": row.body}


def declared() -> Iterator[tuple[str, str | None]]:
    """Yield every route, and the scope that its dependencies declare."""
    for route in routes():
        scopes = {scope for dependant in dependencies(route.dependant) if (scope := _scope(dependant)) is not None}
        assert len(scopes) <= 1, route.path
        for method in route.methods:
            yield f"{method} {route.path}", next(iter(scopes), None)


def routes() -> Iterator[APIRoute]:
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute), route
            yield route


def dependencies(dependant: Dependant) -> Iterator[Dependant]:
    for each in dependant.dependencies:
        yield each
        yield from dependencies(each)


def _scope(dependant: Dependant) -> str | None:
    scope: str | None = getattr(dependant.call, "scope", None)
    return scope
