"""Exports of a checkpoint: its network as a graph for other programs, or everything in one archive."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.api.auth import ReadPrincipal
from app.api.children.exporter import get_or_create_export
from app.api.http.files import FileRequestDep, file_response
from app.api.http.parameters import CheckpointId
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import route_responses
from app.api.services import ServicesDep

router = APIRouter(prefix="/v1/checkpoints", tags=["checkpoints"])
ExportFormat = Annotated[
    Literal["onnx", "torch_export", "bundle"],
    Path(description="onnx: model.onnx. torch_export: model.pt2, for torch.export. bundle: bundle.zip."),
]
EXPORT_MEDIA_TYPES = ("application/octet-stream", "application/zip")
DIFFERENCE_HEADER = {
    "Graftwerk-Max-Difference": {
        "description": "The largest absolute difference to the network's own outputs, on random inputs.",
        "schema": {"type": "number"},
    }
}
EXPORT_HEAD_RESPONSES = route_responses(
    200, None, 304, 404, 409, 501, 507, media=EXPORT_MEDIA_TYPES, headers=DIFFERENCE_HEADER
)
EXPORT_RESPONSES = EXPORT_HEAD_RESPONSES | route_responses(
    206, None, 416, media=EXPORT_MEDIA_TYPES, headers=DIFFERENCE_HEADER
)


@router.head(
    "/{checkpoint_id}/exports/{form}",
    dependencies=[in_lane(Lane.EXPORT)],
    operation_id="describe_export",
    responses=EXPORT_HEAD_RESPONSES,
)
@router.get(
    "/{checkpoint_id}/exports/{form}",
    dependencies=[in_lane(Lane.EXPORT)],
    operation_id="download_export",
    responses=EXPORT_RESPONSES,
)
def download_export(
    checkpoint_id: CheckpointId,
    form: ExportFormat,
    who: ReadPrincipal,
    services: ServicesDep,
    file_request: FileRequestDep,
) -> Response:
    """Download the network as one graph, or everything of the checkpoint in one archive; built by the first request.

    A graph has inputs and outputs in order, and takes any number of examples; `Graftwerk-Max-Difference` is the
    largest difference to the network's own outputs. A network whose control flow depends on the data has no such graph:
    409 `not_exportable`, with every node that prevents it.
    """
    file = get_or_create_export(services, who.owner, checkpoint_id, form)
    difference = file["difference"]
    headers = {} if difference is None else {"Graftwerk-Max-Difference": f"{difference:.3g}"}
    return file_response(services.store, file, file_request, headers)
