"""Every response is as the description of the API says."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.app.api.client import Api, Client
from tests.app.api.conftest import StartApp
from tests.app.api.described import DOCUMENT, OPERATIONS, resolved
from tests.app.api.job_factories import (
    SPEC,
    create_checkpoint,
    create_running_job,
    finish_job,
    record_curve,
    record_statistics,
)
from tests.app.api.trained_jobs import train_job
from workers.protocol.messages import Ending


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


class Checked:
    """A client that compares every answer with the description."""

    def __init__(self, api: Api) -> None:
        self.client = api.client()
        self.seen: set[str] = set()

    def __call__(self, method: str, route: str, status: int, params: Any = None, **options: Any) -> Any:
        ids = options.pop("ids", {})
        response = self.client(method, route.format(**ids), params=params, **options)
        assert response.status_code == status, response.text
        operation = DOCUMENT["paths"][route][method.lower()]
        described = resolved(operation["responses"][str(status)])
        self.seen.add(operation["operationId"])
        kind = response.headers.get("content-type", "").partition(";")[0]
        if not response.content:
            return response
        assert kind in described["content"], kind
        if not kind.endswith(("/json", "+json")):
            return response
        schema = described["content"][kind]["schema"] | {"components": DOCUMENT["components"]}
        Draft202012Validator(schema).validate(response.json())
        return response


def test_every_answer_is_as_described(serve: StartApp) -> None:
    api = serve(webhook_private=True)
    call = Checked(api)
    db, store = api.services.db, api.services.store
    for path in ("/livez", "/readyz"):
        call("GET", path, 200)
    job = create_running_job(db, labels={"team": "a"})
    record_curve(db, job, 5, lambda step: float("nan") if step == 2 else 1.0)
    report = b'{"version": 1, "step": 3, "rows": 30, "heads": []}'
    files = {"weights.safetensors": b"abc", "model.py": b"x", "report.json": report}
    checkpoint = create_checkpoint(db, store, job, 3, files, 0.5)
    failed = create_running_job(db)
    finish_job(db, failed, Ending.FAILED)
    here = {"ids": {"job_id": job.id, "checkpoint_id": checkpoint, "name": "model.py", "form": "torch_export"}}
    made = call("POST", "/v1/jobs", 201, json=SPEC).json()
    call_edits(call, {"ids": {"job_id": made["id"], "number": 1}})
    call("POST", "/v1/jobs", 422, json={})
    wide = {"layers": [{"kind": "Linear", "out_features": 3}, {"kind": "Conv2d", "out_channels": 1, "kernel_size": 3}]}
    call("POST", "/v1/jobs/validate", 422, json=SPEC | {"model": wide})
    call("POST", "/v1/jobs/validate", 200, json=SPEC)
    call("POST", "/v1/models/inspect", 200, json={"model": SPEC["model"], "inputs": {"x": {"shape": [4]}}})
    for path in ("/v1/catalog", "/v1/openapi.json"):
        call("GET", path, 304, headers={"If-None-Match": call("GET", path, 200).headers["etag"]})
    call("GET", "/v1/jobs", 200)
    call("GET", "/v1/jobs", 400, params={"x": 1})
    tag = call("GET", "/v1/jobs/{job_id}", 200, **here).headers["etag"]
    call("GET", "/v1/jobs/{job_id}", 304, headers={"If-None-Match": tag}, **here)
    call("GET", "/v1/jobs/{job_id}", 200, ids={"job_id": failed.id})
    for axis in ("step", "epoch", "elapsed", "time"):
        call("GET", "/v1/jobs/{job_id}/metrics", 200, params={"x": axis, "max_points": 2}, **here)
    for accept in ("text/csv", "application/x-ndjson"):
        call("GET", "/v1/jobs/{job_id}/metrics", 200, headers={"Accept": accept}, **here)
    call("GET", "/v1/jobs/{job_id}/events", 200, **here)
    call("GET", "/v1/jobs/{job_id}/stream", 200, ids={"job_id": failed.id})
    call("GET", "/v1/jobs/{job_id}/checkpoints", 200, **here)
    call("GET", "/v1/checkpoints/{checkpoint_id}", 200, **here)
    tag = call("GET", "/v1/jobs/{job_id}/report", 200, **here).headers["etag"]
    call("GET", "/v1/jobs/{job_id}/report", 304, headers={"If-None-Match": tag}, **here)
    call("GET", "/v1/jobs/{job_id}/report", 404, ids={"job_id": failed.id})
    for method in ("GET", "HEAD"):
        call(method, "/v1/checkpoints/{checkpoint_id}/files/{name}", 200, **here)
        call(method, "/v1/jobs/{job_id}/weights", 200, **here)
        call(method, "/v1/checkpoints/{checkpoint_id}/exports/{form}", 409, **here)  # its weights are none
    call("GET", "/v1/jobs/{job_id}/weights", 206, headers={"Range": "bytes=0-1"}, **here)
    call("GET", "/v1/jobs/{job_id}/weights", 416, headers={"Range": "bytes=9-"}, **here)
    call("DELETE", "/v1/jobs/{job_id}", 409, ids={"job_id": made["id"]})
    for verb in ("pause", "resume", "cancel", "retry", "cancel"):
        call("POST", f"/v1/jobs/{{job_id}}/{verb}", 200, ids={"job_id": made["id"]})
    call("POST", "/v1/jobs/{job_id}/retry", 409, **here)
    call("POST", "/v1/jobs/{job_id}/fork", 201, json={}, **here)
    call("POST", "/v1/jobs/{job_id}/rollback", 201, json={"revision": 1}, **here)
    call("POST", "/v1/jobs/{job_id}/cancel", 200, **here)
    call_deletion(call, {"ids": {"job_id": made["id"]}})
    call_predictions(api, call)
    call_keys_and_datasets(api, call)
    assert call.seen == {operation["operationId"] for _, _, operation in OPERATIONS} - {"prometheus"}


def call_edits(call: Checked, here: Any) -> None:
    edit = {"operations": [{"op": "set", "path": "training.clip_norm", "value": 1.0}], "at": {"epoch": 1}}
    call("POST", "/v1/jobs/{job_id}/edits/dry-run", 200, json=edit, **here)
    call("POST", "/v1/jobs/{job_id}/edits", 201, json=edit, **here)
    call("POST", "/v1/jobs/{job_id}/edits", 409, json=edit | {"expect_revision": 9}, **here)
    call("POST", "/v1/jobs/{job_id}/edits", 422, json=edit | {"operations": [{"op": "remove", "node": "x"}]}, **here)
    call("GET", "/v1/jobs/{job_id}/edits", 200, **here)
    call("GET", "/v1/jobs/{job_id}/edits/{number}", 200, **here)
    call("DELETE", "/v1/jobs/{job_id}/edits/{number}", 200, **here)
    call("GET", "/v1/jobs/{job_id}/network", 200, **here)
    call("GET", "/v1/jobs/{job_id}/network/diff", 200, params={"from": 1, "to": 1}, **here)


def call_deletion(call: Checked, here: Any) -> None:
    call("DELETE", "/v1/jobs/{job_id}", 204, **here)
    call("GET", "/v1/jobs/{job_id}", 404, **here)
    call("GET", "/v1/jobs", 200, params={"deleted": True})
    call("POST", "/v1/jobs/{job_id}/restore", 200, **here)
    call("DELETE", "/v1/jobs/{job_id}", 204, params={"purge": True}, **here)
    call("POST", "/v1/jobs/{job_id}/restore", 404, **here)


def call_predictions(api: Api, call: Checked) -> None:
    call_statistics(api, call)
    place, here = "/v1/jobs/{job_id}/predict", {"ids": {"job_id": train_job(api, api.client(), SPEC)}}
    body = {"rows": [{"x": [5.1, 3.5, 1.4, 0.2]}], "outputs": ["labels", "probabilities", "raw"], "top": 2}
    call("POST", place, 200, json=body, **here)
    call("POST", place, 200, json=body, headers={"Accept": "text/csv"}, **here)
    call("POST", place, 422, json={"rows": [{"x": [1]}]}, **here)
    call("POST", place, 415, content=b"x", headers={"Content-Type": "text/html"}, **here)
    call("POST", place, 409, json=body, ids={"job_id": create_running_job(api.services.db).id})
    iris = call("POST", "/v1/datasets", 201, json={"name": "i", "source": {"kind": "builtin", "name": "iris"}}).json()
    call("POST", "/v1/jobs/{job_id}/evaluate", 200, json={"dataset": iris["id"]}, **here)
    call("POST", "/v1/jobs/{job_id}/evaluate", 422, json={"dataset": "ds_" + "0" * 32}, **here)
    call("POST", "/v1/datasets/{dataset_id}/propose", 200, json={}, ids={"dataset_id": iris["id"]})
    call("POST", "/v1/datasets/{dataset_id}/propose", 422, json={"target": "z"}, ids={"dataset_id": iris["id"]})


def call_statistics(api: Api, call: Checked) -> None:
    job = create_running_job(api.services.db)
    record_statistics(api.services.db, job, [1, 10])
    here = {"ids": {"job_id": job.id}}
    call("GET", "/v1/jobs/{job_id}/statistics", 200, **here)
    call("GET", "/v1/jobs/{job_id}/statistics/histograms", 200, params={"node": "linear"}, **here)


def call_sessions(api: Api, call: Checked) -> None:
    link = call("POST", "/v1/session/links", 201).json()["url"].partition("#link=")[2]
    call("GET", "/v1/session", 404)
    call("DELETE", "/v1/session", 404)
    cookie = call("POST", "/v1/session", 201, json={"link": link}).cookies["graftwerk_session"]
    call("POST", "/v1/session", 401, json={"link": link})
    browser = Client(api.app, api.portal, Cookie=f"graftwerk_session={cookie}", **{"Sec-Fetch-Site": "same-origin"})
    by_key, call.client = call.client, browser
    browser.headers["X-CSRF-Token"] = call("GET", "/v1/session", 200).json()["csrf_token"]
    call("DELETE", "/v1/session", 403)
    call("DELETE", "/v1/session", 204, headers=browser.headers)
    call.client = by_key


def call_webhooks(call: Checked) -> None:
    made = call("POST", "/v1/webhooks", 201, json={"url": "https://127.0.0.1/"}).json()
    call("POST", "/v1/webhooks", 422, json={"url": "http://127.0.0.1/"})
    here = {"webhook_id": made["id"]}
    for verb, status in (("rotate", 200), ("enable", 200), ("ping", 202)):
        call("POST", f"/v1/webhooks/{{webhook_id}}/{verb}", status, ids=here)
    call("GET", "/v1/webhooks", 200)
    call("GET", "/v1/webhooks/{webhook_id}", 200, ids=here)
    (message,) = call("GET", "/v1/webhooks/{webhook_id}/deliveries", 200, ids=here).json()["items"]
    place = "/v1/webhooks/{webhook_id}/deliveries/{message_id}/resend"
    call("POST", place, 202, ids=here | {"message_id": message["id"]})
    call("DELETE", "/v1/webhooks/{webhook_id}", 204, ids=here)


def call_keys_and_datasets(api: Api, call: Checked) -> None:
    call_sessions(api, call)
    key = call("POST", "/v1/keys", 201, json={"name": "x"}).json()
    call("GET", "/v1/keys", 200)
    call("PATCH", "/v1/keys/{key_id}", 200, json={"limits": {"queued_jobs": 3}}, ids={"key_id": key["id"]})
    call("POST", "/v1/keys/{key_id}/rotate", 200, ids={"key_id": key["id"]})
    call("GET", "/v1/usage", 200)
    call("GET", "/v1/audit", 200)
    call("GET", "/v1/workers", 200)
    call("DELETE", "/v1/keys/{key_id}", 204, ids={"key_id": key["id"]})
    call_webhooks(call)
    call("POST", "/v1/datasets", 201, json={"name": "x", "source": {"kind": "builtin", "name": "iris"}})
    upload = {"name": "y", "source": {"kind": "upload", "format": "csv"}}
    here = {"ids": {"dataset_id": call("POST", "/v1/datasets", 201, json=upload).json()["id"]}}
    place, content = "/v1/datasets/{dataset_id}/content", b"a,b\n1,x\n2,y\n"
    call("PUT", place, 422, content=b"a", **here)
    call("GET", "/v1/datasets/{dataset_id}", 200, **here)
    call("PUT", place, 202, content=content[:4], headers={"Content-Range": f"bytes 0-3/{len(content)}"}, **here)
    call("PUT", place, 409, content=content[:4], headers={"Content-Range": f"bytes 0-3/{len(content)}"}, **here)
    call("PUT", place, 200, content=content, **here)
    for method in ("GET", "HEAD"):
        call(method, place, 200, **here)
    call("GET", place, 206, headers={"Range": "bytes=0-1"}, **here)
    call("GET", place, 416, headers={"Range": "bytes=99-"}, **here)
    call("GET", "/v1/datasets", 200)
    call("DELETE", "/v1/datasets/{dataset_id}", 204, **here)
