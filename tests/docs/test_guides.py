"""What pages for readers show is what the program accepts. `tests/acceptance/test_guides.py` runs it."""

import json
import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from app.settings import Settings
from graftwerk.cli.main import app
from tests.docs.guides import GUIDES, NOT_RUN, ROOT, Block, blocks, commands
from tests.docs.test_documents import CLIENT, COMPOSE_FILES
from workers.children.inspect import InspectionLimits, inspect_job

LIMITS = InspectionLimits(100, 10**8, 1 << 34)
LANGUAGES = {"sh", "json", "python", "csv", "yaml"}


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_blocks_are_of_a_kind_that_is_checked(page: Path) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES
        assert block.reason in {"", *NOT_RUN}
        assert block.reason != "other" or page.name == "coming-from.md"


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_jobs_that_are_shown_are_accepted(page: Path) -> None:
    shown = [json.loads(block.code) for block in blocks(page) if block.language == "json"]
    for job in shown:
        if "model" in job and job["data"]["kind"] == "builtin":
            problems = inspect_job(job, None, LIMITS).problems
            assert [each for each in problems if each.code not in ("no_worker", "no_device")] == []


def words_of(block: Block) -> list[list[str]]:
    """Return the words of every command, without the settings before it."""
    found = []
    for line in commands(block):
        words = shlex.split(line, comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        found.append(words)
    return found


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_commands_that_no_test_runs_exist(page: Path) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    for block in blocks(page):
        if block.language != "sh" or not block.reason:
            continue
        for line in commands(block):
            assert set(re.findall(r"\bGRAFTWERK_[A-Z0-9_]+\b", line)) <= known_settings()
        for words in words_of(block):
            if words[0] == "graftwerk":
                assert words[1] in group.commands, words
            elif words[0] == "docker-compose":
                check_compose(words[1:])
            else:
                assert words[0] in ("cp", "docker", "export"), words


def known_settings() -> set[str]:
    """Return the names of all settings, also those that Compose itself reads."""
    named = {f"GRAFTWERK_{name.upper()}" for name in Settings.model_fields}
    return named | CLIENT | {"GRAFTWERK_SITE"}


def check_compose(words: list[str]) -> None:
    """Fail if a command of Compose names a file or a service that is not there."""
    files = [words[place + 1] for place, word in enumerate(words) if word == "-f"]
    assert set(files) <= set(COMPOSE_FILES)
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert [word for word in words if word in ("up", "exec", "run", "stop")]
    if "exec" in words or "stop" in words:
        assert [word for word in words if word in services], words
    for scaled in re.findall(r"(\w+)=\d+", " ".join(words)):
        assert scaled in services
    for module in re.findall(r"-m (app[\w.]+)", " ".join(words)):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def test_every_example_is_told_of() -> None:
    page = (ROOT / "docs" / "systems.md").read_text()
    alone = {path.stem for path in (ROOT / "examples").glob("*.json")} - {"early-stop"}
    assert not {name for name in alone if f"examples/{name}.json" not in page}


def test_every_makefile_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in GUIDES for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert named <= targets
