"""Commands of live surgery against a script of answers: what is sent, what is printed, and how they end."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.graftwerk.cli.conftest import Run
from tests.graftwerk.scripted_transport import job_document, problem_response

WIDEN = {"op": "widen", "node": "fc1", "to": 256}
SIZES = {"before": {"shape": ["N", 64], "dtype": "float32"}, "after": {"shape": ["N", 256], "dtype": "float32"}}
DIFF = {
    "from": 1,
    "to": 2,
    "added": {
        "extra": {"kind": "Conv2d", "inputs": ["relu1"], "output": {"shape": ["N", 10, 8, 8]}, "parameters": 910}
    },
    "removed": {"drop2": {"kind": "Dropout", "inputs": ["fc2"], "output": {"shape": ["N", 32]}, "parameters": 0}},
    "changed": {
        "fc1": {
            "before": {"output": SIZES["before"], "parameters": 4160},
            "after": {"output": SIZES["after"], "parameters": 16640},
        },
        "relu2": {"before": {"inputs": ["a"]}, "after": {"inputs": ["b"]}},
    },
    "totals": {"parameters": {"before": 4810, "after": 19210}, "buffers": {"before": 0, "after": 0}},
    "settings": {"/training/optimizer/lr": {"before": 0.001, "after": 0.0003}},
}
DRY_RUN = {
    "revision": 1,
    "pending": [3, 4],
    "diff": DIFF,
    "memory": None,
    "warnings": [{"pointer": "/operations/0", "code": "noise", "detail": "copies stay equal", "hint": "add noise"}],
    "difference": {
        "checkpoint_id": "ckpt_1",
        "step": 100,
        "rows": 64,
        "max": {"scores": 1.5e-7},
        "relative": {"scores": 3e-8},
        "left_out": ["other"],
    },
    "spec": {},
}


def edit_document(state: str = "accepted", **more: Any) -> dict[str, Any]:
    return {"id": 1, "state": state, "origin": "user", "at": "now", "operations": [WIDEN], "problems": []} | more


def sent(request: httpx.Request) -> Any:
    return json.loads(request.content)


def test_the_short_form_with_options_of_both_kinds(run: Run) -> None:
    words = "edit job_1 insert relu1 Conv2d out_channels=10 --init identity --then widen fc1 256 --at step=5000"
    result, script = run(*words.split(), "--expect-revision", "3", answers=(job_document(), edit_document()))
    assert (result.exit_code, result.stdout) == (0, "edit 1: accepted\n"), result.output
    insert = {"op": "insert", "after": "relu1", "node": {"kind": "Conv2d", "out_channels": 10}, "init": "identity"}
    assert sent(script.requests[1]) == {"at": {"step": 5000}, "operations": [insert, WIDEN], "expect_revision": 3}
    assert script.requests[1].url.path == "/v1/jobs/job_1/edits"


@pytest.mark.parametrize("document", [WIDEN, [WIDEN], {"operations": [WIDEN], "comment": "wider", "at": {"epoch": 2}}])
def test_a_file_holds_an_operation_a_list_or_an_edit(run: Run, tmp_path: Path, document: Any) -> None:
    path = tmp_path / "edit.json"
    path.write_text(json.dumps(document))
    result, script = run("edit", "job_1", str(path), answers=(job_document(), edit_document()))
    assert result.exit_code == 0, result.output
    expected = document if "operations" in document else {"operations": [WIDEN]}
    assert sent(script.requests[1]) == expected


@pytest.mark.parametrize("text", ["{", "3", '{"at": "now"}'])
def test_a_file_that_is_no_edit(run: Run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "edit.json"
    path.write_text(text)
    result, script = run("edit", "job_1", str(path))
    assert result.exit_code == 2
    assert not script.requests


def test_an_unknown_field_of_a_file_is_the_services_to_refuse(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "edit.json"
    path.write_text(json.dumps({"operations": [WIDEN], "wehn": "now"}))
    refused = problem_response(422, "invalid_input", errors=[{"pointer": "/wehn", "code": "extra", "detail": "no"}])
    result, script = run("edit", "job_1", str(path), answers=(job_document(), refused))
    assert result.exit_code == 2
    assert sent(script.requests[1])["wehn"] == "now"
    assert "/wehn: no" in result.stderr


@pytest.mark.parametrize(
    ("state", "code", "line"),
    [
        ("applied", 0, "edit 1: applied, as revision 2 before step 70"),
        ("rejected", 1, "edit 1: rejected"),
        ("withdrawn", 1, "edit 1: withdrawn"),
    ],
)
def test_waiting_for_what_becomes_of_it(run: Run, state: str, code: int, line: str) -> None:
    end = {"step": 70, "revision": 2} if state == "applied" else {}
    problems = [{"pointer": "/operations/0", "code": "x", "detail": "too large", "hint": "less"}] if code else []
    decided = edit_document(state, problems=problems, **end)
    words = ["edit", "job_1", "widen", "fc1", "256", "--wait"]
    others = [
        {"id": 8, "kind": "phase", "data": {"phase": "training"}},
        {"id": 9, "kind": "edit_applied", "data": {"edit": 7}},
    ]
    warning = {"pointer": "/operations/0", "code": "equal_copies", "detail": "copies stay equal", "hint": "add noise"}
    applied = {"id": 10, "kind": "edit_applied", "data": {"edit": 1, "warnings": [warning]}}
    answers = (job_document(last_event=7), edit_document(), decided, {"items": [*others, applied], "has_more": False})
    result, script = run(*words, answers=answers)
    assert result.exit_code == code
    told = ["warning: /operations/0: copies stay equal", "    hint: add noise"]
    assert result.stderr.splitlines() == ([] if code else told)
    if not code:
        assert script.requests[-1].url.raw_path == b"/v1/jobs/job_1/events?after=7"
    expected = [line, *(["  /operations/0: too large", "    hint: less"] if code else [])]
    assert result.stdout.splitlines() == expected
    again, _ = run(*words, "--json", answers=answers)
    assert (again.exit_code, json.loads(again.stdout)) == (code, decided | {"warnings": [] if code else [warning]})


def test_a_refusal_has_place_and_hint(run: Run) -> None:
    problems = [{"pointer": "/operations/0/node", "code": "unknown_node", "detail": "no fc9", "hint": 'use "fc1"'}]
    refused = problem_response(422, "invalid_input", errors=problems)
    result, _ = run(*["edit", "job_1", "remove", "fc9"], answers=(job_document(), refused))
    assert result.exit_code == 2
    assert result.stderr.splitlines()[1:] == ["  /operations/0/node: no fc9", '    hint: use "fc1"']


def test_a_dry_run_for_people_and_for_programs(run: Run) -> None:
    words = "edit job_1 widen fc1 256 --dry-run"
    result, script = run(*words.split(), answers=(job_document(), DRY_RUN))
    assert result.exit_code == 0, result.output
    assert script.requests[1].url.path == "/v1/jobs/job_1/edits/dry-run"
    rows = [line.split() for line in result.stdout.splitlines() if line]
    assert rows[0][:6] == ["dry", "run", "on", "revision", "1,", "after"]
    assert ["+", "extra", "Conv2d", *["N", "x", "10", "x", "8", "x", "8"], "910"] in rows
    assert ["-", "drop2", "Dropout", *["N", "x", "32"], "0"] in rows
    assert ["~", "fc1", *["N", "x", "64", "->", "N", "x", "256"], *["4,160", "->", "16,640"]] in rows
    assert ["~", "relu2", *["reads", "a", "->", "b"]] in rows
    assert ["parameters", "4,810", "19,210", "x", "3.99"] in rows
    assert not [row for row in rows if row[0] == "buffers"]
    assert ["/training/optimizer/lr", "0.001", "0.0003"] in rows
    assert "  scores: differs by at most 1.5e-07 (3e-08 of its scale)" in result.stdout.splitlines()
    assert "warning: /operations/0: copies stay equal" in result.stderr
    again, _ = run(*words.split(), "--json", answers=(job_document(), DRY_RUN))
    assert json.loads(again.stdout) == DRY_RUN


def test_the_log_of_edits(run: Run) -> None:
    at = {"when": {"metric": "val/loss", "below": 0.3}}
    problem = {"pointer": "/operations/0", "code": "memory", "detail": "too large", "hint": ""}
    items = [
        edit_document("applied", step=70, revision=2),
        edit_document("rejected", id=2, at={"epoch": 1}, problems=[problem]),
        edit_document("applied", id=3, origin="rollback", operations=[], step=50, revision=3, parent=1),
        edit_document(id=4, at=at, comment="at last"),
    ]
    page = {"items": items, "has_more": False}
    result, _ = run("edits", "job_1", answers=(job_document(), page))
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[1:5] == [
        ["1", "applied", "now", "70", "2", "widen", "fc1", "256"],
        ["2", "rejected", "epoch=1", "widen", "fc1", "256"],
        ["3", "applied", "now", "50", "3", "back", "to", "revision", "1"],
        ["4", "accepted", "val/loss<0.3", "widen", "fc1", "256", "#", "at", "last"],
    ]
    assert result.stdout.splitlines()[5:] == ["edit 2: rejected", "  /operations/0: too large"]
    again, _ = run("edits", "job_1", "--json", answers=(job_document(), page))
    assert json.loads(again.stdout) == items


def test_withdrawal_rollback_and_differences(run: Run) -> None:
    taken, _ = run("withdraw", "job_1", "4", answers=(job_document(), edit_document("withdrawn", id=4)))
    assert taken.stdout == "edit 4 is withdrawn\n"
    waits, _ = run("withdraw", "job_1", "4", answers=(job_document(), edit_document(id=4)))
    assert waits.stdout == "edit 4 will be withdrawn in a moment\n"
    back = edit_document("applied", id=3, origin="rollback", step=50, revision=3)
    words = "rollback job_1 --revision 1 --step 50"
    rolled, script = run(*words.split(), answers=(job_document(), back))
    assert rolled.stdout == "job_1 goes on from step 50 of revision 1, as revision 3\n"
    assert sent(script.requests[1]) == {"revision": 1, "step": 50}
    shown, script = run(*["diff", "job_1", "--from", "1", "--to", "2"], answers=(job_document(), DIFF))
    assert dict(script.requests[1].url.params) == {"from": "1", "to": "2"}
    assert "extra" in shown.stdout
    assert "\x1b" not in shown.stdout, "without colours"
    same = DIFF | {name: {} for name in ("added", "removed", "changed", "totals", "settings")}
    equal, _ = run("diff", "job_1", answers=(job_document(), same))
    assert equal.stdout == "nothing differs\n"


def test_checkpoints_tell_their_revision_and_forks_choose_one(run: Run) -> None:
    files = {"files": [], "epoch": 1.0, "final": False}
    items = [
        {"id": "ckpt_2", "step": 70, "revision": 2, "best": True, **files},
        {"id": "ckpt_1", "step": 70, "revision": 1, "best": False, **files},
    ]
    shown, _ = run("show", "job_1", answers=(job_document(), {"items": items, "has_more": False}))
    assert shown.stdout.splitlines()[-2:] == [
        "checkpoint ckpt_2 at step 70 of revision 2 (best)",
        "checkpoint ckpt_1 at step 70",
    ]
    forked, script = run(
        *["fork", "job_1", "--from-step", "70", "--from-revision", "1"], answers=(job_document(), job_document("job_2"))
    )
    assert forked.stdout == "job_2\n"
    assert sent(script.requests[1])["from_revision"] == 1
