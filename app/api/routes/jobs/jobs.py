"""Jobs: submit, validate, list, read, cancel, pause, resume, retry, delete, restore."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app import checkpoints, events
from app.access import audit, idempotency, quotas
from app.access.audit import Action
from app.api import schemas
from app.api.auth import Principal, Reader, Writer, tell_waiting
from app.api.http.bodies import Sent
from app.api.http.parameters import (
    JOB_ID,
    IdempotencyKey,
    IfNoneMatch,
    JobId,
    Limit,
    following,
    labels,
    matches,
)
from app.api.http.responses import Json, created
from app.api.openapi import FORK_BODY, JOB_BODY, LABELS, answers
from app.api.services import Part, Services
from app.datasets import registry
from app.db.tables import JobRow
from app.errors import InvalidInput, Problem
from app.events import EventKind
from app.faultpoints import faultpoint
from app.jobs import queue, repository, service
from app.jobs.queue import Place
from app.jobs.service import Submission
from app.jobs.states import ENDED, Status
from app.spec.fork import Fork, forked
from app.spec.job import known_schema, parse_job
from app.storage.removal import remove_job_files
from app.webhooks.repository import check_named

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
LONGEST_WAIT = 60.0
MOST_TRANSITIONS = 1000

_log = structlog.get_logger(__name__)


@router.post("", status_code=201, openapi_extra=JOB_BODY, responses=answers(201, schemas.Job, 409, 413, 415, 422, 503))
def create_job(request: Request, who: Writer, services: Part, key: IdempotencyKey, body: Sent) -> Response:
    """Submit a job. With an `Idempotency-Key` it is made once, however often this is sent."""
    digest = hashlib.sha256(b"POST /v1/jobs\n" + body.content).hexdigest()
    return _submitted(request, who, services, Action.JOB_CREATE, key, digest, body.document)


@router.post(
    "/{job_id}/fork",
    status_code=201,
    openapi_extra=FORK_BODY,
    responses=answers(201, schemas.Job, 404, 409, 413, 415, 422),
)
def fork_job(request: Request, job_id: JobId, who: Writer, services: Part, key: IdempotencyKey, body: Sent) -> Response:
    """Submit a new job that starts from a checkpoint of this one, with changes to its spec."""
    digest = hashlib.sha256(f"POST /v1/jobs/{job_id}/fork\n".encode() + body.content).hexdigest()

    def document() -> Any:
        services.db.read(repository.find, who.owner, job_id)  # another's job is 404, whatever is sent
        fork = body.validated(Fork)
        spec, checkpoint = services.db.read(_fork_of, who.owner, job_id, fork.from_step)
        return forked(spec, fork, checkpoint)

    return _submitted(request, who, services, Action.JOB_FORK, key, digest, document)


def _fork_of(session: Session, owner: str, job_id: str, step: int | None) -> tuple[dict[str, Any], str]:
    row = repository.find(session, owner, job_id)
    listed = checkpoints.listed(session, job_id)
    found = next((saved for saved in listed if step in (None, saved.step)), None)
    if found is None:
        steps = ", ".join(str(saved.step) for saved in listed) or "none yet"
        detail = f"there is no checkpoint {'' if step is None else f'of step {step} '}to fork from"
        raise InvalidInput([Problem("/from_step", "unknown_checkpoint", detail, f"kept are: {steps}")])
    return row.spec, found.id


def _submitted(
    request: Request,
    who: Principal,
    services: Services,
    action: Action,
    key: str | None,
    digest: str,
    document: Callable[[], Any],
) -> Response:
    """Answer with the new job, or as this key was answered before."""
    faultpoint("request_received")
    answer = services.db.read(idempotency.earlier, who.owner, key, digest) if key is not None else None
    if answer is None:
        submission = _checked(who, services, document())
        most = services.settings.max_queued
        answer = service.create(
            services.db, submission, _fresh, max_queued=most, action=action, idempotency_key=key, digest=digest
        )
        services.waker.wake(service.queue_of(submission.job))
        _log.info("job_accepted", job_id=answer.body["id"])
    tell_waiting(request, who, services)
    return created(answer, f"/v1/jobs/{answer.body['id']}")


def _fresh(row: JobRow) -> dict[str, Any]:
    return schemas.Job.of(row).plain()


@router.post("/validate", openapi_extra=JOB_BODY, responses=answers(200, schemas.Report, 413, 415, 422))
def validate_job(who: Writer, services: Part, body: Sent) -> Response:
    """Check a spec as a submission does, and store nothing."""
    found = _checked(who, services, body.document())
    services.db.read(check_named, who.owner, found.job.webhook)
    report = schemas.Report(
        queue=service.queue_of(found.job), data_schema=found.schema, inspection=dict(found.inspection)
    )
    return Json(report.plain())


def _checked(who: Principal, services: Services, document: Any) -> Submission:
    """Return what passes every check; raises `InvalidInput` with every problem found."""
    known = services.db.read(registry.schemas_of, who.owner, document)
    registered = known.get(registry.DATA)
    others = {place: schema for place, schema in known.items() if place != registry.DATA}
    inspection = services.inspector.inspect(document, registered, others)
    job = parse_job(document)  # only now: finding what is wrong with it can take long, and the inspector has limits
    quotas.check_job(who.limits, job.priority, inspection["totals"]["parameters"])
    schema = registered or known_schema(job)
    if schema is None:
        problem = Problem(registry.DATA, "unknown_dataset", "the data set is not known", "register it first")
        raise InvalidInput([problem])
    return Submission(who.actor, who.limits, job, document, schema, inspection)


@router.get("", openapi_extra=LABELS, responses=answers(200, schemas.JobPage, 400))
def list_jobs(
    request: Request,
    who: Reader,
    services: Part,
    limit: Limit = 50,
    after: Annotated[str | None, Query(description="The last id of the page before.", pattern=JOB_ID)] = None,
    status: Annotated[list[Status], Query(description="Only jobs with one of these.")] = [],  # noqa: B006
    name: Annotated[str | None, Query(description="Only jobs of this name.", max_length=200)] = None,
    deleted: Annotated[bool, Query(description="Only jobs that are deleted, and can be restored.")] = False,
) -> Response:
    """List jobs, newest first."""
    rows, more = services.db.read(repository.page, who.owner, limit, after, status, name, labels(request), deleted)
    page = schemas.JobPage(items=[schemas.summary(row) for row in rows], has_more=more)
    return Json(page.plain(), headers=following(request, more, rows[-1].id if rows else ""))


@router.get("/{job_id}", responses=answers(200, schemas.Job, 304, 404))
async def read_job(
    job_id: JobId,
    who: Reader,
    services: Part,
    if_none_match: IfNoneMatch = None,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for a change.")] = 0.0,
) -> Response:
    """Read a job. With `wait` the answer comes when the job has changed: since the version in `If-None-Match`, or now.

    A job that has ended is answered at once.
    """
    job = await run_in_threadpool(services.db.read, _described, services, who, job_id)
    if wait and (if_none_match is None or _known(job, if_none_match)) and job.status not in ENDED:
        await services.watcher.changed(job_id, job.version, wait)
        job = await run_in_threadpool(services.db.read, _described, services, who, job_id)
    headers = {"ETag": _etag(job)}
    if _known(job, if_none_match):
        return Response(status_code=304, headers=headers)
    return Json(job.plain(), headers=headers)


def _known(job: schemas.Job, if_none_match: str | None) -> bool:
    """Say whether the client has this answer, or asks for other versions only, whatever a waiting job's position."""
    return any(matches(tag, if_none_match) for tag in (_etag(job), f'"{job.version}"'))


