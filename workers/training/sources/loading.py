"""Reads the rows of a job: from its data set to examples for training, validation and test."""

import sys
from pathlib import Path

from app.errors import DataError
from app.spec.data.columns import DataSchema
from app.spec.job import JobSpec, head_targets, job_split_plan, resolve_job_features
from app.storage.protocol import ArtifactStore
from workers.data.features.preparation import PREPROCESSORS, Preparation
from workers.data.loading.examples import ExampleSet, TrainingData
from workers.data.loading.sources import load_source
from workers.data.loading.training_data import build_training_data
from workers.protocol.assignment import Assignment
from workers.training.checkpoints.files import RestoredCheckpoint
from workers.training.initialization import known_preparation


def load_rows(
    job: JobSpec,
    stored: DataSchema,
    assignment: Assignment,
    store: ArtifactStore,
    workdir: Path,
    restored: RestoredCheckpoint | None = None,
    initial: RestoredCheckpoint | None = None,
) -> TrainingData:
    """Read, split and prepare the examples, with the preparation of a restored checkpoint. Raises `DataError`.

    `initial` is the other job's checkpoint whose weights are taken, and its preparation if the job says so.
    """
    features = resolve_job_features(job, stored)
    columns = head_targets(job, stored, features)
    compared = [name for name, head in job.objective.all_heads().items() if head.has_metrics_output]
    if any(columns[name] is None for name in compared):
        raise DataError("the data has no target", pointer="/data/target", hint="name a column")
    dataset, content = assignment.dataset, None
    if dataset is not None and dataset.path is not None:
        content = store.fetch(dataset.path, workdir / "dataset")
    loaded = load_source(
        dataset.source if dataset is not None else job.data.model_dump(include={"kind", "name"}),
        root=Path(assignment.data_root),
        allow_downloads=assignment.allow_downloads,
        content=content,
        known=stored,
    )
    data = build_training_data(
        loaded,
        stored,
        features,
        inputs=job.model.input_names(job.data.inputs or features.schema.inputs),
        targets=tuple(dict.fromkeys(column.name for name in compared if (column := columns[name]) is not None)),
        plan=job_split_plan(job, stored, features),
        seed=job.training.seed,
        preparation=Preparation.load(features, stored, restored.preparation) if restored is not None else None,
        known=known_preparation(job.start_from, initial),
        sampling=job.data.sampler,
    )
    return data.materialize(
        {"auto": assignment.resident_limit, "resident": sys.maxsize, "streamed": 0}[job.data.loading]
    )


def without_rows(job: JobSpec, stored: DataSchema) -> TrainingData:
    """Return the examples of a job that has an environment: none, and the columns of experience are as they are."""
    features = resolve_job_features(job, stored)
    columns = features.features_for(job.model.input_names(features.schema.inputs))
    preprocessors = {name: PREPROCESSORS[each.kind].load(name, each, stored, None) for name, each in columns.items()}
    return TrainingData(ExampleSet({}, {}), None, Preparation(preprocessors))
