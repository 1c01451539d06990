"""The files of a checkpoint: stored durably under unique keys, and verified when they are read."""

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, partial
from hashlib import file_digest
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from app.disk.capacity import is_disk_full
from app.errors import NotFound, StorageFull
from app.ids import new_id
from app.storage.protocol import ArtifactStore
from app.storage.removal import remove_files
from workers.data.features.preparation import Preparation
from workers.data.loading.batch_source import Segment
from workers.exports.weights import export_weights
from workers.network.blueprint import Blueprint
from workers.network.codegen.source import write_source
from workers.network.runtime.build import BuiltNetwork
from workers.protocol.assignment import CheckpointRef
from workers.protocol.messages import SavedCheckpoint, SavedFile
from workers.training.checkpoints.segments import StoredSegments, is_segment, join_segments, write_segments
from workers.training.metrics.reports.classification_report import REPORT_FILE, TEST_REPORT_FILE
from workers.training.optim.schedules import JsonState
from workers.training.state import StateJson, published_weights

STATE_TENSORS_FILE, STATE_JSON_FILE = "state.safetensors", "state.json"  # private: what a resumed attempt needs
PREPARATION_FILE = "preparation.json"  # public: how rows become tensors
WEIGHTS_FILE = "weights.safetensors"  # public: what predictions use
REQUIRED_FILES = (STATE_TENSORS_FILE, STATE_JSON_FILE, PREPARATION_FILE)
MAX_READS = 2  # of a file that is not what was stored: a store on another machine may have erred on the way
ReportFunction = Callable[[int], JsonState | None]  # from a step to the report of its evaluation
# Writes the public files of weights into a folder, and returns their paths.
ExportFunction = Callable[[Mapping[str, Tensor], Path], Sequence[Path]]


@dataclass(frozen=True)
class CheckpointSnapshot:
    """A copy of everything that a checkpoint holds, taken at one step."""

    step: int
    epoch: float
    values: Mapping[str, float]  # by series
    tensors: Mapping[str, Tensor]  # on the CPU
    state_json: str  # JSON
    report: ReportFunction | None  # of the step's evaluation, if there was one
    final: bool
    test_report: JsonState | None = None  # of the test, in the final checkpoint
    revision: int = 1
    segments: Sequence[Segment] = ()  # of the state, beside `tensors`; those that are stored already have no tensors

    @property
    def folder(self) -> str:
        """The name of its folder: a step at which an edit was applied has a checkpoint of either revision."""
        return str(self.step) if self.revision == 1 else f"{self.step}-r{self.revision}"


def write_checkpoint(
    snapshot: CheckpointSnapshot,
    export: ExportFunction,
    store: ArtifactStore,
    prefix: str,
    workdir: Path,
    stored: StoredSegments,
) -> SavedCheckpoint:
    """Store the files of a checkpoint durably under `prefix`, but for the segments that are stored already.

    If one of them fails, all are removed. Raises `StorageFull` and `Unavailable`.
    """
    step, folder = snapshot.step, workdir / f"step-{snapshot.folder}"
    files: list[SavedFile] = []
    kept = stored.stored_files(snapshot.segments)
    try:
        with _raise_storage_full(workdir):
            folder.mkdir(parents=True)
            save_file(dict(snapshot.tensors), folder / STATE_TENSORS_FILE)
            (folder / STATE_JSON_FILE).write_text(snapshot.state_json)
            public = list(export(published_weights(snapshot.tensors), folder))
            if snapshot.report is not None and (document := snapshot.report(step)) is not None:
                public.append(_write_json(folder / REPORT_FILE, document))
            if snapshot.test_report is not None:
                public.append(_write_json(folder / TEST_REPORT_FILE, snapshot.test_report))
            segments = write_segments(snapshot.segments, folder)
            for path in (*public, folder / STATE_TENSORS_FILE, folder / STATE_JSON_FILE, *segments):
                put = store.put_file(f"{prefix}/{snapshot.folder}/{path.name}", path)
                files.append(SavedFile(path.name, put.key, put.size, put.sha256, path in public))
    except BaseException:
        remove_files(store, [file.path for file in files])
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    values = {name: value for name, value in snapshot.values.items() if math.isfinite(value)}
    place = (step, snapshot.epoch, values, (*files, *kept), snapshot.final)
    return SavedCheckpoint(new_id("ckpt"), *place, revision=snapshot.revision)


def _write_json(path: Path, document: JsonState) -> Path:
    path.write_text(json.dumps(document, allow_nan=False))
    return path


