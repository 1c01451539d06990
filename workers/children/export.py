"""Exports a trained network as one graph."""

from safetensors.torch import load_file

from app.spec.data.columns import DataSchema
from app.spec.job import parse_job, resolve_job_features
from workers.exports.catalog import export_graph
from workers.protocol.child_requests import ExportRequest, ExportResponse


def handle(request: ExportRequest) -> ExportResponse:
    """Write the graph. Raises `NotExportable`, `MissingDependency`."""
    job = parse_job(request.job)
    schema = resolve_job_features(job, DataSchema.model_validate(request.schema)).schema
    inputs = job.data.inputs or schema.inputs
    weights = load_file(request.weights)
    return ExportResponse(export_graph(job.model, schema, inputs, weights, request.form, request.target))
