"""Exports a trained network as one graph."""

from functools import partial

from safetensors.torch import load_file

from app.spec.data.columns import DataSchema
from app.spec.data.environments.environment import EnvironmentData
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.job import parse_job, resolve_job_features
from workers.exports.catalog import export_graph
from workers.exports.samples import ValueRanges
from workers.network.analysis.policy import policy_blueprint
from workers.protocol.child_requests import ExportRequest, ExportResponse

UNCHANGED_KINDS = frozenset({"tensor", "numbers"})  # of features whose values are those that are stored, unless scaled


def handle(request: ExportRequest) -> ExportResponse:
    """Write the graph; of a network that acts in an environment, the part that acts.

    Raises `NotExportable`, `MissingDependency`.
    """
    job = parse_job(request.job)
    stored = DataSchema.model_validate(request.schema)
    resolved = resolve_job_features(job, stored)
    schema, inputs = resolved.schema, job.data.inputs or resolved.schema.inputs
    weights, ranges = load_file(request.weights), _value_ranges(stored, resolved)
    part = partial(policy_blueprint, data=job.data) if isinstance(job.data, EnvironmentData) else None
    difference = export_graph(job.model, schema, inputs, weights, request.form, request.target, ranges, part)
    return ExportResponse(difference)


def _value_ranges(stored: DataSchema, resolved: ResolvedFeatures) -> ValueRanges:
    """Return the ranges of the inputs that a network reads as they are stored."""
    ranges = {}
    for name, feature in resolved.features.items():
        sources = [stored.column(source) for source in feature.source_columns]
        settings = feature.model_dump()
        if settings.get("scale") not in (None, "none") or feature.kind not in UNCHANGED_KINDS:
            continue
        statistics = [column.statistics or {} for column in sources if column is not None]
        if statistics and all({"min", "max"} <= each.keys() for each in statistics):
            ranges[name] = (min(each["min"] for each in statistics), max(each["max"] for each in statistics))
    return ranges
