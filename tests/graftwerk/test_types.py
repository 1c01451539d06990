"""What type checkers, and with them editors, know of both clients."""

import sys
import tomllib
from importlib.resources import files
from pathlib import Path

from mypy import api

CALLS = """
from graftwerk import AsyncClient, Client

def blocking(client: Client) -> None:
    reveal_type(client.jobs.get)
    reveal_type(client.jobs.create({"name": "x"}).wait(timeout=3).id)
    reveal_type(client.jobs.get("job_1").fork())
    reveal_type(client.folds.create({}, 5).wait().jobs)
    for event in client.jobs.get("job_1").stream():
        reveal_type(event)
    client.jobs.get(1)

async def asynchronous(client: AsyncClient) -> None:
    reveal_type(client.jobs.get)
    reveal_type(await (await client.jobs.create({"name": "x"})).wait(timeout=3))
    reveal_type(await (await client.jobs.get("job_1")).fork())
    reveal_type((await client.folds.create({}, 5)).jobs)
    async for event in (await client.jobs.get("job_1")).stream():
        reveal_type(event)
    async for job in client.jobs.list(status="failed"):
        reveal_type(job)
    await client.jobs.get(job="job_1")
"""
JOB, ASYNC_JOB = "graftwerk.jobs.job.Job", "graftwerk.jobs.job.AsyncJob"
KNOWN = [
    f'note: Revealed type is "def (job_id: str) -> {JOB}"',
    'note: Revealed type is "str"',
    f'note: Revealed type is "{JOB}"',
    f'note: Revealed type is "typing.Sequence[{JOB}]"',
    'note: Revealed type is "graftwerk.types.Event"',
    'error: Argument 1 has incompatible type "int"; expected "str"  [arg-type]',
    f'note: Revealed type is "def (job_id: str) -> typing.Coroutine[Any, Any, {ASYNC_JOB}]"',
    f'note: Revealed type is "{ASYNC_JOB}"',
    f'note: Revealed type is "{ASYNC_JOB}"',
    f'note: Revealed type is "typing.Sequence[{ASYNC_JOB}]"',
    'note: Revealed type is "graftwerk.types.Event"',
    f'note: Revealed type is "{ASYNC_JOB}"',
    'error: Unexpected keyword argument "job"  [call-arg]',
]


def test_types_are_known_to_the_end_of_every_chain(tmp_path: Path) -> None:
    path = tmp_path / "calls.py"
    path.write_text(CALLS)
    limit = sys.getrecursionlimit()  # mypy raises it, and tests of what nests too deep go by it
    try:
        output, _, _ = api.run(["--strict", "--hide-error-context", "--no-pretty", str(path)])
    finally:
        sys.setrecursionlimit(limit)
    lines = [line.partition(": ")[2] for line in output.splitlines()]
    assert [line for line in lines if line.startswith(("note: Revealed", "error: "))] == KNOWN


def test_an_installed_client_has_types() -> None:
    assert files("graftwerk").joinpath("py.typed").is_file()
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert "py.typed" in project["tool"]["setuptools"]["package-data"]["graftwerk"]
