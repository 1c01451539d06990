"""Commands about data sets against a script of answers."""

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx

from tests.graftwerk.cli.conftest import Run
from tests.graftwerk.scripted_transport import problem_response

CONTENT = b"a,y\n1,2\n3,4\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
STATISTICS = {"min": 1.0, "mean": 2.0, "max": 3.0, "std": 1.0}


def document(**more: Any) -> dict[str, Any]:
    source = {"kind": "upload", "file": "table.csv", "format": "csv"}
    schema = {
        "rows": {"train": 2000},
        "inputs": ["a", "t"],
        "target": "y",
        "columns": [
            {"name": "a", "type": "number", "shape": [], "missing": 3, "labels": None, "statistics": STATISTICS},
            {"name": "t", "type": "text", "shape": [], "missing": 0, "statistics": {"characters": STATISTICS}},
            {
                "name": "y",
                "type": "category",
                "shape": [],
                "missing": 0,
                "labels": list("abcdefghij"),
                "statistics": None,
            },
        ],
    }
    found = {"id": "ds_1", "name": "table", "status": "ready", "received": 12, "sha256": SHA256, "problems": []}
    return found | {"source": source, "data_schema": schema} | more


def test_add(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(CONTENT)
    words = ("--format", "csv", "--target", "y", "--type", "a=b=text", "--name", "mine")
    result, script = run("datasets", "add", str(path), *words, answers=(document(), document()))
    assert (result.exit_code, result.stdout) == (0, "ds_1  ready  table\n")
    source = json.loads(script.requests[0].content)["source"]
    assert (source["format"], source["target"], source["types"]) == ("csv", "y", {"a=b": "text"})
    wrong, _ = run("datasets", "add", str(path), "--type", "text")
    assert wrong.exit_code == 2
    assert run("datasets", "add", "nowhere.csv")[0].exit_code == 2
    assert run("datasets", "add")[0].exit_code == 2


def test_problems_of_a_file_are_told_with_their_places(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(CONTENT)
    errors = [{"pointer": "/3", "code": "columns_differ", "detail": "line 3 has 1 cells", "hint": "add one"}]
    waiting = document(status="awaiting_content", received=0, sha256=None)
    refused = problem_response(422, "invalid_input", errors=errors)
    result, _ = run("datasets", "add", str(path), answers=(waiting, waiting, refused))
    assert result.exit_code == 2
    assert "/3: line 3 has 1 cells" in result.stderr


def test_show(run: Run) -> None:
    result, _ = run("datasets", "show", "ds_1", answers=(document(),))
    lines = result.stdout.splitlines()
    assert lines[0] == "ds_1  ready  table  csv  2,000 train"
    assert [" ".join(line.split()) for line in lines[2:]] == [
        "a number input 3 1 to 3, mean 2",
        "t text input 1 to 3 characters, mean 2",
        "y category target a, b, c, d, e, f, g, h and 2 more",
    ]
    errors = [{"pointer": "/3", "code": "x", "detail": "line 3 is bad", "hint": "mend it"}]
    result, _ = run(
        "datasets", "show", "ds_1", answers=(document(status="invalid", data_schema=None, problems=errors),)
    )
    assert "line 3 is bad  mend it" in result.stdout
    result, _ = run("datasets", "show", "ds_1", "--json", answers=(document(),))
    assert json.loads(result.stdout) == document()


def test_ls_download_and_rm(run: Run, tmp_path: Path) -> None:
    listed = {"items": [document()], "has_more": False}
    result, script = run("datasets", "ls", "--status", "ready", answers=(listed,))
    assert result.stdout.splitlines()[1].split() == ["ds_1", "ready", "table"]
    assert dict(script.requests[0].url.params) == {"status": "ready"}
    answers = (document(), document(), httpx.Response(200, content=CONTENT))
    result, _ = run("datasets", "download", "ds_1", str(tmp_path / "here"), answers=answers)
    assert Path(result.stdout.strip()).read_bytes() == CONTENT
    result, script = run("datasets", "rm", "ds_1", "ds_2", answers=(httpx.Response(204), httpx.Response(204)))
    assert result.stdout == "ds_1 is deleted\nds_2 is deleted\n"
    assert [request.method for request in script.requests] == ["DELETE", "DELETE"]
