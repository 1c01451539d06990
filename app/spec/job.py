"""A job as the user writes it, and the checks that need several of its parts."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from app.errors import InvalidInput, Problem
from app.ids import WEBHOOK_ID_PATTERN
from app.spec.base import Count, Seconds, SpecModel
from app.spec.data.columns import Column, DataSchema
from app.spec.data.environments.environment import EnvironmentData, environment_schema
from app.spec.data.environments.series import with_return_monitors
from app.spec.data.feature_schema import ResolvedFeatures, TargetRequest, resolve_features
from app.spec.data.job_data import Data
from app.spec.data.sources import DATASET_SCHEMAS
from app.spec.network.network import Network
from app.spec.problems import from_validation
from app.spec.splits import SplitPlan, class_column, split_plan, without_split_columns
from app.spec.start_from import StartFrom
from app.spec.timestamps import Timestamp
from app.spec.training.algorithms.catalog import ActorCritic, Algorithm, AlgorithmData
from app.spec.training.algorithms.expansion import ShortForm, WrittenJob, write_out_algorithm
from app.spec.training.algorithms.short_form import form_problems, has_algorithm, without_bare_names
from app.spec.training.losses import target_task
from app.spec.training.objective import Head, Objective, head_pointer, objective_changes
from app.spec.training.plan import Training

ShortText = Annotated[str, Field(min_length=1, max_length=200)]
MetadataKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,64}$")]  # what a filter can name on every database


def _unchanged(value: Any) -> Any:
    return value


# As the long form has them; `write_out_job` has written the others out, which the JSON Schema accepts too.
LongModel = Annotated[Network, BeforeValidator(_unchanged, json_schema_input_type=Network | ActorCritic)]
LongData = Annotated[Data, BeforeValidator(_unchanged, json_schema_input_type=Data | AlgorithmData)]
LongObjective = Annotated[Objective, BeforeValidator(_unchanged, json_schema_input_type=Objective | Algorithm)]


class Resources(SpecModel):
    """The resources that a job needs, and the queue whose workers may run it."""

    gpus: Annotated[int, Field(strict=True, ge=0, le=1)] = 0
    queue: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")] = "default"


class JobSpec(SpecModel):
    """A training job, version 1."""

    version: Annotated[int, Field(ge=1, le=1)] = 1
    name: ShortText = "untitled"
    model: LongModel = Field(examples=[{"layers": [{"kind": "Linear", "out_features": 3}]}])
    data: LongData = Field(examples=[{"kind": "builtin", "name": "iris"}])
    objective: LongObjective = Field(examples=[{"loss": "CrossEntropyLoss"}])
    training: Training = Training()
    resources: Resources = Resources()
    priority: Annotated[int, Field(strict=True, ge=-100, le=100)] = 0
    not_before: Timestamp | None = None
    max_seconds: Seconds | None = None
    retries: Annotated[Count, Field(le=20)] = 3
    start_from: StartFrom | None = None
    webhook: Annotated[str, Field(pattern=WEBHOOK_ID_PATTERN)] | None = None
    metadata: dict[MetadataKey, ShortText] = Field(default_factory=dict, max_length=32)

    @model_validator(mode="before")
    @classmethod
    def _follow_returns(cls, document: Any) -> Any:
        """Let what follows a series follow the return, in an environment: there is no loss of held-out rows."""
        return with_return_monitors(document)


class AlgorithmJob(JobSpec):
    """A job with an algorithm, which is written out into the long form before anything else looks at it."""

    model: ActorCritic  # type: ignore[assignment]
    data: AlgorithmData
    objective: Algorithm  # type: ignore[assignment]


def parse_job(document: Any) -> JobSpec:
    """Return the job. Raises `InvalidInput` with every problem of form."""
    written = write_out_job(document)
    try:
        return JobSpec.model_validate(written.document)
    except ValidationError as error:
        problems = from_validation(error, written.document, JobSpec)
        raise InvalidInput(written.places.translate(problems)) from None


def write_out_job(document: Any) -> WrittenJob:
    """Return a job in the long form, in which the networks and the losses of an algorithm are nodes.

    Raises `InvalidInput` if the short form has problems.
    """
    if not isinstance(document, dict):
        raise InvalidInput([Problem("", "not_an_object", "a job is a JSON object", "see docs/spec.md")])
    if not has_algorithm(document):
        return WrittenJob(document)
    document = without_bare_names(document)
    if problems := list(form_problems(document)):
        raise InvalidInput(problems)
    try:
        short = AlgorithmJob.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(from_validation(error, document, AlgorithmJob)) from None
    return write_out_algorithm(document, ShortForm(short.model, short.data, short.objective, short.training))


def canonical_document(job: JobSpec, document: Any) -> dict[str, Any]:
    """Return a job's document with every shorthand written out, and all else as the user wrote it."""
    full = job.model_dump(mode="json", by_alias=True, exclude_unset=True)
    result: dict[str, Any] = _written_out(write_out_job(document).document, full)
    return result


