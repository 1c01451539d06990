"""Processes that decode images end with the attempt that they belong to, however it ends."""

import json
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.spec.job import named_dataset_schema, parse_job
from workers.protocol.assignment import Assignment
from workers.protocol.messages import Outcome, ProgressReport, receive
from workers.runner import forkserver

SPEC: dict[str, Any] = {
    "model": {"layers": [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}]},
    "data": {
        "kind": "builtin",
        "name": "digits",
        "loading": "streamed",
        "transforms": [{"kind": "RandomHorizontalFlip"}],
    },
    "objective": {"loss": {"kind": "CrossEntropyLoss"}},
    "training": {"steps": 10**9, "device": "cpu", "checkpoint": {"every_seconds": None}},
}
RunningAttempt = tuple[Any, Any, list[psutil.Process]]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningAttempt]:
    """An attempt that trains: its process, our end of its pipe, and the processes that it has forked."""
    schema = named_dataset_schema(parse_job(SPEC))
    assert schema is not None
    assignment = Assignment(
        "job_1",
        1,
        json.loads(json.dumps(SPEC)),
        schema.model_dump(mode="json"),
        str(tmp_path),
        str(tmp_path),
        False,
        loaders=2,
    )
    started = forkserver.start(assignment)
    process, pipe = started.reporter, started.pipe
    while not (isinstance(message := receive(pipe), ProgressReport) and message.series):
        assert not isinstance(message, Outcome), message
    children = psutil.Process(process.pid).children()
    assert len(children) == 2
    yield process, pipe, children
    pipe.close()
    if process.is_alive():
        process.kill()
    process.join()


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def all_exited(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


def test_they_are_killed_with_the_attempt(running: RunningAttempt) -> None:
    process, pipe, children = running
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: all_exited(children))
    wait_until(lambda: pipe.poll(0))
    messages = iter(lambda: receive(pipe), None)
    with pytest.raises((EOFError, OSError)):  # nobody else holds the pipe, so that the supervisor notices
        deque(messages, maxlen=0)


def test_they_end_when_the_supervisor_is_gone(running: RunningAttempt) -> None:
    process, pipe, children = running
    pipe.close()
    wait_until(lambda: not process.is_alive())
    wait_until(lambda: all_exited(children))


def test_they_belong_to_the_process_group_that_a_supervisor_kills(running: RunningAttempt) -> None:
    process, _, children = running
    assert {os.getpgid(each.pid) for each in children} == {process.pid}
    os.killpg(process.pid, signal.SIGKILL)
    wait_until(lambda: all_exited(children))
    assert os.getpgid(0) != process.pid


def test_the_loss_of_one_costs_the_attempt_and_not_the_job(running: RunningAttempt) -> None:
    _, pipe, children = running
    children[0].kill()
    while not isinstance(message := receive(pipe), Outcome):
        pass
    assert message.error is not None
    assert (message.error["code"], message.error["retryable"]) == ("loader_died", True)
    assert "decodes images" in message.error["message"]
    wait_until(lambda: all_exited(children))
