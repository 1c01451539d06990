"""Exports of a checkpoint: its network as a graph for other programs, or everything in one archive."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.api.auth import Reader
from app.api.children.exporter import exported
from app.api.http.files import Wanted, answer_file
from app.api.http.parameters import CheckpointId
from app.api.openapi import answers
from app.api.services import Part

router = APIRouter(prefix="/v1/checkpoints", tags=["checkpoints"])
Form = Annotated[
    Literal["onnx", "torch_export", "bundle"],
    Path(description="onnx: model.onnx. torch_export: model.pt2, for torch.export. bundle: bundle.zip."),
]
CONTENT = ("application/octet-stream", "application/zip")
DIFFERENCE = {
    "Graftwerk-Max-Difference": {
        "description": "The largest absolute difference to the network's own outputs, on random inputs.",
        "schema": {"type": "number"},
    }
}
HEAD = answers(200, None, 304, 404, 409, 501, media=CONTENT, headers=DIFFERENCE)
FILE = HEAD | answers(206, None, 416, media=CONTENT, headers=DIFFERENCE)


@router.head("/{checkpoint_id}/exports/{form}", operation_id="describe_export", responses=HEAD)
@router.get("/{checkpoint_id}/exports/{form}", operation_id="download_export", responses=FILE)
def download_export(checkpoint_id: CheckpointId, form: Form, who: Reader, services: Part, wanted: Wanted) -> Response:
    """Download the network as one graph, or everything of the checkpoint in one archive; made on first demand.

    A graph has inputs and outputs in order, and takes any number of examples; `Graftwerk-Max-Difference` is the
    largest difference to the network's own outputs. A network whose course depends on the data has no such graph: 409
    `not_exportable`, with every node that stands in the way.
    """
    file = exported(services, who.owner, checkpoint_id, form)
    difference = file["difference"]
    more = {} if difference is None else {"Graftwerk-Max-Difference": f"{difference:.3g}"}
    return answer_file(services.store, file, wanted, more)
