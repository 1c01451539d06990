"""A backup of a service that trains, restored into another home: the job goes on there from its checkpoint."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.service import ServiceProcess, digits_spec


def graftwerk(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "graftwerk", *words]
    return subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False, timeout=120)


def test_a_restored_job_goes_on(service: ServiceProcess, tmp_path: Path) -> None:
    folder = str(tmp_path / "backup")
    plan: dict[str, Any] = {"epochs": 200, "checkpoint": {"every_steps": 50, "every_seconds": None}}
    job_id = service.submit(digits_spec(**plan))["id"]
    service.wait_for_step(job_id, step=150)
    backup = graftwerk("backup", folder, "--home", str(service.home))
    assert backup.returncode == 0, backup.stderr
    refused = graftwerk("restore", folder, "--home", str(service.home), "--overwrite")
    assert refused.returncode == 3
    assert "another `graftwerk up`" in refused.stderr
    service.cancel_all()

    other = ServiceProcess(tmp_path / "other")
    restored = graftwerk("restore", folder, "--home", str(other.home))
    assert restored.returncode == 0, restored.stderr
    other.start("--slots", "1")
    try:
        job = other.wait(job_id, seconds=120)
        with other.http as http:
            events = http.get(f"/v1/jobs/{job_id}/events", params={"limit": 1000}).json()["items"]
    finally:
        other.stop()
    assert job["status"] == "succeeded", job["error"]
    assert [move["verb"] for move in job["transitions"]] == ["claim", "lose", "claim", "succeed"]
    rewound = [event["data"] for event in events if event["kind"] == "rewound"]
    assert rewound[-1]["step"] >= 100
    assert rewound[-1]["checkpoint"]
