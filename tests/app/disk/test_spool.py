"""The spool: what living processes use stays, what dead ones left goes. With real processes that are really killed."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.disk.spool import Spool, remove_abandoned
from app.errors import StorageFull
from tests.disks import tiny_disk

MAKE = """
import sys, time
from pathlib import Path
from app.disk.spool import Spool
with Spool(Path(sys.argv[1]), "worker") as spool, spool.folder("attempt") as folder:
    (folder / "weights").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    time.sleep(600)
"""
HOLD = """
import sys, time
from pathlib import Path
from app.disk.spool import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""
MAKE_MANY = """
import sys
from pathlib import Path
from app.disk.spool import Spool
for _ in range(150):
    with Spool(Path(sys.argv[1]), "api") as spool, spool.folder("upload") as folder:
        (folder / "piece").write_bytes(b"x")
        assert (folder / "piece").read_bytes() == b"x"
"""
LIMITED = """
import resource, sys
from pathlib import Path
from app.errors import StorageFull
from app.disk.spool import Spool
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with Spool(Path(sys.argv[1]), "api") as spool:
    try:
        with spool.folder("upload") as folder:
            (folder / "piece").write_bytes(b"x" * 5000)
    except StorageFull as error:
        print(error.detail)
"""


class Programs:
    """Processes that run a script, until they are killed."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []

    def start(self, script: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._running.append(process)
        return process

    def make(self, root: Path) -> tuple[subprocess.Popen[str], Path]:
        """Start a process that uses a folder in the spool; return both."""
        process = self.start(MAKE, root)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    def hold(self, folder: Path) -> subprocess.Popen[str]:
        process = self.start(HOLD, folder)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    def close(self) -> None:
        for process in self._running:
            kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


@pytest.fixture
def programs() -> Iterator[Programs]:
    opened = Programs()
    yield opened
    opened.close()


def test_what_a_killed_process_left_is_removed_and_nothing_else(programs: Programs, tmp_path: Path) -> None:
    dead, left = programs.make(tmp_path)
    alive, used = programs.make(tmp_path)
    assert remove_abandoned(tmp_path) == []
    assert "worker" in left.parent.name
    kill(dead)
    assert left.is_dir()
    assert remove_abandoned(tmp_path) == [left.parent.name]
    assert {path.name for path in tmp_path.iterdir()} == {used.parent.name, f"{used.parent.name}.lock"}
    assert (used / "weights").stat().st_size == 1000
    assert alive.poll() is None


def test_a_stopped_process_is_not_a_dead_one(programs: Programs, tmp_path: Path) -> None:
    process, used = programs.make(tmp_path)
    process.send_signal(signal.SIGSTOP)
    assert remove_abandoned(tmp_path) == []
    assert used.is_dir()


def test_an_attempt_holds_the_folder_of_its_worker_that_was_killed(programs: Programs, tmp_path: Path) -> None:
    worker, folder = programs.make(tmp_path)
    attempt = programs.hold(folder)
    kill(worker)
    assert remove_abandoned(tmp_path) == []
    kill(attempt)
    assert remove_abandoned(tmp_path) == [folder.parent.name]
    assert list(tmp_path.iterdir()) == []
    assert programs.start(HOLD, folder).wait() != 0  # whoever comes too late has no folder


def test_who_made_a_folder_stands_beside_it(programs: Programs, tmp_path: Path) -> None:
    process, folder = programs.make(tmp_path)
    host, pid, started = folder.parent.with_name(f"{folder.parent.name}.lock").read_text().split()
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    assert (host, int(pid), started) == (os.uname().nodename, process.pid, stat.rpartition(")")[2].split()[19])


def test_folders_are_made_while_others_are_looked_for(programs: Programs, tmp_path: Path) -> None:
    makers = [programs.start(MAKE_MANY, tmp_path) for _ in range(2)]
    while any(maker.poll() is None for maker in makers):
        remove_abandoned(tmp_path)  # a name that is not held yet may go: its maker chooses another
    assert [maker.returncode for maker in makers] == [0, 0]


def test_nothing_stays_of_an_orderly_process(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool", "api") as spool:
        with spool.folder("upload") as folder:
            (folder / "piece").write_bytes(b"x")
            modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "spool").iterdir()}
        assert not folder.exists()
        assert set(modes.values()) == {0o700, 0o600}
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_spool_that_nobody_uses_is_not_made(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool", "api"):
        assert remove_abandoned(tmp_path / "spool") == []
    assert list(tmp_path.iterdir()) == []


def test_room_is_looked_for_beyond_the_reserve(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", 1 << 20) as disk, Spool(disk.folder, "api", reserve=1 << 19) as spool:
        spool.check_room(400_000)
        with pytest.raises(StorageFull, match="no room for 600,000 bytes"):
            spool.check_room(600_000)
        disk.fill()
        with pytest.raises(StorageFull, match="0 are free"):
            spool.check_room(1)


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", 1 << 20) as disk, Spool(disk.folder, "api") as spool:
        with pytest.raises(StorageFull, match="no room for temporary files"), spool.folder("upload") as folder:
            (folder / "piece").write_bytes(bytes(2 << 20))
        assert not folder.exists()
        with spool.folder("upload") as folder:
            (folder / "piece").write_bytes(bytes(1 << 18))


def test_a_limit_of_the_process_is_a_full_disk_too(programs: Programs, tmp_path: Path) -> None:
    output, _ = programs.start(LIMITED, tmp_path).communicate()
    assert output.startswith("no room for temporary files")


def test_other_errors_stay(tmp_path: Path) -> None:
    with Spool(tmp_path, "api") as spool, pytest.raises(FileNotFoundError), spool.folder("upload") as folder:
        (folder / "nothing" / "piece").write_bytes(b"x")


@pytest.mark.parametrize("fits", [True, False])
def test_libraries_use_the_spool_too_if_sockets_fit(
    monkeypatch: pytest.MonkeyPatch, fits: bool, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", "/tmp")
    monkeypatch.setattr(tempfile, "tempdir", None)
    with tempfile.TemporaryDirectory() as short:
        root = Path(short) if fits else tmp_path / ("x" * 80)
        with Spool(root, "api") as spool:
            spool.make_default()
            expected = str(spool.own_folder()) if fits else "/tmp"
            assert (tempfile.gettempdir(), os.environ["TMPDIR"]) == (expected, expected)
