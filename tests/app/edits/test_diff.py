"""Differences name nodes by the paths that edits have."""

from typing import Any

from app.edits.diff import diff_revisions


def inspection(width: int) -> dict[str, Any]:
    inner = {"id": "fc", "kind": "Linear", "inputs": ["x"], "parameters": width}
    block = {"id": "deep", "kind": "block", "inputs": ["a"], "bodies": {"name": {"nodes": [inner]}}}
    loop = {"id": "loop", "kind": "Repeat", "inputs": ["deep"], "bodies": {"body": {"nodes": [inner]}}}
    return {"nodes": [block, loop], "totals": {"parameters": 2 * width}}


def test_nodes_of_bodies_have_the_paths_that_edits_have() -> None:
    diff = diff_revisions({}, {}, (inspection(1), inspection(2)))
    assert diff["changed"] == {
        path: {"before": {"parameters": 1}, "after": {"parameters": 2}} for path in ("deep.fc", "loop.body.fc")
    }
    assert diff["totals"] == {"parameters": {"before": 2, "after": 4}}