def _etag(job: schemas.Job) -> str:
    return f'"{job.version}"' if job.position is None else f'"{job.version}.{job.position}"'


def _described(session: Session, services: Services, who: Principal, job_id: str) -> schemas.Job:
    row = repository.find(session, who.owner, job_id)
    place = queue.place(session, row, services.settings.limit_running_jobs) if row.status == Status.QUEUED else Place()
    return schemas.Job.of(row, events.after(session, job_id, 0, MOST_TRANSITIONS, [EventKind.STATUS]), place)


@router.get("/{job_id}/network", responses=answers(200, schemas.Inspection, 404))
def read_network(job_id: JobId, who: Reader, services: Part) -> Response:
    """Read what the inspector found out about the job's network, node by node."""
    return Json(services.db.read(repository.find, who.owner, job_id).inspection)


@router.post("/{job_id}/cancel", responses=answers(200, schemas.Job, 404, 409))
def cancel_job(job_id: JobId, who: Writer, services: Part) -> Response:
    """Cancel a job: at once if nobody trains it, else within seconds. Cancelling twice is no error."""
    services.db.run(audit.noted(who.actor, Action.JOB_CANCEL, job_id, service.cancel), who.owner, job_id)
    return Json(services.db.read(_described, services, who, job_id).plain())