def _written_out(given: Any, full: Any) -> Any:
    if isinstance(given, dict) and isinstance(full, dict):
        kept = {name: _written_out(given[name], full[name]) for name in given if name in full}
        return kept | {name: value for name, value in full.items() if name not in kept}
    if isinstance(given, list) and isinstance(full, list):
        return [_written_out(each, whole) for each, whole in zip(given, full, strict=True)]
    return given if given == full else full


def named_dataset_schema(job: JobSpec) -> DataSchema | None:
    """Return the schema of a named data set or of an environment; `None` for a registered data set."""
    if isinstance(job.data, EnvironmentData):
        return environment_schema(job.data)
    return None if job.data.kind == "dataset" else DATASET_SCHEMAS[job.data.kind][job.data.name]


def resolve_job_features(job: JobSpec, stored: DataSchema) -> ResolvedFeatures:
    """Return the features that the job's network reads."""
    targets = []
    for name, head in job.objective.all_heads().items():
        column = target_name(job, stored, head)
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
        key = (target_name(job, stored, head) or "", target_task(head.loss))
        columns[name] = features.schema.column(features.targets.get(key, ""))
    return columns


def job_split_plan(job: JobSpec, stored: DataSchema, features: ResolvedFeatures) -> SplitPlan:
    """Return which rows are held out for validation and for the test."""
    targets = head_targets(job, stored, features)
    return split_plan(job.data, stored.rows, class_column(job.objective.all_heads(), targets, features))


def target_name(job: JobSpec, stored: DataSchema, head: Head) -> str | None:
    """Return the feature or column that a head is compared with, if there is one.

    The last column of a table is no target if nobody has said so, and nothing is compared with it or reads it.
    """
    named = head.target or job.data.target
    if named is not None or head.has_metrics_output or not stored.guessed_target:
        return named or stored.target
    read = job.model.inputs or job.data.inputs or ()
    return stored.target if stored.target in read else None


def resume_problems(job: JobSpec, original: JobSpec) -> list[Problem]:
    """Return why `job` cannot resume the training of `original`: every field that would change what is trained."""
    problems = []
    mine, theirs = job.training, original.training
    parts: dict[str, tuple[Any, Any]] = {"model": (job.model, original.model), "data": (job.data, original.data)}
    parts |= objective_changes(job.objective, original.objective)
    order = ("seed", "batch_size", "accumulate", "drop_last")  # they determine the examples of a step
    update = ("optimizer", "groups", "schedule", "warmup")
    for field in (*update, "updates", "target_networks", "average", "precision", *order):
        parts[f"training/{field}"] = (getattr(mine, field), getattr(theirs, field))
    scheduled = any(each.schedule is not None for _, each in mine.all_updates())
    if scheduled or (mine.average is not None and mine.average.kind == "swa"):  # of one length
        for field in ("epochs", "steps"):
            parts[f"training/{field}"] = (getattr(mine, field), getattr(theirs, field))
    for place, (new, old) in parts.items():
        if new != old:
            hint = 'keep the value of that job, or use "what": "weights"'
            detail = "a resumed training has the same settings, and this differs from the job of the checkpoint"
            problems.append(Problem(f"/{place}", "not_the_same", detail, hint))
    return problems
