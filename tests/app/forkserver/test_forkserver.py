"""A server that forks: what its children see, how their end is told, and who dies with whom."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.forkserver.client import ForkServer, open_pipe
from app.forkserver.process import ForkedProcess

MODULE = "tests.app.forkserver.mains"


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    opened = ForkServer(MODULE)
    yield opened
    opened.stop()


def start(server: ForkServer, name: str, *args: Any) -> tuple[ForkedProcess, Connection]:
    ours, theirs = open_pipe()
    process = server.start(name, theirs, *args)
    theirs.close()
    return process, ours


def tell(server: ForkServer, *args: Any) -> dict[str, Any]:
    process, pipe = start(server, "tell", *args)
    seen: dict[str, Any] = json.loads(pipe.recv_bytes())
    assert process.join(10)
    return seen


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def server_of(process: ForkedProcess) -> psutil.Process:
    parent = psutil.Process(process.pid).parent()
    assert parent is not None
    return parent


def test_a_child_has_its_arguments_its_name_its_folder_and_nothing_of_others(server: ForkServer) -> None:
    others = [start(server, "wait") for _ in range(3)]
    for _, pipe in others:
        assert pipe.recv_bytes() == b"runs"
    seen = tell(server, "a", 1, None)
    assert seen["args"] == ["a", 1, None]
    assert (seen["name"], seen["folder"], seen["interrupts"]) == ("tell", tempfile.gettempdir(), True)
    alone = tell(ForkServer(MODULE, shared=server.shared or address_of(server)))
    assert seen["sockets"] == alone["sockets"]
    for process, pipe in others:
        assert process.is_alive()
        pipe.close()
        assert process.join(10)
        assert process.exitcode == 0


def address_of(server: ForkServer) -> Path:
    return server._address()


@pytest.mark.parametrize(("main", "args", "code"), [("leave", [7], 7), ("fail", [], 1), ("tell", [], 0)])
def test_the_exit_code_is_told(server: ForkServer, main: str, args: list[int], code: int) -> None:
    process, _ = start(server, main, *args)
    assert process.join(10)
    assert process.exitcode == code
    process.kill()  # it has ended: nobody else gets the signal
    process.close()


def test_a_killed_child_and_one_that_leaves_a_process_behind(server: ForkServer) -> None:
    process, pipe = start(server, "wait")
    assert pipe.recv_bytes() == b"runs"
    assert not process.join(0.05)
    process.kill()
    assert process.join(10)
    assert process.exitcode == -signal.SIGKILL
    with pytest.raises(EOFError):
        pipe.recv_bytes()
    process, _ = start(server, "spawn")
    assert process.join(4)
    assert process.exitcode == 0


def test_many_threads_start_and_join(server: ForkServer) -> None:
    codes: list[int | None] = []

    def run(code: int) -> None:
        process, _ = start(server, "leave", code)
        waiters = [threading.Thread(target=process.join, args=(10,)) for _ in range(2)]
        for waiter in waiters:
            waiter.start()
        for waiter in waiters:
            waiter.join()
        codes.append(process.exitcode)

    threads = [threading.Thread(target=run, args=(code,)) for code in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(code for code in codes if code is not None) == list(range(20))


def test_a_client_that_says_nothing_keeps_nobody_waiting_for_long(server: ForkServer) -> None:
    tell(server)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(address_of(server)))
        began = time.monotonic()
        tell(server)
        assert time.monotonic() - began < 30


def test_a_server_that_dies_is_replaced_and_its_children_go_on() -> None:
    server = ForkServer(MODULE)
    process, pipe = start(server, "wait")
    assert pipe.recv_bytes() == b"runs"
    first = server_of(process)
    first.kill()
    assert tell(server)["args"] == []
    assert process.is_alive()
    pipe.close()
    assert process.join(10)
    assert process.exitcode is None  # nobody is left who knows it
    server.stop()
    folder = address_of(server).parent
    server.stop()
    assert not folder.exists()


def test_a_shared_server_serves_all_comes_back_and_ends_with_its_parent(tmp_path: Path) -> None:
    address = tmp_path / "socket"
    command = [sys.executable, "-m", "app.forkserver", str(address), MODULE]
    script = "import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script, *command], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        served = psutil.Process(int(parent.stdout.readline()))
        clients = [ForkServer(MODULE, shared=address) for _ in range(2)]
        children = [start(client, "wait") for client in clients]
        assert {server_of(process).pid for process, _ in children} == {served.pid}
        parent.kill()
    wait_until(lambda: not served.is_running() or served.status() == psutil.STATUS_ZOMBIE)
    again = subprocess.Popen(command)
    assert tell(clients[0])["args"] == []
    again.terminate()
    assert again.wait(10) == -signal.SIGTERM
    for process, pipe in children:
        pipe.close()
        wait_until(lambda pid=process.pid: not psutil.pid_exists(pid))
    assert os.getpid() not in {process.pid for process, _ in children}
