"""Revisions of jobs: the network of each, their differences, and what an edit would make."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api import schemas
from app.api.auth import ReadPrincipal
from app.api.children.edits import check_edit, diff_edit
from app.api.children.measurements import measure_difference
from app.api.children.revisions import find_revision
from app.api.http.bodies import RequestBodyDep
from app.api.http.parameters import JobId
from app.api.http.responses import JsonResponse
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import EDIT_BODY, route_responses
from app.api.services import ServicesDep
from app.edits.diff import diff_revisions
from app.jobs import repository

router = APIRouter(prefix="/v1/jobs", tags=["edits"])
RevisionNumber = Annotated[int, Query(ge=1, le=2**31 - 1, description="A revision; 1 is the spec as it was sent.")]
OptionalRevision = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Default: the current revision.")]


@router.get(
    "/{job_id}/network",
    dependencies=[in_lane(Lane.INSPECTION)],
    responses=route_responses(200, schemas.Inspection, 404),
)
def read_network(
    job_id: JobId, who: ReadPrincipal, services: ServicesDep, revision: OptionalRevision = None
) -> Response:
    """Read the inspection of the job's network, node by node, at a revision."""
    return JsonResponse(schemas.network_inspection(find_revision(services, who.owner, job_id, revision).inspection))


@router.get(
    "/{job_id}/network/diff",
    dependencies=[in_lane(Lane.INSPECTION)],
    responses=route_responses(200, schemas.NetworkDiff, 404),
)
def diff_networks(
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    from_: Annotated[RevisionNumber, Query(alias="from")] = 1,
    to: OptionalRevision = None,
) -> Response:
    """Compare the specs of two revisions: nodes that came, went or changed, and all other settings."""
    before, after = (find_revision(services, who.owner, job_id, each) for each in (from_, to))
    differences = diff_revisions(before.document, after.document, (before.inspection, after.inspection))
    diff = schemas.NetworkDiff.model_validate({"from": before.number, "to": after.number, **differences})
    return JsonResponse(diff.as_dict())


@router.post(
    "/{job_id}/edits/dry-run",
    dependencies=[in_lane(Lane.PREDICTION)],
    openapi_extra=EDIT_BODY,
    responses=route_responses(200, schemas.DryRun, 404, 409, 413, 415, 422),
)
def try_edit(job_id: JobId, who: ReadPrincipal, services: ServicesDep, body: RequestBodyDep) -> Response:
    """Check an edit exactly as a submission does, and say what it would do; nothing is stored.

    The difference is measured with the weights of the newest checkpoint, on rows of the job's own data.
    """
    services.db.read(repository.find, who.owner, job_id)  # another's job is 404, whatever is sent
    check = check_edit(services, who, job_id, body.document())
    difference = measure_difference(services, who.owner, job_id, check)
    report = schemas.DryRun.model_validate(
        {
            "revision": check.ground.revision,
            "pending": [number for number, _ in check.ground.pending],
            "diff": {"from": None, "to": None, **diff_edit(services, who.owner, job_id, check)},
            "memory": check.revised.report.get("memory"),
            "warnings": check.report["warnings"],
            "difference": difference,
            "spec": check.revised.document,
        }
    )
    return JsonResponse(report.as_dict())
