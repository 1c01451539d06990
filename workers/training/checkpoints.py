"""Checkpoints: files first, durable and under keys of their own, then the announcement."""

import errno
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from app.errors import NotFound, StorageFull
from app.ids import new_id
from app.spec.training import Checkpointing
from app.storage.protocol import ArtifactStore
from workers.assignment import Resume
from workers.messages import Saved, SavedFile
from workers.network.build import BuiltNetwork
from workers.training.context import Context
from workers.training.report import REPORT
from workers.training.state import TrainState

TENSORS, NUMBERS = "state.safetensors", "state.json"  # private: what a resumed attempt needs
PREPARATION = "preparation.json"  # public: how rows become tensors
NEEDED = (TENSORS, NUMBERS, PREPARATION)
Told = Callable[[int], Mapping[str, Any] | None]  # from a step to the report of its evaluation
Export = Callable[[BuiltNetwork, Path], Sequence[Path]]  # writes the public files of a network into a folder


@dataclass
class Saver:
    """Stores checkpoints of one attempt. `prefix` is unique to the attempt, so nothing is ever overwritten."""

    store: ArtifactStore
    context: Context
    prefix: str  # jobs/<job>/<fence>
    workdir: Path
    export: Export
    saved_step: int | None = None
    saved_at: float = field(default_factory=time.monotonic)
    seconds: float = 0.0  # what the latest one took

    def save(
        self,
        state: TrainState,
        epoch: float,
        values: Mapping[str, float],
        report: Told | None = None,
        final: bool = False,
    ) -> Saved | None:
        """Store and announce a checkpoint; `None` if this step has one already. Raises `StorageFull`.

        `report` makes that of the step's evaluation, if there was one.
        """
        step = state.counters.step
        if step == self.saved_step and not final:
            return None
        began = time.monotonic()
        folder = self.workdir / f"step-{step}"
        with _no_room_means_full(self.workdir):
            folder.mkdir(parents=True)
            save_file(state.state_tensors(), folder / TENSORS)
            (folder / NUMBERS).write_text(json.dumps(state.state_json()))
            public = list(self.export(state.shown, folder))
            if report is not None and (document := report(step)) is not None:
                public.append(folder / REPORT)
                public[-1].write_text(json.dumps(document, allow_nan=False))
            files = [self._put(path, step, True) for path in public]
            files += [self._put(folder / name, step, False) for name in (TENSORS, NUMBERS)]
        shutil.rmtree(folder)
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        saved = Saved(new_id("ckpt"), step, epoch, finite, tuple(files), final)
        self.context.save(saved)
        self.saved_step, self.saved_at = step, time.monotonic()
        self.seconds = self.saved_at - began
        return saved

    def _put(self, path: Path, step: int, public: bool) -> SavedFile:
        stored = self.store.put_file(f"{self.prefix}/{step}/{path.name}", path)
        return SavedFile(path.name, stored.key, stored.size, stored.sha256, public)


@contextmanager
def _no_room_means_full(workdir: Path) -> Iterator[None]:
    """Name the cause where a library only says that writing failed."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or shutil.disk_usage(workdir).free < 1 << 20:
            raise StorageFull(f"no room for a checkpoint: {error}", hint="free some space on the worker") from error
        raise


@dataclass(frozen=True)
class Cadence:
    """When a checkpoint is due."""

    plan: Checkpointing

    def due(self, saver: Saver, step: int, improved: bool) -> bool:
        """Say whether to save after `step`: by count, by the clock, or because it is the best so far.

        The best are saved as long as that takes at most a twentieth of the time and happens once a second at most.
        """
        if step in (0, saver.saved_step):
            return False
        waited = time.monotonic() - saver.saved_at
        if improved and self.plan.keep_best and waited > max(1.0, 20 * saver.seconds):
            return True
        by_count = self.plan.every_steps is not None and step % self.plan.every_steps == 0
        return by_count or (self.plan.every_seconds is not None and waited >= self.plan.every_seconds)


@dataclass(frozen=True)
class Restored:
    """A verified checkpoint, read into memory."""

    checkpoint: str
    step: int
    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, Any]
    preparation: Mapping[str, Any]
    report: Mapping[str, Any] | None = None  # of the evaluation at this step, if there was one
    forked: bool = False  # it is another job's, and this one goes on with everything

    def told(self, step: int) -> Mapping[str, Any] | None:
        """Return the report; another job's is none of this one's."""
        return self.report if step == self.step and not self.forked else None


def restore(candidates: Sequence[Resume], store: ArtifactStore, workdir: Path) -> Restored | None:
    """Read the first checkpoint whose files are there and whose SHA-256 sums are right; `None` if there is none."""
    for candidate in candidates:
        paths = {}
        for file in candidate.files:
            if file["name"] in (*NEEDED, REPORT):
                path = _verified(file, store, workdir / f"{candidate.checkpoint}-{file['name']}")
                if path is not None:
                    paths[file["name"]] = path
        if paths.keys() >= set(NEEDED):
            numbers, preparation = (json.loads(paths[name].read_text()) for name in (NUMBERS, PREPARATION))
            report = json.loads(paths[REPORT].read_text()) if REPORT in paths else None
            return Restored(candidate.checkpoint, candidate.step, load_file(paths[TENSORS]), numbers, preparation,
                            report)  # fmt: skip
    return None


def _verified(file: Mapping[str, Any], store: ArtifactStore, target: Path) -> Path | None:
    try:
        path = store.fetch(file["path"], target)
        with path.open("rb") as content:
            digest = file_digest(content, "sha256").hexdigest()
    except (NotFound, FileNotFoundError):
        return None
    return path if digest == file["sha256"] else None
