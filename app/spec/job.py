"""A job as the user writes it, and the checks that need several of its parts."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from app.errors import InvalidInput, Problem
from app.ids import CHECKPOINT_ID_PATTERN, DATASET_ID_PATTERN, WEBHOOK_ID_PATTERN
from app.spec.base import Count, Positive, Size, SpecModel, validation_error
from app.spec.data.column_roles import MAX_NAMED_COLUMNS, ColumnRole, column_roles, role_warnings
from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import ResolvedFeatures, TargetRequest, resolve_features
from app.spec.data.images.checks import loading_problems, mixing_loss_problems
from app.spec.data.sources import DATASET_SCHEMAS, Data
from app.spec.hints.names import did_you_mean
from app.spec.network.network import Network
from app.spec.network.validation import check_network
from app.spec.problems import from_validation
from app.spec.splits import SplitPlan, class_column, split_plan, split_problems, split_warnings, without_split_columns
from app.spec.timestamps import Timestamp
from app.spec.training.losses import BaseLoss, target_task
from app.spec.training.objective import Head, Objective, head_pointer, objective_changes, objective_problems
from app.spec.training.plan import Training
from app.spec.training.targets import CONSTANT_TARGET, guessed_target_warnings, target_problems, target_warnings

ShortText = Annotated[str, Field(min_length=1, max_length=200)]
MetadataKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,64}$")]  # what a filter can name on every database


class Resources(SpecModel):
    """The resources that a job needs, and the queue whose workers may run it."""

    gpus: Annotated[int, Field(strict=True, ge=0, le=1)] = 0
    queue: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")] = "default"


class StartFrom(SpecModel):
    """Initial weights: of a checkpoint, whose training `what: everything` resumes, or of an uploaded file."""

    checkpoint: Annotated[str, Field(pattern=CHECKPOINT_ID_PATTERN)] | None = None
    dataset: Annotated[str, Field(pattern=DATASET_ID_PATTERN)] | None = Field(None, description="Of weights.")
    what: Literal["weights", "everything"] = "weights"

    @model_validator(mode="after")
    def _one(self) -> "StartFrom":
        if (self.checkpoint is None) == (self.dataset is None):
            raise validation_error(
                "contradiction", "a job starts from a checkpoint or from a data set of weights", "name one"
            )
        if self.dataset is not None and self.what == "everything":
            raise validation_error("contradiction", "a file holds weights, and not everything", 'use "what": "weights"')
        return self


class JobSpec(SpecModel):
    """A training job, version 1."""

    version: Annotated[int, Field(ge=1, le=1)] = 1
    name: ShortText = "untitled"
    model: Network = Field(examples=[{"layers": [{"kind": "Linear", "out_features": 3}]}])
    data: Data = Field(examples=[{"kind": "builtin", "name": "iris"}])
    objective: Objective = Field(examples=[{"loss": "CrossEntropyLoss"}])
    training: Training = Training()
    resources: Resources = Resources()
    priority: Annotated[int, Field(strict=True, ge=-100, le=100)] = 0
    not_before: Timestamp | None = None
    max_seconds: Positive | None = None
    retries: Annotated[Count, Field(le=20)] = 3
    start_from: StartFrom | None = None
    webhook: Annotated[str, Field(pattern=WEBHOOK_ID_PATTERN)] | None = None
    metadata: dict[MetadataKey, ShortText] = Field(default_factory=dict, max_length=32)


def parse_job(document: Any) -> JobSpec:
    """Return the job. Raises `InvalidInput` with every problem of form."""
    if not isinstance(document, dict):
        raise InvalidInput([Problem("", "not_an_object", "a job is a JSON object", "see docs/spec.md")])
    try:
        return JobSpec.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(from_validation(error, document, JobSpec)) from None


def canonical_document(job: JobSpec, document: Any) -> dict[str, Any]:
    """Return a job's document with every shorthand written out, and all else as the user wrote it."""
    result: dict[str, Any] = _written_out(document, job.model_dump(mode="json", exclude_unset=True))
    return result


def _written_out(given: Any, full: Any) -> Any:
    if isinstance(given, dict) and isinstance(full, dict):
        kept = {name: _written_out(given[name], full[name]) for name in given if name in full}
        return kept | {name: value for name, value in full.items() if name not in kept}
    if isinstance(given, list) and isinstance(full, list):
        return [_written_out(each, whole) for each, whole in zip(given, full, strict=True)]
    return given if given == full else full


def named_dataset_schema(job: JobSpec) -> DataSchema | None:
    """Return the schema of a named data set; `None` for a registered one, whose schema is in the database."""
    return None if job.data.kind == "dataset" else DATASET_SCHEMAS[job.data.kind][job.data.name]


