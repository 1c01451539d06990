"""Edits of nodes that share parameters: a tensor of several names goes on, or begins anew, as one."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.workers.training.edits.job_log import QUIET, JobLog, edit, stored_state
from tests.workers.training.harness import TrainingHarness, digits_job
from workers.training.state import NETWORK_PREFIX, strip_prefix

CELL = {
    "inputs": ["x"],
    "nodes": [
        {"id": "linear", "kind": "Linear", "inputs": ["x"], "out_features": 6},
        {"id": "relu", "kind": "ReLU", "inputs": ["linear"]},
    ],
    "outputs": {"y": "relu"},
}
MODEL = {
    "inputs": ["image"],
    "blocks": {"Cell": CELL},
    "nodes": [
        {"id": "flat", "kind": "Flatten", "inputs": ["image"]},
        {"id": "stem", "kind": "Linear", "inputs": ["flat"], "out_features": 6},
        {"id": "a", "kind": "block", "name": "Cell", "share": "s", "inputs": ["stem"]},
        {"id": "b", "kind": "block", "name": "Cell", "share": "s", "inputs": ["a"]},
        {"id": "head", "kind": "Linear", "inputs": ["b"], "out_features": 10},
    ],
    "outputs": {"logits": "head"},
}
MORE = {"id": "c", "kind": "block", "name": "Cell", "share": "s"}
STEPS = 4


def run(
    laboratory: TrainingHarness, *operations: dict[str, Any]
) -> tuple[JobLog, dict[str, Tensor], dict[str, Tensor]]:
    """Return a job, and the tensors of its checkpoints before and after an edit."""
    plan = {"steps": STEPS + 3, "optimizer": {"kind": "Adam", "lr": 0.01}, "checkpoint": QUIET}
    log = JobLog(laboratory, digits_job(training=plan, model=MODEL), (edit(1, *operations, at={"step": STEPS}),))
    log.run()
    if log.rejected:
        return log, {}, {}
    return log, *(stored_state(laboratory, saved)[0] for saved in log.saved[:2])


def steps_of(tensors: dict[str, Tensor]) -> list[int]:
    """Return how many steps the optimiser has counted, by parameter that it knows."""
    return [int(value) for name, value in tensors.items() if name.startswith("optimizer/") and name.endswith("/step")]


@pytest.mark.parametrize("place", [{"after": "b"}, {"before": "a"}, {"between": ["a", "b"]}])
def test_one_more_use_goes_on_with_what_the_others_have_learnt(
    laboratory: TrainingHarness, place: dict[str, Any]
) -> None:
    log, before, after = run(laboratory, {"op": "insert", **place, "node": MORE})
    assert log.rejected == []
    weights = strip_prefix(NETWORK_PREFIX, after)
    for use in ("a", "b", "c"):
        assert torch.equal(weights[f"{use}.linear.weight"], before["network/a.linear.weight"])
    assert steps_of(after) == [STEPS] * 6


@pytest.mark.parametrize("node", ["a", "b", "a.linear"])
def test_a_reset_is_one_of_all_uses_and_of_their_moments(laboratory: TrainingHarness, node: str) -> None:
    log, before, after = run(laboratory, {"op": "reinit", "node": node})
    assert log.rejected == []
    assert torch.equal(after["network/a.linear.weight"], after["network/b.linear.weight"])
    assert not torch.equal(after["network/a.linear.weight"], before["network/a.linear.weight"])
    assert steps_of(after) == [STEPS] * 4  # stem and head


def test_a_reset_to_the_identity_is_one_of_all_uses(laboratory: TrainingHarness) -> None:
    log, _, after = run(laboratory, {"op": "reinit", "node": "a.linear", "init": "identity"})
    assert log.rejected == []
    assert torch.equal(after["network/b.linear.weight"], torch.eye(6))


@pytest.mark.parametrize("init", ["identity", "zero"])
def test_a_use_of_trained_parameters_cannot_be_the_identity(laboratory: TrainingHarness, init: str) -> None:
    log, _, _ = run(laboratory, {"op": "insert", "after": "a", "node": MORE, "init": init})
    (rejected,) = log.rejected
    (problem,) = rejected.problems
    assert (problem["code"], problem["pointer"]) == (f"not_{init}", "/operations/0/init")
    assert "share" in problem["detail"]
