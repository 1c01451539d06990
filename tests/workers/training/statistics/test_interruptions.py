"""Samples of trainings that are broken off, and of networks that change: each step once, under the names of then."""

from functools import partial
from random import Random

import pytest

from tests.workers.training.crashes import FREQUENT_CHECKPOINTS, assert_same_as_uninterrupted, train_with_crashes
from tests.workers.training.edits.job_log import JobLog, edit
from tests.workers.training.edits.test_replay import INSERT, job
from tests.workers.training.harness import TrainingHarness, digits_job


@pytest.mark.parametrize("every", [1, 3])
def test_interrupted_at_random_every_sample_is_there_once(laboratory: TrainingHarness, every: int) -> None:
    plan = {"steps": 20, "checkpoint": FREQUENT_CHECKPOINTS, "statistics": {"every_steps": every}}
    document = digits_job(training=plan)
    prepare = partial(laboratory.prepare, document)
    last, history = train_with_crashes(lambda context, resume: prepare(context, resume_from=resume), 20, Random(every))
    whole = laboratory.run(document)
    assert_same_as_uninterrupted(whole, last, history)
    assert [sample.step for sample in history.samples] == [1, *range(every, 21, every)][every == 1 :]


def test_an_edit_changes_which_nodes_there_are(laboratory: TrainingHarness) -> None:
    script = (edit(1, INSERT, at={"step": 4}), edit(2, {"op": "remove", "node": "relu"}, at={"step": 8}))
    log = JobLog(laboratory, job(), script)
    attempt = log.run()
    nodes = {step: {node for node, _ in values} for step, values in attempt.statistics().items()}
    assert list(nodes) == [1, 2, 4, 6, 8, 10]
    assert {step for step, names in nodes.items() if "more" in names} == {6, 8, 10}
    assert {step for step, names in nodes.items() if "relu" in names} == {1, 2, 4, 6, 8}


def test_an_edit_of_the_plan_changes_the_interval(laboratory: TrainingHarness) -> None:
    script = (
        edit(1, {"op": "set", "path": "training.statistics.every_steps", "value": 1}, at={"step": 4}),
        edit(2, {"op": "set", "path": "training.statistics", "value": False}, at={"step": 7}),
        edit(3, {"op": "set", "path": "training.statistics", "value": {"every_steps": 5}}, at={"step": 8}),
    )
    log = JobLog(laboratory, job(), script)
    attempt = log.run()
    assert log.rejected == []
    assert list(attempt.statistics()) == [1, 2, 4, 5, 6, 7, 10]
