"""Secrets at rest: sealed with keys that are not in the database."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.db.sealing import KEY_FILE, SEALED_PREFIX, Sealer, SecretSealed, open_sealer
from app.settings import Settings

OLD, NEW = "o" * 32, "n" * 32
SECRET = "whsec_c2VjcmV0"


def test_what_is_sealed_opens_again_and_shows_nothing() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal(SECRET)
    assert sealed.startswith(SEALED_PREFIX)
    assert SECRET not in sealed
    assert sealer.open(sealed) == SECRET
    assert sealer.seal(SECRET) != sealed  # equal secrets do not look equal


def test_what_was_stored_before_sealing_opens_too() -> None:
    assert Sealer([NEW]).open(SECRET) == SECRET
    assert Sealer([NEW]).reseal(SECRET).startswith(SEALED_PREFIX)


def test_the_first_key_seals_and_all_open() -> None:
    old = Sealer([OLD]).seal(SECRET)
    both = Sealer([NEW, OLD])
    assert both.open(old) == SECRET
    resealed = both.reseal(old)
    assert Sealer([NEW]).open(resealed) == SECRET
    assert both.reseal(resealed) == resealed


@pytest.mark.parametrize("stored", [Sealer([OLD]).seal(SECRET), *(SEALED_PREFIX + text for text in ("", "x", "é"))])
def test_what_no_key_opens_is_told_as_such(stored: str) -> None:
    for read in (Sealer([NEW]).open, Sealer([NEW]).reseal):
        with pytest.raises(SecretSealed, match="GRAFTWERK_SECRET_KEY"):
            read(stored)


@pytest.mark.parametrize("keys", ["short", f"{NEW},", f"{NEW},short", " " * 40])
def test_a_key_that_is_no_key_is_refused_when_the_service_starts(keys: str) -> None:
    with pytest.raises(ValidationError, match="32 random characters"):
        Settings(secret_key=keys)


def test_a_home_without_a_key_gets_one_of_its_own(tmp_path: Path) -> None:
    home = tmp_path / "home"
    sealed = open_sealer(Settings(home=home)).seal(SECRET)
    assert open_sealer(Settings(home=home)).open(sealed) == SECRET
    assert stat.S_IMODE((home / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [KEY_FILE]
    with pytest.raises(SecretSealed):
        open_sealer(Settings(home=home, secret_key=NEW)).open(sealed)


START = """
import sys
from pathlib import Path
from app.db.sealing import open_sealer
from app.settings import Settings
home = Path(sys.argv[1])
open_sealer(Settings(home=home))
print((home / "secret-key").read_text())
"""


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START, str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    keys = {process.communicate(timeout=60)[0] for process in started}
    assert len(keys) == 1
    assert next(iter(keys)).strip()
