"""What a training begins with: weights of another job, of a file or of torchvision, and the other job's preparation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import DataError
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.job import JobSpec
from app.spec.start_from import StartFrom
from app.storage.protocol import ArtifactStore
from workers.data.loading.examples import TrainingData
from workers.network.runtime.build import BuiltNetwork
from workers.protocol.assignment import Assignment
from workers.training.checkpoints.files import RestoredCheckpoint, restore_checkpoint
from workers.training.checkpoints.initial_weights import load_weights, read_weights
from workers.training.checkpoints.pretrained_embeddings import load_pretrained_embeddings
from workers.training.checkpoints.torchvision_weights import load_torchvision_weights
from workers.training.state import published_weights

PREPARATION_POINTER = "/start_from/preparation"
PREPARATION_HINT = (
    'set "preparation": "checkpoint" in start_from to prepare it as there, or "fit" if that is what you want'
)

Event = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class StartFiles:
    """Where initial weights come from: what the assignment names, and the other job's checkpoint, if there is one."""

    assignment: Assignment
    store: ArtifactStore
    workdir: Path
    checkpoint: RestoredCheckpoint | None


def load_start_checkpoint(assignment: Assignment, store: ArtifactStore, workdir: Path) -> RestoredCheckpoint | None:
    """Return the other job's checkpoint to start from, if any. Raises `DataError` if it is damaged or missing."""
    if assignment.start_from is None:
        return None
    checkpoint = restore_checkpoint((assignment.start_from,), store, workdir)
    if checkpoint is None:
        detail = f"{assignment.start_from.id} is damaged: its files are not what was stored"
        raise DataError(detail, pointer="/start_from/checkpoint", hint="start from another checkpoint")
    return checkpoint


def known_preparation(start: StartFrom | None, initial: RestoredCheckpoint | None) -> Mapping[str, Any] | None:
    """Return the preparation of the other job if this one takes it over."""
    is_kept = start is not None and start.preparation == "checkpoint"
    return initial.preparation if is_kept and initial is not None else None


def initialize(
    network: BuiltNetwork, job: JobSpec, features: ResolvedFeatures, data: TrainingData, files: StartFiles
) -> Iterator[Event]:
    """Put the initial weights of a job into its network, which has random ones.

    Yields the events that tell of it. Raises `BuildError` if weights do not fit; `DataError` if a file is missing, or
    if the words of the data are numbered otherwise than those of the weights.
    """
    assignment, start, store, workdir = files.assignment, job.start_from, files.store, files.workdir
    if start is None or start.match == "shapes":  # all others have every weight of the network
        trained = load_torchvision_weights(network, Path(assignment.data_root), assignment.allow_downloads)
        yield from (("initial_weights", each) for each in trained)
    if start is not None and files.checkpoint is not None:
        yield from _preparation_warnings(data, files.checkpoint, start)
        yield "initial_weights", load_weights(network, published_weights(files.checkpoint.tensors), start)
    elif start is not None and assignment.weights is not None:
        yield "initial_weights", load_weights(network, read_weights(assignment.weights, store, workdir), start)
    else:
        vectors = load_pretrained_embeddings(network, features, data, assignment.word_vectors, store, workdir)
        yield from (("vectors", each) for each in vectors)


def _preparation_warnings(data: TrainingData, other: RestoredCheckpoint, start: StartFrom) -> Iterator[Event]:
    """Yield how the data are prepared otherwise than in the other job. Raises `DataError` for other vocabularies."""
    differences = data.preparation.differences(other.preparation)
    words = [name for name, is_vocabulary in differences.items() if is_vocabulary]
    if words and start.preparation is None:
        detail = f'the vocabulary of "{words[0]}" is not that of the checkpoint: its weights would see other words'
        raise DataError(detail, pointer=PREPARATION_POINTER, hint=PREPARATION_HINT)
    for name in differences:
        detail = f'"{name}" was fitted to other rows than in the job of the checkpoint, whose weights saw other numbers'
        hint = 'no change is needed if that is what you want; "preparation": "checkpoint" keeps the other job\'s'
        yield "warning", {"pointer": PREPARATION_POINTER, "code": "other_preparation", "detail": detail, "hint": hint}
