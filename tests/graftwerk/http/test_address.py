from pathlib import Path

import pytest

from graftwerk.client import Client
from graftwerk.errors import AddressNotConfigured
from graftwerk.http.address import find_address


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GRAFTWERK_URL", "GRAFTWERK_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRAFTWERK_HOME", str(tmp_path))
    (tmp_path / "address").write_text("http://127.0.0.1:8741\n")
    (tmp_path / "key").write_text("gw_home\n")
    return tmp_path


def test_what_up_wrote_is_found(home: Path) -> None:
    found = find_address()
    assert found is not None
    assert (found.url, found.key) == ("http://127.0.0.1:8741", "gw_home")
    assert "gw_home" not in repr(found)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://127.0.0.1:8741/", "gw_home"),
        ("http://localhost:8741", "gw_home"),
        ("http://127.0.0.1:9", None),
        ("https://elsewhere.test", None),
    ],
)
def test_the_key_at_home_goes_only_to_the_service_at_home(home: Path, url: str, key: str | None) -> None:
    found = find_address(url)
    assert found is not None
    assert found.key == key


def test_the_environment_beats_files_and_arguments_beat_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFTWERK_URL", "http://env.test")
    monkeypatch.setenv("GRAFTWERK_KEY", "gw_env")
    assert find_address() == find_address("http://env.test", "gw_env")
    found = find_address("http://arg.test", "gw_arg")
    assert found is not None
    assert (found.url, found.key) == ("http://arg.test", "gw_arg")


def test_without_any_address_it_is_said_how_to_get_one(home: Path) -> None:
    (home / "address").unlink()
    with pytest.raises(AddressNotConfigured, match="graftwerk up"):
        Client()
