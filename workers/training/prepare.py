"""From an assignment to everything that the loop needs. What fails cheaply is built first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from app.errors import CorruptCheckpoint
from app.faultpoints import faultpoint
from app.spec.data.columns import DataSchema
from app.spec.job import parse_job, resolve_job_features
from app.storage.keys import attempt_prefix
from app.storage.protocol import ArtifactStore
from workers.network.runtime.build import build
from workers.protocol.assignment import Assignment, CheckpointRef, EditRef
from workers.protocol.messages import ProgressReport
from workers.torch_errors import translate_torch_errors
from workers.training.assembly import PreparedTraining, assemble, checkpoint_exporter
from workers.training.checkpoints.files import RestoredCheckpoint, restore_checkpoint
from workers.training.checkpoints.saver import CheckpointSaver
from workers.training.context import Context
from workers.training.devices import select_device, set_determinism
from workers.training.edits.agenda import Agenda
from workers.training.edits.rules import carry_rules
from workers.training.initialization import StartFiles, initialize, load_start_checkpoint
from workers.training.resources import AttemptResources
from workers.training.revision import RevisionState
from workers.training.sources.catalog import load_data


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
    data = load_data(job, stored, assignment, store, workdir, restored, initial)
    faultpoint("data_opened")
    vocabularies = data.vocabulary_reports() if restored is None else ()
    events = [("split", data.split_report())] if restored is None and len(data.train) else []
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
