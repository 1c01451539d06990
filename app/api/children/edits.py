"""Edits before they are accepted: what they make of a job, and how much they change what its network computes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from app.access import quotas
from app.api.auth import Principal
from app.api.children.revisions import inspect_revision
from app.api.http.bodies import validate_model
from app.api.services import Services
from app.datasets import references
from app.edits import acceptance, revisions
from app.edits import repository as edits
from app.edits.acceptance import FirstEdit, Ground, SubmittedEdit
from app.edits.diff import diff_revisions
from app.errors import InvalidInput, Problem
from app.jobs import repository
from app.jobs.placement import device_needs
from app.spec.data.columns import DataSchema
from app.spec.edits.edit import Edit
from app.spec.job import JobSpec, parse_job
from workers.protocol.child_requests import ReviseResponse

FIRST_EDIT_POINTER = "/start_from/edits"


@dataclass(frozen=True, slots=True)
class CheckedEdit:
    """An edit that passed every check, what it meets, and what it makes of the job."""

    submitted: SubmittedEdit
    ground: Ground
    schema: Mapping[str, Any]  # of the job's data
    revised: ReviseResponse

    @property
    def report(self) -> dict[str, Any]:
        """The inspection of the revised job."""
        return _report(self.revised)


def check_edit(services: Services, who: Principal, job_id: str, document: Any) -> CheckedEdit:
    """Check an edit against the revision that it will meet.

    Raises `NotFound`, `InvalidInput` with every problem, and what `app.edits.acceptance.find_ground` raises.
    """
    submitted = SubmittedEdit(validate_model(Edit, document), document)

    def unit(session: Session) -> tuple[Ground, Mapping[str, Any], Mapping[str, DataSchema]]:
        job = repository.find(session, who.owner, job_id)
        ground = acceptance.find_ground(session, job, submitted.edit)
        named = references.load_schemas(session, who.owner, ground.document)
        return ground, job.data_schema, references.other_schemas(named)

    ground, schema, others = services.db.read(unit)
    revised = services.inspector.check_edit(ground, document["operations"], schema, others)
    _check_quota(who, revised)
    _check_devices(revised)
    return CheckedEdit(submitted, ground, schema, revised)


def _check_quota(who: Principal, revised: ReviseResponse) -> None:
    """Raise `InvalidInput` for a network with more parameters than the key may train."""
    problems = quotas.network_problems(who.limits, revised.report["totals"]["parameters"])
    if problems:
        raise InvalidInput([replace(problem, pointer="/operations") for problem in problems])


def _check_devices(revised: ReviseResponse) -> None:
    """Raise `InvalidInput` if the job would need another device than the workers have that may run it."""
    before, after = (device_needs(parse_job(dict(each))) for each in (revised.before, revised.document))
    hint = "fork the job: the new one is given to a worker that has it"
    problems = [
        Problem("/operations", "other_device", f"the job would need {need.what}, and may run without one", hint)
        for need in after
        if need not in before
    ]
    if problems:
        raise InvalidInput(problems)


def diff_edit(services: Services, owner: str, job_id: str, check: CheckedEdit) -> dict[str, Any]:
    """Return what an edit changes of the job that it meets, see `app.edits.diff`."""

    def unit(session: Session) -> Mapping[str, Any] | None:
        job = repository.find(session, owner, job_id)
        if check.ground.pending:
            return edits.find(session, job_id, check.ground.pending[-1][0]).inspection
        return revisions.inspection_at(session, job, check.ground.revision)

    before = check.revised.before
    inspection = services.db.read(unit) or inspect_revision(services, owner, before, check.schema)
    return diff_revisions(before, check.revised.document, (inspection, check.revised.report))


def check_first_edit(
    services: Services,
    who: Principal,
    job: JobSpec,
    document: Mapping[str, Any],
    schema: DataSchema,
    named: Mapping[str, DataSchema],
) -> FirstEdit | None:
    """Return the edit with which a new job begins; `None` if it begins without one.

    Raises `InvalidInput` with pointers into the job.
    """
    if job.start_from is None or not job.start_from.edits:
        return None
    operations = document["start_from"]["edits"]
    others = references.other_schemas(named)
    ground = Ground(revisions.FIRST_REVISION, document, (), 1)
    try:
        revised = services.inspector.check_edit(ground, operations, schema.model_dump(mode="json"), others)
        _check_quota(who, revised)
    except InvalidInput as error:
        places = [each.pointer.replace("/operations", FIRST_EDIT_POINTER, 1) for each in error.problems]
        problems = [replace(each, pointer=place) for each, place in zip(error.problems, places, strict=True)]
        raise InvalidInput(problems) from None
    return FirstEdit(operations, _report(revised))


def _report(revised: ReviseResponse) -> dict[str, Any]:
    return {**revised.report, "warnings": [warning.as_dict() for warning in revised.warnings]}
