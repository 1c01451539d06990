import hashlib
import json
import math
from pathlib import Path
from typing import Any

import httpx
import pytest

from graftwerk.errors import Conflict, NoSuchFile, WaitTimeout
from graftwerk.jobs import Job
from tests.graftwerk.client_kinds import ClientKind
from tests.graftwerk.scripted_transport import ScriptedTransport, job_document, problem_response


def test_a_mapping_is_submitted_under_a_key_of_its_own(api: ClientKind) -> None:
    client, script = api.client(job_document(), job_document())
    assert client.jobs.create({"name": "digits"}).id == "job_1"
    client.jobs.create({"name": "digits"})
    assert json.loads(script.requests[0].content) == {"name": "digits"}
    keys = [request.headers["Idempotency-Key"] for request in script.requests]
    assert len(set(keys)) == 2


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".json", "application/json"), (".yaml", "application/yaml"), (".yml", "application/yaml")]
)
def test_a_file_is_sent_as_it_is(api: ClientKind, tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"spec{suffix}"
    path.write_bytes(b"not: { checked here")
    client, script = api.client(job_document())
    client.jobs.create(path, idempotency_key="mine")
    sent = script.requests[0]
    assert (sent.content, sent.headers["Content-Type"]) == (b"not: { checked here", kind)
    assert sent.headers["Idempotency-Key"] == "mine"


def test_a_list_goes_over_all_pages(api: ClientKind) -> None:
    client, script = api.client(
        {"items": [job_document("job_3"), job_document("job_2")], "has_more": True},
        {"items": [job_document("job_1")], "has_more": False},
    )
    found = client.jobs.list(status="failed", labels={"team": "vision"})
    assert [item.id for item in found] == ["job_3", "job_2", "job_1"]
    asked = [dict(request.url.params) for request in script.requests]
    filters = {"status": "failed", "metadata[team]": "vision"}
    assert asked == [filters, filters | {"after": "job_2"}]


def test_waiting_asks_until_the_end(api: ClientKind) -> None:
    client, script = api.client(
        job_document(), job_document(status="running"), httpx.Response(304), job_document(status="succeeded")
    )
    ended = client.jobs.get("job_1").wait(timeout=60)
    assert ended.status == "succeeded"
    assert all(float(request.url.params["wait"]) > 0 for request in script.requests[1:])


def test_statistics_are_selected_by_node_and_quantity(api: ClientKind) -> None:
    columns = {"width": 1, "step": [1], "min": [0.5], "max": [0.5], "last": [0.5]}
    nodes = {"linear1": {"grad_norm": columns}}
    histogram = {"node": "linear1", "quantity": "gradients", "steps": [1], "edges": [-1, 1], "counts": [[3]]}
    client, script = api.client(job_document(), {"samples": 1, "last_step": 1, "nodes": nodes}, histogram)
    job = client.jobs.get("job_1")
    assert job.statistics(["linear1", "relu1"], ["grad_norm"], from_=1) == nodes
    assert job.histograms("linear1", "gradients") == histogram
    paths = [(request.url.path, dict(request.url.params)) for request in script.requests[1:]]
    selection = {"nodes": "linear1,relu1", "quantities": "grad_norm", "from": "1"}
    assert paths == [
        ("/v1/jobs/job_1/statistics", selection),
        ("/v1/jobs/job_1/statistics/histograms", {"node": "linear1", "quantity": "gradients"}),
    ]


def test_waiting_has_an_end(api: ClientKind) -> None:
    client, _ = api.client(job_document(status="running"))
    with pytest.raises(WaitTimeout, match="job_1 is still running"):
        client.jobs.get("job_1").wait(timeout=0)


def test_curves_keep_what_json_cannot_say(api: ClientKind) -> None:
    columns = {"step": [1, 2, 3, 4], "last": [0.5, "NaN", "Infinity", "-Infinity"]}
    client, script = api.client(job_document(), {"series": {"train/loss": columns}})
    curves = client.jobs.get("job_1").metrics(["train/loss"], max_points=100, from_=2)
    last = curves.series["train/loss"]["last"]
    assert last[0] == 0.5
    assert math.isnan(last[1])
    assert last[2:] == [math.inf, -math.inf]
    assert dict(script.requests[1].url.params) == {"names": "train/loss", "max_points": "100", "x": "step", "from": "2"}


def checkpoint(checkpoint_id: str, **contents: bytes) -> dict[str, Any]:
    files = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    ]
    return {
        "id": checkpoint_id,
        "step": 10,
        "epoch": 1.0,
        "values": {"val/loss": 0.1},
        "files": files,
        "final": True,
        "best": checkpoint_id == "ckpt_2",
    }


def with_checkpoints(api: ClientKind, *answers: httpx.Response) -> tuple[Job, ScriptedTransport]:
    items = [checkpoint("ckpt_3", a=b"last"), checkpoint("ckpt_2", a=b"new", b=b"more"), checkpoint("ckpt_1", a=b"old")]
    listed = {"items": items, "has_more": False}
    return api.job(listed, *answers)


def test_the_best_checkpoint_is_downloaded_whole(api: ClientKind, tmp_path: Path) -> None:
    found, script = with_checkpoints(api, httpx.Response(200, content=b"new"), httpx.Response(200, content=b"more"))
    told: list[tuple[str, int]] = []
    paths = found.download(tmp_path, on_progress=lambda file, have: told.append((file.name, have)))
    assert [path.read_bytes() for path in paths] == [b"new", b"more"]
    assert told == [("a", 3), ("b", 4)]
    assert script.requests[1].url.path == "/v1/checkpoints/ckpt_2/files/a"


def test_one_file_of_an_older_checkpoint(api: ClientKind, tmp_path: Path) -> None:
    found, _ = with_checkpoints(api, httpx.Response(200, content=b"old"))
    (path,) = found.download(tmp_path, ["a"], checkpoint="ckpt_1")
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("wanted", "words"), [({"names": ["c"]}, "no c; it has a, b"), ({"checkpoint": "ckpt_9"}, "no checkpoint ckpt_9")]
)
def test_what_is_not_there_is_said(api: ClientKind, tmp_path: Path, wanted: dict[str, Any], words: str) -> None:
    found, _ = with_checkpoints(api)
    with pytest.raises(NoSuchFile, match=words):
        found.download(tmp_path, **wanted)


def test_cancelling_is_repeated_until_it_is_answered(api: ClientKind) -> None:
    job, script = api.job(httpx.ReadError("broke"), job_document(status="cancelled"))
    assert job.cancel().status == "cancelled"
    assert [request.url.path for request in script.requests] == ["/v1/jobs/job_1/cancel"] * 2


def test_a_fork_from_before_an_edit(api: ClientKind) -> None:
    client, script = api.client(job_document(), job_document("job_2"), job_document("job_3"))
    job = client.jobs.get("job_1")
    assert job.fork({"name": "other"}, 40, from_revision=1).id == "job_2"
    job.fork()
    bodies = [json.loads(request.content) for request in script.requests[1:]]
    assert bodies[0] == {"changes": {"name": "other"}, "from_step": 40, "what": "everything", "from_revision": 1}
    assert bodies[1] == {"changes": {}, "from_step": None, "what": "everything"}


def test_what_cannot_be_exported_says_why(api: ClientKind, tmp_path: Path) -> None:
    told = problem_response(409, "not_exportable", detail="it draws new random numbers in every run")
    found, script = with_checkpoints(api, httpx.Response(409), told)
    with pytest.raises(Conflict, match="random numbers"):
        found.export("onnx", tmp_path)
    assert [request.method for request in script.requests[-2:]] == ["HEAD", "GET"]
