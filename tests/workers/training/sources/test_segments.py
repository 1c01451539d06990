"""Buffers in checkpoints: parts that have not changed are listed again, and are not stored again."""

import pytest
import torch

from tests.workers.training.edits.job_log import QUIET, JobLog, assert_equal_states, edit
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, resume_candidates
from tests.workers.training.sources.environment_jobs import replay_job
from workers.data.loading.batch_source import Segment
from workers.protocol.messages import Ending, SavedCheckpoint, SavedFile
from workers.training.checkpoints.files import restore_checkpoint
from workers.training.checkpoints.segments import StoredSegments, is_segment, segment_name
from workers.training.sources.replay import last_written

CAPACITY, SEGMENTS = 60, 4  # of 16 rows, of which the last one has 12
EVERY_THIRD = {"every_steps": 3, **QUIET}


def segments(saved: SavedCheckpoint) -> list[SavedFile]:
    return [file for file in saved.files if is_segment(file.name)]


def assert_stored(laboratory: TrainingHarness, attempt: TrainingAttempt) -> None:
    """Compare the last checkpoint with the state that there is."""
    restored = restore_checkpoint(
        resume_candidates(attempt.context.saved[-1]), laboratory.store, laboratory.folder / "again"
    )
    assert restored is not None
    tensors = attempt.prepared.state.state_tensors()
    assert restored.tensors.keys() == tensors.keys()
    assert [name for name, value in tensors.items() if not value.equal(restored.tensors[name])] == []
    assert len(restored.tensors["source/buffer/rows"]) == CAPACITY


def test_the_newest_transition_of_some_rows() -> None:
    rows = [-1] * CAPACITY
    for number in range(3 * CAPACITY + 7):
        rows[number % CAPACITY] = number
        for begin in range(0, min(number + 1, CAPACITY), 16):
            end = min(begin + 16, number + 1, CAPACITY)
            assert last_written(number, CAPACITY, begin, end) == max(rows[begin:end]), (number, begin)


def test_parts_that_stay_are_listed_again(laboratory: TrainingHarness) -> None:
    attempt = laboratory.run(replay_job(steps=40, checkpoint=EVERY_THIRD))
    listed, written = {}, 0
    for saved in attempt.context.saved:
        own = f"/{saved.step}/"
        for file in segments(saved):
            written += own in file.path
            assert own in file.path or listed[file.name] == file  # of an earlier checkpoint, under the same name
            listed[file.name] = file
        numbers = sorted(int(file.name.split("-")[1]) for file in segments(saved))
        assert numbers == list(range(len(numbers)))
    [last] = {len(segments(saved)) for saved in attempt.context.saved[-5:]}
    assert last == SEGMENTS
    assert written < sum(len(segments(saved)) for saved in attempt.context.saved) * 0.6
    (state,) = [file for file in attempt.context.saved[-1].files if file.name == "state.safetensors"]
    assert b"source/buffer" not in b"".join(laboratory.store.read(state.path))
    assert_stored(laboratory, attempt)


def test_an_attempt_goes_on_with_the_parts_of_the_one_before(laboratory: TrainingHarness) -> None:
    spec = replay_job(steps=40, checkpoint=EVERY_THIRD)
    first = laboratory.run(spec, {32: "pause"})
    second = laboratory.run(spec, resume_from=resume_candidates(*first.context.saved))
    kept = {file.path for file in segments(first.context.saved[-1])}
    assert len(kept & {file.path for file in segments(second.context.saved[0])}) == SEGMENTS - 1
    assert_stored(laboratory, second)


def test_a_checkpoint_without_one_of_its_parts_is_damaged(laboratory: TrainingHarness) -> None:
    spec = replay_job(steps=40, checkpoint=EVERY_THIRD)
    whole, first = laboratory.run(spec), laboratory.run(spec, {34: "pause"})
    laboratory.store.delete(segments(first.context.saved[-1])[1].path)  # which earlier ones may list as well
    again = laboratory.run(spec, resume_from=resume_candidates(*first.context.saved))
    [start] = again.events("rewound")
    assert 0 < start["step"] < 34
    assert again.weights() == whole.weights()


def test_the_way_back_from_a_loss_that_is_no_number_is_one_of_parts_too(laboratory: TrainingHarness) -> None:
    spec = replay_job(steps=40, checkpoint=EVERY_THIRD)
    spec["training"]["updates"][0]["optimizer"] = {"kind": "SGD", "lr": 0.3}
    calmer = {"op": "set", "path": "training.updates.critic.optimizer.lr", "value": 0.0}
    spec["training"]["edits"] = [{"on": "nan", "operations": [calmer]}]
    log = JobLog(laboratory, spec)
    attempt = log.run()
    assert attempt.outcome.ending is Ending.SUCCEEDED
    assert "reason" in attempt.events("rewound")[-1]
    calm = JobLog(laboratory, spec, log.edits, dict(log.documents))  # the edit comes where the way back has led
    calm.run()
    assert_equal_states(log.final_state(), calm.final_state(), ("counters",))


def test_going_back_forgets_the_parts_that_were_stored_later(laboratory: TrainingHarness) -> None:
    """The transitions after an edit have the numbers of others, which were stored before the way back."""
    first, second = (Segment(0, version, {"rows": torch.zeros(1)}) for version in (4, 9))
    files = [SavedFile(segment_name(each), f"jobs/job_1/1/{each.version}/x", 1, "", False) for each in (first, second)]
    stored = StoredSegments()
    stored.update(files[1:])
    assert (stored.find(first), stored.find(second)) == (None, files[1])
    stored.update(files[:1])  # as `CheckpointSaver.resume_at` does
    assert (stored.find(first), stored.find(second)) == (files[0], None)
    assert stored.copy(first).tensors == {}
    assert stored.copy(second).tensors
    with pytest.raises(LookupError):
        stored.listed([Segment(0, 9, {})])


@pytest.mark.parametrize("stop", [9, 33])
def test_another_job_stores_parts_of_its_own(laboratory: TrainingHarness, stop: int) -> None:
    spec = replay_job(steps=40, checkpoint=EVERY_THIRD)
    first = laboratory.run(spec, {stop: "pause"})
    [start] = resume_candidates(first.context.saved[-1])
    other = spec | {"start_from": {"checkpoint": start.id, "what": "everything"}}
    second = laboratory.run(other, start_from=start, start_document=spec)
    paths = {file.path for saved in first.context.saved for file in saved.files}
    assert paths.isdisjoint(file.path for saved in second.context.saved for file in saved.files)
    assert second.weights() == laboratory.run(spec).weights()


def test_an_edit_stores_no_part_again_that_was_stored(laboratory: TrainingHarness) -> None:
    wider = {"op": "widen", "node": "actor.hidden", "to": 12}
    log = JobLog(laboratory, replay_job(steps=35, checkpoint=EVERY_THIRD), (edit(1, wider, at={"step": 32}),))
    log.run()
    before, after = (segments(saved) for saved in log.saved if saved.step == 32)
    assert len(set(before) & set(after)) >= SEGMENTS - 2  # all but what has changed since the last one that was written
