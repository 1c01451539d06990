"""Data sets: register, send content, list, read, propose a job, download, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.access import audit, quotas
from app.access.audit import Action
from app.api import schemas
from app.api.auth import ReadPrincipal, WritePrincipal
from app.api.http.bodies import RequestBodyDep
from app.api.http.files import DOWNLOAD_MEDIA_TYPES, FileRequestDep, file_response
from app.api.http.idempotency import Once
from app.api.http.parameters import DatasetId, PageLimit, SearchText, next_page_headers
from app.api.http.responses import JsonResponse, once_response
from app.api.http.uploads import UploadChunkDep, store_chunk
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import CONTENT_BODY, DATASET_BODY, PROPOSAL_BODY, route_responses
from app.api.services import ServicesDep
from app.datasets import contents, lookup, references, registry
from app.datasets.lookup import DatasetStatus
from app.ids import DATASET_ID_PATTERN
from app.proposals.proposal import propose
from app.proposals.request import ProposalRequest
from app.spec.data.sources import NewDataset, UploadSource
from app.storage.removal import remove_files

router = APIRouter(prefix="/v1/datasets", tags=["data sets"])
CONTENT_HEAD_RESPONSES = route_responses(200, None, 304, 404, 409, media=DOWNLOAD_MEDIA_TYPES)
CONTENT_RESPONSES = CONTENT_HEAD_RESPONSES | route_responses(206, None, 416, media=DOWNLOAD_MEDIA_TYPES)


@router.post(
    "", status_code=201, openapi_extra=DATASET_BODY, responses=route_responses(201, schemas.Dataset, 409, 413, 415, 422)
)
def create_dataset(who: WritePrincipal, once: Once, body: RequestBodyDep) -> Response:
    """Register a data set: a named one is ready at once, an uploaded one waits for its content.

    With the `sha256` of content that another data set of yours has, read in the same way, it is ready at once too.
    """
    new = body.validate_as(NewDataset)

    def effect(session: Session) -> tuple[int, dict[str, Any]]:
        if isinstance(new.source, UploadSource):
            quotas.check_uploads(session, who.owner, who.limits)
            quotas.check_storage(session, who.owner, who.limits)
        row = registry.register(session, who.owner, new)
        audit.append(session, who.actor, Action.DATASET_CREATE, row.id)
        return 201, schemas.Dataset.from_row(row).as_dict()

    return once_response(once.run(who.owner, effect), "/v1/datasets")


@router.put(
    "/{dataset_id}/content",
    dependencies=[in_lane(Lane.UPLOAD)],
    openapi_extra=CONTENT_BODY,
    responses=route_responses(200, schemas.Dataset, 404, 409, 413, 422, 503, 507)
    | route_responses(202, schemas.Dataset),
)
def put_content(dataset_id: DatasetId, who: WritePrincipal, services: ServicesDep, piece: UploadChunkDep) -> Response:
    """Send content, at once or in consecutive chunks (`Content-Range`): 202 until the last one.

    `Upload-Offset` says how much has arrived. The content is read and described before the data set is ready.
    """
    row = store_chunk(services, who.actor, dataset_id, piece)
    status = 200 if row.status == DatasetStatus.READY else 202
    return JsonResponse(schemas.Dataset.from_row(row).as_dict(), status, headers={"Upload-Offset": str(row.size)})


@router.get("", responses=route_responses(200, schemas.DatasetPage))
def list_datasets(
    request: Request,
    who: ReadPrincipal,
    services: ServicesDep,
    limit: PageLimit = 50,
    after: Annotated[
        str | None, Query(description="The last id of the page before.", pattern=DATASET_ID_PATTERN)
    ] = None,
    status: Annotated[list[DatasetStatus], Query(description="Only data sets with one of these.")] = [],  # noqa: B006
    name: Annotated[SearchText | None, Query(description="Only data sets of this name.", max_length=200)] = None,
) -> Response:
    """List data sets, newest first."""
    rows, more = services.db.read(lookup.page, who.owner, limit, after, status, name)
    page = schemas.DatasetPage(items=[schemas.Dataset.from_row(row) for row in rows], has_more=more)
    return JsonResponse(page.as_dict(), headers=next_page_headers(request, more, rows[-1].id if rows else ""))


@router.get("/{dataset_id}", responses=route_responses(200, schemas.Dataset, 404))
def read_dataset(dataset_id: DatasetId, who: ReadPrincipal, services: ServicesDep) -> Response:
    """Read a data set: its schema, its first rows, or what is wrong with it."""
    return JsonResponse(schemas.Dataset.from_row(services.db.read(lookup.find, who.owner, dataset_id)).as_dict())


@router.post(
    "/{dataset_id}/propose",
    openapi_extra=PROPOSAL_BODY,
    responses=route_responses(200, schemas.Proposal, 404, 409, 413, 415, 422),
)
def propose_job(dataset_id: DatasetId, who: ReadPrincipal, services: ServicesDep, body: RequestBodyDep) -> Response:
    """Propose a job that learns a column: a whole spec, with a reason for each choice. Nothing is stored."""
    row, schema = services.db.read(references.find_trainable, who.owner, dataset_id)
    proposal = propose(row.id, row.name, schema, body.validate_as(ProposalRequest))
    return JsonResponse(schemas.Proposal.from_proposal(proposal).as_dict())


@router.head(
    "/{dataset_id}/content",
    dependencies=[in_lane(Lane.DOWNLOAD)],
    operation_id="describe_content",
    responses=CONTENT_HEAD_RESPONSES,
)
@router.get(
    "/{dataset_id}/content",
    dependencies=[in_lane(Lane.DOWNLOAD)],
    operation_id="download_content",
    responses=CONTENT_RESPONSES,
)
def download_content(
    dataset_id: DatasetId, who: ReadPrincipal, services: ServicesDep, file_request: FileRequestDep
) -> Response:
    """Download the uploaded content or a range of it. Its ETag is its SHA-256."""
    row = services.db.read(lookup.find, who.owner, dataset_id)
    return file_response(services.store, contents.content_file(row), file_request)


@router.delete("/{dataset_id}", status_code=204, responses=route_responses(204, None, 404, 409))
def delete_dataset(dataset_id: DatasetId, who: WritePrincipal, services: ServicesDep) -> Response:
    """Delete a data set that no unfinished job needs."""
    unit = audit.with_audit(who.actor, Action.DATASET_DELETE, dataset_id, registry.delete)
    remove_files(services.store, services.db.run(unit, who.owner, dataset_id))
    return Response(status_code=204)
