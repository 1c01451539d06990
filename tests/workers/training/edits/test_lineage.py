"""Rollbacks, repeated edits and forks: which revision a training goes on from."""

import torch

from tests.workers.training.edits.job_log import QUIET, JobLog, assert_equal_states, edit, stored_state
from tests.workers.training.edits.test_replay import INSERT, NEW_RATE, job
from tests.workers.training.harness import TrainingHarness, resume_candidates
from workers.protocol.messages import EditApplied

SPARSE = {"steps": 11, "checkpoint": QUIET}  # no checkpoints but those of edits, and the last


def test_a_rollback_goes_on_from_an_earlier_revision(laboratory: TrainingHarness) -> None:
    """It is an edit without operations at the step of its checkpoint; the edits after that are left out."""
    plain = JobLog(laboratory, job())
    plain.run()
    first = JobLog(laboratory, job(), (edit(1, INSERT, at={"step": 4}),))
    first.run()
    back = JobLog(laboratory, job(), (edit(2, step=3, revision=3),), saved=first.saved[:1])
    back.run()
    assert [(each.step, each.revision) for each in back.saved] == [(3, 1), (3, 3), (6, 3), (9, 3), (11, 3)]
    assert_equal_states(back.final_state(), plain.final_state(), but=["revision"])
    assert back.documents[3]["model"] == plain.spec["model"]


def test_checkpoints_beyond_a_repeated_edit_are_of_another_training(laboratory: TrainingHarness) -> None:
    log = JobLog(laboratory, job())
    log.run()
    again = JobLog(laboratory, job(), (edit(1, INSERT, step=4, revision=2),), saved=log.saved)
    attempt = again.run()
    assert attempt.events("rewound")[0]["step"] == 3
    assert again.saved[-1].revision == 2


def test_a_fork_of_a_later_revision_goes_on_bit_by_bit(laboratory: TrainingHarness) -> None:
    spec = job(edits=[{"at": {"step": 2}, "operations": [NEW_RATE]}], schedule={"kind": "CosineAnnealingLR"})
    log = JobLog(laboratory, spec, (edit(1, INSERT, at={"step": 4}),))
    log.run()
    place = next(i for i, each in enumerate(log.saved) if each.step == 6)
    start = {"checkpoint": log.saved[place].id, "what": "everything"}
    document = {**log.documents[3], "start_from": start}
    (reference,) = resume_candidates(log.saved[place])
    fork = laboratory.run(document, start_from=reference)
    tensors, numbers = stored_state(laboratory, fork.context.saved[-1])
    assert all(torch.equal(value, tensors[name]) for name, value in log.final_state()[0].items())
    assert numbers["revision"]["number"] == 1
    assert fork.context.edits == []  # the rule has made its edit already


def test_rules_that_a_fork_changes_begin_anew(laboratory: TrainingHarness) -> None:
    rules = [{"at": {"step": 2}, "operations": [NEW_RATE]}, {"at": {"step": 3}, "operations": [NEW_RATE]}]
    log = JobLog(laboratory, job(edits=rules))
    log.run()
    place = next(i for i, each in enumerate(log.saved) if each.step == 6)
    start = {"checkpoint": log.saved[place].id, "what": "everything"}
    later = {"at": {"step": 8}, "operations": [NEW_RATE]}
    (reference,) = resume_candidates(log.saved[place])
    document = job(edits=[later, rules[0]]) | {"start_from": start}
    fork = laboratory.run(document, start_from=reference, start_document=log.documents[3])
    applied = [message for message in fork.context.edits if isinstance(message, EditApplied)]
    assert [(each.rule, each.firing, each.step) for each in applied] == [(0, 1, 8)]
