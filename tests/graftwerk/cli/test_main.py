"""Commands against a script of answers: what they print, and how they end."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from graftwerk.cli.main import app
from tests.graftwerk.cli.conftest import Run
from tests.graftwerk.scripted_transport import ChunkedStream, job_document, problem_response


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "spec.json"
    path.write_text('{"name": "digits"}')
    return str(path)


def story(*events: tuple[str, dict[str, Any]]) -> httpx.Response:
    lines = [f"id: {seq}\nevent: {kind}\ndata: {json.dumps(data)}\n\n" for seq, (kind, data) in enumerate(events, 1)]
    return httpx.Response(
        200, headers={"Content-Type": "text/event-stream"}, stream=ChunkedStream("".join(lines).encode())
    )


PROGRESS = {"step": 20, "total_steps": 20, "steps_per_epoch": 10, "rate": 50.0, "latest": {"train/loss": 0.25}}


def watched(status: str, **more: Any) -> tuple[Any, ...]:
    told = story(
        ("status", {"verb": "claim", "from": "queued", "to": "running"}),
        ("phase", {"phase": "training"}),
        ("metrics", {"series": {}, "progress": PROGRESS}),
        ("status", {"verb": "end", "from": "running", "to": status}),
        ("done", {"status": status}),
    )
    return told, job_document(status=status, progress=PROGRESS, **more)


def test_submit_prints_the_id(run: Run, spec: str) -> None:
    result, script = run("submit", spec, "--idempotency-key", "k", answers=(job_document(),))
    assert (result.exit_code, result.output) == (0, "job_1\n")
    assert script.requests[0].headers["Idempotency-Key"] == "k"


def test_submit_and_watch_to_a_good_end(run: Run, spec: str) -> None:
    result, _ = run("submit", spec, "--watch", answers=(job_document(), *watched("succeeded")))
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.stderr.splitlines()]
    assert lines[:3] == ["queued", "running", "training"]
    assert "epoch 2/2  step 20/20  train/loss 0.25  50 steps/s" in lines[-1]
    assert "job_1  succeeded  digits" in result.stdout


def test_a_failed_job_ends_with_1_and_its_reason(run: Run) -> None:
    error = {
        "code": "loss_not_finite",
        "message": "NaN at step 7",
        "pointer": "/training/optimizer",
        "retryable": False,
    }
    result, _ = run("watch", "job_1", answers=(job_document(), *watched("failed", error=error)))
    assert result.exit_code == 1
    assert "loss_not_finite: NaN at step 7 (at /training/optimizer)" in result.stdout


def test_ctrl_c_stops_watching_and_nothing_else(run: Run) -> None:
    def interrupt(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    result, script = run("watch", "job_1", answers=(job_document(), interrupt))
    assert result.exit_code == 130
    assert "graftwerk watch job_1" in result.stderr
    assert {request.method for request in script.requests} == {"GET"}


def test_watching_as_json_prints_a_document_a_line(run: Run) -> None:
    result, _ = run("watch", "job_1", "--json", answers=(job_document(), *watched("succeeded")))
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert [item.get("kind") for item in documents] == ["status", "phase", "metrics", "status", "done", None]
    assert documents[-1]["status"] == "succeeded"


def test_every_problem_of_a_spec_is_told_with_its_place_and_hint(run: Run, spec: str) -> None:
    errors = [
        {"pointer": "/model/layers/1", "code": "shape", "detail": "wants 64, gets 8x8", "hint": "add Flatten"},
        {"pointer": "", "code": "missing", "detail": "no data", "hint": ""},
    ]
    refused = problem_response(422, "invalid_input", errors=errors)
    result, _ = run("validate", spec, answers=(refused,))
    assert result.exit_code == 2
    assert result.stderr.splitlines()[1:] == [
        "  /model/layers/1: wants 64, gets 8x8",
        "    hint: add Flatten",
        "  /: no data",
    ]
    as_json, _ = run("validate", spec, "--json", answers=(problem_response(422, "invalid_input", errors=errors),))
    assert as_json.exit_code == 2
    assert json.loads(as_json.stdout)["errors"] == errors


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (problem_response(404, "not_found"), 2),
        (problem_response(409, "state_forbids"), 2),
        (problem_response(401, "unauthenticated"), 2),
        (problem_response(500, "internal"), 3),
    ],
)
def test_exit_codes(run: Run, answer: httpx.Response, code: int) -> None:
    result, _ = run("rm", "job_1", answers=(answer,))
    assert result.exit_code == code
    assert result.stderr.startswith("error: it is ")


def test_nobody_there_is_3(run: Run) -> None:
    result, _ = run("ls", answers=(httpx.ConnectError("refused"),) * 7)
    assert result.exit_code == 3
    assert "graftwerk doctor" in result.stderr


@pytest.mark.parametrize("words", [("submit", "nowhere.json"), ("nonsense",), ("show",), ("ls", "--limit", "0")])
def test_usage_is_2(run: Run, words: tuple[str, ...]) -> None:
    result, script = run(*words)
    assert result.exit_code == 2
    assert script.requests == []


def test_ls(run: Run) -> None:
    jobs = [job_document("job_2", "running", progress={"step": 5, "total_steps": 20}), job_document("job_1", "failed")]
    listed = {"items": jobs, "has_more": False}
    result, script = run("ls", "--status", "running", answers=(listed,))
    assert [line.split()[:3] for line in result.stdout.splitlines()[1:]] == [
        ["job_2", "running", "25%"],
        ["job_1", "failed", "digits"],
    ]
    assert script.requests[0].url.params["status"] == "running"
    as_json, _ = run("ls", "--json", answers=(listed,))
    assert json.loads(as_json.stdout) == jobs


def test_metrics(run: Run) -> None:
    series = {"train/loss": {"step": [1, 2], "min": [0.5, 0.1], "max": [2.0, 0.2], "last": [0.6, 0.15]}}
    result, _ = run("metrics", "job_1", answers=(job_document(), {"series": series}))
    assert result.stdout.splitlines()[1].split() == ["train/loss", "2", "0.6", "0.15", "0.1", "2"]
    csv = "series,step,value\ntrain/loss,1,0.6\n"
    result, script = run(
        "metrics", "job_1", "--csv", "--names", "train/loss", answers=(job_document(), httpx.Response(200, text=csv))
    )
    assert result.stdout == csv
    assert script.requests[1].headers["Accept"] == "text/csv"


@pytest.mark.parametrize(
    ("verb", "status", "words"),
    [
        ("cancel", "running", "will end in a moment"),
        ("cancel", "cancelled", "is cancelled"),
        ("pause", "running", "will pause at its next step"),
        ("pause", "paused", "is paused"),
        ("resume", "queued", "is queued"),
        ("resume", "running", "goes on"),
        ("retry", "queued", "is queued"),
    ],
)
def test_wishes_say_what_will_happen(run: Run, verb: str, status: str, words: str) -> None:
    result, script = run(verb, "job_1", answers=(job_document(), job_document(status=status)))
    assert result.stdout == f"job_1 {words}\n"
    assert script.requests[1].url.path == f"/v1/jobs/job_1/{verb}"


def test_jobs_are_deleted_restored_and_removed(run: Run) -> None:
    result, script = run("rm", "job_1", "job_2", "--purge", answers=(httpx.Response(204), httpx.Response(204)))
    assert result.stdout == "job_1 is removed\njob_2 is removed\n"
    assert [str(request.url.query, "ascii") for request in script.requests] == ["purge=true"] * 2
    result, script = run("undelete", "job_1", answers=(job_document(status="succeeded"),))
    assert result.stdout == "job_1 is succeeded\n"
    _, script = run("ls", "--deleted", answers=({"items": [], "has_more": False},))
    assert b"deleted=true" in script.requests[0].url.query


def test_usage_and_audit(run: Run) -> None:
    limits = [
        {"name": "queued_jobs", "limit": 5, "used": 0, "of": "key"},
        {"name": "requests", "limit": None, "used": None, "of": "key"},
    ]
    result, _ = run("usage", answers=({"owner": "anna", "key": None, "limits": limits},))
    assert [line.split() for line in result.stdout.splitlines()[1:]] == [
        ["queued_jobs", "0", "5", "key"],
        ["requests", "none", "key"],
    ]
    entry = {"id": "aud_1", "at": "now", "action": "job.delete", "target": "job_1", "key_id": "key_1", "address": None}
    result, script = run("audit", "--action", "job.delete", answers=({"items": [entry], "has_more": False},))
    assert result.stdout.splitlines()[1].split() == ["now", "job.delete", "job_1", "key_1"]
    assert script.requests[0].url.query == b"action=job.delete"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"position": 3, "starts_at": "2026-01-01T00:00:00.000Z"}, "number 3 in its queue, starts about 2026"),
        ({"position": 1, "held_by": "no_worker"}, "number 1 in its queue, no worker serves its queue"),
        ({"held_by": "not_before", "not_before": "2999"}, "waits until 2999"),
        ({"held_by": "running_limit"}, "its key has reached its limit of running jobs"),
    ],
)
def test_a_waiting_job_tells_where_it_stands(run: Run, more: dict[str, Any], words: str) -> None:
    result, _ = run("show", "job_1", answers=(job_document(**more), {"items": [], "has_more": False}))
    assert words in result.stdout


def test_without_an_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GRAFTWERK_URL", raising=False)
    monkeypatch.setenv("GRAFTWERK_HOME", str(tmp_path))
    result = CliRunner().invoke(app, ["ls"])
    assert result.exit_code == 3
    assert "graftwerk up" in result.stderr


def test_up_where_one_runs_already(tmp_path: Path) -> None:
    from graftwerk.supervise.home import lock_home

    with lock_home(tmp_path):
        result = CliRunner().invoke(app, ["up", "--home", str(tmp_path)])
    assert result.exit_code == 3
    assert "another `graftwerk up`" in result.stderr


def test_watching_says_what_becomes_of_edits(run: Run) -> None:
    told = story(
        ("edit_accepted", {"edit": 1, "at": "now"}),
        ("edit_applied", {"edit": 1, "step": 70, "revision": 2}),
        ("edit_rejected", {"edit": 2, "problems": []}),
        ("rolled_back", {"edit": 3, "revision": 3, "to": 1, "step": 50, "checkpoint": "ckpt_1"}),
        ("done", {"status": "succeeded"}),
    )
    result, _ = run("watch", "job_1", answers=(job_document(), told, job_document(status="succeeded")))
    lines = [line.strip() for line in result.stderr.splitlines()]
    assert "edit 1 is applied before step 70: revision 2" in lines
    assert "edit 2 is rejected; `graftwerk edits` says why" in lines
    assert "back to revision 1 at step 50: revision 3" in lines
