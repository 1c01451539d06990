"""Statistics over HTTP."""

import math

import pytest

from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import create_running_job, finish_job, record_statistics


def test_statistics_by_node_and_quantity(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db)
    record_statistics(api.services.db, job, [1, 10], lambda step: math.inf if step == 1 else 0.5)
    columns = {"width": 1, "step": [1, 10], **{key: ["Infinity", 0.5] for key in ("min", "max", "last")}}
    assert anna.get(f"/v1/jobs/{job.id}/statistics").json() == {
        "samples": 2,
        "last_step": 10,
        "nodes": {"linear": {"grad_norm": columns, "weight_norm": columns}},
    }


def test_a_selection(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db)
    record_statistics(api.services.db, job, range(1, 101))
    params = {"nodes": "linear,other", "quantities": "grad_norm", "from": 33, "to": 64, "max_points": 2}
    found = anna.get(f"/v1/jobs/{job.id}/statistics", params=params).json()
    assert found["nodes"].keys() == {"linear"}
    assert found["nodes"]["linear"].keys() == {"grad_norm"}
    assert found["nodes"]["linear"]["grad_norm"]["step"] == [48, 64]


def test_before_the_first_sample_there_is_nothing(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db)
    assert anna.get(f"/v1/jobs/{job.id}/statistics").json() == {"samples": 0, "last_step": 0, "nodes": {}}
    found = anna.get(f"/v1/jobs/{job.id}/statistics/histograms", params={"node": "linear"}).json()
    assert (found["steps"], found["counts"]) == ([], [])


@pytest.mark.parametrize("path", ["statistics", "statistics/histograms?node=linear"])
def test_the_etag_changes_with_every_sample(api: Api, anna: Client, path: str) -> None:
    job = create_running_job(api.services.db)
    tags = []
    for step in (1, 2, 3):
        record_statistics(api.services.db, job, [step])
        tags.append(anna.get(f"/v1/jobs/{job.id}/{path}").headers["etag"])
        again = anna.get(f"/v1/jobs/{job.id}/{path}", headers={"If-None-Match": tags[-1]})
        assert (again.status_code, again.content) == (304, b"")
    assert len(set(tags)) == 3


def test_histograms(api: Api, anna: Client) -> None:
    job = create_running_job(api.services.db)
    record_statistics(api.services.db, job, [1, 2])
    finish_job(api.services.db, job)
    found = anna.get(f"/v1/jobs/{job.id}/statistics/histograms?node=linear&quantity=weights").json()
    assert (found["node"], found["quantity"], found["steps"]) == ("linear", "weights", [1, 2])
    assert found["counts"] == [[1, 0, 2], [2, 0, 4]]
    assert found["edges"] == sorted(found["edges"])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("statistics?quantities=grad_nrm", 404, "not_found"),
        ("statistics?max_points=0", 400, "invalid_parameter"),
        ("statistics?from=x", 400, "invalid_parameter"),
        ("statistics?node=linear", 400, "unknown_parameter"),
        ("statistics/histograms", 400, "invalid_parameter"),
        ("statistics/histograms?node=linear&quantity=loss", 400, "invalid_parameter"),
    ],
)
def test_what_cannot_be_selected(api: Api, anna: Client, path: str, status: int, code: str) -> None:
    job = create_running_job(api.services.db)
    assert_problem(anna.get(f"/v1/jobs/{job.id}/{path}"), status, code)
