"""Jobs: submit, validate, fork, list, read."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Request
from sqlalchemy import Row
from sqlalchemy.orm import Session
from starlette.responses import Response

from app import checkpoints
from app.access import idempotency
from app.access.audit import Action
from app.access.tokens import Credential
from app.api import schemas
from app.api.auth import Principal, ReadPrincipal, WritePrincipal, add_queue_limit_headers, request_credential
from app.api.children.edits import check_first_edit
from app.api.http.bodies import RequestBodyDep
from app.api.http.idempotency import Once, OnceRequest
from app.api.http.parameters import (
    IfMatch,
    IfNoneMatch,
    JobId,
    PageLimit,
    PreconditionFailed,
    SearchText,
    etag_matches,
    etag_satisfies,
    metadata_filters,
    next_page_headers,
)
from app.api.http.responses import JsonResponse, once_response
from app.api.job_documents import JobDocument
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import FORK_BODY, JOB_BODY, METADATA_PARAMETER, route_responses
from app.api.services import Services, ServicesDep
from app.datasets import references
from app.edits import revisions
from app.errors import InvalidInput, Problem
from app.faultpoints import faultpoint
from app.ids import JOB_ID_PATTERN
from app.jobs import listing, repository, service, start
from app.jobs.placement import placement_warnings
from app.jobs.service import Submission
from app.jobs.start import StartCheckpoint
from app.jobs.states import TERMINAL_STATUSES, Status
from app.spec.data.columns import DataSchema
from app.spec.edits.fork import Fork, fork_spec
from app.spec.job import canonical_document, named_dataset_schema, parse_job, write_out_job
from app.storage.safetensors_header import read_tensor_shapes

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
MAX_WAIT_SECONDS = 60.0
_SEARCH = "Only jobs whose name contains this; upper and lower case of the Latin alphabet count alike."

_log = structlog.get_logger(__name__)


@router.post(
    "",
    status_code=201,
    dependencies=[in_lane(Lane.INSPECTION)],
    openapi_extra=JOB_BODY,
    responses=route_responses(201, schemas.Job, 409, 413, 415, 422, 503),
)
def create_job(
    request: Request, who: WritePrincipal, services: ServicesDep, once: Once, body: RequestBodyDep
) -> Response:
    """Submit a job. With an `Idempotency-Key`, repeating the request creates no second job."""
    return _submit(request, who, services, Action.JOB_CREATE, once, body.document)


@router.post(
    "/{job_id}/fork",
    status_code=201,
    dependencies=[in_lane(Lane.INSPECTION)],
    openapi_extra=FORK_BODY,
    responses=route_responses(201, schemas.Job, 404, 409, 413, 415, 422),
)
def fork_job(
    request: Request, job_id: JobId, who: WritePrincipal, services: ServicesDep, once: Once, body: RequestBodyDep
) -> Response:
    """Submit a new job that starts from a checkpoint of this one, with changes to its spec."""

    def document() -> Any:
        services.db.read(repository.find, who.owner, job_id)  # another's job is 404, whatever is sent
        fork = body.validate_as(Fork)
        spec, checkpoint = services.db.read(_fork_source, who.owner, job_id, fork)
        return fork_spec(spec, fork, checkpoint)

    return _submit(request, who, services, Action.JOB_FORK, once, document)


def _fork_source(session: Session, owner: str, job_id: str, fork: Fork) -> tuple[dict[str, Any], str]:
    """Return the spec by which a checkpoint was trained, and its id: the named one, or the current line's newest."""
    job = repository.find(session, owner, job_id)
    step, revision = fork.from_step, fork.from_revision
    default = step is None and revision is None
    rows = checkpoints.line_checkpoints(session, job) if default else checkpoints.list_checkpoints(session, job_id)
    source = next((row for row in rows if step in (None, row.step) and revision in (None, row.revision)), None)
    if source is None:
        steps = ", ".join(f"{row.step} (revision {row.revision})" for row in rows) or "none yet"
        of = "".join([f" of step {step}"] * (step is not None) + [f" of revision {revision}"] * (revision is not None))
        place = "/from_step" if step is not None or revision is None else "/from_revision"
        detail = f"there is no checkpoint{of} to fork from"
        raise InvalidInput([Problem(place, "unknown_checkpoint", detail, f"kept are: {steps}")])
    return revisions.checkpoint_document(session, job, source), source.id


