"""A job as its user lives it: submit, watch, download, use without the service."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from tests.acceptance.service import ServiceProcess, digits_spec

EXAMPLES = Path(__file__).parents[2] / "examples"

RELOAD = """
import importlib.util, sys
import torch
from safetensors.torch import load_file
folder = sys.argv[1]
spec = importlib.util.spec_from_file_location("model", folder + "/model.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
outputs = []
for weights in (load_file(folder + "/weights.safetensors"), torch.load(folder + "/weights.pth", weights_only=True)):
    network = module.Network()
    network.load_state_dict(weights, strict=True)
    network.eval()
    torch.manual_seed(0)
    outputs.append(network(torch.rand(5, 1, 8, 8)))
assert torch.equal(*outputs)
assert not any(name.split(".")[0] in ("app", "workers", "graftwerk") for name in sys.modules)
print(tuple(outputs[0].shape))
"""


def download(service: ServiceProcess, job: dict[str, Any], folder: Path) -> None:
    with service.http as http:
        listed = http.get(job["urls"]["checkpoints"]).raise_for_status().json()
        newest = listed["items"][0]
        for file in newest["files"]:
            answer = http.get(f"/v1/checkpoints/{newest['id']}/files/{file['name']}").raise_for_status()
            assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
            (folder / file["name"]).write_bytes(answer.content)


@pytest.mark.parametrize("name", ["digits-mlp", "digits-cnn"])
def test_an_example_trains_and_its_weights_work_alone(service: ServiceProcess, name: str, tmp_path: Path) -> None:
    spec = json.loads((EXAMPLES / f"{name}.json").read_text())
    job = service.wait(service.submit(spec)["id"], seconds=120)
    assert job["status"] == "succeeded", job["error"]
    with service.http as http:
        curve = http.get(job["urls"]["metrics"], params={"names": "train/loss,val/accuracy"}).json()["series"]
    assert curve["train/loss"]["last"][-1] < curve["train/loss"]["last"][0] / 2
    assert curve["val/accuracy"]["last"][-1] > 0.9
    with service.http as http:
        report = http.get(f"/v1/jobs/{job['id']}/report").raise_for_status().json()
    (head,) = report["heads"]
    assert head["right"] == sum(head["confusion"][each][each] for each in range(10)) > 0.9 * report["rows"]
    assert job["progress"]["step"] == job["progress"]["total_steps"]
    with service.http as http:
        rows = [{"image": torch.full((1, 8, 8), shade).tolist()} for shade in (0, 16)]
        told = http.post(f"/v1/jobs/{job['id']}/predict", json={"rows": rows}).raise_for_status().json()
    assert len(told["predictions"]) == 2
    download(service, job, tmp_path)
    command = [sys.executable, "-I", "-c", RELOAD, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert run.stdout.strip() == "(5, 10)", run.stderr


def test_every_step_has_one_point(service: ServiceProcess) -> None:
    job = service.wait(service.submit(digits_spec(epochs=3))["id"])
    assert job["status"] == "succeeded", job["error"]
    with service.http as http:
        rows = http.get(job["urls"]["metrics"], headers={"Accept": "text/csv"}, params={"names": "train/loss"}).text
    steps = [int(line.split(",")[1]) for line in rows.strip().splitlines()[1:]]
    assert steps == list(range(1, job["progress"]["total_steps"] + 1))


def test_the_stream_tells_the_whole_story_and_goes_on_after_a_break(service: ServiceProcess) -> None:
    job_id = service.submit(digits_spec(epochs=4))["id"]
    first = _events(service, job_id, stop_after=5)
    rest = _events(service, job_id, last=first[-1][0])
    seqs = [seq for seq, _, _ in first + rest if seq]
    assert seqs == list(range(1, len(seqs) + 1))
    assert rest[-1][1] == "done"
    assert rest[-1][2]["status"] == "succeeded"
    kinds = {kind for _, kind, _ in first + rest}
    assert {"created", "status", "phase", "metrics", "checkpoint", "done"} <= kinds


def _events(service: ServiceProcess, job_id: str, last: int = 0, stop_after: int = 0) -> list[tuple[int, str, Any]]:
    headers = {"Last-Event-ID": str(last)} if last else {}
    found: list[tuple[int, str, Any]] = []
    seq, kind = 0, ""
    with service.http as http, http.stream("GET", f"/v1/jobs/{job_id}/stream", headers=headers) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                seq = int(value)
            elif name == "event":
                kind = value
            elif name == "data":
                found.append((seq if kind != "done" else 0, kind, json.loads(value)))
                if kind == "done" or len(found) == stop_after:
                    break
    return found


def test_one_key_makes_one_job(service: ServiceProcess) -> None:
    first = service.submit(digits_spec(epochs=1), **{"Idempotency-Key": "once"})
    again = service.submit(digits_spec(epochs=1), **{"Idempotency-Key": "once"})
    assert first["id"] == again["id"]
    with service.http as http:
        other = http.post("/v1/jobs", json=digits_spec(epochs=2), headers={"Idempotency-Key": "once"})
    assert other.status_code == 422
    service.wait(first["id"])


def test_a_job_that_cannot_train_says_why(service: ServiceProcess) -> None:
    exploding = digits_spec(optimizer={"kind": "SGD", "lr": 1e30}, epochs=3)
    job = service.wait(service.submit(exploding)["id"])
    assert job["status"] == "failed"
    assert job["error"]["code"] == "loss_not_finite"
    assert "step" in job["error"]["message"]


def test_an_uploaded_data_set_trains(service: ServiceProcess, tmp_path: Path) -> None:
    rows = "\n".join(f"{i % 7},{(i * 3) % 5},{2 * (i % 7) - ((i * 3) % 5) + 1}" for i in range(200))
    with service.http as http:
        made = http.post("/v1/datasets", json={"name": "plane", "source": {"kind": "upload", "format": "csv"}})
        assert made.status_code == 201, made.text
        path = f"/v1/datasets/{made.json()['id']}"
        http.put(f"{path}/content", content=f"a,b,y\n{rows}\n".encode()).raise_for_status()
        data = http.get(path).json()
    assert data["status"] == "ready", data
    spec = {
        "model": {"layers": [{"kind": "Linear", "out_features": 1}]},
        "data": {"kind": "dataset", "id": data["id"], "target": "y"},
        "objective": {"loss": {"kind": "MSELoss"}},
        "training": {"epochs": 60, "batch_size": 20, "optimizer": {"kind": "Adam", "lr": 0.05}},
    }
    job = service.wait(service.submit(spec)["id"])
    assert job["status"] == "succeeded", job["error"]
    assert job["progress"]["latest"]["train/loss"] < 0.1


def test_a_cancelled_job_ends_soon_and_leaves_no_process(service: ServiceProcess) -> None:
    job_id = service.submit(digits_spec(epochs=100_000))["id"]
    service.wait_for_step(job_id)
    with service.http as http:
        http.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()
    job = service.wait(job_id, seconds=5)
    assert job["status"] == "cancelled"
    with service.http as http:
        assert http.post(f"/v1/jobs/{job_id}/cancel").status_code == 200
        assert http.delete(f"/v1/jobs/{job_id}").status_code == 204
        assert http.get(f"/v1/jobs/{job_id}").status_code == 404


def test_a_paused_job_goes_on_where_it_was(service: ServiceProcess) -> None:
    plan = {"epochs": 120, "checkpoint": {"every_seconds": None, "keep_best": 0}}
    undisturbed_id = service.submit(digits_spec(**plan))["id"]
    job_id = service.submit(digits_spec(**plan))["id"]
    service.wait_for_step(job_id, step=20)
    with service.http as http:
        http.post(f"/v1/jobs/{job_id}/pause").raise_for_status()
        service.wait(job_id, "paused", seconds=10)
        paused = service.job(job_id)["progress"]["step"]
        http.post(f"/v1/jobs/{job_id}/resume").raise_for_status()
        job, undisturbed = service.wait(job_id), service.wait(undisturbed_id)
        weights = [http.get(f"/v1/jobs/{each}/weights").content for each in (job_id, undisturbed_id)]
        events = http.get(job["urls"]["events"], params={"limit": 1000}).json()["items"]
    rewound = [event["data"]["step"] for event in events if event["kind"] == "rewound"]
    assert job["status"] == undisturbed["status"] == "succeeded", (job["error"], undisturbed["error"])
    assert rewound == [0, paused]
    assert weights[0] == weights[1]


def test_a_time_limit_is_kept(service: ServiceProcess) -> None:
    job = service.wait(service.submit(digits_spec(epochs=100_000) | {"max_seconds": 2.0})["id"], seconds=20)
    assert (job["status"], job["error"]["code"]) == ("failed", "time_limit")


def test_without_a_key_there_is_nothing(service: ServiceProcess) -> None:
    answer = httpx.get(f"{service.url}/v1/jobs")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
