"""`graftwerk watch` with several jobs."""

import io
import json
from typing import Any

import anyio
import httpx
import pytest
from rich.console import Console

from graftwerk.cli.progress import watch_jobs
from graftwerk.http.transport import Transport
from graftwerk.jobs import AsyncJob
from tests.graftwerk.cli.conftest import Run
from tests.graftwerk.cli.test_main import watched
from tests.graftwerk.client_kinds import async_driver
from tests.graftwerk.scripted_transport import URL, ScriptedTransport, job_document, problem_response


def answer_by_job(**endings: tuple[Any, ...]) -> Any:
    """Return a response to any request, by the job in its path; the document of a job after its stream is its last."""
    told = {job: list(answers) for job, answers in endings.items()}

    def answer(request: httpx.Request) -> httpx.Response:
        job = request.url.path.split("/")[3]
        reply = told[job].pop(0)
        return reply if isinstance(reply, httpx.Response) else httpx.Response(200, json=reply)

    return answer


def two_jobs(second: str, **names: str) -> tuple[Any, ...]:
    def story(job_id: str, status: str) -> tuple[Any, ...]:
        name = names.get(job_id, job_id)
        told, ended = watched(status)
        return job_document(job_id, name=name), told, ended | {"id": job_id, "name": name}

    answer = answer_by_job(job_1=story("job_1", "succeeded"), job_2=story("job_2", second))
    return (answer,) * 6


@pytest.mark.parametrize(("second", "code"), [("succeeded", 0), ("failed", 1), ("cancelled", 1)])
def test_jobs_are_watched_together(run: Run, second: str, code: int) -> None:
    result, _ = run("watch", "job_1", "job_2", "job_1", answers=two_jobs(second, job_1="wide", job_2="narrow"))
    assert result.exit_code == code, result.output
    assert [line for line in result.stdout.splitlines() if line.startswith("job_")] == [
        "job_1  succeeded  wide",
        f"job_2  {second}  narrow",
    ]
    lines = [line.split()[:2] for line in result.stderr.splitlines()]
    assert all([name, "training"] in lines for name in ("wide", "narrow"))


def test_jobs_of_the_same_name_are_told_apart(run: Run) -> None:
    result, _ = run("watch", "job_1", "job_2", answers=two_jobs("succeeded", job_1="same", job_2="same"))
    lines = [line.split()[:2] for line in result.stderr.splitlines()]
    assert ["job_1", "training"] in lines
    assert ["job_2", "training"] in lines


def test_events_as_json_say_of_which_job(run: Run) -> None:
    result, _ = run("watch", "job_1", "job_2", "--json", answers=two_jobs("failed"))
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    events = [document for document in documents if "kind" in document]
    assert [each["kind"] for each in events if each["job"] == "job_2"] == [
        "status",
        "phase",
        "metrics",
        "status",
        "done",
    ]
    assert [document["status"] for document in documents if "kind" not in document] == ["succeeded", "failed"]


def test_one_that_is_gone_does_not_end_the_others(run: Run) -> None:
    told, ended = watched("succeeded")
    answer = answer_by_job(
        job_1=(job_document("job_1"), problem_response(404, "not_found")), job_2=(job_document("job_2"), told, ended)
    )
    result, _ = run("watch", "job_1", "job_2", answers=(answer,) * 5)
    assert result.exit_code == 2
    assert "not_found" in result.stderr
    assert "succeeded" in result.stdout


def test_ctrl_c_stops_watching(run: Run) -> None:
    def interrupt(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    result, script = run("watch", "job_1", "job_2", answers=(interrupt,))
    assert result.exit_code == 130
    assert "graftwerk watch job_1 job_2" in result.stderr
    assert {request.method for request in script.requests} == {"GET"}


def test_a_terminal_has_a_bar_for_each() -> None:
    _, ended = watched("succeeded")
    names = ("wide", "narrow [b]")
    answer = answer_by_job(**{f"job_{n}": (watched("succeeded")[0], ended | {"id": f"job_{n}"}) for n in (1, 2)})
    script = ScriptedTransport(*(answer,) * 4)
    transport = Transport(URL, None, async_driver(script, []))
    jobs = [AsyncJob(transport, job_document(f"job_{n}", name=name)) for n, name in enumerate(names, start=1)]
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    assert anyio.run(watch_jobs, jobs, console) == []
    assert isinstance(console.file, io.StringIO)
    last = console.file.getvalue()
    assert all(f"{name} " in last for name in names)
    assert last.count("20/20") >= 2