def _submit(
    request: Request, who: Principal, services: Services, action: Action, once: OnceRequest, document: Callable[[], Any]
) -> Response:
    """Return the new job, or the response that an earlier request with this key got."""
    faultpoint("request_received")
    repeatable = once.of(who.owner)
    answer = services.db.read(idempotency.find_response, repeatable) if once.key is not None else None
    if answer is None:
        submission = _validate_submission(who, services, document())
        max_queued = services.settings.max_queued
        answer = service.create(
            services.db, submission, _job_document, max_queued=max_queued, request=repeatable, action=action
        )
        services.waker.wake(service.select_queue(submission.job))
        services.job_documents.forget_positions()
        _log.info("job_accepted", job_id=answer.body["id"])
    add_queue_limit_headers(request, who, services)
    return once_response(answer, "/v1/jobs")


def _job_document(row: Row[Any]) -> dict[str, Any]:
    return schemas.Job.from_row(row).as_dict()


@router.post(
    "/validate",
    dependencies=[in_lane(Lane.INSPECTION)],
    openapi_extra=JOB_BODY,
    responses=route_responses(200, schemas.Report, 413, 415, 422, 503),
)
def validate_job(who: WritePrincipal, services: ServicesDep, body: RequestBodyDep) -> Response:
    """Check a spec exactly as a submission does, limits and quotas too, and store nothing."""
    submission = _validate_submission(who, services, body.document())
    services.db.read(service.check_submission, submission, services.settings.max_queued)
    inspection = submission.places.translate_report(submission.inspection)  # of what the user wrote
    report = schemas.Report(
        queue=service.select_queue(submission.job),
        data_schema=submission.schema,
        splits=inspection["splits"],
        columns=inspection["columns"],
        warnings=inspection["warnings"],
        inspection=schemas.network_inspection(inspection),
        spec=dict(submission.document),
    )
    return JsonResponse(report.as_dict())


def _validate_submission(who: Principal, services: Services, document: Any) -> Submission:
    """Return a submission that passes every check. Raises `InvalidInput` with every problem."""
    named, begun = services.db.read(_find_named, who.owner, document)
    start_shapes = read_tensor_shapes(services.store, begun.weights) if begun is not None and begun.weights else None
    registered = named.get(references.DATA_POINTER)
    others = {place: schema for place, schema in named.items() if place != references.DATA_POINTER}
    inspection = services.inspector.inspect(document, registered, others, begun, start_shapes)
    written = write_out_job(document)  # only now: finding what is wrong can take long, and the inspector has limits
    job = parse_job(written.document)
    placement = services.db.read(placement_warnings, job, service.select_queue(job))
    warnings = [*inspection["warnings"], *(warning.as_dict() for warning in placement)]
    schema = registered or named_dataset_schema(job)
    if schema is None:
        problem = Problem(references.DATA_POINTER, "unknown_dataset", "the data set is not known", "register it first")
        raise InvalidInput([problem])
    canonical = canonical_document(job, written.document)
    first_edit = check_first_edit(services, who, job, canonical, schema, others)
    found = {**inspection, "warnings": warnings}
    return Submission(who.actor, who.limits, job, canonical, schema, found, first_edit, written.places)


def _find_named(session: Session, owner: str, document: Any) -> tuple[Mapping[str, DataSchema], StartCheckpoint | None]:
    """Return what a document names: the schemas of data sets by pointer, and the checkpoint to start from."""
    return references.load_schemas(session, owner, document), start.find_start(session, owner, document)


