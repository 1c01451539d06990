"""Cross-validation: what is submitted, and the mean and the deviation of what comes back."""

import json
import math
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from graftwerk.errors import InvalidData
from graftwerk.jobs import Job
from graftwerk.jobs.folds import Folds, fold_figure, fold_specs
from tests.graftwerk.client_kinds import BlockingKind, ClientKind
from tests.graftwerk.scripted_transport import ScriptedTransport, job_document

SPEC = {"model": {}, "data": {"kind": "builtin", "name": "iris"}, "metadata": {"who": "me"}}


@pytest.mark.parametrize(
    ("validation", "kept"),
    [
        (None, {}),
        ({"fraction": 0.2, "group": "who", "seed": 3}, {"group": "who", "seed": 3}),
        ({"split": "test"}, {}),
        ({"fraction": 0.1, "stratify": False}, {"stratify": False}),
    ],
)
def test_each_fold_is_a_job_of_one_group(validation: dict[str, Any] | None, kept: dict[str, Any]) -> None:
    spec = SPEC | {"data": {**SPEC["data"], "validation": validation, "test": {"fraction": 0.2}}}  # type: ignore[dict-item]
    specs = fold_specs(spec, 3)
    assert [each["data"]["validation"] for each in specs] == [kept | {"fold": fold, "of": 3} for fold in (1, 2, 3)]
    assert all(each["data"]["test"] == {"fraction": 0.2} for each in specs)
    assert len({each["metadata"]["fold_group"] for each in specs}) == 1
    assert [each["metadata"]["fold"] for each in specs] == ["1", "2", "3"]
    assert all(each["metadata"]["who"] == "me" and each["metadata"]["folds"] == "3" for each in specs)
    assert spec["data"]["validation"] == validation


def job(fold: int, status: str = "succeeded", **values: float | None) -> Job:
    result = {"values": {name.replace("_", "/"): value for name, value in values.items()}}
    transport = BlockingKind().transport(ScriptedTransport())
    document = job_document(f"job_{fold}", status, metadata={"fold": str(fold)})
    return Job(transport, document | ({"result": result} if status == "succeeded" else {}))


def test_the_summary_is_that_of_numpy() -> None:
    accuracies, losses = [0.9, 0.8, 0.95], [0.3, None, 0.5]
    jobs = [
        job(n, train_loss=1.0, val_accuracy=a, test_loss=b)
        for n, (a, b) in enumerate(zip(accuracies, losses, strict=True))
    ]
    summary = Folds("g", [*jobs, job(9, "failed")]).summary()
    assert summary.keys() == {"val/accuracy", "test/loss"}
    assert summary["val/accuracy"].mean == pytest.approx(np.mean(accuracies))
    assert summary["val/accuracy"].std == pytest.approx(np.std(accuracies, ddof=1))
    assert summary["test/loss"].mean == pytest.approx(0.4)
    assert math.isnan(summary["test/loss"].values[1])
    assert math.isnan(fold_figure([0.5]).std)
    assert math.isnan(fold_figure([None]).mean)


def test_folds_are_validated_before_the_first_is_submitted(api: ClientKind, tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text(json.dumps(SPEC))
    answers = [httpx.Response(200, json={}), *(httpx.Response(201, json=job_document(f"job_{n}")) for n in (1, 2))]
    client, script = api.client(*answers)
    folds = client.folds.create(path, 2, idempotency_key="mine")
    assert [request.url.path for request in script.requests] == ["/v1/jobs/validate", "/v1/jobs", "/v1/jobs"]
    assert [request.headers.get("Idempotency-Key") for request in script.requests[1:]] == ["mine-1", "mine-2"]
    sent = [json.loads(request.content) for request in script.requests[1:]]
    assert [each["data"]["validation"]["fold"] for each in sent] == [1, 2]
    assert {each["metadata"]["fold_group"] for each in sent} == {folds.group}
    assert fold_specs(SPEC, 2, folds.group)[0]["metadata"]["fold_group"] == folds.group


def test_a_group_is_found_by_its_metadata(api: ClientKind) -> None:
    listed = [job_document(f"job_{n}", metadata={"fold": str(n)}) for n in (2, 1)]
    client, script = api.client({"items": listed, "has_more": False}, *listed)
    folds = client.folds.get("abc")
    assert script.requests[0].url.params["metadata[fold_group]"] == "abc"
    assert [job.id for job in folds.jobs] == ["job_1", "job_2"]
    client, _ = api.client({"items": [], "has_more": False})
    with pytest.raises(InvalidData, match="fold_group abc"):
        client.folds.get("abc")
