"""Revisions over the API: their networks and differences, and dry runs of edits."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.db.tables import JobRow
from app.edits import outcomes
from app.edits.outcomes import Application, Rule
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.routes.jobs.edited_job import INSERT, SPEC
from tests.app.api.trained_jobs import train_unfinished_job


def apply_first(api: Api, job_id: str, document: Any) -> None:
    """Record the first edit as an attempt does."""

    def unit(session: Any) -> None:
        row = session.get_one(JobRow, job_id)
        outcomes.record_applied(session, row, 1, Application(10, 2, document, {}, {}))

    api.services.db.run(unit)


def test_revisions_differ(api: Api, anna: Client, job: str) -> None:
    edit = {"operations": [INSERT, {"op": "set", "path": "training.optimizer.lr", "value": 0.5}]}
    dry_run = anna.post(f"/v1/jobs/{job}/edits/dry-run", json=edit)
    assert dry_run.status_code == 200, dry_run.text
    foreseen = dry_run.json()
    assert anna.get(f"/v1/jobs/{job}/edits").json()["items"] == []
    assert foreseen["difference"] is None
    assert foreseen["memory"]["total"] > 0
    assert anna.post(f"/v1/jobs/{job}/edits", json=edit).status_code == 201
    apply_first(api, job, foreseen["spec"])
    diff = anna.get(f"/v1/jobs/{job}/network/diff").json()
    assert diff | {"from": None, "to": None} == foreseen["diff"]
    assert (diff["from"], diff["to"]) == (1, 2)
    assert diff["added"]["extra"]["parameters"] == 72
    assert diff["changed"]["fc2"]["after"] == {"inputs": ["extra"]}
    assert diff["totals"]["parameters"]["after"] - diff["totals"]["parameters"]["before"] == 72
    assert diff["settings"]["/training/optimizer"]["after"]["lr"] == 0.5
    for revision, count in ((1, 3), (2, 4)):
        nodes = anna.get(f"/v1/jobs/{job}/network", params={"revision": revision}).json()["nodes"]
        assert len(nodes) == count
    described = anna.get(f"/v1/jobs/{job}").json()
    assert (described["revision"], described["inspection"]["totals"]["parameters"]) == (2, 139)
    assert anna.get(f"/v1/jobs/{job}/edits/1").json()["spec"] == foreseen["spec"]
    assert_problem(anna.get(f"/v1/jobs/{job}/network", params={"revision": 3}), 404, "not_found")


def test_a_rule_that_was_applied_is_not_tried_again(api: Api, anna: Client, job: str) -> None:
    plan = SPEC["training"] | {"edits": [{"at": {"step": 5}, "operations": [INSERT]}]}
    revised = anna.post(f"/v1/jobs/{job}/edits/dry-run", json={"operations": [INSERT]}).json()["spec"]
    planned = anna.post("/v1/jobs", json=SPEC | {"training": plan}).json()["id"]
    document = revised | {"training": revised["training"] | {"edits": plan["edits"]}}

    def apply_rule(session: Session) -> None:
        application = Application(5, 2, document, {}, {})
        outcomes.record_plan_applied(session, session.get_one(JobRow, planned), Rule(0, 1, (INSERT,)), application)

    api.services.db.run(apply_rule)
    nodes = anna.get(f"/v1/jobs/{planned}/network").json()["nodes"]
    assert [node["id"] for node in nodes] == ["fc1", "relu1", "extra", "fc2"]
    later = anna.post(f"/v1/jobs/{planned}/edits", json={"operations": [{"op": "freeze", "nodes": ["fc1"]}]})
    assert later.status_code == 201, later.text


@pytest.mark.parametrize(
    ("init", "low", "high"), [("identity", 0.0, 1e-5), ("default", 0.01, 100.0), ("zero", 0.01, 100.0)]
)
def test_a_dry_run_measures_the_difference(api: Api, anna: Client, init: str, low: float, high: float) -> None:
    job = train_unfinished_job(api, anna, SPEC | {"training": {"epochs": 2}})
    checkpoint = anna.get(f"/v1/jobs/{job.id}/checkpoints").json()["items"][0]
    edit = {"operations": [INSERT | {"init": init}]}
    response = anna.post(f"/v1/jobs/{job.id}/edits/dry-run", json=edit)
    assert response.status_code == 200, response.text
    difference = response.json()["difference"]
    assert (difference["checkpoint_id"], difference["step"]) == (checkpoint["id"], checkpoint["step"])
    assert difference["rows"] == 64
    (relative,) = difference["relative"].values()
    assert low <= relative <= high
    assert difference["left_out"] == []
    prune = {"operations": [{"op": "narrow", "node": "fc1", "fraction": 0.5, "by": "gradient"}]}
    foreseen = anna.post(f"/v1/jobs/{job.id}/edits/dry-run", json=prune)
    assert (foreseen.status_code, foreseen.json()["difference"]) == (200, None)  # only the training has gradients