@router.post("/{job_id}/pause", responses=answers(200, schemas.Job, 404, 409))
def pause_job(job_id: JobId, who: Writer, services: Part) -> Response:
    """Pause a job: at once if nobody trains it, else at its next step, with a checkpoint. Pausing twice is no error."""
    services.db.run(audit.noted(who.actor, Action.JOB_PAUSE, job_id, service.pause), who.owner, job_id)
    return Json(services.db.read(_described, services, who, job_id).plain())


@router.post("/{job_id}/resume", responses=answers(200, schemas.Job, 404, 409))
def resume_job(job_id: JobId, who: Writer, services: Part) -> Response:
    """Let a paused job go on where it was. Resuming twice is no error."""
    resume = partial(service.resume, limits=who.limits)
    services.waker.wake(
        services.db.run(audit.noted(who.actor, Action.JOB_RESUME, job_id, resume), who.owner, job_id).queue
    )
    return Json(services.db.read(_described, services, who, job_id).plain())


@router.post("/{job_id}/retry", responses=answers(200, schemas.Job, 404, 409))
def retry_job(job_id: JobId, who: Writer, services: Part) -> Response:
    """Let a failed or cancelled job go on from its last checkpoint."""
    retry = partial(service.retry, limits=who.limits)
    services.waker.wake(
        services.db.run(audit.noted(who.actor, Action.JOB_RETRY, job_id, retry), who.owner, job_id).queue
    )
    return Json(services.db.read(_described, services, who, job_id).plain())


@router.delete("/{job_id}", status_code=204, responses=answers(204, None, 404, 409))
def delete_job(
    job_id: JobId,
    who: Writer,
    services: Part,
    purge: Annotated[bool, Query(description="Remove it at once, and for good; also one that is deleted.")] = False,
) -> Response:
    """Delete an ended job: it is hidden, can be restored for a while, and is then removed with all its files."""
    for_good = purge or not services.settings.trash_seconds
    verb = service.purge if for_good else service.delete
    services.db.run(audit.noted(who.actor, Action.JOB_DELETE, job_id, verb, {"purge": for_good}), who.owner, job_id)
    if for_good:
        remove_job_files(services.store, job_id)
    return Response(status_code=204)


@router.post("/{job_id}/restore", responses=answers(200, schemas.Job, 404))
def restore_job(job_id: JobId, who: Writer, services: Part) -> Response:
    """Bring a deleted job back, as long as it is not removed. Restoring twice is no error."""
    services.db.run(audit.noted(who.actor, Action.JOB_RESTORE, job_id, service.restore), who.owner, job_id)
    return Json(services.db.read(_described, services, who, job_id).plain())
