"""``make demo``: start a service, train two networks through the public API, and use their weights without it."""

import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from graftwerk import Client, GraftwerkClientError, Job
from graftwerk.cli.progress import watch_progress

EXAMPLES_FOLDER = Path(__file__).resolve().parent
DIGITS_FILE = EXAMPLES_FOLDER.parent / "workers" / "data" / "samples" / "digits.npz"
FOLDER = EXAMPLES_FOLDER.parent / ".graftwerk" / "demo"
EXAMPLES = ("digits-mlp", "digits-cnn")
WEIGHT_FILES = ("weights.safetensors", "weights.pth", "model.py")
START_SECONDS = 180.0
STOP_SECONDS = 60.0
TOLERANCE = 1e-4  # relative, of the recomputed loss, whose sum has another order

console = Console(highlight=False, soft_wrap=True)


class DemoFailed(Exception):
    """A step of the demo failed."""


@contextmanager
def run_service(folder: Path) -> Iterator[Client]:
    """Run `graftwerk up` on a free port; its output goes to a log. Raises `DemoFailed`."""
    home, log = folder / "home", folder / "service.log"
    folder.mkdir(parents=True, exist_ok=True)
    (home / "address").unlink(missing_ok=True)
    command = [sys.executable, "-m", "graftwerk", "up", "--port", "0", "--home", str(home)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        address = _wait_for_address(home, process)
        console.print(f"serving at [bold]{address}[/bold] (log: {log})")
        with Client(address, (home / "key").read_text().strip()) as client:
            console.print(f"look at it: {client.sign_in_link()}", markup=False)
            yield client
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        status = process.wait(STOP_SECONDS)
    if status != 0:
        raise DemoFailed(f"the service ended with exit status {status}")
    console.print("the service has stopped cleanly")


def _wait_for_address(home: Path, process: subprocess.Popen[bytes]) -> str:
    """Wait until the service has written its address."""
    path = home / "address"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            return path.read_text().strip()
        time.sleep(0.05)
    raise DemoFailed("the service did not start")


def train(client: Client, spec: Path) -> Job:
    """Submit a job and show its progress to the end."""
    job = client.jobs.create(spec)
    console.print(f"\n[bold]{spec.stem}[/bold]  {job.id}")
    watch_progress(job, console)
    if job.status != "succeeded":
        reason = job.error["message"] if job.error else "unknown reason"
        raise DemoFailed(f"the job {job.status}: {reason}")
    return job


def verify_weights(job: Job, spec: Path, folder: Path) -> None:
    """Download the weights and recompute the validation metrics in an interpreter without the service's code."""
    job.download(folder, WEIGHT_FILES)
    reported = job.best_checkpoint().values
    # -I: neither the working directory nor the environment can import the service's code.
    run = subprocess.run(
        [sys.executable, "-I", str(EXAMPLES_FOLDER / "reload.py"), str(spec), str(folder), str(DIGITS_FILE)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    if run.returncode != 0:
        raise DemoFailed(f"the weights cannot be used without the service:\n{run.stderr.strip()}")
    measured = json.loads(run.stdout)
    for name in ("val/accuracy", "val/loss"):
        if not math.isclose(measured[name], reported[name], rel_tol=TOLERANCE):
            raise DemoFailed(
                f"{name}: the service measured {reported[name]}, the downloaded weights give {measured[name]}"
            )
    accuracy, rows = reported["val/accuracy"], measured["rows"]
    console.print(f"accuracy of the best checkpoint {accuracy:.4f} on {rows} validation images")
    console.print(f"{', '.join(WEIGHT_FILES)} in {folder}")
    console.print(
        "[green]reloaded in plain PyTorch: the same outputs from both files, the same accuracy and loss[/green]"
    )


def main() -> int:
    """Run the demo; returns the exit code."""
    try:
        with run_service(FOLDER) as client:
            for name in EXAMPLES:
                spec = EXAMPLES_FOLDER / f"{name}.json"
                verify_weights(train(client, spec), spec, FOLDER / name)
    except (DemoFailed, GraftwerkClientError, subprocess.TimeoutExpired) as error:
        console.print(f"[bold red]the demo failed:[/bold red] {error}")
        log = FOLDER / "service.log"
        if log.exists():
            console.print(f"\nthe last lines of {log}:", markup=False)
            console.print("\n".join(log.read_text(errors="replace").splitlines()[-25:]), markup=False)
        console.print("\nto diagnose: .venv/bin/graftwerk doctor; to start afresh: rm -r .graftwerk/demo")
        return 1
    except KeyboardInterrupt:
        return 130
    console.print("\nkeep serving: make up")
    return 0


if __name__ == "__main__":
    sys.exit(main())
