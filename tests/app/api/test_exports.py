"""Exports of a checkpoint: made once, by a child of the real inspector, and answered as files are."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from safetensors.torch import save

from app.api.children import inspector
from app.api.children.inspector import Inspector
from app.db.tables import JobRow
from app.errors import MissingDependency
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import SPEC, create_checkpoint, create_running_job
from tests.app.api.test_checkpoints import UNKNOWN
from workers.protocol.child_requests import ExportRequest

SCHEMA = {
    "columns": [{"name": "features", "shape": [4], "dtype": "float32"}],
    "rows": {"train": 8},
    "inputs": ["features"],
}
WEIGHTS = {"linear1.weight": torch.arange(12.0).reshape(3, 4), "linear1.bias": torch.tensor([1.0, 2.0, 3.0])}
FILES = {"weights.safetensors": save(WEIGHTS)}
CHOOSING = {
    "nodes": [
        {"id": "total", "kind": "sum", "inputs": ["features"]},
        {"id": "big", "kind": "gt", "inputs": ["total"], "scalar": 0.0},
        {
            "id": "choice",
            "kind": "If",
            "predicate": "big",
            "inputs": ["features"],
            "then": {"layers": [{"kind": "Linear", "out_features": 4}]},
        },
    ]
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The forms that were exported, in order."""
    forms: list[str] = []
    real = Inspector.export

    def export(self: Inspector, request: ExportRequest) -> float:
        forms.append(request.form)
        return real(self, request)

    monkeypatch.setattr(Inspector, "export", export)
    return forms


def checkpoint(api: Api, **spec: Any) -> tuple[JobRow, str]:
    """Return a job with a checkpoint, and where the checkpoint's exports are."""
    job = create_running_job(api.services.db, spec=SPEC | spec, data_schema=SCHEMA)
    found = create_checkpoint(api.services.db, api.services.store, job, 7, FILES)
    return job, f"/v1/checkpoints/{found}/exports"


@pytest.mark.parametrize(("form", "name"), [("onnx", "model.onnx"), ("torch_export", "model.pt2")])
def test_an_export_is_made_once_and_answered_as_a_file(
    api: Api, anna: Client, asked: list[str], form: str, name: str
) -> None:
    _, path = checkpoint(api)
    response = anna.get(f"{path}/{form}")
    assert response.status_code == 200, response.text
    etag = f'"{hashlib.sha256(response.content).hexdigest()}"'
    assert response.headers["etag"] == etag
    assert response.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert 0 <= float(response.headers["graftwerk-max-difference"]) <= 1e-5
    assert anna.get(f"{path}/{form}", headers={"If-None-Match": etag}).status_code == 304
    part = anna.get(f"{path}/{form}", headers={"Range": "bytes=2-9"})
    assert (part.status_code, part.content) == (206, response.content[2:10])
    head = anna("HEAD", f"{path}/{form}")
    assert (head.headers["etag"], head.headers["content-length"]) == (etag, str(len(response.content)))
    assert head.headers["graftwerk-max-difference"] == response.headers["graftwerk-max-difference"]
    assert asked == [form]


def test_a_bundle_works_without_the_service(api: Api, anna: Client, tmp_path: Path) -> None:
    job = create_running_job(api.services.db, spec=SPEC, data_schema=SCHEMA)
    files = FILES | {"model.py": b"class Network: ...", "preparation.json": b"{}"}
    found = create_checkpoint(api.services.db, api.services.store, job, 7, files, private={"state.json": b"{}"})
    response = anna.get(f"/v1/checkpoints/{found}/exports/bundle")
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["etag"] == f'"{hashlib.sha256(response.content).hexdigest()}"'
    assert "graftwerk-max-difference" not in response.headers
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert members.keys() == {"weights.safetensors", "model.py", "preparation.json", "spec.json", "README.md"}
    assert {name: members[name] for name in FILES} == FILES
    assert json.loads(members["spec.json"]) == SPEC
    assert f"Checkpoint {found} of {job.id}, step 7." in members["README.md"].decode()


