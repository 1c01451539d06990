"""The inspector: builds a job's network on the meta device and tells shapes, costs and every problem.

`serve` is the main function of a child process with limits, since specs and uploads are a stranger's.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from re import fullmatch, match
from typing import Any

import torch
from safetensors.torch import load_file

from app.errors import InvalidInput, MissingDependency, NotExportable, Problem
from app.spec.data.base_feature import FeatureContext
from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from app.spec.job import JobSpec, check_job, head_targets, named_dataset_schema, parse_job, resolve_job_features
from app.spec.problems import limit_problems
from workers.children import query, server
from workers.children.describe import describe
from workers.children.server import Handlers, Request
from workers.data.files.content import MAX_UNPACKED_BYTES, Upload
from workers.data.images.transform_check import check_transforms
from workers.exports.graph import export_graph
from workers.network.analysis.graph import describe_graph
from workers.network.inference.partial_network import PartialNetwork, too_many_nodes_problem
from workers.network.inference.shape_inference import infer_shapes
from workers.training.checkpoints.initial_weights import WEIGHTS_POINTER, weight_problems
from workers.training.checkpoints.pretrained_embeddings import vector_problems
from workers.training.validation.dry_run import dry_run_plan
from workers.training.validation.memory import MemoryEstimate, estimate_memory
from workers.training.validation.objective import objective_problems
from workers.training.validation.sequence_lengths import length_problems

MAX_REQUESTS = 1000  # requests after which the process is worn out
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
FATAL_CODES = frozenset({"network_form", "too_many_nodes", "too_deep", "unknown_block"})

NODE_POINTER = r"/model((?:/blocks/\w+)?/(?:layers|nodes)/\d+)"  # the pointer of a node, or of something in it


@dataclass(frozen=True, slots=True)
class InspectionLimits:
    """What a network may have, and what training it may take."""

    max_nodes: int
    max_parameters: int
    memory_limit: int  # bytes


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an inspection found: the report, or problems and the report as far as it goes."""

    report: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"report": self.report, "problems": [problem.as_dict() for problem in self.problems]}


