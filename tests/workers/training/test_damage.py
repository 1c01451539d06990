"""Checkpoints whose files were damaged in the store: an older one is taken, and what is not needed does no harm."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from app.storage.local import LocalStore
from tests.workers.training.interruptions import OFTEN, History, assert_undisturbed
from tests.workers.training.laboratory import Attempt, Laboratory, job, resumed
from workers.protocol.messages import Saved
from workers.training.checkpoints.files import NEEDED, restore

SPEC = job(training={"checkpoint": OFTEN, "evaluate": {"every_steps": 3}})


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: Mapping[str, Callable[[Path], None]] = {
    "a bit": flip,
    "the last byte": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "all": lambda path: path.write_bytes(b""),
    "more": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "gone": Path.unlink,
}
FILES = ("state.safetensors", "state.json", "preparation.json", "report.json", "weights.safetensors", "weights.pth",
         "model.py")  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Attempt]:
    """A store with the checkpoints of an attempt that was broken off after ten steps, and the attempt."""
    folder = tmp_path_factory.mktemp("damage")
    attempt = Laboratory(folder, LocalStore(folder / "store")).run(SPEC, {10: "cancel"})
    assert [saved.step for saved in attempt.context.saved] == [3, 6, 9]
    return folder / "store", attempt


@pytest.fixture
def damaged(trained: tuple[Path, Attempt], laboratory: Laboratory) -> Laboratory:
    """A laboratory with a copy of that store, to be damaged."""
    shutil.copytree(trained[0], laboratory.folder / "store", dirs_exist_ok=True)
    return laboratory


def place(laboratory: Laboratory, saved: Saved, name: str) -> Path:
    (file,) = [file for file in saved.files if file.name == name]
    return laboratory.folder / "store" / file.path


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_whatever_happens_to_a_file_the_newest_whole_checkpoint_is_taken(
    damaged: Laboratory, trained: tuple[Path, Attempt], name: str, damage: str
) -> None:
    saved = trained[1].context.saved
    DAMAGES[damage](place(damaged, saved[-1], name))
    found = restore(resumed(*saved), damaged.store, damaged.folder)
    assert found is not None
    assert found.step == (6 if name in NEEDED else 9)
    assert (found.report is None) is (name == "report.json")
    for earlier in saved[:-1]:
        DAMAGES[damage](place(damaged, earlier, "state.json"))
    nothing = restore(resumed(*saved), damaged.store, damaged.folder)
    assert (nothing is None) is (name in NEEDED)


def test_a_training_that_goes_back_behind_damage_ends_the_same(
    damaged: Laboratory, trained: tuple[Path, Attempt]
) -> None:
    first, history = trained[1], History()
    for message in (*first.context.reports, *first.context.saved):
        history.take(message)
    flip(place(damaged, first.context.saved[-1], "state.safetensors"))
    damaged.fence = 1  # that of the first attempt
    last = damaged.run(SPEC, resume=resumed(*first.context.saved))
    for message in (*last.context.reports, *last.context.saved):
        history.take(message)
    assert last.events("rewound")[0]["step"] == 6
    assert_undisturbed(damaged.run(SPEC), last, history)
