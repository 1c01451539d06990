"""Predictions: which checkpoint answers, to whom, within which limits; and what becomes of what goes wrong."""

import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from safetensors.torch import load

from app import checkpoints
from app.db.tables import CheckpointRow, JobRow
from app.errors import NotFound
from app.jobs.states import Status
from app.storage.cache import ArtifactCache
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import SPEC, create_checkpoint, create_job_in_status, create_running_job
from tests.app.api.sample_dataset import TRAINING_PLAN
from tests.app.api.test_checkpoints import UNKNOWN
from tests.app.api.trained_jobs import train_job, train_job_cached
from tests.workers.prediction.test_forward import import_model

ROWS = [{"x": [5.1, 3.5, 1.4, 0.2]}, {"x": [6.2, 2.9, 4.3, 1.3]}]
JOB = SPEC | {"training": TRAINING_PLAN | {"epochs": 2, "checkpoint": {"every_steps": 4, "keep_last": 3}}}


def asked(client: Client, path: str, rows: Any = ROWS, **parts: Any) -> httpx.Response:
    return client.post(path, json={"rows": rows, **parts})


def labels(response: httpx.Response) -> list[Any]:
    assert response.status_code == 200, response.text
    return [row["output"]["label"] for row in response.json()["predictions"]]


@pytest.mark.parametrize(
    ("generate", "pointer", "code", "hint"),
    [
        ('{"method": {"kind": "beam", "beams": 0}}', "/generate/method/beams", "out_of_range", "use at least 1"),
        ('{"method": "beem"}', "/generate/method", "unknown_kind", 'did you mean "beam"?'),
        ('{"max_lenght": 5}', "/generate/max_lenght", "unknown_field", 'did you mean "max_length"?'),
        ('{"max_length": 5, "max_length": 6}', "/generate/max_length", "duplicate_key", "keep one of them"),
        ('{"method":', "/generate", "malformed", "check it with a JSON linter"),
    ],
)
def test_a_mistake_in_the_parameter_generate_has_its_place(
    anna: Client, generate: str, pointer: str, code: str, hint: str
) -> None:
    response = anna.post(f"/v1/jobs/job_{UNKNOWN[5:]}/predict", params={"generate": generate}, json={"rows": ROWS})
    document = assert_problem(response, 400, "invalid_parameter")
    [problem] = document["errors"]
    assert (problem["pointer"], problem["code"], problem["hint"]) == (pointer, code, hint)
    assert document["detail"].startswith(f"{pointer[1:]}: ")


@pytest.fixture
def path(api: Api, anna: Client) -> str:
    """Where the predictions of a trained job are."""
    return f"/v1/jobs/{train_job_cached(api, anna, JOB)}/predict"


def test_answers_are_those_of_plain_pytorch(anna: Client, path: str, tmp_path: Path) -> None:
    """The first call starts a process and loads the network, the next ones do not: their times are printed."""
    times = []
    for _ in range(4):
        began = time.perf_counter()
        response = asked(anna, path, outputs=["labels", "probabilities", "raw"], top=2)
        times.append(1000 * (time.perf_counter() - began))
        assert response.status_code == 200, response.text
    print(f"\npredictions took {', '.join(f'{each:.0f}' for each in times)} ms")
    document = response.json()
    job = path.split("/")[3]
    files = f"/v1/checkpoints/{document['checkpoint']}/files"
    (tmp_path / "model.py").write_bytes(anna.get(f"{files}/model.py").content)
    network = import_model(tmp_path).Network()
    network.load_state_dict(load(anna.get(f"{files}/weights.safetensors").content), strict=True)
    network.eval()
    with torch.no_grad():
        expected = network(torch.tensor([row["x"] for row in ROWS]))
    outputs = [row["output"] for row in document["predictions"]]
    np.testing.assert_allclose([row["raw"] for row in outputs], expected, atol=1e-6)
    np.testing.assert_allclose([row["probabilities"] for row in outputs], expected.softmax(1), atol=1e-6)
    assert [row["label"] for row in outputs] == expected.argmax(1).tolist()
    assert [row["top"][0]["label"] for row in outputs] == expected.argmax(1).tolist()
    assert (document["job"], document["left_out"], document["files"]) == (job, {}, None)
    assert document["outputs"] == {
        "output": {"about": "classes", "target": "y", "loss": "CrossEntropyLoss", "labels": None, "unit": None}
    }


