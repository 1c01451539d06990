"""Checkpoints are written while the training goes on; without room it goes on too, and tries again."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.errors import GraftwerkError, StorageFull, TrainingError, Unavailable
from app.storage.local import LocalStore
from app.storage.protocol import StoredFile
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, digits_job, resume_candidates
from workers.protocol.messages import Command, Ending
from workers.training.checkpoints import saver as saving
from workers.training.context import MemoryContext
from workers.training.loop import train

FULL = StorageFull("no room in the artifact store: No space left on device")
FILES = 6  # of a checkpoint without a report


def job_saving_every(steps: int, **training: Any) -> dict[str, Any]:
    return digits_job(
        training={"checkpoint": {"every_steps": steps, "every_seconds": None, "keep_best": 0}, **training}
    )


class FailingStore(LocalStore):
    """A store that refuses some puts, counted from 0."""

    def __init__(self, root: Path, refused: range, error: Exception = FULL) -> None:
        super().__init__(root)
        self.refused, self.error, self.puts = refused, error, 0

    def put_file(self, key: str, source: Path) -> StoredFile:
        self.puts += 1
        if self.puts - 1 in self.refused:
            raise self.error
        return super().put_file(key, source)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits before the next try."""
    monkeypatch.setattr(saving, "RETRY_SECONDS", 0.0)


def use_failing_store(laboratory: TrainingHarness, refused: range, error: Exception = FULL) -> FailingStore:
    store = FailingStore(laboratory.folder / "tight", refused, error)
    laboratory.store = store
    return store


def assert_nothing_else(laboratory: TrainingHarness, attempt: TrainingAttempt) -> None:
    listed = {file.path for saved in attempt.context.saved for file in saved.files}
    assert set(laboratory.store.keys("")) == listed
    assert list((laboratory.folder / f"work-{laboratory.fence}").iterdir()) == []


@pytest.mark.parametrize("error", [FULL, Unavailable("the artifact store does not answer")], ids=["full", "away"])
@pytest.mark.parametrize("refused", [range(1), range(4, 5), range(FILES - 1, FILES + 1)], ids=str)
def test_without_room_the_training_goes_on(laboratory: TrainingHarness, error: GraftwerkError, refused: range) -> None:
    whole = laboratory.run(job_saving_every(4))
    assert [len(saved.files) for saved in whole.context.saved] == [FILES, FILES, FILES + 1, FILES + 1]
    use_failing_store(laboratory, refused, error)
    attempt = laboratory.run(job_saving_every(4))
    assert attempt.outcome.ending is Ending.SUCCEEDED
    assert [saved.step for saved in attempt.context.saved] == [4, 8, 12, 15][len(refused) :]
    (warning,) = attempt.events("warning")  # of two failures, too
    assert warning == {"code": error.code, "detail": error.detail, "hint": warning["hint"]}
    assert "will retry" in warning["hint"]
    assert attempt.weights() == whole.weights()
    assert attempt.points("val/loss") == whole.points("val/loss")
    assert_nothing_else(laboratory, attempt)


def test_a_checkpoint_that_must_be_kept_is_tried_again(laboratory: TrainingHarness) -> None:
    use_failing_store(laboratory, range(3, 6))
    attempt = laboratory.run(digits_job())
    assert attempt.outcome.ending is Ending.SUCCEEDED
    assert [(saved.step, saved.final) for saved in attempt.context.saved] == [(15, True)]
    assert_nothing_else(laboratory, attempt)


@pytest.mark.parametrize("verb", ["pause", "drain", None])
def test_an_attempt_does_not_end_without_its_checkpoint(laboratory: TrainingHarness, verb: str | None) -> None:
    store = use_failing_store(laboratory, range(10**6))
    context = MemoryContext({} if verb is None else {4: [Command(verb)]})  # type: ignore[arg-type]
    prepared = laboratory.prepare(digits_job(), context)
    prepared.saver.retry_timeout_seconds = -1.0
    with pytest.raises(StorageFull):
        train(prepared)
    assert context.saved == []
    assert list(store.keys("")) == []


def test_every_failure_is_told_when_they_are_far_apart(
    laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "WARNING_INTERVAL_SECONDS", -1.0)
    use_failing_store(laboratory, range(3))
    attempt = laboratory.run(job_saving_every(4))
    assert len(attempt.events("warning")) == 3
    assert [saved.step for saved in attempt.context.saved] == [15]


def test_what_goes_wrong_while_writing_ends_the_training(laboratory: TrainingHarness) -> None:
    use_failing_store(laboratory, range(1), RuntimeError("a broken disk"))
    with pytest.raises(TrainingError, match="a broken disk"):
        laboratory.run(job_saving_every(4))


@dataclass
class WatchingContext(MemoryContext):
    """Notes that a step has been reached."""

    step: int = 0
    reached: threading.Event = field(default_factory=threading.Event)

    def commands(self) -> list[Command]:
        if self.calls == self.step:
            self.reached.set()
        return super().commands()


class BlockingStore(LocalStore):
    """A store that takes nothing before something has happened."""

    def __init__(self, root: Path, until: threading.Event) -> None:
        super().__init__(root)
        self.until, self.late = until, False

    def put_file(self, key: str, source: Path) -> StoredFile:
        self.late = self.late or not self.until.wait(20)
        return super().put_file(key, source)


def test_the_loop_goes_on_while_a_checkpoint_is_written(laboratory: TrainingHarness) -> None:
    whole = laboratory.run(job_saving_every(100))
    context = WatchingContext(step=14)
    store = BlockingStore(laboratory.folder / "waiting", context.reached)
    laboratory.store = store
    prepared = laboratory.prepare(job_saving_every(10), context)
    assert train(prepared).ending is Ending.SUCCEEDED
    assert not store.late  # 14 steps were reached before the checkpoint of the tenth was stored
    assert [saved.step for saved in context.saved] == [10, 15]
    again = laboratory.run(
        job_saving_every(100), resume_from=resume_candidates(context.saved[0])
    )  # what was written is what was then
    assert again.points("train/loss") == whole.points("train/loss")[10:]
    assert again.weights() == whole.weights()


@pytest.mark.parametrize(("verb", "ending"), [("cancel", Ending.CANCELLED), ("pause", Ending.PAUSED)])
def test_what_is_being_written_is_announced_before_the_end(
    laboratory: TrainingHarness, verb: Any, ending: Ending
) -> None:
    context = WatchingContext({12: [Command(verb)]}, step=12)
    laboratory.store = BlockingStore(laboratory.folder / "waiting", context.reached)
    assert train(laboratory.prepare(job_saving_every(10), context)).ending is ending
    assert [saved.step for saved in context.saved] == ([10] if verb == "cancel" else [10, 12])


def test_a_state_that_is_held_later_is_not_written_earlier(laboratory: TrainingHarness) -> None:
    prepared = laboratory.prepare(job_saving_every(100), MemoryContext())
    saver, state, may_write = prepared.saver, prepared.state, threading.Event()
    saver._executor.submit(may_write.wait, 20)
    state.counters.step = 10
    saver.save(state, 1.0, {})
    state.counters.step = 12
    saver.hold(state, 1.2, {})
    may_write.set()
    saver.poll(wait=True)
    assert [saved.step for saved in saver.saved] == [10]
    saver.save_held(14)
    assert [saved.step for saved in saver.saved] == [10, 12]
