"""From an assignment to everything that the loop needs. What fails cheaply is built first."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from app.errors import CorruptCheckpoint, DataError
from app.faultpoints import faultpoint
from app.spec.data.columns import DataSchema
from app.spec.job import JobSpec, head_targets, job_split_plan, parse_job, resolve_job_features
from app.storage.keys import attempt_prefix
from app.storage.protocol import ArtifactStore
from workers.data.features.preparation import Preparation
from workers.data.loading.examples import TrainingData
from workers.data.loading.sources import load_source
from workers.data.loading.training_data import build_training_data
from workers.network.runtime.build import build
from workers.protocol.assignment import Assignment, CheckpointRef, EditRef
from workers.protocol.messages import ProgressReport
from workers.torch_errors import translate_torch_errors
from workers.training.assembly import AttemptResources, PreparedTraining, assemble, checkpoint_exporter
from workers.training.checkpoints.files import RestoredCheckpoint, restore_checkpoint
from workers.training.checkpoints.saver import CheckpointSaver
from workers.training.context import Context
from workers.training.devices import select_device, set_determinism
from workers.training.edits.agenda import Agenda
from workers.training.edits.rules import carry_rules
from workers.training.initialization import StartFiles, initialize, known_preparation, load_start_checkpoint
from workers.training.revision import RevisionState


@translate_torch_errors()
def prepare(assignment: Assignment, store: ArtifactStore, context: Context, workdir: Path) -> PreparedTraining:
    """Build all parts of an attempt. The first report says at which step it starts, later ones name the phase.

    Raises `TrainingError` (`BuildError`, `DataError`, `OutOfMemory`), and `InvalidInput` for an invalid spec.
    """
    stored = DataSchema.model_validate(assignment.data_schema)
    candidates = [each for each in assignment.resume_from if _is_of_the_log(each, assignment.edits)]
    restored = restore_checkpoint(candidates, store, workdir)
    if restored is None and assignment.resume_from:  # starting at step 0 would silently discard the training so far
        raise CorruptCheckpoint(hint="check the artifact store, then retry; or submit the job again")
    document = _document(assignment, restored)
    job = parse_job(dict(document))
    features = resolve_job_features(job, stored)
    initial = load_start_checkpoint(assignment, store, workdir) if restored is None else None
    if initial is not None and job.start_from is not None and job.start_from.what == "everything":
        restored, initial = replace(initial, forked=True), None
    start = {"step": restored.step, "checkpoint": restored.checkpoint} if restored else {"step": 0, "checkpoint": None}
    context.report(ProgressReport(phase="loading_data", events=(("rewound", start),)))
    data = load_tensors(job, stored, assignment, store, workdir, restored, initial)
    faultpoint("data_opened")
    vocabularies = data.vocabulary_reports() if restored is None else ()
    events = [("split", data.split_report())] if restored is None else []
    events += [("vocabulary", each) for each in vocabularies]
    context.report(ProgressReport(phase="building", events=tuple(events)))
    device = select_device(job.training.device)
    set_determinism(job.training.deterministic)
    torch.manual_seed(job.training.seed)
    network = build(job.model, features.schema, job.data.inputs or features.schema.inputs)
    faultpoint("network_built")
    if restored is None:
        begun = initialize(network, job, features, data, StartFiles(assignment, store, workdir, initial))
        context.report(ProgressReport(events=tuple(begun)))
    prefix = attempt_prefix(assignment.job_id, assignment.fence).removesuffix("/")
    export = checkpoint_exporter(document, network, data, stored)
    revision = _revision(restored)
    if restored is not None and restored.forked and assignment.start_document is not None:
        before = parse_job(dict(assignment.start_document)).training.edits
        revision.rules = carry_rules(revision.rules, before, job.training.edits)
    saver = CheckpointSaver(store, context, prefix, workdir, export, revision=revision.number)
    earlier = tuple(reversed(candidates))
    agenda = Agenda(assignment.edits, job.training.edits)
    agenda.prune(revision)
    documents = {1: assignment.spec, **assignment.documents}
    resources = AttemptResources(stored, data, saver, device, assignment.loaders, earlier, agenda, documents)
    return assemble(document, network, resources, revision, restored)


def _is_of_the_log(candidate: CheckpointRef, edits: Sequence[EditRef]) -> bool:
    """Say whether a checkpoint is of the training that edits describe: the next edit comes at its step, or later."""
    later = [edit.step for edit in edits if edit.step is not None and (edit.revision or 0) > candidate.revision]
    return candidate.step <= min(later, default=candidate.step)


def _document(assignment: Assignment, restored: RestoredCheckpoint | None) -> Mapping[str, Any]:
    """Return the spec of the revision at which the attempt begins. Raises `CorruptCheckpoint` if nobody has it."""
    number = _revision(restored).number
    if number == 1:
        return assignment.spec
    if number not in assignment.documents:
        raise CorruptCheckpoint(f"the checkpoint is of revision {number}, which the job does not have")
    return assignment.documents[number]


def _revision(restored: RestoredCheckpoint | None) -> RevisionState:
    if restored is None:
        return RevisionState()
    return RevisionState.from_json(restored.state_json.get("revision"), restored.forked)


def load_tensors(
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
