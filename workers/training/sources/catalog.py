"""Which source a job has, by the kind of its data."""

from collections.abc import Mapping
from pathlib import Path

from app.spec.data.columns import Column, DataSchema
from app.spec.data.environments.environment import EnvironmentData
from app.spec.job import JobSpec
from app.storage.protocol import ArtifactStore
from workers.data.loading.examples import TrainingData
from workers.network.runtime.build import BuiltNetwork
from workers.protocol.assignment import Assignment
from workers.training.checkpoints.files import RestoredCheckpoint
from workers.training.devices import Precision
from workers.training.objective.objective import ObjectiveHead
from workers.training.resources import AttemptResources
from workers.training.revision import RevisionState
from workers.training.sources.collector import CollectorParts
from workers.training.sources.experience import experience_source
from workers.training.sources.loading import load_rows, without_rows
from workers.training.sources.rows import row_source
from workers.training.sources.source import TrainingSource


def load_data(
    job: JobSpec,
    stored: DataSchema,
    assignment: Assignment,
    store: ArtifactStore,
    workdir: Path,
    restored: RestoredCheckpoint | None = None,
    initial: RestoredCheckpoint | None = None,
) -> TrainingData:
    """Return the examples of a job, see `load_rows`; without rows if it has an environment. Raises `DataError`."""
    if isinstance(job.data, EnvironmentData):
        return without_rows(job, stored)
    return load_rows(job, stored, assignment, store, workdir, restored, initial)


def build_source(
    job: JobSpec,
    columns: Mapping[str, Column | None],
    network: BuiltNetwork,
    heads: tuple[ObjectiveHead, ...],
    data: TrainingData,
    resources: AttemptResources,
    revision: RevisionState,
) -> TrainingSource:
    """Return what a job trains on; `columns` are the heads' targets, and `network` the one that is trained."""
    if isinstance(job.data, EnvironmentData):
        precision = Precision(resources.device, job.training.precision)
        return experience_source(CollectorParts(job.data, job.training, network, precision))
    return row_source(job, columns, heads, data, resources, revision)
