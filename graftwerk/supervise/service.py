"""A complete service on one machine: broker, migrations, worker, API, first key."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx

from graftwerk.supervise import home as homes
from graftwerk.supervise.broker import EmbeddedBroker, find_binary
from graftwerk.supervise.home import CannotStart
from graftwerk.supervise.port import describe_listener, free_port, is_key_accepted, service_url
from graftwerk.supervise.process import Process, Program
from graftwerk.supervise.sign_in import sign_in_link
from graftwerk.supervise.supervisor import Supervisor

FORK_SERVER_MODULE = "workers.runner.preload"  # what API and worker let it run
MAX_SOCKET_PATH = 100  # bytes; it must fit in 104 on macOS, 108 on Linux
START_SECONDS = 120.0  # importing torch from a cold disk takes its time
EXTRA_MODULES = {
    "server": ("alembic", "celery", "fastapi", "sqlalchemy", "uvicorn"),
    "worker": ("safetensors", "torch", "torchvision"),
}


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """Options of `graftwerk up`."""

    home: Path
    host: str = "127.0.0.1"
    port: int = 8741  # 0: any free one
    slots: int = 0  # 0: the worker's default
    worker: bool = True
    link: bool = True  # whether to print a link that signs in


def missing_extras() -> list[str]:
    """Return the extras of the distribution that are not installed."""
    missing = [extra for extra, modules in EXTRA_MODULES.items() if any(find_spec(name) is None for name in modules)]
    if not os.environ.get("GRAFTWERK_BROKER_URL") and find_binary() is None:
        missing.append("embedded")
    return missing


class Service:
    """The programs of `graftwerk up`.

    `log` is called with the supervisor's messages, `on_line` with a program's name and each line of its output.
    """

    def __init__(self, config: ServiceConfig, log: Callable[[str], None], on_line: Callable[[str, str], None]) -> None:
        self._config = config
        self._log = log
        self._on_line = on_line
        self._supervisor = Supervisor(log)

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises `CannotStart`."""
        missing = missing_extras()
        if missing:
            raise CannotStart(
                f"required packages are missing; install them: pip install 'graftwerk[{','.join(missing)}]'"
            )
        home = self._config.home
        os.umask(0o077)  # what the service writes is for its user alone
        homes.create_home(home)
        with homes.lock_home(home), self._supervisor.handle_signals():
            port = free_port(self._config.host, self._config.port, homes.read_key(home))
            with self._broker() as broker:
                environment = self._environment(port, broker)
                try:
                    if self._start(environment, broker, port):
                        self._print_link(service_url(self._config.host, port))
                        self._supervisor.run(lambda: self._print_link(service_url(self._config.host, port)))
                finally:
                    self._log("stopping: first the API, then the worker, which saves what it trains, then the broker")
                    (home / "address").unlink(missing_ok=True)
                    self._supervisor.stop()
                    self._fork_server.unlink(missing_ok=True)

    @contextmanager
    def _broker(self) -> Iterator[EmbeddedBroker | None]:
        """Yield the embedded broker; `None` if GRAFTWERK_BROKER_URL names another."""
        binary = None if os.environ.get("GRAFTWERK_BROKER_URL") else find_binary()
        if binary is None:
            yield None
            return
        broker = EmbeddedBroker.prepare(binary, self._config.home)
        try:
            yield broker
        finally:
            broker.remove()

    @property
    def _fork_server(self) -> Path:
        """The socket of the server from which children of the API and attempts are forked."""
        return self._config.home / "forks.sock"

    def _environment(self, port: int, broker: EmbeddedBroker | None) -> dict[str, str]:
        config = self._config
        settings = {"HOME": str(config.home), "HOST": config.host, "PORT": str(port)}
        if config.slots:
            settings["SLOTS"] = str(config.slots)
        if broker is not None:
            settings["BROKER_URL"] = broker.url
        if len(os.fsencode(self._fork_server)) <= MAX_SOCKET_PATH:  # else API and worker have one each
            settings["FORK_SERVER"] = str(self._fork_server)
        # A folder named `app` in the working directory must not be imported.
        python = {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
        compiled = {"TORCHINDUCTOR_CACHE_DIR": str(config.home / "compiled")}  # outlives the processes
        return {**compiled, **os.environ, **python, **{f"GRAFTWERK_{name}": value for name, value in settings.items()}}

    def _start(self, environment: Mapping[str, str], broker: EmbeddedBroker | None, port: int) -> bool:
        """Start everything in order; return false if a signal arrives meanwhile."""
        if broker is not None:
            process = self._add(broker.program, environment)
            if not self._supervisor.wait_until(broker.ping, 10.0, needed=process):
                return self._fail_start("the broker did not start", process)
        if "GRAFTWERK_FORK_SERVER" in environment:
            forks = [sys.executable, "-m", "app.forkserver", str(self._fork_server), FORK_SERVER_MODULE]
            self._add(Program("forks", forks), environment)
        self._migrate(environment)
        if self._supervisor.signals:
            return False
        if self._config.worker:
            drain = float(environment.get("GRAFTWERK_DRAIN_SECONDS", "20"))
            self._add(Program("worker", [sys.executable, "-m", "workers"], grace=drain + 10), environment)
        api = self._add(Program("api", [sys.executable, "-m", "app.api"]), environment)
        url = service_url(self._config.host, port)
        with httpx.Client(timeout=5.0) as http:  # one for all attempts: to make one takes longer than to ask
            if not self._supervisor.wait_until(lambda: _is_ready(http, url), START_SECONDS, needed=api):
                return self._fail_start("the API did not become ready", api)
        self._ensure_key(url, environment)
        homes.write_private(self._config.home / "address", url)
        self._log(f"ready at {url}, key in {self._config.home / 'key'}; Ctrl-C stops")
        return True

    def _add(self, program: Program, environment: Mapping[str, str]) -> Process:
        process = Process(program, environment, self._config.home, self._on_line)
        self._supervisor.add(process)
        return process

    def _fail_start(self, what: str, process: Process) -> bool:
        if self._supervisor.signals:
            return False
        last = "\n".join(f"  {line}" for line in list(process.lines)[-10:])
        raise CannotStart(f"{what}; the last lines of its output:\n{last}")

    def _migrate(self, environment: Mapping[str, str]) -> None:
        done = self._run_module(["app.db.migrate", "upgrade"], environment)
        for line in (done.stdout + done.stderr).splitlines():
            self._on_line("migrate", line)
        if done.returncode != 0 and not self._supervisor.signals:
            raise CannotStart("the database could not be prepared; see the lines above")

    def _ensure_key(self, url: str, environment: Mapping[str, str]) -> None:
        """Create a key if the home directory has none that this service accepts.

        Raises `CannotStart` if another service answers, which is so fast only when two are started at once.
        """
        held = homes.read_key(self._config.home)
        if held and is_key_accepted(url, held):
            return
        done = self._run_module(["app.access.first_key"], environment)
        if done.returncode != 0:
            raise CannotStart(f"no key could be created:\n{done.stderr.strip()}")
        key = done.stdout.strip()
        if not is_key_accepted(url, key):
            raise CannotStart(f"{url} is not this service: {describe_listener(url)}. Choose another port with --port")
        homes.write_private(self._config.home / "key", key)

    def _print_link(self, url: str) -> None:
        """Print a link that signs in, as SIGUSR1 asks for too."""
        link = sign_in_link(url, homes.read_key(self._config.home)) if self._config.link else None
        if link is not None:
            self._log(f"sign in, once and within ten minutes: {link}")

    def _run_module(self, module: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *module]
        return subprocess.run(
            command, env=dict(environment), cwd=self._config.home, capture_output=True, text=True, check=False
        )


def _is_ready(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(f"{url}/readyz").is_success
    except httpx.TransportError:
        return False
