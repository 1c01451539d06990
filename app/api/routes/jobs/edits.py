"""Edits of jobs: submit, list, read, withdraw; and rollbacks."""

from contextlib import suppress
from functools import partial
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.access import audit, idempotency
from app.access.audit import Action
from app.api import schemas
from app.api.auth import Principal, ReadPrincipal, WritePrincipal, request_credential
from app.api.children.edits import check_edit
from app.api.http.bodies import RequestBodyDep
from app.api.http.idempotency import Once, OnceRequest
from app.api.http.parameters import JobId, PageLimit, next_page_headers
from app.api.http.responses import JsonResponse, once_response
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import EDIT_BODY, ROLLBACK_BODY, route_responses
from app.api.routes.jobs.jobs import MAX_WAIT_SECONDS
from app.api.services import Services, ServicesDep
from app.db.tables import EditRow
from app.edits import acceptance, outcomes
from app.edits import repository as edits
from app.edits.states import EditState
from app.errors import RequestError
from app.faultpoints import faultpoint
from app.jobs import repository
from app.jobs.rollback import roll_back
from app.spec.base import MAX_INT64
from app.spec.edits.rollback import Rollback

router = APIRouter(prefix="/v1/jobs", tags=["edits"])
MAX_CHECKS = 5  # of an edit before which others are accepted meanwhile
EditNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="An edit's number.")]

_log = structlog.get_logger(__name__)


@router.post(
    "/{job_id}/edits",
    status_code=201,
    dependencies=[in_lane(Lane.INSPECTION)],
    openapi_extra=EDIT_BODY,
    responses=route_responses(201, schemas.Edit, 404, 409, 413, 415, 422),
)
def create_edit(
    job_id: JobId, who: WritePrincipal, services: ServicesDep, once: Once, body: RequestBodyDep
) -> Response:
    """Edit the network and the plan of a job that has not ended: at its next step, or at a trigger that is named.

    It is checked against the revision that it will meet. A running job goes on without a pause; one that waits applies
    the edit when it runs.
    """
    answer = _find_answer(services, who, once)
    if answer is None:
        services.db.read(repository.find, who.owner, job_id)  # another's job is 404, whatever is sent
        try:
            answer = _check_and_accept(services, who, job_id, once, body.document())
        except RequestError:  # also because the same request, sent twice at once, has changed what is met
            answer = _find_answer(services, who, once)
            if answer is None:
                raise
    return once_response(answer, f"/v1/jobs/{job_id}/edits")


def _find_answer(services: Services, who: Principal, once: OnceRequest) -> idempotency.IdempotentResponse | None:
    """Return the answer to an earlier request with the same key."""
    return None if once.key is None else services.db.read(idempotency.find_response, once.of(who.owner))


def _check_and_accept(
    services: Services, who: Principal, job_id: str, once: OnceRequest, document: Any
) -> idempotency.IdempotentResponse:
    """Check an edit, again if another one came in between, and store it."""
    for _ in range(MAX_CHECKS - 1):
        with suppress(acceptance.GroundChanged):
            return _accept(services, who, job_id, once, document)
    return _accept(services, who, job_id, once, document)


def _accept(
    services: Services, who: Principal, job_id: str, once: OnceRequest, document: Any
) -> idempotency.IdempotentResponse:
    check = check_edit(services, who, job_id, document)

    def effect(session: Session) -> tuple[int, dict[str, Any]]:
        job = repository.find_for_update(session, who.owner, job_id)
        row = acceptance.accept(session, job, check.submitted, check.ground, check.report, who.actor.key_id or "")
        audit.append(session, who.actor, Action.JOB_EDIT, job_id, {"edit": row.number})
        return 201, schemas.Edit.from_row(row).as_dict()

    answer = once.run(who.owner, effect)
    faultpoint("edit_accepted")
    _log.info("edit_accepted", job_id=job_id, edit=answer.body["id"])
    return answer


