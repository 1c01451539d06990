"""What clients without manners do to everybody else: ``python benchmarks/unfriendly_clients.py``.

An API process of its own (SQLite, no worker). For each kind of client, another process misbehaves from the address
127.0.0.2 for some seconds; meanwhile `GET /livez` is asked from 127.0.0.1 on a new connection ten times a second, and
the API's resident memory is read. All traffic is on the loopback interface, bounded in time and bytes.
"""

import argparse
import asyncio
import http.client
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

from machine import write_results

PORT = 8790
SECONDS = 12.0
_TIMEOUT = 20.0
MAX_BYTES = 1 << 29  # of an endless request
UNFRIENDLY, FRIENDLY = ("127.0.0.2", 0), ("127.0.0.1", 0)
START = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
MAX_RATIO = 10.0  # of the slowest answer in ten; a burst of connections has to be accepted before it is refused
MAX_GROWTH = 64.0  # MB

Attack = Callable[[str], Awaitable[None]]


async def _connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", PORT, local_addr=UNFRIENDLY)


async def _flood(first: bytes, piece: bytes) -> None:
    """Send `piece` for as long as the server takes it."""
    _, writer = await _connect()
    writer.write(first)
    for _ in range(MAX_BYTES // len(piece)):
        writer.write(piece)
        await writer.drain()


async def _hold(count: int, start: bytes, piece: bytes = b"", pause: float = 0.5) -> None:
    """Open connections, send `start` on each, and then a `piece` every `pause` seconds."""

    async def one() -> None:
        with suppress(OSError):
            _, writer = await _connect()
            writer.write(start)
            while True:
                await asyncio.sleep(pause)
                writer.write(piece)

    await asyncio.gather(*(one() for _ in range(count)))


async def endless_header(key: str) -> None:
    await _flood(START + b"X-Name: ", b"a" * 65536)


async def endless_headers(key: str) -> None:
    await _flood(START, b"X-Name: value\r\n" * 4096)


async def endless_request_line(key: str) -> None:
    await _flood(b"GET /", b"a" * 65536)


async def half_sent_requests(key: str) -> None:
    await _hold(3000, START)


async def trickled_heads(key: str) -> None:
    await _hold(500, START + b"X-Name: ", b"a")


async def trickled_bodies(key: str) -> None:
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n" % key.encode()
    await _hold(300, head + b"Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n", b" ")


async def slow_readers(key: str) -> None:
    """Ask for the catalog, of half a megabyte, and read none of it."""
    request = b"GET /v1/catalog HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % key.encode()
    await _hold(100, request)


async def pipelined_requests(key: str) -> None:
    await _hold(20, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 20000)


ATTACKS: Mapping[str, Attack] = {
    attack.__name__: attack
    for attack in (
        endless_header,
        endless_headers,
        endless_request_line,
        half_sent_requests,
        trickled_heads,
        trickled_bodies,
        slow_readers,
        pipelined_requests,
    )
}


def _misbehave(name: str, key: str) -> None:
    """Run an attack until its time is over; one that the server refuses begins again."""
    _raise_file_limit()

    async def again() -> None:
        while True:
            with suppress(OSError):
                await ATTACKS[name](key)
            await asyncio.sleep(0.1)

    with suppress(TimeoutError):
        asyncio.run(asyncio.wait_for(again(), SECONDS))


def _raise_file_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def run_api(home: Path) -> Iterator[tuple[int, str]]:
    """Run an API, and yield its process id and a key."""
    _raise_file_limit()
    settings = {"HOME": home, "PORT": PORT, "RATE_LIMIT": "", "BROKER_URL": "redis://127.0.0.1:1/0"}
    environment = os.environ | {f"GRAFTWERK_{name}": str(value) for name, value in settings.items()}
    subprocess.run([sys.executable, "-m", "app.db.migrate", "upgrade"], env=environment, check=True)
    made = subprocess.run(
        [sys.executable, "-m", "app.access.first_key"], env=environment, check=True, capture_output=True, text=True
    )
    with (home / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "app.api"], env=environment, stderr=log)
        try:
            while _ask(timeout=60) is None:
                time.sleep(0.2)
            yield process.pid, made.stdout.split()[-1]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _warm_up(key: str) -> None:
    """Have built what the first request builds."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", "/v1/catalog", headers={"Authorization": f"Bearer {key}"})
    connection.getresponse().read()
    connection.close()


def _ask(timeout: float = _TIMEOUT) -> float | None:
    """Return how long `GET /livez` takes on a new connection, in seconds, or None if there is no good answer."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=timeout, source_address=FRIENDLY)
    try:
        connection.request("GET", "/livez")
        return time.perf_counter() - began if connection.getresponse().read() else None
    except OSError:
        return None
    finally:
        connection.close()


