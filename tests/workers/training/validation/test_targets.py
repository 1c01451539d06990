"""What a data set's description tells about its targets, before anything trains."""

from pathlib import Path
from typing import Any

import pytest

from tests.workers.data.formats.uploads import make_upload, schema
from tests.workers.jobs import LIMITS, make_job, make_schema
from workers.children.inspect import inspect_job
from workers.protocol.child_requests import InspectResponse

ID = "ds_" + "0" * 32


def look(path: Path, targets: list[str], loss: str, width: int, **parts: Any) -> InspectResponse:
    """Inspect a job on a table of two inputs and these targets."""
    rows = "".join(f"{row % 7 / 3},{row % 5 / 2},{target}\n" for row, target in enumerate(targets))
    known = schema(make_upload(path / "upload", "a,b,y\n" + rows, file="table.csv"))
    model = {"layers": [{"kind": "Linear", "out_features": width}]}
    document = make_job(model, loss, data={"kind": "dataset", "id": ID} | parts.pop("data", {}), **parts)
    return inspect_job(document, known, LIMITS)


@pytest.mark.parametrize(
    ("targets", "loss", "width", "value"),
    [
        (["yes"] * 30, "CrossEntropyLoss", 2, "yes"),
        (["1"] * 30, "CrossEntropyLoss", 2, "1"),
        (["2.5"] * 30, "MSELoss", 1, "2.5"),
    ],
)
def test_targets_that_are_all_alike_are_told(
    tmp_path: Path, targets: list[str], loss: str, width: int, value: str
) -> None:
    found = look(tmp_path, targets, loss, width)
    assert found.problems == ()
    (warning,) = [each for each in found.warnings if each.code == "constant_target"]
    assert warning.pointer == "/data/target"
    assert warning.detail == f'every row of "y" is {value}: whoever always answers that is right'


@pytest.mark.parametrize(("targets", "loss"), [(["yes", "no"] * 9, "CrossEntropyLoss"), (["1", "2"] * 9, "MSELoss")])
def test_targets_that_differ_are_fine(tmp_path: Path, targets: list[str], loss: str) -> None:
    found = look(tmp_path, targets, loss, 2 if loss == "CrossEntropyLoss" else 1)
    assert found.problems == ()
    assert "constant_target" not in [each.code for each in found.warnings]


def test_a_single_score_of_a_single_class_is_refused() -> None:
    """Its cross entropy is zero, whatever the score is."""
    (problem,) = inspect_job(
        make_job([{"kind": "Linear", "out_features": 1}]), make_schema((), "int64", 1), LIMITS
    ).problems
    assert (problem.pointer, problem.code) == ("/objective/loss", "contradiction")
    assert "teaches nothing" in problem.detail


@pytest.mark.parametrize(("rows", "told"), [(10, ["/training/early_stop/monitor", "/objective/metrics/1"]), (20, [])])
def test_what_a_single_held_out_row_cannot_measure_is_told(rows: int, told: list[str]) -> None:
    known = make_schema((), "float32").model_copy(update={"rows": {"train": rows}})
    document = make_job(
        [{"kind": "Linear", "out_features": 1}],
        data={"kind": "builtin", "name": "digits", "validation": {"fraction": 0.1}},
        objective={"loss": {"kind": "MSELoss"}, "metrics": ["r2", "spearman", "mae"]},
        training={"early_stop": {"monitor": "val/r2", "mode": "max"}},
    )
    found = inspect_job(document, known, LIMITS)
    assert found.problems == ()
    assert [each.pointer for each in found.warnings if each.code == "undefined_metric"] == told
