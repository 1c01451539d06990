"""Every unsafe setting is told, with how to mend it, and safe ones are not."""

from pathlib import Path

import pytest

from graftwerk.checks.settings import check_settings

MOUNTS = "/dev/vda / ext4 rw 0 0\nserver:/x /net nfs4 rw 0 0\nproc /proc proc rw 0 0\n/dev/vdb /net/local ext4 rw 0 0\n"
PUBLIC = {"HOST": "0.0.0.0", "ALLOW_DOWNLOADS": "false"}


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mounts"
    path.write_text(MOUNTS)
    return path


def found(environment: dict[str, str], folder: Path, mounts: Path) -> dict[str, tuple[str, str, str]]:
    named = {f"GRAFTWERK_{name}": value for name, value in environment.items()}
    looked = check_settings(named, Path("/home/me"), folder, mounts)
    return {finding.what: (finding.state, finding.detail, finding.hint) for finding in looked}


@pytest.mark.parametrize(
    ("environment", "what", "state"),
    [
        ({"AUTH": "false"} | PUBLIC, "authentication", "fail"),
        ({"AUTH": "0"}, "authentication", "warn"),
        (PUBLIC, "address", "warn"),
        ({"RATE_LIMIT": ""} | PUBLIC, "rate limit", "warn"),
        (PUBLIC | {"ALLOW_DOWNLOADS": ""}, "downloads", "warn"),
        ({"WEBHOOK_PRIVATE": "true"}, "webhooks", "warn"),
        ({"WEBHOOK_HTTP": "true"}, "webhooks", "warn"),
        ({"DATABASE_URL": "sqlite:////net/jobs.db"}, "database file", "fail"),
        ({"BROKER_URL": "redis://203.0.113.9:6379/0"}, "broker password", "fail"),
        ({"BROKER_URL": "rediss://broker.example/0"}, "broker password", "fail"),
    ],
)
def test_what_is_unsafe(environment: dict[str, str], what: str, state: str, tmp_path: Path, mounts: Path) -> None:
    told = found(environment, tmp_path, mounts)
    assert told[what][0] == state
    assert all(hint for _, _, hint in told.values())


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"HOST": "localhost", "AUTH": "true"},
        {"HOST": "::1", "RATE_LIMIT": ""},
        {"DATABASE_URL": "sqlite:////net/local/jobs.db"},
        {"DATABASE_URL": "postgresql+psycopg://me@db/jobs"},
        {"BROKER_URL": "redis://127.0.0.1:6379/0"},
        {"BROKER_URL": "redis://:a-password@203.0.113.9:6379/0"},
        {"BROKER_URL": "redis+socket:///tmp/valkey.sock"},
    ],
)
def test_what_is_safe(environment: dict[str, str], tmp_path: Path, mounts: Path) -> None:
    assert found(environment, tmp_path, mounts) == {}


@pytest.mark.parametrize("secret", ["", "postgres", "'changeme'", "abc123", "Password"])
def test_passwords_in_a_dotenv(secret: str, tmp_path: Path, mounts: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        f"#REDIS_PASSWORD=x\nPOSTGRES_PASSWORD={secret}\nREDIS_PASSWORD={'0123456789abcdef' * 3}\nPORT=1\n"
    )
    dotenv.chmod(0o644)
    told = found({}, tmp_path, mounts)
    assert set(told) == {".env", "POSTGRES_PASSWORD"}
    assert {state for state, _, _ in told.values()} == {"fail"}
    assert f"chmod 600 {dotenv}" in told[".env"][2]
    assert len(secret) < 3 or secret not in told["POSTGRES_PASSWORD"][1]


def test_a_system_that_does_not_tell_its_mounts(tmp_path: Path) -> None:
    assert found({"DATABASE_URL": "sqlite:////net/jobs.db"}, tmp_path, tmp_path / "none") == {}
