"""What the number of held-out rows and of classes tells, before anything trains."""

import pytest

from tests.workers.jobs import LIMITS, make_job, make_schema
from workers.children.inspect import inspect_job


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