@contextmanager
def _raise_storage_full(workdir: Path) -> Iterator[None]:
    """Raise `StorageFull` where a library only says that writing failed, and the disk is full."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        if is_disk_full(error) or shutil.disk_usage(workdir).free < 1 << 20:
            raise StorageFull(f"no room for a checkpoint: {error}", hint="free some space on the worker") from error
        raise


@dataclass(frozen=True)
class RestoredCheckpoint:
    """A verified checkpoint in memory."""

    checkpoint: str  # its id
    step: int
    tensors: Mapping[str, Tensor]
    state_json: StateJson
    preparation: JsonState
    report: JsonState | None = None  # of the evaluation at this step, if there was one
    test_report: JsonState | None = None  # of the test, if the training had come to its end
    forked: bool = False  # whether it is another job's, whose whole state is taken over
    segments: tuple[SavedFile, ...] = ()  # the files of its segments, which are among `tensors`

    def report_at(self, step: int) -> JsonState | None:
        """Return the report of the evaluation at `step`; `None` for that of another job."""
        return self.report if step == self.step and not self.forked else None


def restore_checkpoint(
    candidates: Sequence[CheckpointRef], store: ArtifactStore, workdir: Path
) -> RestoredCheckpoint | None:
    """Read the first checkpoint whose files exist and have the right SHA-256 sums; `None` if there is none."""
    for candidate in candidates:
        paths = {}
        for file in candidate.files:
            if file["name"] in (*REQUIRED_FILES, REPORT_FILE, TEST_REPORT_FILE) or is_segment(file["name"]):
                path = _fetch_verified(file, store, workdir / f"{candidate.id}-{file['name']}")
                if path is not None:
                    paths[file["name"]] = path
        segments = [file for file in candidate.files if is_segment(file["name"])]
        if paths.keys() >= {*REQUIRED_FILES, *(file["name"] for file in segments)}:
            numbers, preparation = (json.loads(paths[name].read_text()) for name in (STATE_JSON_FILE, PREPARATION_FILE))
            report, test_report = (
                json.loads(paths[name].read_text()) if name in paths else None
                for name in (REPORT_FILE, TEST_REPORT_FILE)
            )
            tensors = load_file(paths[STATE_TENSORS_FILE]) | join_segments(
                {file["name"]: paths[file["name"]] for file in segments}
            )
            content = (tensors, numbers, preparation, report, test_report)
            files = tuple(SavedFile(**file) for file in segments)
            return RestoredCheckpoint(candidate.id, candidate.step, *content, segments=files)
    return None


def read_published_weights(checkpoint: CheckpointRef, store: ArtifactStore, workdir: Path) -> dict[str, Tensor] | None:
    """Return the weights that a checkpoint publishes, by name; `None` if their file is gone or damaged."""
    for file in checkpoint.files:
        if file["name"] == WEIGHTS_FILE:
            path = _fetch_verified(file, store, workdir / f"{checkpoint.id}-{WEIGHTS_FILE}")
            return load_file(path) if path is not None else None
    return None


def checkpoint_ref(saved: SavedCheckpoint) -> CheckpointRef:
    """Return what identifies a checkpoint that this attempt has saved."""
    return CheckpointRef(
        saved.id, saved.step, tuple(asdict(file) for file in saved.files), saved.values, saved.revision
    )


def _fetch_verified(file: JsonState, store: ArtifactStore, target: Path) -> Path | None:
    """Fetch a file; `None` if it is gone, or is not what was stored however often it is read."""
    for _ in range(MAX_READS):
        try:
            path = store.fetch(file["path"], target)
            with path.open("rb") as content:
                digest = file_digest(content, "sha256").hexdigest()
        except (NotFound, FileNotFoundError):
            return None
        if digest == file["sha256"]:
            return path
    return None


def build_exporter(
    network: BuiltNetwork, preparation: Preparation, extra: Mapping[str, object], policy: Blueprint | None = None
) -> ExportFunction:
    """Return what writes the public files of a network's weights; `extra` is stored with the preparation of rows.

    `policy` is the part that acts in an environment, see `write_source`.
    """
    contents = {PREPARATION_FILE: json.dumps({**preparation.document(), **extra}), **preparation.tokenizer_files()}
    source = cache(partial(write_source, network, policy))

    def write(weights: Mapping[str, Tensor], folder: Path) -> list[Path]:
        for name, content in contents.items():
            (folder / name).write_text(content)
        return [*export_weights(weights, source(), folder), *(folder / name for name in contents)]

    return write
