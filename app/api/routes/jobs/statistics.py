"""Statistics of what happens inside a job's network while it trains."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from app import statistics
from app.api import schemas
from app.api.auth import ReadPrincipal
from app.api.http.parameters import IfNoneMatch, JobId, SearchText, etag_matches
from app.api.http.responses import MAX_BUCKETS, JsonResponse, json_columns
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import route_responses
from app.api.services import ServicesDep
from app.errors import NotFound
from app.jobs import repository
from app.spec.hints.names import did_you_mean
from app.spec.training.statistics import QUANTITIES

router = APIRouter(prefix="/v1/jobs", tags=["statistics"])

FirstStep = Annotated[int | None, Query(alias="from", ge=0, le=2**53, description="Least step.")]
LastStep = Annotated[int | None, Query(ge=0, le=2**53, description="Largest step.")]


@router.get(
    "/{job_id}/statistics",
    dependencies=[in_lane(Lane.DOWNLOAD)],
    responses=route_responses(200, schemas.NetworkStatistics, 304, 404),
)
def read_statistics(
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    nodes: Annotated[
        SearchText | None, Query(max_length=20_000, description="Paths, separated by commas; default: all.")
    ] = None,
    quantities: Annotated[
        SearchText | None, Query(max_length=400, description="Separated by commas; default: all.")
    ] = None,
    from_: FirstStep = None,
    to: LastStep = None,
    max_points: Annotated[int, Query(ge=1, le=10_000, description="Most buckets of a series; fewer of many.")] = 500,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read what happened inside the network, node by node, in buckets of minimum, maximum and last."""
    selection = statistics.Selection(
        frozenset(nodes.split(",")) if nodes else None,
        _quantities(quantities) if quantities else None,
        from_,
        to,
        max_points,
    )

    def unit(session: Session) -> tuple[str, dict[str, Any] | None]:
        etag, known = _version(session, who.owner, job_id)
        if etag_matches(etag, if_none_match):
            return etag, None
        return etag, known | {"nodes": statistics.read(session, job_id, selection, MAX_BUCKETS)}

    etag, document = services.db.read(unit)
    if document is None:
        return Response(status_code=304, headers={"ETag": etag})
    document["nodes"] = {
        node: {quantity: json_columns(columns) for quantity, columns in series.items()}
        for node, series in document["nodes"].items()
    }
    return JsonResponse(document, headers={"ETag": etag})


@router.get(
    "/{job_id}/statistics/histograms",
    dependencies=[in_lane(Lane.DOWNLOAD)],
    responses=route_responses(200, schemas.Histograms, 304, 404),
)
def read_histograms(
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    node: Annotated[SearchText, Query(max_length=4000, description="The path of a node.")],
    quantity: Annotated[
        Literal["weights", "gradients", "activations"], Query(description="Of what the distribution is.")
    ] = "weights",
    from_: FirstStep = None,
    to: LastStep = None,
    max_points: Annotated[int, Query(ge=1, le=1000, description="Most histograms; of more every 2^k-th.")] = 100,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read how the weights, gradients or activations of a node were distributed, at some of the steps."""
    selection = statistics.Selection(low=from_, high=to, max_points=max_points)

    def unit(session: Session) -> tuple[str, dict[str, Any] | None]:
        etag, _ = _version(session, who.owner, job_id)
        if etag_matches(etag, if_none_match):
            return etag, None
        return etag, statistics.read_histograms(session, job_id, node, quantity, selection)

    etag, found = services.db.read(unit)
    if found is None:
        return Response(status_code=304, headers={"ETag": etag})
    return JsonResponse({"node": node, "quantity": quantity} | found, headers={"ETag": etag})


def _version(session: Session, owner: str, job_id: str) -> tuple[str, dict[str, Any]]:
    """Return the ETag of a job's statistics, and how far they go. Raises `NotFound`."""
    job = repository.find(session, owner, job_id)
    samples, last = statistics.extent(session, job.id)
    return f'"{job.fence}.{samples}.{last}"', {"samples": samples, "last_step": last}


def _quantities(text: str) -> frozenset[str]:
    """Return the selected quantities. Raises `NotFound` for one that there is not."""
    names = text.split(",")
    for name in names:
        if name.partition("/")[0] not in QUANTITIES:
            hint = did_you_mean(name, list(QUANTITIES)) or "one of: " + ", ".join(QUANTITIES)
            raise NotFound(f'there is no quantity "{name}"', hint=hint)
    return frozenset(names)
