"""Verbs on jobs: cancel, pause, resume, retry, delete, restore."""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.access import audit
from app.access.audit import Action
from app.api import schemas
from app.api.auth import Principal, WritePrincipal
from app.api.http.idempotency import Once
from app.api.http.parameters import IfMatch, JobId, PreconditionFailed, etag_satisfies
from app.api.http.responses import JsonResponse, once_response
from app.api.openapi.routes import route_responses
from app.api.services import Services, ServicesDep
from app.jobs import deletion, repository, service
from app.storage.removal import remove_job_files

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
R = TypeVar("R")


@router.post("/{job_id}/cancel", responses=route_responses(200, schemas.Job, 404, 409, 412))
def cancel_job(job_id: JobId, who: WritePrincipal, services: ServicesDep, if_match: IfMatch = None) -> Response:
    """Cancel a job: at once unless it is running, else within seconds. Cancelling twice is no error."""
    services.db.run(
        audit.with_audit(who.actor, Action.JOB_CANCEL, job_id, _guarded(if_match, service.cancel)), who.owner, job_id
    )
    return _changed_job(services, who, job_id)


@router.post("/{job_id}/pause", responses=route_responses(200, schemas.Job, 404, 409, 412))
def pause_job(job_id: JobId, who: WritePrincipal, services: ServicesDep, if_match: IfMatch = None) -> Response:
    """Pause a job: at once unless it is running, else at its next step, at a checkpoint. Twice is no error."""
    services.db.run(
        audit.with_audit(who.actor, Action.JOB_PAUSE, job_id, _guarded(if_match, service.pause)), who.owner, job_id
    )
    return _changed_job(services, who, job_id)


@router.post("/{job_id}/resume", responses=route_responses(200, schemas.Job, 404, 409, 412))
def resume_job(job_id: JobId, who: WritePrincipal, services: ServicesDep, if_match: IfMatch = None) -> Response:
    """Resume a paused job where it stopped. Resuming twice is no error."""
    resume = _guarded(if_match, partial(service.resume, limits=who.limits))
    services.waker.wake(
        services.db.run(audit.with_audit(who.actor, Action.JOB_RESUME, job_id, resume), who.owner, job_id).queue
    )
    return _changed_job(services, who, job_id)


@router.post("/{job_id}/retry", responses=route_responses(200, schemas.Job, 404, 409, 412, 413, 422))
def retry_job(
    job_id: JobId, who: WritePrincipal, services: ServicesDep, once: Once, if_match: IfMatch = None
) -> Response:
    """Queue a failed or cancelled job again, from its last checkpoint."""
    retry = audit.with_audit(
        who.actor, Action.JOB_RETRY, job_id, _guarded(if_match, partial(service.retry, limits=who.limits))
    )

    def effect(session: Session) -> tuple[int, dict[str, Any]]:
        retry(session, who.owner, job_id)
        return 200, services.job_documents.build(session, who.owner, job_id).as_dict()

    answer = once.run(who.owner, effect)
    services.waker.wake(answer.body["queue"])
    services.job_documents.forget_positions()
    return once_response(answer)


@router.delete("/{job_id}", status_code=204, responses=route_responses(204, None, 404, 409, 412))
def delete_job(
    job_id: JobId,
    who: WritePrincipal,
    services: ServicesDep,
    purge: Annotated[bool, Query(description="Remove it at once, and for good; also one that is deleted.")] = False,
    if_match: IfMatch = None,
) -> Response:
    """Delete an ended job: it is hidden, can be restored for a while, and is then removed with all its files."""
    for_good = purge or not services.settings.trash_seconds
    verb = _guarded(if_match, deletion.purge if for_good else deletion.delete)
    services.db.run(
        audit.with_audit(who.actor, Action.JOB_DELETE, job_id, verb, {"purge": for_good}), who.owner, job_id
    )
    if for_good:
        remove_job_files(services.store, job_id)
    return Response(status_code=204)


@router.post("/{job_id}/restore", responses=route_responses(200, schemas.Job, 404, 412))
def restore_job(job_id: JobId, who: WritePrincipal, services: ServicesDep, if_match: IfMatch = None) -> Response:
    """Restore a deleted job, as long as it is not removed. Restoring twice is no error."""
    services.db.run(
        audit.with_audit(who.actor, Action.JOB_RESTORE, job_id, _guarded(if_match, deletion.restore)), who.owner, job_id
    )
    return _changed_job(services, who, job_id)


def _changed_job(services: Services, who: Principal, job_id: str) -> Response:
    services.job_documents.forget_positions()
    return Response(services.job_documents.read(who.owner, job_id).content, media_type=JsonResponse.media_type)


def _guarded(if_match: str | None, verb: Callable[[Session, str, str], R]) -> Callable[[Session, str, str], R]:
    """Return a unit of work that first locks the job, and raises `PreconditionFailed` if it is another version.

    The position in the queue, which is part of an ETag, does not count: others change it.
    """

    def unit(session: Session, owner: str, job_id: str) -> R:
        if if_match is not None:
            versions = re.sub(r'"(\d+)\.\d+"', r'"\1"', if_match)
            version = repository.find_for_update(session, owner, job_id, deleted_too=True).version
            if not etag_satisfies(f'"{version}"', versions):
                raise PreconditionFailed(f"the job is at version {version}", hint="read it again, then decide anew")
        return verb(session, owner, job_id)

    return unit