def inspect_job(
    document: Any, registered: DataSchema | None, limits: InspectionLimits, named: Mapping[str, DataSchema] = NO_SCHEMAS
) -> Inspection:
    """Look at a job as the user wrote it; pointers of problems lead into that document.

    `registered` is the schema of the data set that the job trains on, and `named` those of the others that it names,
    by pointer: vectors of words, and weights to begin with.

    Problems of form hide all others. Otherwise every problem is found: of names and wiring, of each node whose inputs
    are settled, of the loss, and of size.
    """
    if (count := _count_nodes(document)) > limits.max_nodes:
        return Inspection({}, (too_many_nodes_problem(count, limits.max_nodes),))
    try:
        job = parse_job(document)
    except InvalidInput as error:
        return Inspection({}, error.problems)
    stored = registered or named_dataset_schema(job)
    if stored is None:
        return Inspection({}, (Problem("/data/id", "unknown_dataset", "the data set is not known", "register it"),))
    problems = check_job(job, stored, limits.max_nodes)
    if any(not _is_recoverable(problem, job) for problem in problems):
        return Inspection({}, tuple(limit_problems(problems)))
    seen = resolve_job_features(job, stored)
    schema = seen.schema
    wrong = {found[1] for problem in problems if (found := match(NODE_POINTER, problem.pointer))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's advice on unusual settings is no problem
        drafted = infer_shapes(job.model, schema, job.data.inputs or schema.inputs, wrong)
    if (count := drafted.count_nodes()) > limits.max_nodes:
        return Inspection({}, (too_many_nodes_problem(count, limits.max_nodes),))
    problems += [problem.with_prefix("/model") for problem in drafted.problems]
    if not any(problem.pointer.startswith("/data") for problem in problems):
        problems += check_transforms(seen.features, FeatureContext(stored, job.data, job.data.features or {}))
    problems += objective_problems(job, head_targets(job, stored, seen), drafted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problems += length_problems(job, seen, stored, drafted, wrong)
    problems += vector_problems(seen, drafted.blueprint, named)
    if (weights := named.get(WEIGHTS_POINTER)) is not None and not drafted.problems:
        problems += weight_problems(drafted.blueprint, weights)
    trained = drafted.parameters
    if drafted.parameters <= limits.max_parameters and not any(map(_is_training_problem, problems)):
        rehearsal = dry_run_plan(job, schema, drafted)
        trained = rehearsal.trainable_elements
        problems += rehearsal.problems
    memory = estimate_memory(job, drafted, schema.rows.get("train", 0), trained)
    problems += _limit_problems(drafted, memory, limits)
    report = {**describe_graph(drafted, "/model"), "memory": memory.as_dict()}
    report["totals"]["trainable"] = trained
    for name, value in report["inputs"].items():
        if (column := schema.column(name)) is not None and column.ragged:
            value["ragged"] = True  # the shape's dimension 1 is the greatest length, of which memory is told too
    return Inspection(report, tuple(limit_problems(problems)))


def _count_nodes(document: Any) -> int:
    """Return how many nodes a document has, at any depth, before anything is parsed."""
    waiting = [document.get("model") if isinstance(document, dict) else None]
    count = 0
    for value in waiting:  # grows while it is walked
        if isinstance(value, dict):
            lists = [value.get(form) for form in ("layers", "nodes")]
            count += sum(len(nodes) for nodes in lists if isinstance(nodes, list))
            waiting += value.values()
        elif isinstance(value, list):
            waiting += [item for item in value if isinstance(item, dict | list)]
    return count


def _is_recoverable(problem: Problem, job: JobSpec) -> bool:
    """Say whether the rest of the network has a meaning in spite of the problem."""
    doubled = problem.code == "duplicate_id" and job.model.nodes is not None
    circle = problem.code == "cycle" and fullmatch(r"/model/blocks/\w+", problem.pointer)
    return not (doubled or circle or problem.code in FATAL_CODES)


def _is_training_problem(problem: Problem) -> bool:
    return problem.pointer.startswith("/training")


def _limit_problems(drafted: PartialNetwork, memory: MemoryEstimate, limits: InspectionLimits) -> list[Problem]:
    problems = []
    largest = max(drafted.nodes, key=lambda trace: trace.parameters, default=None)
    count = drafted.parameters
    if largest is not None and count > limits.max_parameters:
        detail = f"the network has {count:,} parameters, at most {limits.max_parameters:,} are allowed"
        hint = f"make {largest.node.id} smaller, which has {largest.parameters:,} of them"
        problems.append(Problem("/model" + largest.node.pointer, "too_many_parameters", detail, hint))
    if memory.total > limits.memory_limit:
        allowed = _format_bytes(limits.memory_limit)
        detail = f"training would take about {_format_bytes(memory.total)}, at most {allowed} are allowed"
        each = max(1, memory.activations // memory.batch_size)
        fitting = (limits.memory_limit - memory.total + memory.activations) // each
        hint = f"a batch_size of {fitting} would fit" if fitting > 0 else "make the network smaller"
        place = "/training/batch_size" if fitting > 0 else "/model"
        problems.append(Problem(place, "too_much_memory", detail, hint))
    return problems


def _format_bytes(count: int) -> str:
    return f"{count / (1 << 30):,.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):,.1f} MiB"


def serve(pipe: Connection, memory: int) -> None:
    """Be the child that answers `ANSWERS`. It ends when it is worn out: after many requests, or grown by one."""
    server.serve(pipe, memory, HANDLERS, lambda served, grown: served >= MAX_REQUESTS or grown > memory // 2, _warm_up)


def _warm_up() -> None:
    torch.set_num_threads(1)
    inspect_job(
        WARM_UP_JOB, DataSchema.model_validate(WARM_UP_SCHEMA), InspectionLimits(100, 10**6, 1 << 30)
    )  # torch is lazy


def _inspect(request: Request) -> dict[str, Any]:
    registered = DataSchema.model_validate(request["schema"]) if request["schema"] is not None else None
    named = {place: DataSchema.model_validate(schema) for place, schema in request["named"].items()}
    return inspect_job(request["job"], registered, InspectionLimits(**request["limits"]), named).as_dict()


def _describe(request: Request) -> dict[str, Any]:
    source = UploadSource.model_validate(request["source"])
    found = describe(Upload(Path(request["path"]), source, min(MAX_UNPACKED_BYTES, request["limit"])))
    schema = found.schema.model_dump(mode="json") if found.schema is not None else None
    problems = [problem.as_dict() for problem in found.problems]
    return {"schema": schema, "preview": found.preview, "problems": problems, "format": found.format}


def _query(request: Request) -> dict[str, Any]:
    report, problems = query.inspect_network(request["question"], request["limits"]["max_nodes"])
    return {"report": report, "problems": [problem.as_dict() for problem in problems]}


def _export(request: Request) -> dict[str, Any]:
    job = parse_job(request["job"])
    schema = resolve_job_features(job, DataSchema.model_validate(request["schema"])).schema
    weights, target = load_file(request["weights"]), Path(request["target"])
    try:
        difference = export_graph(job.model, schema, job.data.inputs or schema.inputs, weights, request["form"], target)
    except MissingDependency as error:
        return {"missing": error.detail, "hint": error.hint}
    except (NotExportable, InvalidInput) as error:
        return {"problems": [problem.as_dict() for problem in error.problems]}
    return {"difference": difference, "problems": []}


HANDLERS: Handlers = {"inspect": _inspect, "model": _query, "describe": _describe, "export": _export}
