"""Edits of a running job, over HTTP: applied without a pause, kept through kills, and taken back."""

import importlib.util
import signal
import time
from pathlib import Path
from typing import Any

from tests.acceptance.service import ServiceProcess, digits_spec, wait_until
from tests.acceptance.test_crashes import training_processes

APPLIED_SECONDS = 10.0  # one on a machine that is not busy: `benchmarks/surgery.py` measures it
INSERT = {
    "op": "insert",
    "after": "act",
    "node": {"kind": "Linear", "id": "extra", "out_features": 64},
    "init": "identity",
}


def spec() -> dict[str, Any]:
    """Return a job that trains for an hour."""
    layers = [
        {"kind": "Flatten", "id": "flat"},
        {"kind": "Linear", "out_features": 64, "id": "fc1"},
        {"kind": "ReLU", "id": "act"},
        {"kind": "Linear", "out_features": 10, "id": "fc2"},
    ]
    checkpoint = {"every_steps": 500, "every_seconds": None, "keep_last": 30, "keep_best": 0}
    training = {"epochs": 100_000, "checkpoint": checkpoint, "evaluate": {"every_steps": 500}}
    return digits_spec(**training) | {"model": {"layers": layers}}


def post(service: ServiceProcess, path: str, document: Any, status: int = 201) -> dict[str, Any]:
    with service.http as http:
        answer = http.post(f"/v1/jobs/{path}", json=document)
    assert answer.status_code == status, answer.text
    return answer.json()  # type: ignore[no-any-return]


def get(service: ServiceProcess, path: str, **parameters: Any) -> Any:
    with service.http as http:
        return http.get(f"/v1/jobs/{path}", params=parameters).raise_for_status().json()


def await_edit(service: ServiceProcess, job_id: str, number: int) -> dict[str, Any]:
    """Wait until an edit has ended."""
    return wait_until(  # type: ignore[no-any-return]
        lambda: (edit := get(service, f"{job_id}/edits/{number}", wait=10))["state"] != "accepted" and edit, "its end"
    )


def checkpoints_of(service: ServiceProcess, job_id: str, revision: int) -> list[Any]:
    rows = get(service, f"{job_id}/checkpoints")["items"]
    return [row for row in rows if row["revision"] == revision]


def load_strictly(service: ServiceProcess, checkpoint: Any, folder: Path) -> int:
    """Load a checkpoint's weights into its own `model.py`; return the number of its parameters."""
    import torch

    folder.mkdir()
    with service.http as http:
        for name in ("model.py", "weights.pth"):
            content = http.get(f"/v1/checkpoints/{checkpoint['id']}/files/{name}").raise_for_status().content
            (folder / name).write_bytes(content)
    loader = importlib.util.spec_from_file_location(f"model_{checkpoint['id']}", folder / "model.py")
    assert loader is not None
    assert loader.loader is not None
    module = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(module)
    network = module.Network()
    network.load_state_dict(torch.load(folder / "weights.pth", weights_only=True), strict=True)
    return sum(parameter.numel() for parameter in network.parameters())


def test_a_running_job_is_edited(service: ServiceProcess, tmp_path: Path) -> None:
    job_id = service.submit(spec())["id"]
    service.wait_for_step(job_id, 50)
    foreseen = post(service, f"{job_id}/edits/dry-run", {"operations": [INSERT]}, 200)
    assert foreseen["diff"]["added"].keys() == {"extra"}
    accepted = post(service, f"{job_id}/edits", {"operations": [INSERT], "expect_revision": 1})
    began = time.monotonic()
    edit = await_edit(service, job_id, accepted["id"])
    assert time.monotonic() - began < APPLIED_SECONDS
    assert (edit["state"], edit["revision"]) == ("applied", 2), edit
    assert edit["spec"] == foreseen["spec"]
    service.wait_for_step(job_id, edit["step"] + 200)
    with service.http as http:
        curve = http.get(f"/v1/jobs/{job_id}/metrics", headers={"Accept": "text/csv"}).raise_for_status().text
    steps = [int(line.split(",")[1]) for line in curve.splitlines() if line.startswith("train/loss,")]
    assert steps == list(range(steps[0], steps[-1] + 1))
    assert service.job(job_id)["transitions"][-1]["verb"] == "claim"  # nothing has interrupted it
    before, after = (
        wait_until(lambda number=number: checkpoints_of(service, job_id, number), "its checkpoint")[0]
        for number in (1, 2)
    )
    small, large = (load_strictly(service, each, tmp_path / each["id"]) for each in (before, after))
    assert large - small == 64 * 64 + 64
    kinds = [event["kind"] for event in get(service, f"{job_id}/events", limit=1000)["items"]]
    assert [kind for kind in kinds if kind.startswith("edit")] == ["edit_accepted", "edit_applied"]


def test_an_edit_outlives_its_attempt(service: ServiceProcess) -> None:
    """The attempt is stopped before it gets the edit, and killed: the next one applies it."""
    job_id = service.submit(spec())["id"]
    service.wait_for_step(job_id, 50)
    (attempt,) = training_processes(service)
    attempt.send_signal(signal.SIGSTOP)
    accepted = post(service, f"{job_id}/edits", {"operations": [INSERT]})
    attempt.send_signal(signal.SIGKILL)
    edit = await_edit(service, job_id, accepted["id"])
    assert (edit["state"], edit["revision"]) == ("applied", 2)
    service.wait_for_step(job_id, edit["step"] + 100)
    transitions = [each["verb"] for each in service.job(job_id)["transitions"]]
    assert transitions == ["claim", "lose", "claim"]


def test_a_job_goes_back_and_on(service: ServiceProcess) -> None:
    job_id = service.submit(spec())["id"]
    service.wait_for_step(job_id, 50)
    post(service, f"{job_id}/edits", {"operations": [INSERT]})
    edit = await_edit(service, job_id, 1)
    wait_until(lambda: checkpoints_of(service, job_id, 1), "the checkpoint before the edit")
    service.wait_for_step(job_id, edit["step"] + 100)
    rollback = post(service, f"{job_id}/rollback", {"revision": 1, "step": edit["step"]})
    assert (rollback["state"], rollback["revision"], rollback["step"]) == ("applied", 3, edit["step"])
    wait_until(lambda: service.job(job_id)["status"] == "running", "the next attempt")
    service.wait_for_step(job_id, edit["step"] + 300)
    job = service.job(job_id)
    assert [each["verb"] for each in job["transitions"]] == ["claim", "roll_back", "claim"]
    assert job["revision"] == 3
    assert {node["id"] for node in get(service, f"{job_id}/network")["nodes"]} == {"flat", "fc1", "act", "fc2"}
