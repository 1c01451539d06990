"""The kinds of rounds: what is done to the service, and what is measured meanwhile."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import psutil

from app.jobs.states import TERMINAL_STATUSES
from tests.acceptance.service import wait_until
from tests.faults.campaign import SPECS, Round, RoundKind
from tests.faults.deployment import is_alive
from tests.faults.history import AcknowledgedJob, JobRecord
from tests.faults.outages import broker_outage, database_outage
from tests.faults.plan import Fault
from tests.faults.process_tree import attempts_of

RUNNER_POINTS = (
    "data_opened",
    "network_built",
    "mid_step",
    "mid_step",
    "mid_step",
    "before_report",
    "file_opened",
    "file_half_written",
    "file_synced",
    "file_renamed",
    "final_checkpoint",
)
WORKER_POINTS = (
    "claimed",
    "spawned",
    "lease_renewed",
    "before_chunk",
    "chunk_committed",
    "before_row",
    "row_committed",
    "before_removal",
    "before_outcome",
    "outcome_committed",
)
API_POINTS = ("request_received", "before_commit", "after_commit", "wake_up_sent")
MAX_HITS = {
    "mid_step": 300,
    "before_report": 4,
    "file_opened": 30,
    "file_half_written": 30,
    "file_synced": 30,
    "file_renamed": 30,
    "lease_renewed": 3,
    "before_chunk": 6,
    "chunk_committed": 6,
    "before_row": 8,
    "row_committed": 8,
    "before_removal": 6,
}
OUTAGE_SECONDS = 8.0  # seconds at most that a database is away: more than a lease


def _inject(round_: Round, action: str, points: tuple[str, ...], seconds: float = 0.0) -> Fault:
    point = round_.random.choice(points)
    return Fault(point, action, round_.random.randint(1, MAX_HITS.get(point, 1)), seconds)


def kills(here: Round) -> None:
    """Three to eight `kill -9` at random points, of the attempt, the worker, both, or the API; two jobs at a time."""
    _kill(here, None, None)


def kills_of_experience(here: Round) -> None:
    """The same, of two jobs whose networks act in environments."""
    _kill(here, "replay", "rollouts")


def _kill(here: Round, *names: str | None) -> None:
    strikes = []
    for _ in range(here.random.randint(3, 8)):
        victim = here.random.choices(["kill_runner", "kill_worker", "kill_both", "kill_api"], [60, 1, 1, 1])[0]
        strikes.append(_inject(here, victim, API_POINTS if victim == "kill_api" else RUNNER_POINTS + WORKER_POINTS))
    here.plan(*strikes)
    for name in names:
        here.submit(name)
    here.wait_for_points(here.jobs[0].job_id)
    here.figures["torn"] = here.verify_checkpoints()


def exceptions(here: Round) -> None:
    """What a library, a disk or a network may do: raise, be full, be slow, break the connection."""
    strikes = [
        _inject(here, "raise", RUNNER_POINTS + WORKER_POINTS[1:]),
        _inject(here, "full", ("file_opened", "file_half_written")),
        _inject(here, "drop", ("before_chunk", "before_row", "before_outcome")),
        _inject(here, "delay", RUNNER_POINTS + WORKER_POINTS + API_POINTS, here.random.uniform(0.2, 3)),
    ]
    here.plan(*here.random.sample(strikes, here.random.randint(1, 3)))
    for _ in range(2):
        here.submit()


def zombies(here: Round) -> None:
    """A worker is stopped past its lease, another one trains its job, and then the first goes on."""
    while len(here.deployment.workers()) < 2:
        here.deployment.add_worker()
    job_id = here.submit()
    here.wait_for_points(job_id)
    time.sleep(here.random.uniform(0, 0.5))
    record = here.read(job_id)
    if record.status in TERMINAL_STATUSES or record.worker is None:
        here.figures["zombies"] = 0
        return
    worker = psutil.Process(int(record.worker.rpartition(":")[2]))
    runners = attempts_of(worker)
    stopped = [worker, *(runners if here.random.random() < 0.5 else [])]
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    try:
        with suppress(AssertionError):  # a process stopped inside a transaction keeps SQLite's only lock
            here.wait_until(
                lambda now: now.fence > record.fence or now.status in TERMINAL_STATUSES, job_id, "a second run", 25
            )
        here.figures["zombies"] = int(here.read(job_id).fence > record.fence)
        time.sleep(here.random.uniform(0, 0.5))
    finally:
        for process in stopped:
            process.send_signal(signal.SIGCONT)
    began = time.monotonic()
    wait_until(lambda: not any(is_alive(runner) for runner in runners), "the zombie's end", 20)
    here.figures["zombie_seconds"] = round(time.monotonic() - began, 2)
    if here.figures["zombies"]:
        assert here.figures["zombie_seconds"] <= 5, "the zombie lived too long"


def wipes(here: Round) -> None:
    """The broker forgets everything, or dies, while one job trains and others wait or come."""
    way = here.random.choice(["FLUSHALL", "kill", "restart"])
    first = here.submit()
    if here.random.random() < 0.7:
        here.wait_for_points(first)
    else:
        here.submit()
    if way == "FLUSHALL":
        here.deployment.broker("FLUSHALL")
    else:
        for broker in here.deployment.up.brokers():
            broker.send_signal(signal.SIGKILL if way == "kill" else signal.SIGTERM)
    began = time.monotonic()
    late = here.submit()
    here.figures |= {"way": way, "accepted_after": round(time.monotonic() - began, 2)}
    fence = here.read(first).fence
    here.wait_until(lambda record: record.fence, late, "a start")
    here.figures["start_seconds"] = round(time.monotonic() - began, 2)
    here.wait_for_all()
    if fence and here.read(first).fence > fence:
        raise AssertionError("the running job noticed that the broker was away")


def databases(here: Round) -> None:
    """PostgreSQL stops and comes back: the API says so at once, and a job that trains loses no step."""
    assert here.deployment.postgres is not None
    job_id = here.submit("dropout")
    here.wait_for_points(job_id)
    away = here.random.uniform(0.5, OUTAGE_SECONDS)
    claims = here.read(job_id).fence
    here.deployment.postgres.interrupt(here.random.choice(["fast", "immediate"]))
    stopped = time.monotonic()
    try:
        with here.deployment.client() as http:
            answer = http.post("/v1/jobs", json=SPECS["dropout"], headers={"Idempotency-Key": f"away-{here.number}"})
        here.figures["answer_seconds"] = round(time.monotonic() - stopped, 2)
        assert answer.status_code == 503, answer.text
        assert "Retry-After" in answer.headers
        time.sleep(max(0.0, away - (time.monotonic() - stopped)))
    finally:
        here.deployment.postgres.resume()
    here.figures["away_seconds"] = round(time.monotonic() - stopped, 2)
    assert here.figures["answer_seconds"] <= 2, "the API took too long to say that its database is away"
    here.wait_for_all()
    assert here.read(job_id).fence == claims, "the job was interrupted"


def cancels(here: Round) -> None:
    """Cancelling in any phase, with a delay somewhere: all is dead within five seconds."""
    points = (*RUNNER_POINTS, "claimed", "spawned", "before_row", "chunk_committed", "cancel_seen", "before_outcome")
    here.plan(_inject(here, "delay", points, here.random.uniform(0.1, 1.5)))
    job_id = here.submit(ends=("cancelled", "succeeded"))
    time.sleep(here.random.uniform(0, 2))
    with here.deployment.client() as http:
        answer = http.post(f"/v1/jobs/{job_id}/cancel")
    if answer.status_code == 409:  # it had ended
        return
    assert answer.is_success, answer.text
    told = time.time()
    here.jobs[-1] = replace(here.jobs[-1], cancelled_at=told)
    here.wait_until(lambda record: record.status in TERMINAL_STATUSES, job_id, "the end", 10)
    wait_until(lambda: not here.deployment.attempt_processes(), "the end of every process", 5)
    here.figures["cancel_seconds"] = round(time.time() - told, 2)
    assert here.figures["cancel_seconds"] <= 5, "cancelling took too long"


def wake_ups(here: Round) -> None:
    """Many wake-ups too many, before and after the job."""
    here.plan(Fault("wake_up_sent", "delay", 1, 0.3))
    _send_wake_ups(here, 20)
    here.submit()
    _send_wake_ups(here, 20)
    here.submit()


def _send_wake_ups(here: Round, count: int) -> None:
    from app.jobs.dispatch import WORK_TASK, Waker

    with Waker(here.deployment.environment["GRAFTWERK_BROKER_URL"]) as waker:
        assert WORK_TASK
        for _ in range(count):
            waker.wake("default")


def drains(here: Round) -> None:
    """A worker that is told to stop hands its jobs back at a checkpoint: not a step is lost."""
    here.plan(_inject(here, "drain", ("mid_step", "before_report", "chunk_committed", "before_row", "lease_renewed")))
    for _ in range(2):
        here.submit()
    here.wait_for_all()
    here.figures["lost_steps"] = sum(_repeated_steps(here.read(job.job_id)) for job in here.jobs)
    assert not here.figures["lost_steps"], f"{here.figures['lost_steps']} steps were trained twice"


def _repeated_steps(record: JobRecord) -> int:
    """Return how many steps had been told of and were made again."""
    told, repeated = 0, 0
    for event in record.events:
        if event.kind == "metrics" and event.data.get("progress"):
            told = event.data["progress"]["step"]
        if event.kind == "rewound":
            repeated += max(0, told - event.data["step"])
    return repeated


def duplicates(here: Round) -> None:
    """Many requests at once under one key, and a dead API among them: one job."""
    if here.random.random() < 0.5:
        here.plan(Fault(here.random.choice(("before_commit", "after_commit")), "kill_api"))
    name, key = here.random.choice(sorted(SPECS)), f"{here.campaign.name}-{here.number}"
    gate = threading.Barrier(6)

    def send(_: int) -> str:
        gate.wait()
        return here.deployment.submit(SPECS[name], key)

    with ThreadPoolExecutor(6) as pool:
        for job_id in pool.map(send, range(6)):
            here.jobs.append(AcknowledgedJob(job_id, key, name))


def consumer_hangs(here: Round) -> None:
    """A worker's consumer takes no message any more and says nothing: its jobs are trained all the same."""
    here.plan(Fault("claimed", "deafen"))
    here.submit()
    here.wait_for_all()
    began = time.monotonic()
    late = here.submit()
    here.wait_until(lambda record: record.fence, late, "a start")
    here.figures["start_seconds"] = round(time.monotonic() - began, 2)
    here.wait_for_all()
    for worker in here.deployment.workers():  # the next round has one that hears
        os.kill(worker.pid, signal.SIGKILL)


ROUND_KINDS: dict[str, RoundKind] = {
    "kills": kills,
    "experience": kills_of_experience,
    "exceptions": exceptions,
    "zombies": zombies,
    "wipes": wipes,
    "databases": databases,
    "cancels": cancels,
    "wake_ups": wake_ups,
    "drains": drains,
    "duplicates": duplicates,
    "deaf": consumer_hangs,
    "database_away": database_outage,
    "broker_away": broker_outage,
}
