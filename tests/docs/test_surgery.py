"""What the pages show of live surgery is what the program accepts."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.spec.edits.edit import parse_edit
from app.spec.training.plan import Training
from graftwerk.cli.edits.short_form import parse_operations
from graftwerk.cli.edits.trigger import parse_trigger

ROOT = Path(__file__).parents[2]
FLAGS = ("--dry-run", "--wait")


def shown_edits() -> Iterator[str]:
    """Yield every `graftwerk edit` that a page shows."""
    for name in ("README.md", "docs/surgery.md"):
        yield from re.findall(r"^graftwerk edit (.*)$", (ROOT / name).read_text(), re.MULTILINE)


@pytest.mark.parametrize("line", sorted(set(shown_edits())))
def test_commands_that_are_shown_are_edits(line: str) -> None:
    _, *words = shlex.split(line, comments=True)
    trigger = "now"
    if "--at" in words:
        place = words.index("--at")
        _, trigger = words.pop(place), words.pop(place)
    operations = parse_operations([word for word in words if word not in FLAGS])
    assert parse_edit({"operations": operations, "at": parse_trigger(trigger)}).operations


def test_documents_that_are_shown_are_edits_and_plans() -> None:
    page = (ROOT / "docs" / "surgery.md").read_text()
    documents = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    plans = [each["training"] for each in documents if "training" in each]
    assert plans
    assert all(Training.model_validate(plan).edits for plan in plans)
    assert [parse_edit(each) for each in documents if "operations" in each]
