"""What a job starts from, before anything is trained: weights that do not fit, and data that mean something else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from app.errors import Problem
from app.spec.data.base_feature import BaseFeature
from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.data.features import CategoryFeature
from app.spec.data.sequence_features import TextFeature, TreeFeature
from app.spec.job import JobSpec, head_targets, resolve_job_features
from app.spec.start_from import StartFrom
from app.spec.training.objective import head_pointer
from workers.network.blueprint import Blueprint
from workers.training.checkpoints.initial_weights import WEIGHTS_POINTER, StartReport, check_weights
from workers.training.checkpoints.weight_match import Shapes, tell_names
from workers.training.optim.parameter_groups import split_parameters

PREPARATION_POINTER = "/start_from/preparation"


@dataclass(frozen=True)
class OtherJob:
    """The job of the checkpoint that a job starts from, and the schema of its data."""

    spec: JobSpec
    schema: DataSchema


def check_start(
    job: JobSpec, blueprint: Blueprint, named: Mapping[str, DataSchema], checkpoint_shapes: Shapes | None
) -> StartReport:
    """Return how the weights that a job starts from differ from its network, and which are left over."""
    if (start := job.start_from) is None:
        return StartReport(())
    file = named.get(WEIGHTS_POINTER)
    shapes = {column.name: column.shape for column in file.columns} if file is not None else checkpoint_shapes
    if shapes is None:
        return StartReport(())
    report = check_weights(blueprint, start, shapes)
    updates = [update for _, update in job.training.all_updates()]
    frozen = {each.name for update in updates for each in split_parameters(blueprint, update).frozen}
    if untrained := [name for name in report.begun_anew if name in frozen]:
        detail = f"frozen, and begun anew: {tell_names(untrained)}"
        hint = "they stay as they were drawn at random: freeze what is taken alone"
        report = replace(
            report, warnings=(*report.warnings, Problem("/training/groups", "frozen_at_random", detail, hint))
        )
    return report


def check_data_of_start(job: JobSpec, stored: DataSchema, resolved: ResolvedFeatures, other: OtherJob) -> StartReport:
    """Return where inputs and targets of the same names mean something else than in the job of the checkpoint."""
    if (start := job.start_from) is None or start.what == "everything":
        return StartReport(())
    theirs = resolve_job_features(other.spec, other.schema)
    read = resolved.features_for(job.model.input_names(job.data.inputs or resolved.schema.inputs))
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for name, feature in read.items():
        before = theirs.features.get(name)
        if before is None or before.kind != feature.kind:
            continue
        if isinstance(feature, TextFeature | TreeFeature):
            found = _vocabulary_problem(name, feature, before, start, _reads_same_rows(job, other))
            (problems if start.preparation == "checkpoint" else warnings).extend(found)
        elif isinstance(feature, CategoryFeature):
            column = stored.column(feature.column)
            labels = (column.labels if column else None, _labels(before, other.schema))
            if None not in labels and labels[0] != labels[1]:
                detail = f'the numbers of "{name}" mean other categories than in the job of the checkpoint'
                hint = "give an Embedding that reads it another id, and its vectors begin anew"
                warnings.append(Problem(start.pointer, "other_categories", detail, hint))
    warnings += _class_warnings(job, stored, resolved, other, theirs)
    return StartReport(tuple(problems), tuple(warnings))


def _labels(feature: BaseFeature, schema: DataSchema) -> tuple[str, ...] | None:
    column = schema.column(feature.source_columns[0])
    return column.labels if column is not None else None


def _reads_same_rows(job: JobSpec, other: OtherJob) -> bool:
    mine, theirs = ((each.data.model_dump(exclude={"features"}), each.training.seed) for each in (job, other.spec))
    return mine == theirs


def _vocabulary_problem(
    name: str, feature: TextFeature | TreeFeature, before: BaseFeature, start: StartFrom, same_rows: bool
) -> Iterator[Problem]:
    """Yield that the words of a feature are, or may be, numbered otherwise than in the job of the checkpoint."""
    settings, theirs = (_vocabulary_settings(each) for each in (feature, before))
    if start.preparation == "checkpoint" and settings != theirs:
        detail = f'"{name}" has other settings of its vocabulary here than in the job of the checkpoint: {theirs}'
        yield Problem(PREPARATION_POINTER, "contradiction", detail, "give the feature those settings")
    elif start.preparation is None and (settings != theirs or not same_rows):
        detail = (
            f'"{name}" gets a vocabulary of its own; if it is not that of the checkpoint, the weights would see other '
            "words, and the job fails before its first step"
        )
        hint = 'set "preparation": "checkpoint" to prepare it as there, or "fit" if that is what you want'
        yield Problem(PREPARATION_POINTER, "other_vocabulary", detail, hint)


def _vocabulary_settings(feature: BaseFeature) -> Mapping[str, object]:
    return feature.model_dump(mode="json", include={"tokenizer", "vocabulary"})


def _class_warnings(
    job: JobSpec, stored: DataSchema, resolved: ResolvedFeatures, other: OtherJob, theirs: ResolvedFeatures
) -> Iterator[Problem]:
    """Yield the heads whose classes are as many as in the other job, but others, or in another order."""
    before = head_targets(other.spec, other.schema, theirs)
    for name, target in head_targets(job, stored, resolved).items():
        known = before.get(name)
        if target is not None and known is not None and _classes_differ(target, known):
            mine, old = (", ".join((each.labels or ())[:3]) for each in (target, known))
            detail = f"the classes here begin {mine}, and those of the job of the checkpoint {old}"
            hint = "give the last layer another id, and it begins anew"
            yield Problem(head_pointer(name), "other_classes", detail, hint)


def _classes_differ(target: Column, known: Column) -> bool:
    if not target.labels or not known.labels:
        return False
    return len(target.labels) == len(known.labels) and target.labels != known.labels
