"""This machine: Python, extras, the home directory, its disk."""

import os
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from graftwerk.checks.result import CheckResult
from graftwerk.supervise.service import missing_extras

MIN_FREE_BYTES = 2 << 30  # room for checkpoints


def check_machine(home: Path) -> Iterator[CheckResult]:
    """Check what is installed, the temporary folder, the home directory and its disk."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield CheckResult("Python", "ok", f"{python} at {sys.executable}")
    missing = missing_extras()
    if missing:
        hint = f"to serve on this machine: pip install 'graftwerk[{','.join(missing)}]'"
        yield CheckResult("extras", "warn", f"not installed: {', '.join(missing)}; the client works without them", hint)
    else:
        yield CheckResult("extras", "ok", "everything that `graftwerk up` needs")
    try:
        yield CheckResult("torch", "ok", version("torch"))
    except PackageNotFoundError:
        yield CheckResult("torch", "warn", "not installed", "needed only on machines that train")
    yield _check_temporary_folder()
    yield from _check_home(home)


def _check_temporary_folder() -> CheckResult:
    """Listen on a Unix socket in a temporary folder, as Python's forkserver does: its path may be too long."""
    base = tempfile.gettempdir()
    try:
        with tempfile.TemporaryDirectory(prefix="pymp-") as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/listener-12345678")
    except OSError as error:
        detail = f"a socket cannot be created in {base}: {error.strerror or error}"
        return CheckResult("temporary folder", "fail", detail, "set TMPDIR to a shorter, writable folder, such as /tmp")
    return CheckResult("temporary folder", "ok", base)


def _check_home(home: Path) -> Iterator[CheckResult]:
    if not home.exists():
        yield CheckResult("home", "ok", f"{home} does not exist yet; `graftwerk up` creates it")
    elif stat.S_IMODE(home.stat().st_mode) & 0o077:
        yield CheckResult("home", "fail", f"other users can read {home}", f"chmod 700 {home}")
    elif not os.access(home, os.W_OK):
        yield CheckResult("home", "fail", f"{home} is not writable", "change its owner, or set GRAFTWERK_HOME")
    else:
        yield CheckResult("home", "ok", str(home))
    key = home / "key"
    if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield CheckResult("key file", "fail", f"other users can read {key}", f"chmod 600 {key}")
    present = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(present).free
    state: Literal["ok", "warn"] = "ok" if free > MIN_FREE_BYTES else "warn"
    hint = "" if state == "ok" else "delete old jobs, or choose another disk with GRAFTWERK_HOME"
    yield CheckResult("disk", state, f"{free / 2**30:.1f} GiB free at {present}", hint)
