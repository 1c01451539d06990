"""`graftwerk up` as a process, with toys in the place of the API, the worker and the migrations."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from graftwerk.supervise.supervisor import Supervisor
from tests.graftwerk.supervise.processes import has_ended

TOYS = {
    "app/__init__.py": "",
    "app/db/__init__.py": "",
    "app/db/migrate.py": "import sys; print('at the newest revision'); sys.exit(FAIL_MIGRATION)",
    "app/access/first_key.py": "print('gw_toy')",
    "app/forkserver.py": "import time; print('forks', flush=True); time.sleep(600)",
    "app/api.py": """
import http.server, os, sys
links = []
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path != "/v1/jobs?limit=1" or self.headers["Authorization"] == "Bearer gw_toy"
        self.send_response(200 if known else 401)
        self.end_headers()
    def do_POST(self):
        body = b'{"url": "http://toy/sign-in#link=gwl_%d"}' % len(links)
        links.append(self.path)
        self.send_response(201)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        print("asked for", self.path, flush=True)
if FAIL_API:
    sys.exit("no such setting")
http.server.HTTPServer(("127.0.0.1", int(os.environ["GRAFTWERK_PORT"])), Answer).serve_forever()
""",
    "workers/__init__.py": "",
    "workers/__main__.py": """
import os, signal, time
def end(number, frame):
    print("draining", flush=True)
    raise SystemExit
signal.signal(signal.SIGTERM, end)
print("slots", os.environ.get("GRAFTWERK_SLOTS"), "broker", os.environ["GRAFTWERK_BROKER_URL"], flush=True)
while True:
    time.sleep(0.01)
""",
}


@dataclass
class Up:
    """A running `graftwerk up`."""

    home: Path
    log: Path
    process: subprocess.Popen[bytes]

    def until(self, condition: Callable[[], bool]) -> None:
        assert Supervisor(print).wait_until(condition, 20), self.log.read_text()

    def said(self, words: str, times: int = 1) -> Callable[[], bool]:
        return lambda: self.log.read_text().count(words) >= times

    def ready(self) -> "Up":
        self.until((self.home / "address").exists)
        return self

    def children(self, *words: str) -> list[psutil.Process]:
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in found if all(word in child.cmdline() for word in words)]

    def end(self, way: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(way)
        return self.process.wait(20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def up(*options: str, home: str = "home", fail_migration: int = 0, fail_api: bool = False) -> Up:
        toys = tmp_path / "toys"
        for name, text in TOYS.items():
            path = toys / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("FAIL_MIGRATION", str(fail_migration)).replace("FAIL_API", str(fail_api)))
        (tmp_path / "tmp").mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(toys), "TMPDIR": str(tmp_path / "tmp"), "COLUMNS": "400"}
        for name in ("GRAFTWERK_BROKER_URL", "GRAFTWERK_DATABASE_URL"):
            environment.pop(name, None)
        command = [sys.executable, "-P", "-m", "graftwerk", "up", "--home", str(tmp_path / home), *options]
        log = tmp_path / f"{len(started)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=tmp_path)
        started.append(Up(tmp_path / home, log, process))
        return started[-1]

    yield up
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_it_prints_links_that_sign_in(start: Callable[..., Up]) -> None:
    up = start("--port", "0").ready()
    up.until(up.said("within ten minutes: http://toy/sign-in#link=gwl_0"))
    up.process.send_signal(signal.SIGUSR1)
    up.until(up.said("within ten minutes: http://toy/sign-in#link=gwl_1"))
    assert up.end() == 0


def test_a_log_for_programs_has_no_links(start: Callable[..., Up], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFTWERK_LOG_JSON", "true")
    up = start("--port", "0").ready()
    up.until(up.said("ready at"))
    assert up.end() == 0
    assert "link" not in up.log.read_text()


def test_it_starts_everything_and_stops_in_order(start: Callable[..., Up], tmp_path: Path) -> None:
    up = start("--port", "0", "--slots", "3").ready()
    assert (up.home / "key").read_text() == "gw_toy\n"
    assert stat.S_IMODE((up.home / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(up.home.stat().st_mode) == 0o700
    assert httpx.get((up.home / "address").read_text().strip() + "/readyz").is_success
    up.until(up.said("worker  | slots 3 broker redis+socket://"))
    assert up.end() == 0
    log = up.log.read_text()
    assert log.index("ready at http://127.0.0.1:") < log.index("stopping") < log.index("worker  | draining")
    assert not (up.home / "address").exists()
    assert (up.home / "key").exists()
    assert list((tmp_path / "tmp").iterdir()) == [], "the broker's folder"


def test_as_json_every_line_is(start: Callable[..., Up], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFTWERK_LOG_JSON", "true")
    up = start("--port", "0").ready()
    up.until(up.said("slots"))
    assert up.end() == 0
    lines = [json.loads(line) for line in up.log.read_text().splitlines()]
    assert {line["process"] for line in lines} >= {"up", "api", "worker", "migrate"}
    assert any(line["process"] == "up" and line["detail"].startswith("ready at") for line in lines)


def test_a_second_one_in_the_same_home_or_on_the_same_port_says_so(start: Callable[..., Up]) -> None:
    first = start("--port", "0").ready()
    port = (first.home / "address").read_text().strip().rpartition(":")[2]
    same_home, same_port = start("--port", "0"), start("--port", port, home="other")
    assert (same_home.process.wait(20), same_port.process.wait(20)) == (3, 3)
    assert "another `graftwerk up` (process" in same_home.log.read_text()
    assert f"port {port} on 127.0.0.1 is taken" in same_port.log.read_text()
    assert not (same_port.home / "key").exists()
    assert first.end(signal.SIGTERM) == 0


def test_what_dies_comes_back(start: Callable[..., Up]) -> None:
    up = start("--port", "0").ready()
    for name, words in {"worker": ("-m", "workers"), "api": ("-m", "app.api")}.items():
        (child,) = up.children(*words)
        child.kill()
        up.until(up.said(f"{name} ended (killed by SIGKILL)"))
        up.until(lambda words=words, old=child.pid: [each.pid for each in up.children(*words)] not in ([], [old]))
    assert up.end() == 0


def test_a_key_that_the_service_no_longer_knows_is_replaced(start: Callable[..., Up]) -> None:
    up = start("--port", "0").ready()
    up.end()
    (up.home / "key").write_text("gw_of_another_database\n")
    again = start("--port", "0").ready()
    assert (again.home / "key").read_text() == "gw_toy\n"
    assert again.end() == 0


def test_nothing_is_left_when_it_is_killed(start: Callable[..., Up]) -> None:
    up = start("--port", "0").ready()
    up.until(up.said("worker  | slots"))
    children = up.children()
    assert len(children) == 4
    up.end(signal.SIGKILL)
    assert Supervisor(print).wait_until(lambda: all(has_ended(child) for child in children), 10), children


@pytest.mark.parametrize(
    ("failure", "words"),
    [({"fail_migration": 2}, "the database could not be prepared"), ({"fail_api": True}, "no such setting")],
)
def test_what_cannot_start_says_why(start: Callable[..., Up], failure: dict[str, int], words: str) -> None:
    up = start("--port", "0", "--no-worker", **failure)
    assert up.process.wait(20) == 3
    log = up.log.read_text()
    assert words in log.partition("error: ")[2]
    assert "Traceback" not in log
