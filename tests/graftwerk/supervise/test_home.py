import stat
from pathlib import Path

import pytest

from graftwerk.supervise import home as homes
from graftwerk.supervise.home import CannotStart


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_home_directory_is_private(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    homes.create_home(home)
    assert mode(home) == 0o700
    home.chmod(0o755)
    homes.create_home(home)
    assert mode(home) == 0o700


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(CannotStart, match="--home"):
        homes.create_home(tmp_path / "home")


def test_one_at_a_time(tmp_path: Path) -> None:
    with homes.lock_home(tmp_path):
        with (
            pytest.raises(CannotStart, match=r"another `graftwerk up` \(process \d+\) uses"),
            homes.lock_home(tmp_path),
        ):
            pytest.fail("locked twice")
        assert (tmp_path / "lock").read_text().isdigit()
    with homes.lock_home(tmp_path):
        assert (tmp_path / "lock").exists()


def test_a_secret_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for text in ("first", "second"):
        homes.write_private(path, text)
        assert path.read_text() == f"{text}\n"
        assert mode(path) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]
