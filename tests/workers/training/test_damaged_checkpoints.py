"""Checkpoints whose files were damaged in the store: an older one is taken, and what is not needed does no harm."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from app.storage.local import LocalStore
from tests.workers.training.crashes import FREQUENT_CHECKPOINTS, RecordedHistory, assert_same_as_uninterrupted
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, digits_job, resume_candidates
from workers.protocol.messages import SavedCheckpoint
from workers.training.checkpoints.files import REQUIRED_FILES, restore_checkpoint

SPEC = digits_job(training={"checkpoint": FREQUENT_CHECKPOINTS, "evaluate": {"every_steps": 3}})


def flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: Mapping[str, Callable[[Path], None]] = {
    "a bit": flip_bit,
    "the last byte": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "all": lambda path: path.write_bytes(b""),
    "more": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "gone": Path.unlink,
}
FILES = (
    "state.safetensors",
    "state.json",
    "preparation.json",
    "report.json",
    "weights.safetensors",
    "weights.pth",
    "model.py",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingAttempt]:
    """A store with the checkpoints of an attempt that was broken off after ten steps, and the attempt."""
    folder = tmp_path_factory.mktemp("damage")
    attempt = TrainingHarness(folder, LocalStore(folder / "store")).run(SPEC, {10: "cancel"})
    assert [saved.step for saved in attempt.context.saved] == [3, 6, 9]
    return folder / "store", attempt


@pytest.fixture
def damaged(trained: tuple[Path, TrainingAttempt], laboratory: TrainingHarness) -> TrainingHarness:
    """A laboratory with a copy of that store, to be damaged."""
    shutil.copytree(trained[0], laboratory.folder / "store", dirs_exist_ok=True)
    return laboratory


def stored_path(laboratory: TrainingHarness, saved: SavedCheckpoint, name: str) -> Path:
    (file,) = [file for file in saved.files if file.name == name]
    return laboratory.folder / "store" / file.path


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_whatever_happens_to_a_file_the_newest_whole_checkpoint_is_taken(
    damaged: TrainingHarness, trained: tuple[Path, TrainingAttempt], name: str, damage: str
) -> None:
    saved = trained[1].context.saved
    DAMAGES[damage](stored_path(damaged, saved[-1], name))
    checkpoint = restore_checkpoint(resume_candidates(*saved), damaged.store, damaged.folder)
    assert checkpoint is not None
    assert checkpoint.step == (6 if name in REQUIRED_FILES else 9)
    assert (checkpoint.report is None) is (name == "report.json")
    for earlier in saved[:-1]:
        DAMAGES[damage](stored_path(damaged, earlier, "state.json"))
    nothing = restore_checkpoint(resume_candidates(*saved), damaged.store, damaged.folder)
    assert (nothing is None) is (name in REQUIRED_FILES)


def test_a_training_that_goes_back_behind_damage_ends_the_same(
    damaged: TrainingHarness, trained: tuple[Path, TrainingAttempt]
) -> None:
    first, history = trained[1], RecordedHistory()
    for message in (*first.context.reports, *first.context.saved):
        history.record(message)
    flip_bit(stored_path(damaged, first.context.saved[-1], "state.safetensors"))
    damaged.fence = 1  # that of the first attempt
    last = damaged.run(SPEC, resume_from=resume_candidates(*first.context.saved))
    for message in (*last.context.reports, *last.context.saved):
        history.record(message)
    assert last.events("rewound")[0]["step"] == 6
    assert_same_as_uninterrupted(damaged.run(SPEC), last, history)
