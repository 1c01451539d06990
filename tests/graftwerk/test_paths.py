"""Paths are given as text or as `Path`, wherever the client takes one."""

import inspect
import json
from collections.abc import Callable
from os import fspath
from pathlib import Path
from typing import Any

import httpx
import pytest

from graftwerk.datasets import DatasetsResource
from graftwerk.errors import InvalidData
from graftwerk.jobs import Job
from graftwerk.jobs.collection import JobsResource
from graftwerk.jobs.folds import FoldGroupsResource
from tests.graftwerk.client_kinds import ClientKind
from tests.graftwerk.scripted_transport import job_document

CONTENT = b"a,y\n1,2\n"
SPEC = {"data": {"kind": "builtin", "name": "iris"}}
DATASET = {"id": "ds_1", "name": "table", "status": "awaiting_content", "received": 0, "sha256": None}
STORED = httpx.Response(200, json=DATASET | {"status": "ready"}, headers={"Upload-Offset": str(len(CONTENT))})
PREDICTED = {
    "job": "job_1",
    "checkpoint": "ckpt_1",
    "step": 7,
    "left_out": {},
    "files": None,
    "outputs": {},
    "predictions": [],
}
CALLS: dict[str, tuple[str, list[Any], Callable[[Any, Any], Any]]] = {
    "datasets.add": ("a.csv", [DATASET, DATASET, STORED], lambda client, path: client.datasets.add(path)),
    "datasets.upload": ("a.csv", [DATASET, STORED], lambda client, path: client.datasets.upload("ds_1", path)),
    "jobs.create": ("a.json", [job_document()], lambda client, path: client.jobs.create(path)),
    "jobs.validate": ("a.json", [{"warnings": []}], lambda client, path: client.jobs.validate(path)),
    "folds.create": ("a.json", [{}, job_document(), job_document()], lambda client, path: client.folds.create(path, 2)),
    "job.predict": (
        "a.csv",
        [job_document(), PREDICTED],
        lambda client, path: client.jobs.get("job_1").predict(file=path),
    ),
}


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("name", CALLS)
def test_a_path_is_text_or_a_path(api: ClientKind, tmp_path: Path, name: str, kind: Callable[[str], Any]) -> None:
    file, answers, call = CALLS[name]
    path = tmp_path / file
    path.write_bytes(CONTENT if path.suffix == ".csv" else json.dumps(SPEC).encode())
    client, script = api.client(*answers)
    call(client, kind(fspath(path)))
    sent = b"".join(request.content for request in script.requests)
    assert (CONTENT if path.suffix == ".csv" else b'"iris"') in sent


@pytest.mark.parametrize("resource", [DatasetsResource, FoldGroupsResource, Job, JobsResource])
def test_no_method_wants_a_path_alone(resource: type) -> None:
    methods = inspect.getmembers(resource, inspect.isroutine)
    every = [
        (name, text)
        for name, method in methods
        if not name.startswith("_")
        for each in inspect.signature(method).parameters.values()
        if "Path" in (text := str(each.annotation))
    ]
    assert every
    assert [each for each in every if "str" not in each[1]] == []


@pytest.mark.parametrize("text", ['{"data": {}}', "data:\n  kind: builtin\n"])
def test_the_text_of_a_spec_is_no_path(api: ClientKind, text: str) -> None:
    client, script = api.client()
    with pytest.raises(InvalidData, match="give the spec itself as a mapping"):
        client.jobs.create(text)
    assert script.requests == []
