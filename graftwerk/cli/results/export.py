"""`graftwerk export`: networks and curves as other programs read them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from graftwerk.cli.output import AsJson, open_client, print_result
from graftwerk.cli.parameters import JobId
from graftwerk.exports.forms import CURVE_FORMS


class Form(StrEnum):
    """What is exported: a checkpoint's network, or the job's curves."""

    ONNX = "onnx"
    TORCH_EXPORT = "torch_export"
    BUNDLE = "bundle"
    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    MLFLOW_JSON = "mlflow_json"


def export(
    ctx: typer.Context,
    job_id: JobId,
    form: Annotated[
        Form,
        typer.Argument(
            help="The network: onnx, torch_export, or bundle, all files in one archive. The curves: tensorboard, "
            "mlflow (its file store), or mlflow_json (bodies of its REST API).",
            metavar="FORM",
        ),
    ],
    folder: Annotated[Path, typer.Argument(help="Where to put the file or folder.", file_okay=False)] = Path(),
    checkpoint: Annotated[str | None, typer.Option(help="A checkpoint's id; default: the best.")] = None,
    names: Annotated[str | None, typer.Option(help="Series, separated by commas; default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Export a job's network as a graph, or its curves for TensorBoard or MLflow."""
    curves = form.value in CURVE_FORMS
    if curves and checkpoint is not None:
        raise typer.BadParameter("curves belong to no checkpoint", param_hint="--checkpoint")
    if names is not None and not curves:
        raise typer.BadParameter(f"{form.value} has no curves", param_hint="--names")
    with open_client(ctx) as client:
        job = client.jobs.get(job_id)
        if curves:
            path = job.export_curves(form.value, folder, names.split(",") if names else None)
        else:
            path = job.export(form.value, folder, checkpoint)
    print_result({"path": str(path)}, str(path), as_json=as_json)
