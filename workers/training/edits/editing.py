"""An edit of a running training: a resume in memory, from a mapped state, with the document of the next revision."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog
import torch
from pydantic import TypeAdapter

from app.errors import GraftwerkError, InvalidInput, Problem
from app.faultpoints import faultpoint
from app.spec.data.columns import DataSchema
from app.spec.edits.operations import Operation
from app.spec.job import head_targets, parse_job, resolve_job_features
from workers.network.inference.shape_inference import infer_shapes
from workers.network.runtime.build import BuiltNetwork
from workers.protocol.assignment import EditRef
from workers.protocol.messages import EditApplied, EditRejected
from workers.surgery.apply import Draw
from workers.surgery.draft import Revision
from workers.surgery.initial_values import draw
from workers.surgery.revise import locate, revise
from workers.torch_errors import translate_torch_errors
from workers.training.assembly import PreparedTraining, assemble, checkpoint_exporter
from workers.training.checkpoints.files import ReportFunction
from workers.training.edits.gradients import PresentWeights
from workers.training.edits.mapping import begins_schedule, map_training
from workers.training.edits.rules import fill_in
from workers.training.revision import Origins, RevisionState
from workers.training.validation.objective import objective_problems

_log = structlog.get_logger(__name__)
PLANNED_BITS = 40  # edits that the plan makes draw their weights apart from those that have numbers
_OPERATIONS = TypeAdapter(tuple[Operation, ...])


@dataclass(frozen=True)
class EditedTraining:
    """What came of an edit: the training to go on with, and what to report."""

    prepared: PreparedTraining
    message: EditApplied | EditRejected


def apply_edit(old: PreparedTraining, edit: EditRef) -> EditedTraining:
    """Apply an edit between two steps.

    If it cannot be applied, the training is the old one, which nothing has touched. Raises the error of an edit that
    was applied before: without it the job would be another one.
    """
    began, step = time.monotonic(), old.state.counters.step
    if edit.revision is None and edit.expect_revision not in (None, old.state.revision.number):
        return _reject(old, edit, [_stale_revision(edit, old.state.revision.number)])
    try:
        with translate_torch_errors():
            operations = fill_in(edit.operations, old.document)
            revision = _revise(old, operations, edit)
            new, dropped = _build(old, revision, edit)
    except GraftwerkError as error:
        if edit.revision is not None:
            raise
        return _reject(old, edit, _problems(error))
    except torch.AcceleratorError:  # a broken device: the attempt is retried
        raise
    except Exception:  # a fault of this service, which the job is not to end by
        if edit.revision is not None:
            raise
        _log.exception("edit_failed", edit=edit.number, step=step)
        return _reject(old, edit, [Problem("", "internal", "an internal error occurred; the service's log has it")])
    message = EditApplied(
        edit.number,
        step,
        new.state.revision.number,
        dict(revision.document),
        {place: tuple(chosen) for place, chosen in revision.choices.items()},
        _details(old, new, revision, dropped, began),
        operations,
        edit.rule,
        edit.firing,
    )
    return EditedTraining(new, message)


def _stale_revision(edit: EditRef, current: int) -> Problem:
    """Return the problem of an edit behind one that was rejected, or behind that of a rule which came between."""
    detail = f"the job is at revision {current}, and the edit was written for {edit.expect_revision}"
    return Problem("/expect_revision", "stale_revision", detail, "look at the job's edits, and send it again")


def _reject(old: PreparedTraining, edit: EditRef, problems: Sequence[Problem]) -> EditedTraining:
    step = old.state.counters.step
    old.agenda.settle(edit, step, old.state.revision, rejected=True)
    written = tuple(problem.as_dict() for problem in problems)
    operations = tuple(edit.operations)
    return EditedTraining(old, EditRejected(edit.number, written, step, operations, edit.rule, edit.firing))


def _revise(old: PreparedTraining, operations: Sequence[Mapping[str, Any]], edit: EditRef) -> Revision:
    parsed = _OPERATIONS.validate_python(operations)
    choices = edit.choices if edit.revision is not None else None
    weights = PresentWeights(old, *_random_values(old, edit))
    return revise(old.document, old.resources.schema, parsed, weights=weights, choices=choices)


def _random_values(old: PreparedTraining, edit: EditRef) -> tuple[Draw, int]:
    """Return what draws the new weights of an edit, and the seed of the noise on copies."""
    seed, key = old.plan.seed, _edit_key(edit)
    return partial(draw, seed=seed, edit=key), seed + key


def _build(old: PreparedTraining, revision: Revision, edit: EditRef) -> tuple[PreparedTraining, tuple[str, ...]]:
    """Build the training of a revision, with the state of the old one; also return what has lost its moments."""
    blueprint = revision.changes[-1].blueprint if revision.changes else old.network.blueprint
    if blueprint != old.network.blueprint:
        _check_objective(old.resources.schema, revision)
    with torch.random.fork_rng(devices=[]):
        network = BuiltNetwork(blueprint)
    following = _next_state(old, revision.document, edit)
    new = assemble(revision.document, network, old.resources, following)
    mapped = map_training(old, new, revision.changes, *_random_values(old, edit))
    new.state.load(mapped.tensors, mapped.numbers)
    faultpoint("edit_built")
    old.agenda.settle(edit, old.state.counters.step, following)
    old.agenda.rules = new.plan.edits  # of which a rename has changed the names of nodes
    return new, mapped.dropped


def _check_objective(schema: DataSchema, revision: Revision) -> None:
    """Raise `InvalidInput` if the outputs of a network no longer fit what they are compared with."""
    job = parse_job(dict(revision.document))
    features = resolve_job_features(job, schema)
    network = infer_shapes(job.model, features.schema, job.data.inputs or features.schema.inputs)
    problems = objective_problems(job, head_targets(job, schema, features), network)
    if problems:
        raise InvalidInput([locate(problem, revision.places) for problem in problems])


def _next_state(old: PreparedTraining, document: Mapping[str, Any], edit: EditRef) -> RevisionState:
    """Return the state of the next revision: its number, and where its schedule and its epochs begin."""
    plan, step, state = parse_job(dict(document)).training, old.state.counters.step, old.state.revision
    epochs = state.origins.epochs
    if (plan.batch_size, plan.accumulate, plan.drop_last) != (
        old.plan.batch_size,
        old.plan.accumulate,
        old.plan.drop_last,
    ):
        epochs = old.epochs.changed_at(step)
    first, *others = [
        step if begins_schedule(old.plan, plan, place) else state.origins.schedule_step_of(place)
        for place in range(len(plan.all_updates()))
    ]
    copied = RevisionState.from_json(state.as_json())
    return replace(copied, number=edit.revision or state.number + 1, origins=Origins(first, epochs, tuple(others)))


def _edit_key(edit: EditRef) -> int:
    """Return what an edit's random numbers depend on: its number, or the rule that makes it and how often."""
    return edit.number or 0 if edit.rule is None else (edit.rule + 1 << PLANNED_BITS) + edit.firing