@router.get("/{job_id}/edits", responses=route_responses(200, schemas.EditPage, 404))
def list_edits(
    request: Request,
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    limit: PageLimit = 100,
    after: Annotated[int, Query(ge=0, le=MAX_INT64, description="Number of the last edit that is known.")] = 0,
) -> Response:
    """List a job's edits and rollbacks, oldest first."""

    def unit(session: Session) -> schemas.EditPage:
        repository.find(session, who.owner, job_id)
        return schemas.EditPage.from_rows(edits.page(session, job_id, after, limit + 1), limit)

    page = services.db.read(unit)
    last = page.items[-1].id if page.items else 0
    return JsonResponse(page.as_dict(), headers=next_page_headers(request, page.has_more, last))


@router.get("/{job_id}/edits/{number}", responses=route_responses(200, schemas.EditDetail, 404))
async def read_edit(
    job_id: JobId,
    number: EditNumber,
    who: ReadPrincipal,
    services: ServicesDep,
    request: Request,
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait for its end.")] = 0.0,
) -> Response:
    """Read an edit. With `wait` the response comes when it has been applied, rejected or withdrawn."""
    read = partial(services.lanes.run_sync, Lane.WAIT if wait else Lane.READ, _read_edit, services, who, job_id, number)
    edit = await read()
    if wait and edit.state == EditState.ACCEPTED:
        with services.job_watcher.watch(job_id, who.owner, request_credential(request, who)) as watch:
            async for _ in watch.changes(wait):
                edit = await read()
                if edit.state != EditState.ACCEPTED:
                    break
    return JsonResponse(edit.as_dict())


def _read_edit(services: Services, who: Principal, job_id: str, number: int) -> schemas.EditDetail:
    def unit(session: Session) -> EditRow:
        repository.find(session, who.owner, job_id)
        return edits.find(session, job_id, number)

    return schemas.EditDetail.from_row(services.db.read(unit))


@router.delete("/{job_id}/edits/{number}", responses=route_responses(200, schemas.Edit, 404, 409))
def withdraw_edit(job_id: JobId, number: EditNumber, who: WritePrincipal, services: ServicesDep) -> Response:
    """Withdraw an edit that has not been applied: at once, or if the job is running, as soon as its attempt agrees.

    Withdrawing twice is no error.
    """

    def unit(session: Session) -> EditRow:
        row = outcomes.withdraw(session, repository.find_for_update(session, who.owner, job_id), number)
        audit.append(session, who.actor, Action.JOB_EDIT_WITHDRAW, job_id, {"edit": number})
        return row

    return JsonResponse(schemas.Edit.from_row(services.db.run(unit)).as_dict())


@router.post(
    "/{job_id}/rollback",
    status_code=201,
    openapi_extra=ROLLBACK_BODY,
    responses=route_responses(201, schemas.Edit, 404, 409, 413, 415, 422),
)
def roll_back_job(
    job_id: JobId, who: WritePrincipal, services: ServicesDep, once: Once, body: RequestBodyDep
) -> Response:
    """Let a job go on from a checkpoint of an earlier revision, at once. Edits that wait are withdrawn.

    What has been trained since stays listed, and one can go back to it.
    """

    def effect(session: Session) -> tuple[int, dict[str, Any]]:
        repository.find(session, who.owner, job_id)
        rollback = body.validate_as(Rollback)
        row = roll_back(session, who.owner, job_id, rollback, who.actor.key_id or "")
        data = {"edit": row.number, "checkpoint": row.base}
        audit.append(session, who.actor, Action.JOB_ROLLBACK, job_id, data)
        return 201, schemas.Edit.from_row(row).as_dict()

    answer = once.run(who.owner, effect)
    job = services.db.read(repository.find, who.owner, job_id)
    services.waker.wake(job.queue)
    services.job_documents.forget_positions()
    return once_response(answer, f"/v1/jobs/{job_id}/edits")
