"""TensorBoard on points of the same curve, from an environment of its own."""

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

START_SECONDS = 180.0
WRITE_PROGRAM = """
import json, sys
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
writer = EventFileWriter(sys.argv[1])
for step, value in enumerate(json.load(sys.stdin), 1):
    summary = Summary(value=[Summary.Value(tag="loss", simple_value=value)])
    writer.add_event(Event(wall_time=1.7e9 + step, step=step, summary=summary))
writer.close()
"""


@contextmanager
def run_tensorboard(python: Path, values: Sequence[float]) -> Iterator[str]:
    """Serve a curve of these values; yields the address once the server has read all of it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="tensorboard-bench-") as folder:
        run = Path(folder) / "logs" / "run"
        subprocess.run([str(python), "-c", WRITE_PROGRAM, str(run)], input=json.dumps(values), text=True, check=True)
        command = [str(python), "-m", "tensorboard.main", "--logdir", str(run.parent), "--port", str(port)]
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen([*command, "--host", "127.0.0.1"], stdout=log, stderr=log, env=dict(os.environ))
            try:
                address = f"http://127.0.0.1:{port}"
                _wait_until_read(address, process, len(values), Path(log.name))
                yield address
            finally:
                process.terminate()
                process.wait(30)


def _wait_until_read(address: str, process: subprocess.Popen[bytes], last_step: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = httpx.get(f"{address}/data/plugin/scalars/scalars", params={"run": "run", "tag": "loss"})
            if answer.is_success and answer.json()[-1][1] == last_step:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    raise SystemExit(f"TensorBoard did not start:\n{log.read_text()}")


def tensorboard_version(python: Path) -> str:
    """Return TensorBoard's version."""
    program = "from importlib.metadata import version; print(version('tensorboard'))"
    return subprocess.run([str(python), "-c", program], capture_output=True, text=True, check=True).stdout.strip()