def _problems(error: GraftwerkError) -> Sequence[Problem]:
    if isinstance(error, InvalidInput):
        return error.problems
    return [Problem(error.pointer, error.code, error.detail, error.hint)]


def _details(
    old: PreparedTraining, new: PreparedTraining, revision: Revision, dropped: Sequence[str], began: float
) -> dict[str, Any]:
    warnings = [problem.as_dict() for problem in revision.warnings]
    if dropped:
        detail = f"the state of the optimiser cannot follow {', '.join(dropped[:4])}: it begins anew there"
        warnings.append(
            Problem("/operations", "state_dropped", detail, "moments of one entry per weight can").as_dict()
        )
    counts = {"parameters": new.parameters, "parameters_before": old.parameters}
    return {"warnings": warnings, **counts, "seconds": time.monotonic() - began}


def begin_revision(
    old: PreparedTraining, edited: EditedTraining, values: Mapping[str, float], report: ReportFunction | None
) -> None:
    """Report an edit that was applied, with a checkpoint on either side of it.

    `values` and `report` are those of the step's evaluation, which the old network had.
    """
    new, saver, step = edited.prepared, old.saver, old.state.counters.step
    saver.save(old.state, old.epochs.passed(step), values, report, at_once=True)
    old.context.report_edit(edited.message)
    faultpoint("edit_reported")
    export = checkpoint_exporter(new.document, new.network, new.resources.data, new.resources.schema)
    new.resources.documents[new.state.revision.number] = new.document
    saver.begin_revision(new.state.revision.number, export)
    saver.save(new.state, new.epochs.passed(step), {}, at_once=True)
