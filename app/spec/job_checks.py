"""The checks of a job that need several of its parts, and the data: problems, warnings, and the roles of columns."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from app.errors import Problem
from app.spec.data.column_roles import MAX_NAMED_COLUMNS, ColumnRole, column_roles, role_warnings
from app.spec.data.columns import Column, DataSchema
from app.spec.data.environments.checks import environment_problems, package_warnings
from app.spec.data.environments.environment import EnvironmentData
from app.spec.data.environments.plan_checks import (
    environment_objective_problems,
    environment_plan_problems,
    environment_plan_warnings,
)
from app.spec.data.environments.series import environment_series
from app.spec.data.examples.mixing import row_mixing_problems
from app.spec.data.examples.row_values import rare_class_warnings
from app.spec.data.examples.sampling import sampling_problems, sampling_warnings
from app.spec.data.examples.windows import read_target_problems
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.data.images.checks import loading_problems, mixing_loss_problems
from app.spec.data.images.feature import ImageFeature
from app.spec.hints.names import did_you_mean
from app.spec.job import JobSpec, head_targets, job_split_plan, resolve_job_features, target_name
from app.spec.network.validation import check_network
from app.spec.splits import split_plan, split_problems, split_warnings, training_rows, without_split_columns
from app.spec.training.losses import BALANCED, BaseLoss
from app.spec.training.metrics import metric_warnings
from app.spec.training.objective import head_pointer, objective_problems
from app.spec.training.targets import (
    CONSTANT_TARGET,
    constant_target_warnings,
    guessed_target_warnings,
    target_problems,
    target_warnings,
)


def check_job(job: JobSpec, stored: DataSchema, max_nodes: int) -> list[Problem]:
    """Return every problem that does not need the network to be built. `stored` is the schema of the data set."""
    if isinstance(job.data, EnvironmentData):
        return _check_environment_job(job, job.data, stored, max_nodes)
    features = resolve_job_features(job, stored)
    schema = features.schema
    plan = job_split_plan(job, stored, features)
    problems = [*features.problems, *_data_problems(job, stored, features), *split_problems(plan, stored)]
    rows, has_windows = training_rows(plan, stored.rows), job.data.windows is not None
    problems += sampling_problems(job.data.sampler, stored, plan.class_column, rows, has_windows)
    problems += _training_problems(job, plan.validation is not None)
    if too_many := _size_problems(job, max_nodes):
        return [*problems, *too_many]
    made = (name for own, feature in features.features.items() for name in feature.column_names(own))
    columns = tuple(dict.fromkeys([*(column.name for column in schema.columns), *made]))
    inputs = job.data.inputs or schema.inputs
    problems += [problem.with_prefix("/model") for problem in check_network(job.model, columns, inputs)]
    read = job.model.input_names(inputs)
    problems += read_target_problems(features.windows, read, [*features.targets.values()])
    outputs, targets = job.model.outputs or ("output",), head_targets(job, stored, features)
    heads = [(head_pointer(name), head.loss, targets[name]) for name, head in job.objective.all_heads().items()]
    has_images = any(isinstance(each, ImageFeature) for each in features.features.values())
    read_columns = [column for name in read if (column := schema.column(name)) is not None]
    problems += row_mixing_problems(job.data, features.features, read_columns)
    problems += [
        *mixing_loss_problems(job.data, heads, has_images),
        *loading_problems(job.data, features.features, stored),
    ]
    for pointer, loss, source, target, is_declared in _compared_columns(job, stored, features):
        problems += target_problems(pointer, loss, source, target, is_declared)
    problems += _sequence_length_problems(job, features.schema)
    return problems + objective_problems(job.objective, outputs, targets)


def _size_problems(job: JobSpec, max_nodes: int) -> list[Problem]:
    """Return the problem of a network that is too large to look at."""
    count = len(job.model.layers or job.model.nodes or ())
    detail = f"{count} nodes, at most {max_nodes} are allowed"
    return [Problem("/model", "too_many_nodes", detail)] if count > max_nodes else []


def _check_environment_job(job: JobSpec, data: EnvironmentData, stored: DataSchema, max_nodes: int) -> list[Problem]:
    """Return the problems of a job in an environment; the first one where several checks have one for a place."""
    outputs = job.model.output_names() if job.model.layers or job.model.nodes else {}
    problems = [
        *environment_problems(data, outputs),
        *environment_plan_problems(data, job.training),
        *environment_objective_problems(job.objective),
        *_training_problems(job, validated=True),
    ]
    if too_many := _size_problems(job, max_nodes):
        return [*problems, *too_many]
    columns = tuple(column.name for column in stored.columns)
    problems += [problem.with_prefix("/model") for problem in check_network(job.model, columns, stored.inputs)]
    problems += objective_problems(job.objective, outputs, dict.fromkeys(job.objective.all_heads()))
    return list({problem.pointer: problem for problem in reversed(problems)}.values())[::-1]


def _sequence_length_problems(job: JobSpec, schema: DataSchema) -> Iterator[Problem]:
    """Yield sequences of any length that a loss would read to the end of the longest one of their batch."""
    read = job.model.input_names(job.data.inputs or schema.inputs)
    ragged = [column.name for column in schema.columns if column.name in read and (column.ragged or column.padded)]
    for name, head in job.objective.all_heads().items():
        if head.loss.kind == "CTCLoss" and head.loss.options.input_lengths is None and ragged:
            detail = (
                f'the rows of "{ragged[0]}" have lengths of their own, and {head.loss.kind} would read on behind them'
            )
            hint = f'name an output of the network with the number of steps of each row, such as "{ragged[0]}_length"'
            yield Problem(f"{head_pointer(name)}/loss/input_lengths", "missing", detail, hint)


def job_column_roles(job: JobSpec, stored: DataSchema, resolved: ResolvedFeatures) -> list[ColumnRole]:
    """Return what the job makes of each stored column."""
    read, targets = (
        job.model.input_names(job.data.inputs or resolved.schema.inputs),
        head_targets(job, stored, resolved),
    )
    compared = [targets[name] for name, head in job.objective.all_heads().items() if head.has_metrics_output]
    learned = {column.name for column in compared if column is not None}
    return column_roles(without_split_columns(job.data, stored), resolved, read, job.data.features or {}, learned)


def job_warnings(
    job: JobSpec, stored: DataSchema, features: ResolvedFeatures, roles: Sequence[ColumnRole]
) -> list[Problem]:
    """Return what was left out, guessed or converted: by the upload, and by the defaults of this job."""
    if isinstance(job.data, EnvironmentData):
        return [*package_warnings(job.data), *environment_plan_warnings(job.data, job.training)]
    warnings = [
        Problem("/data", warning.code, warning.detail, warning.hint)
        for warning in stored.warnings
        if warning.code != CONSTANT_TARGET  # of the default target: those of this job are looked at
    ]
    is_default = job.data.inputs is None
    warnings += role_warnings(stored, roles, is_default, is_chain=job.model.layers is not None)
    for pointer, loss, source, target, is_declared in _compared_columns(job, stored, features):
        warnings += target_warnings(pointer, loss, source, target, is_declared)
    if stored.guessed_target and any(
        head.has_metrics_output and not head.target for head in job.objective.all_heads().values()
    ):
        warnings += guessed_target_warnings(job.data.target, stored)
    warnings += _balance_warnings(job, stored, features)
    for name, compared in head_targets(job, stored, features).items():
        if compared is not None:
            warnings += metric_warnings(head_pointer(name), job.objective.all_heads()[name].metrics, compared)
    targets = [role.column for role in roles if role.role == "target"]
    warnings += [replace(each, pointer="/data") for each in constant_target_warnings(stored, targets)]
    return [*warnings, *split_warnings(split_plan(job.data, stored.rows), job.data, stored)]


def _balance_warnings(job: JobSpec, stored: DataSchema, features: ResolvedFeatures) -> Iterator[Problem]:
    """Yield what a sampler and balanced weights cannot balance, and what of the plan the run does not reach."""
    plan = job_split_plan(job, stored, features)
    rows, sampler = training_rows(plan, stored.rows), job.data.sampler
    yield from sampling_warnings(sampler, stored, plan.class_column, rows)
    for pointer, loss, source, _, _ in _compared_columns(job, stored, features):
        if loss.options.weight == BALANCED:
            yield from rare_class_warnings(stored, source.name, f"{pointer}/loss/weight", rows)
    drawn = sampler.samples or rows if sampler is not None else rows
    yield from (each.with_prefix("/training") for each in job.training.warnings(drawn))


def _compared_columns(
    job: JobSpec, stored: DataSchema, features: ResolvedFeatures
) -> Iterator[tuple[str, BaseLoss, Column, Column, bool]]:
    """Yield (pointer, loss, stored column, target, whether its feature is declared) of each head with a target."""
    for name, target in head_targets(job, stored, features).items():
        head = job.objective.all_heads()[name]
        if target is not None and head.has_loss_target:
            source = stored.column(features.feature_of(target.name).source_columns[0])
            if source is not None:
                is_declared = target.name in (job.data.features or {})
                yield head_pointer(name), head.loss, source, target, is_declared


def _input_count_problems(job: JobSpec, inputs: tuple[str, ...], targets: Iterable[str]) -> Iterator[Problem]:
    """Yield that a network reads nothing by default, or that a chain of layers would read one of several inputs."""
    if job.model.inputs is None and not inputs:
        hint = "name columns in features or inputs, or remove them from ignore"
        declared = [name for name in targets if name in (job.data.features or {})]
        hint += f'; an autoencoder reads its target: "inputs": ["{declared[0]}"] in data' if declared else ""
        yield Problem("/data", "no_inputs", "no column is left that the network could read", hint)
    if job.model.layers is not None and job.model.inputs is None and len(inputs) > 1:
        names = ", ".join(f'"{name}"' for name in inputs[:MAX_NAMED_COLUMNS])
        detail = f"a chain of layers reads one input, and the data has {len(inputs)}: {names}"
        hint = f'write the network with nodes, with "inputs": [{names}]; or read one: "inputs": ["{inputs[0]}"] in data'
        yield Problem("/model/layers", "several_inputs", detail, hint)


def _data_problems(job: JobSpec, stored: DataSchema, features: ResolvedFeatures) -> list[Problem]:
    schema, targets = features.schema, features.targets.values()
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
        if head.has_metrics_output and target_name(job, stored, head) is None
    ]
    for place in dict.fromkeys(f"{head_pointer(name)}/target" if name else "/data/target" for name in missing):
        problems.append(Problem(place, "missing", "the data has no default target", "name a column"))
    if not problems:
        problems += _input_count_problems(job, inputs or schema.inputs, targets)
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


def _update_problems(job: JobSpec) -> Iterator[Problem]:
    """Yield the losses of updates that are no heads; pointers lead into the plan."""
    heads = [name for name in job.objective.all_heads() if name]
    for place, update in enumerate(job.training.updates):
        for position, name in enumerate(update.loss):
            pointer = f"/updates/{place}/loss/{position}"
            if not heads:
                hint = 'give the objective "heads" with names: {"heads": {"' + name + '": {"loss": …}}}'
                yield Problem(pointer, "unknown_head", "the objective has one loss, which has no name", hint)
            elif name not in heads:
                hint = did_you_mean(name, heads) or "one of: " + ", ".join(heads)
                yield Problem(pointer, "unknown_head", f'the objective has no head "{name}"', hint)


def _training_problems(job: JobSpec, validated: bool) -> list[Problem]:
    training = job.training
    problems = [problem.with_prefix("/training") for problem in (*training.problems(), *_update_problems(job))]
    minimised = training.minimised_heads(job.objective.all_heads())
    series = set(job.objective.series_names(minimised, training.evaluate.train))
    if isinstance(job.data, EnvironmentData):
        series = {name for name in series if name.startswith("train/")} | {*environment_series(job.data.report)}
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