def test_a_checkpoint_is_named_or_the_best(api: Api, anna: Client, path: str) -> None:
    listed = anna.get(path.replace("predict", "checkpoints")).json()["items"]
    measured = [each for each in reversed(listed) if "val/loss" in each["values"]]
    best = min(measured, key=lambda each: each["values"]["val/loss"])
    assert len(listed) > 2
    assert asked(anna, path).json()["checkpoint"] == best["id"]
    for each in listed:
        for response in (
            asked(anna, path, checkpoint=each["id"]),
            anna.post(path, json={"rows": ROWS}, params={"checkpoint": each["id"]}),
            anna.post(path, json={"rows": ROWS, "checkpoint": each["id"]}, params={"checkpoint": best["id"]}),
        ):
            assert (response.json()["checkpoint"], response.json()["step"]) == (each["id"], each["step"])
    assert_problem(asked(anna, path, checkpoint=UNKNOWN), 404, "not_found")
    assert_problem(anna.post(path, json={"rows": ROWS}, params={"checkpoint": UNKNOWN}), 404, "not_found")
    other = create_checkpoint(
        api.services.db, api.services.store, create_running_job(api.services.db), 1, {"weights.safetensors": b"x"}
    )
    assert_problem(asked(anna, path, checkpoint=other), 404, "not_found")


def test_who_may_ask(api: Api, anna: Client, bert: Client, path: str) -> None:
    reader = api.client("anna", ("read",))
    assert labels(asked(reader, path)) == labels(asked(anna, path))
    assert_problem(asked(bert, path), 404, "not_found")
    assert_problem(asked(api.client("anna", ("write",)), path), 403, "forbidden")
    assert_problem(asked(api.client(None), path), 401, "unauthenticated")
    assert_problem(asked(anna, path.replace("job_0", "job_f")), 404, "not_found")


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING, Status.FAILED])
def test_without_a_checkpoint_there_is_no_answer(api: Api, anna: Client, status: Status) -> None:
    job = create_job_in_status(api.services.db, status, spec=SPEC)
    document = assert_problem(asked(anna, f"/v1/jobs/{job}/predict"), 409, "state_forbids")
    assert f"the job is {status} and has no checkpoint" in document["detail"]
    assert document["errors"][0]["hint"]


def test_a_job_that_runs_answers(api: Api, anna: Client, path: str) -> None:
    """The best checkpoint so far answers; where that cannot, another one can be named."""
    db, store = api.services.db, api.services.store
    listed = anna.get(path.replace("predict", "checkpoints")).json()["items"]
    schema = db.read(lambda session: session.get_one(JobRow, path.split("/")[3]).data_schema)
    job = create_running_job(db, spec=JOB, data_schema=schema)
    files = {file["name"]: anna.get(file["url"]).content for file in listed[0]["files"]}
    first = create_checkpoint(db, store, job, 1, files, 0.5)
    assert asked(anna, f"/v1/jobs/{job.id}/predict").json()["checkpoint"] == first
    second = create_checkpoint(db, store, job, 2, files, 0.1)
    assert asked(anna, f"/v1/jobs/{job.id}/predict").json()["checkpoint"] == second
    bare = create_checkpoint(db, store, job, 3, {"weights.safetensors": files["weights.safetensors"]}, 0.01)
    document = assert_problem(asked(anna, f"/v1/jobs/{job.id}/predict"), 409, "not_predictable")
    assert "no preparation.json" in document["detail"]
    assert asked(anna, f"/v1/jobs/{job.id}/predict", checkpoint=first).json()["checkpoint"] == first
    assert_problem(asked(anna, f"/v1/jobs/{job.id}/predict", checkpoint=bare), 409, "not_predictable")


def test_damaged_weights_are_told(api: Api, anna: Client) -> None:
    path = f"/v1/jobs/{train_job(api, anna, JOB | {'training': TRAINING_PLAN | {'seed': 77}})}/predict"
    for key in list(api.services.store.keys("jobs/")):
        if key.endswith("weights.safetensors"):
            api.services.store.put_bytes(key, b"other bytes")
    assert_problem(asked(anna, path), 500, "checkpoint_damaged")


def test_a_checkpoint_that_is_removed_meanwhile(
    api: Api, anna: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running job removes checkpoints: the files are gone once they are fetched, and then the next best answers."""
    listed = anna.get(path.replace("predict", "checkpoints")).json()["items"]
    chosen = asked(anna, path).json()["checkpoint"]
    real = ArtifactCache.local_files

    def held(self: ArtifactCache, store: Any, files: Any) -> Any:
        api.services.db.run(lambda session: checkpoints.remove(session, [session.get_one(CheckpointRow, chosen)]))
        monkeypatch.setattr(ArtifactCache, "local_files", real)
        raise NotFound("there is no such file")

    monkeypatch.setattr(ArtifactCache, "local_files", held)
    other = asked(anna, path).json()["checkpoint"]
    assert other in {each["id"] for each in listed} - {chosen}
