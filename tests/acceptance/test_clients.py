"""Both clients against a real service: a data set, a job followed to its end through a killed API, files, exports."""

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path

import psutil

from graftwerk import AsyncClient, AsyncJob, Client, Event
from tests.acceptance.service import ServiceProcess, digits_spec, wait_until

ROWS = 3000
ATTEMPTS = 30  # an API that was killed may need long to come back on a busy machine


def table(folder: Path) -> Path:
    path = folder / "table.csv"
    path.write_text("a,b,y\n" + "".join(f"{n},{n % 7},{n % 3}\n" for n in range(ROWS)))
    return path


def spec(dataset: str) -> dict[str, object]:
    """Return a job of a few seconds."""
    layers = [{"kind": "Linear", "out_features": 16}, {"kind": "ReLU"}, {"kind": "Linear", "out_features": 3}]
    data = {"kind": "dataset", "id": dataset, "validation": {"fraction": 0.2}}
    training = {"epochs": 12, "batch_size": 64, "checkpoint": {"every_seconds": 1}}
    return {"model": {"layers": layers}, "data": data, "objective": {"loss": "CrossEntropyLoss"}, "training": training}


def key_of(service: ServiceProcess) -> str:
    return (service.home / "key").read_text().strip()


def kill_the_api(service: ServiceProcess) -> None:
    for process in service.processes("app.api"):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)


def assert_whole(events: list[Event], job_id: str, exported: Path, files: list[Path]) -> None:
    """Look at what a client has received of a job."""
    assert [event.seq for event in events] == [*range(1, len(events)), 0]
    assert events[-1].data["status"] == "succeeded"
    assert all(path.stat().st_size for path in files)
    requests = [json.loads(line) for line in next(exported.iterdir()).read_text().splitlines()]
    assert requests[0]["body"]["tags"][-1] == {"key": "graftwerk.job", "value": job_id}
    metrics = [each for request in requests for each in request["body"].get("metrics", ())]
    steps = [each["step"] for each in metrics if each["key"] == "train/loss"]
    assert len(steps) == len(set(steps)) > 100


def test_the_blocking_client_through_a_killed_api(service: ServiceProcess, tmp_path: Path) -> None:
    events = []
    with Client(service.url, key_of(service), attempts=ATTEMPTS) as client:
        dataset = client.datasets.add(table(tmp_path), target="y", types={"y": "category"})
        job = client.jobs.create(spec(dataset.id))
        for event in job.stream():
            events.append(event)
            if event.kind == "metrics" and len([each for each in events if each.kind == "metrics"]) == 2:
                kill_the_api(service)
        files = job.download(tmp_path / "files", ["weights.pth", "model.py"])
        exported = job.refresh().export_curves("mlflow_json", tmp_path / "out")
    assert_whole(events, job.id, exported, files)


def test_the_async_client_through_a_killed_api(service: ServiceProcess, tmp_path: Path) -> None:
    async def follow(job: AsyncJob) -> list[Event]:
        events = []
        async for event in job.stream():
            events.append(event)
            if event.kind == "metrics" and len([each for each in events if each.kind == "metrics"]) == 2:
                await asyncio.to_thread(kill_the_api, service)
        return events

    async def main() -> None:
        async with AsyncClient(service.url, key_of(service), attempts=ATTEMPTS) as client:
            dataset = await client.datasets.add(table(tmp_path), target="y", types={"y": "category"})
            jobs = await asyncio.gather(*(client.jobs.create(spec(dataset.id)) for _ in range(2)))
            stories = await asyncio.gather(*map(follow, jobs))
            assert {job.id async for job in client.jobs.list(limit=1)} >= {job.id for job in jobs}
            for number, (job, events) in enumerate(zip(jobs, stories, strict=True)):
                files = await job.download(tmp_path / f"files{number}", ["weights.pth", "model.py"])
                exported = await (await job.refresh()).export_curves("mlflow_json", tmp_path / f"out{number}")
                assert_whole(events, job.id, exported, files)

    asyncio.run(asyncio.wait_for(main(), 120))


def test_a_cancelled_stream_leaves_no_connection(service: ServiceProcess) -> None:
    def connections() -> int:
        own = psutil.Process(os.getpid()).net_connections("tcp4")
        return sum(each.status == "ESTABLISHED" and each.raddr[1:] == (service.port,) for each in own)

    async def main() -> None:
        async with AsyncClient(service.url, key_of(service), attempts=ATTEMPTS) as client:
            job = await client.jobs.create(digits_spec(epochs=100_000))
            started = asyncio.Event()

            async def watch() -> None:
                async for _ in job.stream():
                    started.set()

            watching = asyncio.create_task(watch())
            await started.wait()
            during = connections()
            watching.cancel()
            await asyncio.wait([watching])
            assert watching.cancelled()
            wait_until(lambda: connections() < during, "the stream's connection to close", 5)
            assert (await job.cancel()).ended or job.status == "running"

    asyncio.run(asyncio.wait_for(main(), 120))
