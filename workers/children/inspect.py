"""Inspects a job: builds its network on the meta device, and reports shapes, costs and every problem."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from re import fullmatch, match
from typing import Any

import torch

from app.errors import InvalidInput, Problem
from app.spec.base import bounded_counts
from app.spec.data.base_feature import FeatureContext
from app.spec.data.column_roles import ColumnRole
from app.spec.data.columns import DataSchema
from app.spec.data.environments.environment import EnvironmentData
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.job import (
    JobSpec,
    head_targets,
    job_split_plan,
    named_dataset_schema,
    parse_job,
    resolve_job_features,
    write_out_job,
)
from app.spec.job_checks import check_job, job_column_roles, job_warnings
from app.spec.problems import limit_problems
from app.spec.splits import describe_splits
from app.spec.training.algorithms.expansion import WrittenJob
from workers.children.inspection_limits import loop_problems, size_problems
from workers.data.images.transform_check import check_transforms
from workers.network.analysis.graph import describe_graph
from workers.network.inference.partial_network import PartialNetwork, too_many_nodes_problem
from workers.network.inference.shape_inference import infer_shapes
from workers.protocol.child_requests import InspectionLimits, InspectRequest, InspectResponse, StartedFrom
from workers.training.checkpoints.initial_weights import StartReport
from workers.training.checkpoints.pretrained_embeddings import vector_problems
from workers.training.validation.dry_run import dry_run_plan
from workers.training.validation.experience import describe_experience, dynamics_problems
from workers.training.validation.held_out_rows import held_out_warnings
from workers.training.validation.memory import estimate_memory
from workers.training.validation.normalization import check_normalization
from workers.training.validation.objective import objective_problems
from workers.training.validation.outputs.acting import acting_problems
from workers.training.validation.outputs.body_outputs import body_output_problems
from workers.training.validation.outputs.output_ranges import output_range_warnings
from workers.training.validation.planned_edits import rule_problems
from workers.training.validation.pretrained import pretrained_warnings
from workers.training.validation.sequence_lengths import length_problems
from workers.training.validation.start import OtherJob, check_data_of_start, check_start

WARM_UP_JOB = {
    "model": {
        "layers": [
            {"kind": "Conv2d", "out_channels": 2, "kernel_size": 3},
            {"kind": "ReLU"},
            {"kind": "Flatten"},
            {"kind": "Linear", "out_features": 10},
        ]
    },
    "data": {"kind": "builtin", "name": "digits"},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}},
}
WARM_UP_SCHEMA = {
    "columns": [
        {"name": "image", "shape": [1, 8, 8], "dtype": "float32"},
        {"name": "label", "shape": [], "dtype": "int64", "classes": 10},
    ],
    "rows": {"train": 2},
    "inputs": ["image"],
    "target": "label",
}

NO_SCHEMAS: Mapping[str, DataSchema] = {}
FATAL_CODES = frozenset({"no_inputs", "network_form", "too_many_nodes", "too_deep", "unknown_block"})

NODE_POINTER = r"/model((?:/blocks/\w+)?/(?:layers|nodes)/\d+)"  # the pointer of a node, or of something in it


def inspect_job(
    document: Any,
    registered: DataSchema | None,
    limits: InspectionLimits,
    named: Mapping[str, DataSchema] = NO_SCHEMAS,
    start: StartedFrom | None = None,
) -> InspectResponse:
    """Inspect a job as the user wrote it; the pointers of problems lead into that document.

    If there are none, those of warnings and of the report lead into the long form, which is what is stored.

    `registered` is the schema of the data set that the job trains on; `named` are those of the others that it names,
    by pointer: word vectors, and weights to start from; `start` is the checkpoint to start from.

    Problems of form hide all others. Otherwise all are reported at once, of each node whose input shapes are known too.
    """
    try:
        written = _write_out(document, limits)
    except InvalidInput as error:
        return InspectResponse({}, error.problems)
    response = _inspect_written(written, registered, limits, named, start)
    if not response.problems:
        return response
    places = written.places
    problems = places.translate(places.without_consequences(response.problems))
    return InspectResponse(
        places.translate_report(response.report), tuple(problems), tuple(places.translate(response.warnings))
    )


def _write_out(document: Any, limits: InspectionLimits) -> WrittenJob:
    """Return the job in the long form. Raises `InvalidInput` for problems of the short one."""
    if (count := _count_nodes(document)) > limits.max_nodes:
        raise InvalidInput([too_many_nodes_problem(count, limits.max_nodes)])
    return write_out_job(document)


def _inspect_written(
    written: WrittenJob,
    registered: DataSchema | None,
    limits: InspectionLimits,
    named: Mapping[str, DataSchema],
    start: StartedFrom | None,
) -> InspectResponse:
    try:
        job, stored = _parse(written.document, registered)
    except InvalidInput as error:
        return InspectResponse({}, error.problems)
    problems = check_job(job, stored, limits.max_nodes)
    if any(not _is_recoverable(problem, job) for problem in problems):
        return InspectResponse({}, tuple(limit_problems(problems)))
    return _inspect_network(written, job, stored, problems, limits, named, start)


def _inspect_network(
    written: WrittenJob,
    job: JobSpec,
    stored: DataSchema,
    problems: list[Problem],
    limits: InspectionLimits,
    named: Mapping[str, DataSchema],
    start: StartedFrom | None,
) -> InspectResponse:
    """Inspect a job whose names are right, or nearly so: `problems` are those that are known."""
    resolved = resolve_job_features(job, stored)
    schema, targets = resolved.schema, head_targets(job, stored, resolved)
    invalid_nodes = {node[1] for problem in problems if (node := match(NODE_POINTER, problem.pointer))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's advice on unusual settings is no problem
        network = infer_shapes(job.model, schema, job.data.inputs or schema.inputs, invalid_nodes)
    if (count := network.count_nodes()) > limits.max_nodes:
        return InspectResponse({}, (too_many_nodes_problem(count, limits.max_nodes),))
    problems += [problem.with_prefix("/model") for problem in network.problems]
    problems += (misfits := list(body_output_problems(written.expected, network)))
    if not any(problem.pointer.startswith("/data") for problem in problems):
        problems += check_transforms(resolved.features, FeatureContext(stored, job.data, job.data.features or {}))
    reported = {problem.pointer for problem in problems}
    problems += [each for each in objective_problems(job, targets, network) if each.pointer not in reported]
    if isinstance(job.data, EnvironmentData) and not misfits:  # it would act by what has another shape than is meant
        problems += _environment_problems(job.data, network, reported)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problems += length_problems(job, resolved, stored, network, invalid_nodes)
    problems += vector_problems(resolved, network.blueprint, named)
    roles = job_column_roles(job, stored, resolved)
    warned = [*job_warnings(job, stored, resolved, roles), *held_out_warnings(job, stored, targets)]
    if not network.problems:
        warned += pretrained_warnings(network.blueprint, resolved)
        warned += output_range_warnings(job, resolved, targets, network)
        weights = check_start(job, network.blueprint, named, start.shapes if start is not None else None)
        normalization = check_normalization(job, schema, network)
        for check in (weights, _check_other_job(job, stored, resolved, start), normalization):
            problems += check.problems
            warned += check.warnings
    trained, by_update = network.parameters, [network.parameters]
    if network.parameters <= limits.max_parameters and not any(map(_is_training_problem, problems)):
        dry_run = dry_run_plan(job, schema, network)
        trained, by_update = dry_run.trainable_elements, dry_run.update_elements
        problems += dry_run.problems
    if job.training.edits and not problems:
        found = list(rule_problems(written.document, job, stored))
        if job.start_from is not None and job.start_from.what == "everything":
            warned += map(_as_warning, found)
        else:
            problems += found
    memory = estimate_memory(job, network, schema.rows.get("train", 0), by_update)
    problems += [*size_problems(job, network, memory, limits), *loop_problems(network)]
    report = {
        **_describe_network(network, schema, trained),
        "memory": memory.as_dict(),
        **_describe_data(job, stored, resolved, roles),
    }
    return InspectResponse(bounded_counts(report), tuple(limit_problems(problems)), tuple(limit_problems(warned)))


def _environment_problems(data: EnvironmentData, network: PartialNetwork, reported: set[str]) -> Iterator[Problem]:
    """Yield why the network cannot act in an environment, and what is wrong with dynamics of nodes.

    `reported` are the pointers of problems that are known.
    """
    yield from (each for each in acting_problems(data, network) if each.pointer not in reported)
    if not any(pointer.startswith("/data/dynamics") for pointer in reported):
        yield from dynamics_problems(data)


def _as_warning(problem: Problem) -> Problem:
    """Return a problem of a rule as a warning: a rule that has made its edits in the other job makes no more."""
    return replace(problem, detail=f"{problem.detail}, unless the job that this one goes on with has made these edits")


def _parse(document: Any, registered: DataSchema | None) -> tuple[JobSpec, DataSchema]:
    """Return the job and the schema of its data. Raises `InvalidInput` for problems of form."""
    job = parse_job(document)
    stored = registered or named_dataset_schema(job)
    if stored is None:
        raise InvalidInput([Problem("/data/id", "unknown_dataset", "the data set is not known", "register it")])
    return job, stored


def _check_other_job(
    job: JobSpec, stored: DataSchema, resolved: ResolvedFeatures, start: StartedFrom | None
) -> StartReport:
    """Return where data of the same names mean something else than in the job of the checkpoint."""
    if start is None or not start.schema:  # a job that nobody has described can say nothing of its data
        return StartReport(())
    other = OtherJob(parse_job(dict(start.document)), DataSchema.model_validate(start.schema))
    return check_data_of_start(job, stored, resolved, other)


def _describe_network(network: PartialNetwork, schema: DataSchema, trained: int) -> dict[str, Any]:
    report = describe_graph(network, "/model")
    report["totals"]["trainable"] = trained
    for name, value in report["inputs"].items():
        if (column := schema.column(name)) is not None and column.ragged:
            value["ragged"] = True  # dimension 1 is the greatest length; the memory is that of it, too
    return report


def _describe_data(
    job: JobSpec, stored: DataSchema, resolved: ResolvedFeatures, roles: Sequence[ColumnRole]
) -> dict[str, Any]:
    """Return what the job makes of the rows and of the columns of its data, as JSON."""
    splits = (
        describe_experience(job.data)
        if isinstance(job.data, EnvironmentData)
        else describe_splits(job_split_plan(job, stored, resolved), stored.rows)
    )
    return {"splits": splits, "columns": [role.model_dump(mode="json") for role in roles]}


def _count_nodes(document: Any) -> int:
    """Return the number of nodes in a document, at any depth, before anything is parsed."""
    stack = [document.get(part) for part in ("model", "data")] if isinstance(document, dict) else []
    count = 0
    for value in stack:  # grows while it is walked
        if isinstance(value, dict):
            lists = [value.get(form) for form in ("layers", "nodes")]
            count += sum(len(nodes) for nodes in lists if isinstance(nodes, list))
            stack += value.values()
        elif isinstance(value, list):
            stack += [item for item in value if isinstance(item, dict | list)]
    return count


def _is_recoverable(problem: Problem, job: JobSpec) -> bool:
    """Return whether the rest of the network can be inspected in spite of the problem."""
    duplicate = problem.code == "duplicate_id" and job.model.nodes is not None
    cycle = problem.code == "cycle" and fullmatch(r"/model/blocks/\w+", problem.pointer)
    return not (duplicate or cycle or problem.code in FATAL_CODES)


def _is_training_problem(problem: Problem) -> bool:
    return problem.pointer.startswith("/training")


def warm_up() -> None:
    """Inspect a small job: torch imports many modules only when they are used."""
    torch.set_num_threads(1)
    inspect_job(WARM_UP_JOB, DataSchema.model_validate(WARM_UP_SCHEMA), InspectionLimits(100, 10**6, 1 << 30))


def handle(request: InspectRequest) -> InspectResponse:
    """Inspect the job of a request."""
    registered = DataSchema.model_validate(request.schema) if request.schema is not None else None
    named = {pointer: DataSchema.model_validate(schema) for pointer, schema in request.named_schemas.items()}
    return inspect_job(request.job, registered, request.limits, named, request.start)