def resolve_job_features(job: JobSpec, stored: DataSchema) -> ResolvedFeatures:
    """Return the features that the job's network reads."""
    targets = []
    for name, head in job.objective.all_heads().items():
        column = _target_name(job, stored, head)
        if column is not None:
            pointer = f"{head_pointer(name)}/target" if head.target else "/data/target"
            targets.append(TargetRequest(pointer, column, target_task(head.loss), head.loss.row.scales_targets))
    return resolve_features(
        job.data, without_split_columns(job.data, stored), targets, is_chain=job.model.layers is not None
    )


def head_targets(job: JobSpec, stored: DataSchema, features: ResolvedFeatures) -> dict[str, Column | None]:
    """Return the target column of each head, after the features; `None` for a head without a target."""
    columns = {}
    for name, head in job.objective.all_heads().items():
        key = (_target_name(job, stored, head) or "", target_task(head.loss))
        columns[name] = features.schema.column(features.targets.get(key, ""))
    return columns


def job_split_plan(job: JobSpec, stored: DataSchema, features: ResolvedFeatures) -> SplitPlan:
    """Return which rows are held out for validation and for the test."""
    targets = head_targets(job, stored, features)
    return split_plan(job.data, stored.rows, class_column(job.objective.all_heads(), targets, features))


def _target_name(job: JobSpec, stored: DataSchema, head: Head) -> str | None:
    return head.target or job.data.target or stored.target


def check_job(job: JobSpec, stored: DataSchema, max_nodes: int) -> list[Problem]:
    """Return every problem that does not need the network to be built. `stored` is the schema of the data set."""
    features = resolve_job_features(job, stored)
    schema = features.schema
    plan = job_split_plan(job, stored, features)
    problems = [*features.problems, *_data_problems(job, stored, schema), *split_problems(plan, stored)]
    problems += _training_problems(job, plan.validation is not None)
    nodes = job.model.layers or job.model.nodes or ()
    if len(nodes) > max_nodes:
        return [*problems, Problem("/model", "too_many_nodes", f"{len(nodes)} nodes, at most {max_nodes} are allowed")]
    made = (name for own, feature in features.features.items() for name in feature.column_names(own))
    columns = tuple(dict.fromkeys([*(column.name for column in schema.columns), *made]))
    inputs = job.data.inputs or schema.inputs
    problems += [problem.with_prefix("/model") for problem in check_network(job.model, columns, inputs)]
    outputs, targets = job.model.outputs or ("output",), head_targets(job, stored, features)
    heads = [(head_pointer(name), head.loss, targets[name]) for name, head in job.objective.all_heads().items()]
    problems += [*mixing_loss_problems(job.data, heads), *loading_problems(job.data, features.features, stored)]
    for pointer, loss, source, target, _ in _compared_columns(job, stored, features):
        problems += target_problems(pointer, loss, source, target)
    return problems + objective_problems(job.objective, outputs, targets)


def job_column_roles(job: JobSpec, stored: DataSchema, resolved: ResolvedFeatures) -> list[ColumnRole]:
    """Return what the job makes of each stored column."""
    read = job.model.input_names(job.data.inputs or resolved.schema.inputs)
    return column_roles(without_split_columns(job.data, stored), resolved, read, job.data.features or {})


def job_warnings(job: JobSpec, stored: DataSchema, roles: Sequence[ColumnRole]) -> list[Problem]:
    """Return what was left out, guessed or converted: by the upload, and by the defaults of this job."""
    warnings = [
        Problem("/data", warning.code, warning.detail, warning.hint)
        for warning in stored.warnings
        if warning.code != CONSTANT_TARGET  # of the default target: those of this job are looked at
    ]
    is_default = job.data.inputs is None
    warnings += role_warnings(stored, roles, is_default, is_chain=job.model.layers is not None)
    features = resolve_job_features(job, stored)
    for pointer, loss, source, target, is_declared in _compared_columns(job, stored, features):
        warnings += target_warnings(pointer, loss, source, target, is_declared)
    if stored.guessed_target and any(
        head.has_metrics_output and not head.target for head in job.objective.all_heads().values()
    ):
        warnings += guessed_target_warnings(job.data.target, stored)
    return [*warnings, *split_warnings(split_plan(job.data, stored.rows), job.data, stored)]


def _compared_columns(
    job: JobSpec, stored: DataSchema, features: ResolvedFeatures
) -> Iterator[tuple[str, BaseLoss, Column, Column, bool]]:
    """Yield (pointer, loss, stored column, target, whether its feature is declared) of each head with a target."""
    for name, target in head_targets(job, stored, features).items():
        head = job.objective.all_heads()[name]
        if target is not None and head.has_loss_target:
            source = stored.column(features.features[target.name].source_columns[0])
            if source is not None:
                is_declared = target.name in (job.data.features or {})
                yield head_pointer(name), head.loss, source, target, is_declared


