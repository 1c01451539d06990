import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from graftwerk.supervise.process import Process, Program
from graftwerk.supervise.supervisor import Supervisor
from tests.graftwerk.supervise.processes import has_ended

POLITE = """
import signal, sys, time
def end(number, frame):
    with open("order", "a") as log:
        log.write(sys.argv[1] + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", sys.argv[1], flush=True)
while True:
    time.sleep(0.01)
"""
STUBBORN = POLITE.replace("    sys.exit(0)\n", "")
SHORT = "print('short', flush=True)"


class Scene:
    """A supervisor and what it and its programs say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.told: list[str] = []
        self.supervisor = Supervisor(self.told.append)

    def add(self, name: str, code: str, grace: float = 5.0) -> Process:
        program = Program(name, [sys.executable, "-c", code, name], grace)
        process = Process(program, os.environ, self.folder, lambda who, line: self.lines.append(f"{who}: {line}"))
        self.supervisor.add(process)
        return process

    def until(self, condition: Callable[[], bool]) -> None:
        assert self.supervisor.wait_until(condition, 10), (self.lines, self.told)

    def up(self, name: str, times: int = 1) -> None:
        self.until(lambda: self.lines.count(f"{name}: up {name}") >= times)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_programs_stop_in_the_reverse_order_of_their_start(scene: Scene) -> None:
    for name in ("broker", "worker", "api"):
        scene.add(name, POLITE)
    for name in ("broker", "worker", "api"):
        scene.up(name)
    assert scene.supervisor.stop()
    assert (scene.folder / "order").read_text().split() == ["api", "worker", "broker"]


def test_what_dies_is_started_again(scene: Scene) -> None:
    process = scene.add("worker", POLITE)
    scene.up("worker")
    process.kill()
    scene.supervisor.restart_due()
    scene.up("worker", times=2)
    assert process.is_running
    assert scene.told == ["worker ended (killed by SIGKILL); starting it again in 0 s"]
    scene.supervisor.stop()


def test_what_keeps_dying_is_started_ever_more_slowly(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    process = scene.add("worker", SHORT)
    for death in range(1, 4):
        scene.until(lambda: not process.is_running)
        scene.supervisor.restart_due()
        if death > 1:
            assert not process.is_running, "it waits"
            later = time.monotonic() + 100
            monkeypatch.setattr("graftwerk.supervise.supervisor.time.monotonic", lambda later=later: later)
            scene.supervisor.restart_due()
            monkeypatch.undo()
            process.started = time.monotonic()
    pauses = [line.rpartition(" in ")[2] for line in scene.told]
    assert pauses == ["0 s", "0.8 s", "1.6 s"]
    scene.supervisor.stop()


def test_what_has_died_for_days_is_still_started_again(scene: Scene) -> None:
    process = scene.add("worker", SHORT)
    scene.until(lambda: not process.is_running)
    scene.supervisor._restarts["worker"].deaths = 5000
    scene.supervisor.restart_due()
    assert scene.told == ["worker ended (exit status 0); starting it again in 15 s"]
    scene.supervisor.stop()


def test_a_program_that_will_not_end_is_killed(scene: Scene) -> None:
    process = scene.add("api", STUBBORN, grace=0.2)
    scene.up("api")
    assert not scene.supervisor.stop()
    assert not process.is_running
    assert scene.told == ["api did not end in time and is killed"]


def test_a_second_signal_cuts_every_grace_short(scene: Scene) -> None:
    processes = [scene.add(name, STUBBORN, grace=60) for name in ("worker", "api")]
    for name in ("worker", "api"):
        scene.up(name)
    with scene.supervisor.handle_signals():
        os.kill(os.getpid(), signal.SIGINT)
        scene.supervisor.run()
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        assert not scene.supervisor.stop()
    assert not any(process.is_running for process in processes)


def test_grandchildren_go_too(scene: Scene) -> None:
    parent = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    process = scene.add("worker", parent)
    scene.until(lambda: bool(scene.lines))
    grandchild = psutil.Process(int(scene.lines[0].split()[1]))
    process.kill()
    scene.until(lambda: has_ended(grandchild))


def test_waiting_ends_when_the_program_does(scene: Scene) -> None:
    process = scene.add("api", "import sys; print('no port'); sys.exit(4)")
    assert not scene.supervisor.wait_until(lambda: False, 10, needed=process)
    assert process.exit_status == 4
    process.kill()
    assert list(process.lines) == ["no port"]


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_children_die_with_their_parent(tmp_path: Path, way: signal.Signals) -> None:
    code = (
        "import os, sys, time, pathlib\n"
        "from graftwerk.supervise.process import Process, Program\n"
        "program = Program('child', [sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "Process(program, os.environ, pathlib.Path('.'), print).start()\n"
        "print('up', flush=True)\n"
        "time.sleep(600)"
    )
    with psutil.Popen([sys.executable, "-c", code], stdout=-1, text=True) as parent:
        assert parent.stdout.readline() == "up\n"
        (child,) = parent.children()
        os.kill(parent.pid, way)
        parent.wait()
    assert Supervisor(print).wait_until(lambda: has_ended(child), 5)
