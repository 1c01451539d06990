"""The command `graftwerk train` against a script of answers."""

import json
from pathlib import Path
from typing import Any

from tests.graftwerk.cli.conftest import Run
from tests.graftwerk.cli.test_datasets import CONTENT, document
from tests.graftwerk.scripted_transport import job_document, problem_response

SPEC = {"name": "table: y", "model": {}, "data": {"kind": "dataset", "id": "ds_1"}}
PROPOSAL: dict[str, Any] = {
    "spec": SPEC,
    "reasons": [{"pointer": "/training/epochs", "text": "At most 60 passes."}],
    "warnings": [{"pointer": "/task", "code": "guessed_task", "detail": "taken as classes", "hint": 'say "task"'}],
}


def test_a_file_becomes_a_job(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(CONTENT)
    answers = (document(), document(), PROPOSAL, job_document())
    words = ("--target", "y", "--task", "numbers", "--loss", "L1Loss", "--type", "a=text")
    result, script = run("train", str(path), *words, answers=answers)
    assert (result.exit_code, result.stdout) == (0, "job_1\n")
    assert "/training/epochs  At most 60 passes." in result.stderr
    assert "taken as classes" in result.stderr
    assert "ds_1  table" in result.stderr
    source, wanted, spec = (json.loads(script.requests[place].content) for place in (0, 2, 3))
    assert (source["source"]["target"], source["source"]["types"]) == ("y", {"a": "text"})
    assert wanted == {"target": "y", "task": "numbers", "loss": "L1Loss"}
    assert spec == SPEC


def test_a_spec_alone_can_be_submitted_later(run: Run) -> None:
    result, script = run("train", "ds_1", "--spec-only", answers=(PROPOSAL,))
    assert result.exit_code == 0
    assert json.loads(result.stdout) == SPEC
    assert [request.url.path for request in script.requests] == ["/v1/datasets/ds_1/propose"]


def test_json_is_one_document(run: Run) -> None:
    result, _ = run("train", "ds_1", "--json", answers=(PROPOSAL, job_document()))
    assert json.loads(result.stdout) == job_document()


def test_a_target_that_cannot_be_learned_is_told(run: Run) -> None:
    errors = [{"pointer": "/target", "code": "constant", "detail": "every row is 7", "hint": "name another column"}]
    result, _ = run("train", "ds_1", answers=(problem_response(422, "invalid_input", errors=errors),))
    assert result.exit_code == 2
    assert "every row is 7" in result.stderr
    assert "name another column" in result.stderr


def test_only_files_that_exist_are_uploaded(run: Run) -> None:
    result, script = run("train", "nowhere.csv")
    assert result.exit_code == 2
    assert "nowhere.csv" in result.stderr
    assert not script.requests