def _memory(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def _connections() -> int:
    """Return how many established connections the API has from the unfriendly address."""
    ends = [line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    here = f"0100007F:{PORT:04X}"
    return sum(local == here and remote.startswith("0200007F") and state == "01" for local, remote, state in ends)


def observe(pid: int, seconds: float) -> dict[str, Any]:
    """Ask ten times a second, and return latencies in ms, failures, the growth of memory in MB, and connections."""
    before, highest, held, asked = _memory(pid), 0.0, 0, []
    with ThreadPoolExecutor(64) as askers:  # a slow answer delays no other question
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            asked.append(askers.submit(_ask))
            highest = max(highest, _memory(pid))
            held = max(held, _connections())
            time.sleep(0.1)
        found = [each.result() for each in asked]
    times = sorted(_TIMEOUT if taken is None else taken for taken in found)
    return {
        "median_ms": round(1000 * median(times), 1),
        "p90_ms": round(1000 * times[int(0.9 * (len(times) - 1))], 1),
        "max_ms": round(1000 * times[-1], 1),
        "failures": found.count(None),
        "growth_mb": round(highest - before, 1),
        "connections": held,
    }


def measure(name: str, pid: int, key: str) -> dict[str, Any]:
    """Return what friendly clients see while an attack runs."""
    attacker = multiprocessing.get_context("spawn").Process(target=_misbehave, args=(name, key))
    attacker.start()
    time.sleep(1)  # it imports
    try:
        return observe(pid, SECONDS - 1)
    finally:
        attacker.kill()
        attacker.join()
        time.sleep(1)


def main() -> None:
    """Run every attack, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("attacks", nargs="*", choices=[*ATTACKS, []], help="default: all")
    names = parser.parse_args().attacks or list(ATTACKS)
    with tempfile.TemporaryDirectory(prefix="graftwerk-bench-") as home, run_api(Path(home)) as (pid, key):
        _warm_up(key)
        idle = observe(pid, 4)
        sys.stdout.write(f"idle {idle}\n")
        figures = {}
        for name in names:
            figures[name] = measure(name, pid, key)
            sys.stdout.write(f"{name} {figures[name]}\n")
            sys.stdout.flush()
    write_results("unfriendly_clients", {"idle": idle, "attacks": figures}, _claims(idle, figures))


def _claims(idle: Mapping[str, Any], figures: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    ratio = round(max(found["p90_ms"] for found in figures.values()) / idle["p90_ms"], 1)
    growth = max(found["growth_mb"] for found in figures.values())
    failures = sum(found["failures"] for found in figures.values())
    claims = (
        ("/livez beside unfriendly clients, 90th percentile beside idle", ratio, "", MAX_RATIO),
        ("the API's memory beside unfriendly clients grows by", growth, "MB", MAX_GROWTH),
        ("/livez beside unfriendly clients, no answer", failures, "", 0),
    )
    return [
        {"what": what, "measured": measured, "unit": unit, "bound": bound, "at_most": True}
        for what, measured, unit, bound in claims
    ]


if __name__ == "__main__":
    main()
