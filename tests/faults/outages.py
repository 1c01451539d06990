"""Outages far longer than a lease; the long campaign has one of each."""

import signal
import threading
import time
from contextlib import suppress

import psutil

from app.jobs.states import TERMINAL_STATUSES
from tests.acceptance.service import ServiceProcess
from tests.faults.campaign import Round
from tests.faults.plan import Fault

DATABASE_OUTAGE_SECONDS = 600.0  # seconds
BROKER_OUTAGE_SECONDS = 3600.0
JOB_COUNT = 60  # that come while the broker is away


def database_outage(here: Round) -> None:
    """PostgreSQL is away for ten minutes: a job trains all the while, another one ends, and none is trained anew."""
    assert here.deployment.postgres is not None
    # Two delays for every step that both jobs make, so that the shorter one ends before, the longer one after it.
    here.plan(*[Fault("mid_step", "delay", 20 + hit // 2, DATABASE_OUTAGE_SECONDS / 240) for hit in range(560)])
    jobs = [here.submit("dropout"), here.submit("statistics")]
    for job_id in jobs:
        here.wait_for_points(job_id)
    claims = [here.read(job_id).fence for job_id in jobs]
    here.deployment.postgres.interrupt("fast")
    stopped = time.monotonic()
    answers = []
    try:
        while time.monotonic() - stopped < DATABASE_OUTAGE_SECONDS:
            asked = time.monotonic()
            with here.deployment.client() as http:
                assert http.get(f"/v1/jobs/{jobs[0]}").status_code == 503
            answers.append(time.monotonic() - asked)
            time.sleep(2)
    finally:
        here.deployment.postgres.resume()
    here.figures["away_seconds"] = round(time.monotonic() - stopped, 2)
    here.figures["answer_seconds"] = round(max(answers), 2)
    for job_id in jobs:
        here.wait_until(lambda record: record.status in TERMINAL_STATUSES, job_id, "the end", DATABASE_OUTAGE_SECONDS)
    assert [here.read(job_id).fence for job_id in jobs] == claims, "a job was interrupted"
    assert here.figures["answer_seconds"] <= 2, "the API took too long to say that its database is away"


def broker_outage(here: Round) -> None:
    """The broker is away for an hour: jobs are accepted and trained as if it were there, if a little later."""
    accepted, started = [], []
    back = threading.Event()
    killer = threading.Thread(target=_kill_brokers, args=(here.deployment.up, back))
    killer.start()
    stopped = time.monotonic()
    try:
        while time.monotonic() - stopped < BROKER_OUTAGE_SECONDS:
            asked = time.monotonic()
            job_id = here.submit()
            accepted.append(time.monotonic() - asked)
            here.wait_until(lambda record: record.fence, job_id, "a start")
            started.append(time.monotonic() - asked)
            here.wait_until(lambda record: record.status in TERMINAL_STATUSES, job_id, "the end")
            time.sleep(BROKER_OUTAGE_SECONDS / JOB_COUNT)
    finally:
        back.set()
        killer.join()
    away = time.monotonic() - stopped
    here.figures |= {
        "away_seconds": round(away, 2),
        "accepted_after": round(max(accepted), 2),
        "start_seconds": round(max(started), 2),
    }
    here.wait_until(lambda record: record.status in TERMINAL_STATUSES, here.submit(), "the end of a job after it")


def _kill_brokers(service: ServiceProcess, back: threading.Event) -> None:
    """Kill every broker that `graftwerk up` starts, before it can be of use to anybody."""
    while not back.wait(0.1):
        for broker in service.brokers():
            with suppress(psutil.NoSuchProcess):
                broker.send_signal(signal.SIGKILL)