def test_the_graph_has_the_checkpoint_s_weights(api: Api, anna: Client) -> None:
    _, path = checkpoint(api)
    session = onnxruntime.InferenceSession(anna.get(f"{path}/onnx").content)
    rows = torch.randn(5, 4)
    (found,) = session.run(["output"], {"features": rows.numpy()})
    wanted = rows @ WEIGHTS["linear1.weight"].T + WEIGHTS["linear1.bias"]
    torch.testing.assert_close(torch.as_tensor(found), wanted)


def test_what_stands_in_the_way_is_named(api: Api, anna: Client) -> None:
    _, path = checkpoint(api, model=CHOOSING)
    for form in ("onnx", "torch_export"):
        document = assert_problem(anna.get(f"{path}/{form}"), 409, "not_exportable")
        (found,) = document["errors"]
        assert found["pointer"] == "/model/nodes/2"
        assert found["detail"] == "choice (If) has no fixed graph: which branch runs depends on the data"
        assert "model.py" in found["hint"]
    assert not list(api.services.store.keys("exports/"))


def test_exports_are_deleted_with_the_job(api: Api, anna: Client) -> None:
    job, path = checkpoint(api)
    assert anna.get(f"{path}/torch_export").status_code == 200
    assert len(list(api.services.store.keys(f"exports/{job.id}/"))) == 2
    api.services.db.run(lambda session: setattr(session.get(JobRow, job.id), "status", "cancelled"))
    assert anna.delete(f"/v1/jobs/{job.id}", params={"purge": True}).status_code == 204
    assert not list(api.services.store.keys(""))
    assert_problem(anna.get(f"{path}/torch_export"), 404, "not_found")


def test_a_job_deleted_meanwhile_leaves_nothing(api: Api, anna: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    job, path = checkpoint(api)

    def export(self: Inspector, request: ExportRequest) -> float:
        request.target.write_bytes(b"graph")
        api.services.db.run(lambda session: session.delete(session.get_one(JobRow, job.id)))
        return 0.0

    monkeypatch.setattr(Inspector, "export", export)
    assert_problem(anna.get(f"{path}/onnx"), 404, "not_found")
    assert not list(api.services.store.keys("exports/"))


def test_missing_packages_are_the_operator_s(api: Api, anna: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def export(self: Inspector, request: ExportRequest) -> float:
        raise MissingDependency(
            "this service lacks the packages onnx", hint="install graftwerk[onnx] where the API runs"
        )

    monkeypatch.setattr(Inspector, "export", export)
    document = assert_problem(anna.get(f"{checkpoint(api)[1]}/onnx"), 501, "not_installed")
    assert document["errors"][0]["hint"] == "install graftwerk[onnx] where the API runs"


def test_a_child_that_takes_too_long_is_ended(api: Api, anna: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspector, "EXPORT_TIME_FACTOR", 0.01)
    document = assert_problem(anna.get(f"{checkpoint(api)[1]}/onnx"), 409, "not_exportable")
    assert document["errors"][0]["code"] == "too_complex"
    assert "exporting the network takes more than 0.05 s" in document["errors"][0]["detail"]


def test_weights_that_are_not_the_network_s_are_our_fault(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db, spec=SPEC, data_schema=SCHEMA)
    found = create_checkpoint(
        api.services.db, api.services.store, job, 7, {"weights.safetensors": save({"x": torch.zeros(1)})}
    )
    document = assert_problem(anna.get(f"/v1/checkpoints/{found}/exports/onnx"), 409, "not_exportable")
    assert document["errors"][0]["code"] == "export_failed"


def test_what_is_not_there(api: Api, anna: Client, bert: Client) -> None:
    job, path = checkpoint(api)
    assert_problem(anna.get(f"{path}/tensorflow"), 404, "not_found")
    assert_problem(anna.get(f"/v1/checkpoints/{UNKNOWN}/exports/onnx"), 404, "not_found")
    assert_problem(bert.get(f"{path}/onnx"), 404, "not_found")
    bare = create_checkpoint(api.services.db, api.services.store, job, 9, {"model.py": b""})
    assert_problem(anna.get(f"/v1/checkpoints/{bare}/exports/onnx"), 404, "not_found")