@router.get("", openapi_extra=METADATA_PARAMETER, responses=route_responses(200, schemas.JobPage, 400))
def list_jobs(
    request: Request,
    who: ReadPrincipal,
    services: ServicesDep,
    limit: PageLimit = 50,
    after: Annotated[str | None, Query(description="The last id of the page before.", pattern=JOB_ID_PATTERN)] = None,
    status: Annotated[list[Status], Query(description="Only jobs with one of these.")] = [],  # noqa: B006
    name: Annotated[SearchText | None, Query(description="Only jobs of this name.", max_length=200)] = None,
    search: Annotated[SearchText | None, Query(description=_SEARCH, min_length=1, max_length=200)] = None,
    deleted: Annotated[bool, Query(description="Only jobs that are deleted, and can be restored.")] = False,
) -> Response:
    """List jobs, newest first."""
    labels = metadata_filters(request)
    rows, more = services.db.read(listing.page, who.owner, limit, after, status, name, labels, deleted, search)
    page = {"items": [schemas.job_summary(row) for row in rows], "has_more": more}
    return JsonResponse(page, headers=next_page_headers(request, more, rows[-1].id if rows else ""))


@router.get("/{job_id}", responses=route_responses(200, schemas.Job, 304, 404, 412))
async def read_job(
    request: Request,
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    if_none_match: IfNoneMatch = None,
    if_match: IfMatch = None,
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait for a change.")] = 0.0,
) -> Response:
    """Read a job. With `wait` the response comes when the job differs from the version in `If-None-Match`, or changes.

    A job that has ended is answered at once; 401 once the key is no longer valid.
    """
    if wait:
        job = await _wait_for_job(services, who, request_credential(request, who), job_id, if_none_match, wait)
    else:
        job = await services.lanes.run_sync(Lane.READ, services.job_documents.read, who.owner, job_id)
    headers = {"ETag": job.etag}
    if not any(etag_satisfies(tag, if_match) for tag in (job.etag, f'"{job.version}"')):
        raise PreconditionFailed(f"the job is at version {job.version}", hint="leave If-Match out to read it")
    if _is_not_modified(job, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(job.content, headers=headers, media_type=JsonResponse.media_type)


async def _wait_for_job(
    services: Services, who: Principal, credential: Credential | None, job_id: str, known: str | None, seconds: float
) -> JobDocument:
    """Return a job once it differs from the ETags that the client knows, or changes; after `seconds` in any case.

    All who wait for a version of a job share one read of the next. Raises `Unauthenticated` if the key is no longer
    valid meanwhile.
    """
    with services.job_watcher.watch(job_id, who.owner, credential) as watch:
        state = watch.state  # of the last look for others, who may be waiting too; whoever has it waits with them
        if state is None or known is None or not etag_matches(f'"{state.version}"', known):
            state = await watch.look()
        if state.status not in TERMINAL_STATUSES:
            waits = known is None or etag_matches(f'"{state.version}"', known)
            if not waits and state.status == Status.QUEUED:  # the ETag has the position, too
                job = await _read_shared(services, who, job_id, state.version)
                waits = job.version == state.version and _is_not_modified(job, known)
            if waits:
                await watch.wait_for_change(state.version, seconds)
        return await _read_shared(services, who, job_id, watch.state.version if watch.state is not None else -1)


async def _read_shared(services: Services, who: Principal, job_id: str, version: int) -> JobDocument:
    """Return a job whose owner and version were looked at a moment ago."""
    known = services.job_documents.find(job_id, version)
    if known is not None:
        return known
    return await services.job_reads.get((job_id, version), partial(services.job_documents.read, who.owner, job_id))


def _is_not_modified(job: JobDocument, if_none_match: str | None) -> bool:
    """Return whether the client has this response, or the version alone, whatever the position in the queue."""
    return any(etag_matches(tag, if_none_match) for tag in (job.etag, f'"{job.version}"'))