def _several_inputs_problems(job: JobSpec, inputs: tuple[str, ...]) -> Iterator[Problem]:
    """Yield that a chain of layers would read one of several inputs."""
    if job.model.layers is not None and job.model.inputs is None and len(inputs) > 1:
        names = ", ".join(f'"{name}"' for name in inputs[:MAX_NAMED_COLUMNS])
        detail = f"a chain of layers reads one input, and the data has {len(inputs)}: {names}"
        hint = f'write the network with nodes, with "inputs": [{names}]; or read one: "inputs": ["{inputs[0]}"] in data'
        yield Problem("/model/layers", "several_inputs", detail, hint)


def resume_problems(job: JobSpec, original: JobSpec) -> list[Problem]:
    """Return why `job` cannot resume the training of `original`: every field that would change what is trained."""
    problems = []
    mine, theirs = job.training, original.training
    parts: dict[str, tuple[Any, Any]] = {"model": (job.model, original.model), "data": (job.data, original.data)}
    parts |= objective_changes(job.objective, original.objective)
    order = ("seed", "batch_size", "accumulate", "drop_last")  # they determine the examples of a step
    for field in ("optimizer", "groups", "schedule", "warmup", "average", "precision", *order):
        parts[f"training/{field}"] = (getattr(mine, field), getattr(theirs, field))
    if mine.schedule is not None or (mine.average is not None and mine.average.kind == "swa"):  # of one length
        for field in ("epochs", "steps"):
            parts[f"training/{field}"] = (getattr(mine, field), getattr(theirs, field))
    for place, (new, old) in parts.items():
        if new != old:
            hint = 'keep the value of that job, or use "what": "weights"'
            detail = "a resumed training has the same settings, and this differs from the job of the checkpoint"
            problems.append(Problem(f"/{place}", "not_the_same", detail, hint))
    return problems


def _data_problems(job: JobSpec, stored: DataSchema, schema: DataSchema) -> list[Problem]:
    columns = [column.name for column in schema.columns]
    problems = []
    inputs = job.data.inputs or ()
    for position, name in enumerate(inputs):
        if name in inputs[:position]:
            place = f"/data/inputs/{position}"
            problems.append(Problem(place, "duplicate_id", f'"{name}" is listed twice', "remove it"))
    for position, name in enumerate(inputs):
        place = f"/data/inputs/{position}"
        if name not in columns:
            hint = did_you_mean(name, columns) or "one of: " + ", ".join(columns)
            problems.append(Problem(place, "unknown_column", f'the data has no column "{name}"', hint))
    missing = [
        name
        for name, head in job.objective.all_heads().items()
        if head.has_metrics_output and _target_name(job, stored, head) is None
    ]
    for place in dict.fromkeys(f"{head_pointer(name)}/target" if name else "/data/target" for name in missing):
        problems.append(Problem(place, "missing", "the data has no default target", "name a column"))
    if not problems:
        problems += _several_inputs_problems(job, inputs or schema.inputs)
    for position, name in enumerate(job.data.ignore):
        if stored.column(name) is None:
            hint = did_you_mean(name, [column.name for column in stored.columns]) or "remove it"
            place = f"/data/ignore/{position}"
            problems.append(Problem(place, "unknown_column", f'the data has no column "{name}"', hint))
    if job.data.bucket is not None:
        problems += _bucket_problems(job.data.bucket, job.model.input_names(inputs or schema.inputs), schema)
    return problems


def _bucket_problems(name: str, read: tuple[str, ...], schema: DataSchema) -> list[Problem]:
    sequences = [column.name for column in schema.columns if column.ragged and column.name in read]
    if name in sequences:
        return []
    hint = did_you_mean(name, sequences) or ("one of: " + ", ".join(sequences) if sequences else "remove bucket")
    detail = f'the network reads no sequence of variable length called "{name}"'
    return [Problem("/data/bucket", "unknown_column", detail, hint)]


def _training_problems(job: JobSpec, validated: bool) -> list[Problem]:
    training = job.training
    problems = [problem.with_prefix("/training") for problem in training.problems()]
    series = set(job.objective.series_names())
    default = ("/training/checkpoint/monitor", "val/loss")  # which is followed if it is there
    for place, name in [monitor for monitor in training.monitors() if monitor != default]:
        if name.startswith("test/"):
            detail = f"{name} is evaluated once, at the end, so that nothing is chosen by it"
            problems.append(Problem(place, "unknown_series", detail, f'use "val/{name.removeprefix("test/")}"'))
        elif name not in series:
            hint = did_you_mean(name, series) or "one of: " + ", ".join(sorted(series))
            problems.append(Problem(place, "unknown_series", f'the job has no series "{name}"', hint))
        elif name.startswith("val/") and not validated:
            problems.append(
                Problem(
                    place,
                    "no_validation",
                    f"{name} needs validation data",
                    'add "validation": {"fraction": 0.2} to data',
                )
            )
    if training.precision != "float32" and training.device == "cpu" and training.precision == "fp16":
        problems.append(Problem("/training/precision", "unsupported", "fp16 needs a GPU", 'use "bf16"'))
    return problems


__all__ = ["JobSpec", "Resources", "Size", "check_job", "named_dataset_schema", "parse_job", "resolve_job_features"]
