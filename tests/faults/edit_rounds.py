"""Rounds of edited jobs: a random script of edits, once undisturbed, and once through kills around the edits."""

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from app.jobs.states import TERMINAL_STATUSES
from tests.faults import history as histories
from tests.faults.campaign import Round, digits_spec
from tests.faults.history import AcknowledgedJob
from tests.faults.plan import Fault

LAYERS: list[dict[str, Any]] = [
    {"kind": "Flatten", "id": "flat"},
    {"kind": "Linear", "id": "fc1", "out_features": 48},
    {"kind": "ReLU", "id": "act"},
    {"kind": "Dropout", "id": "drop", "p": 0.2},
    {"kind": "Linear", "id": "head", "out_features": 10},
]
STEPS = (20, 300)  # of 322
KILL_POINTS = ("edit_built", "edit_reported", "edit_applied", "edit_recorded", "mid_step", "before_row", "file_renamed")
MAX_HITS = {"mid_step": 300, "before_row": 8, "file_renamed": 30}
PARKED_SECONDS = 8  # in which a new job is surely paused
ATTEMPTS = 60


def edits(here: Round) -> None:
    """One to four edits at random steps, and two to five kills: the bits of an undisturbed job with the same edits."""
    script = random_script(here.random)
    name = f"edits-{here.number}"
    golden = _submit(here, name, script, "golden")
    here.wait_until(lambda record: record.status in TERMINAL_STATUSES, golden, "the undisturbed run")
    here.campaign.golden[name] = histories.golden_run(here.read(golden))
    job_id = _submit(here, name, script, "disturbed", resume=False)
    here.plan(*(_kill(here.random) for _ in range(here.random.randint(2, 5))))
    _post(here, f"/v1/jobs/{job_id}/resume", None)
    here.wait_for_all()
    here.figures["edits"] = len(script)
    assert here.read(job_id).revision == len(script) + 1, "an edit is missing"


def random_script(source: random.Random) -> list[dict[str, Any]]:
    """Return edits that fit each other, at steps that grow, or are those of the edit before."""
    steps = sorted(source.randint(*STEPS) for _ in range(source.randint(1, 4)))
    script = Script(source)
    return [{"at": {"step": step}, "operations": [script.operation(place)]} for place, step in enumerate(steps)]


@dataclass
class Script:
    """Random operations on the layers above, one after the other."""

    random: random.Random
    width: int = 48  # of what `drop` computes
    removable: list[str] = field(default_factory=list)

    def operation(self, place: int) -> dict[str, Any]:
        """Return an operation that the network has room for; `place` makes ids unique."""
        simple = {
            "rate": {"op": "set", "path": "training.optimizer.lr", "value": self.random.choice([0.001, 0.002, 0.005])},
            "dropout": {"op": "set", "path": "model.drop.p", "value": self.random.choice([0.0, 0.1, 0.4])},
            "freeze": {"op": "freeze", "nodes": ["fc1"]},
        }
        kind = self.random.choice([*simple, "layer", "activation", "widen", *(["remove"] if self.removable else [])])
        match kind:
            case "layer":
                node = {"kind": "Linear", "id": f"new{place}", "out_features": self.width}
                return {"op": "insert", "after": "drop", "node": node}
            case "activation":
                self.removable.append(f"act{place}")
                return {"op": "insert", "after": "drop", "node": {"kind": "Tanh", "id": self.removable[-1]}}
            case "widen":
                self.width += 8
                return {"op": "widen", "node": "fc1", "to": self.width}
            case "remove":
                return {"op": "remove", "node": self.removable.pop()}
        return simple[kind]


def _kill(source: random.Random) -> Fault:
    point = source.choice(KILL_POINTS)
    victim = source.choices(["kill_runner", "kill_worker", "kill_both"], [20, 1, 1])[0]
    return Fault(point, victim, source.randint(1, MAX_HITS.get(point, 2)))


def _submit(here: Round, name: str, script: list[dict[str, Any]], what: str, resume: bool = True) -> str:
    """Submit a job that is paused before it runs, and its edits."""
    at = datetime.now(UTC) + timedelta(seconds=PARKED_SECONDS)
    spec = digits_spec(name, LAYERS) | {"not_before": at.isoformat().replace("+00:00", "Z")}
    key = f"{here.campaign.name}-{here.number}-{what}"
    job_id = here.deployment.submit(spec, key)
    here.jobs.append(AcknowledgedJob(job_id, key, name))
    _post(here, f"/v1/jobs/{job_id}/pause", None)
    for place, edit in enumerate(script):
        _post(here, f"/v1/jobs/{job_id}/edits", edit, f"{key}-{place}")
    if resume:
        _post(here, f"/v1/jobs/{job_id}/resume", None)
    return job_id


def _post(here: Round, path: str, document: dict[str, Any] | None, key: str | None = None) -> None:
    """Post until it is acknowledged."""
    headers = {"Idempotency-Key": key} if key is not None else {}
    with here.deployment.client() as http:
        for _ in range(ATTEMPTS):
            try:
                answer = http.post(path, json=document, headers=headers)
            except httpx.TransportError:
                time.sleep(0.2)
                continue
            if answer.is_success:
                return
            assert answer.status_code >= 500, answer.text
            time.sleep(0.2)
    raise AssertionError(f"{path} was not acknowledged")
