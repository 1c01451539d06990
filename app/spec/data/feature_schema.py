"""The names of features: those that a job declares, and those that follow from the columns' types."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from re import fullmatch, sub

from app.errors import Problem
from app.spec.base import NAME_PATTERN
from app.spec.data.base_feature import BaseFeature, FeatureContext
from app.spec.data.columns import MAX_LABELS, Column, DataSchema
from app.spec.data.features import NumbersFeature, default_input, default_target, supported_kinds
from app.spec.data.images.checks import missing_image_problems, mixing_problems
from app.spec.data.sources import Data
from app.spec.problems import did_you_mean

NUMBERS_NAME = "x"  # all number columns of a table side by side, unless the job says otherwise


@dataclass(frozen=True, slots=True)
class ResolvedFeatures:
    """The features of a job. `schema` has their columns, all tensors; it lacks those of features with problems."""

    schema: DataSchema
    features: Mapping[str, BaseFeature]  # by the name of their (first) column
    targets: Mapping[str, str]  # name in the job → name of the column
    problems: tuple[Problem, ...] = ()
    ignored: frozenset[str] = frozenset()  # stored columns that the job says no network shall read

    def features_for(self, columns: Sequence[str]) -> dict[str, BaseFeature]:
        """Return the features that make these columns."""
        return {
            name: feature
            for name, feature in self.features.items()
            if not set(feature.column_names(name)).isdisjoint(columns)
        }


def resolve_features(data: Data, stored: DataSchema, targets: Sequence[tuple[str, str]] = ()) -> ResolvedFeatures:
    """Return the features of a job. `targets` are (pointer, name of a feature or a stored column)."""
    declared = dict(data.features or {})
    names, targeted, problems = _resolve_targets(declared, stored, targets)
    features: dict[str, BaseFeature] = dict(declared)
    inputs = _add_default_inputs(stored, {column.name for column in targeted.values()}, features)
    features |= {name: default_target(column) for name, column in targeted.items()}
    duplicates = {
        column for name, feature in features.items() for column in feature.column_names(name)[1:] if column in features
    }
    droppable = duplicates - {*declared, *names.values()}
    features = {name: feature for name, feature in features.items() if name not in droppable}
    context = _context(data, stored, declared, features)
    features = {name: feature.resolve(name, context) for name, feature in features.items()}
    problems += [*missing_image_problems(data, features), *mixing_problems(data, features, stored)]
    columns: list[Column] = []
    for name, feature in features.items():
        own = [*_source_problems(feature, name, context), *feature.problems(name, context)]
        own += [_duplicate_column(name, context)] if name in duplicates else []
        problems += own
        if not own:
            columns += feature.network_columns(name, stored)
    if declared:
        inputs = tuple(name for name in declared if name not in names.values())
    else:
        inputs = tuple(name for name in inputs if name in features)
    target = next(iter(names.values()), None)
    schema = DataSchema(columns=tuple(columns), rows=stored.rows, inputs=inputs, target=target)
    return ResolvedFeatures(schema, features, names, tuple(problems))


def _resolve_targets(
    declared: Mapping[str, BaseFeature], stored: DataSchema, targets: Sequence[tuple[str, str]]
) -> tuple[dict[str, str], dict[str, Column], list[Problem]]:
    """Return the column of each target by its name in the job, and the stored columns that need a target feature.

    An autoencoder's target is what the network reads, so it needs none.
    """
    names: dict[str, str] = {}
    targeted: dict[str, Column] = {}
    problems: list[Problem] = []
    for pointer, name in targets:
        column = stored.column(name)
        if name in declared:
            names[name] = name
        elif column is not None:
            is_read = default_input(column).is_own_target and stored.is_input(name)
            taken = {*declared, *names.values(), *(() if is_read else (NUMBERS_NAME,))}
            other = f"target{len(names) + 1}" if "target" in names.values() else "target"
            names[name] = sanitize_name(name, taken, other)
            if not is_read or names[name] == other:
                targeted[names[name]] = column
        else:
            choices = [*declared, *(column.name for column in stored.columns)]
            hint = did_you_mean(name, choices) or "one of: " + ", ".join(choices)
            problems.append(Problem(pointer, "unknown_column", f'the data has no column "{name}"', hint))
    return names, targeted, problems


def sanitize_name(name: str, taken: AbstractSet[str], other: str) -> str:
    """Return a valid name for a column: its own, with _ for anything but letters and digits, or else `other`."""
    plain = sub(r"\W+", "_", name, flags=256).strip("_")  # ASCII
    return plain if fullmatch(NAME_PATTERN, plain) and plain not in taken else other


def _add_default_inputs(
    stored: DataSchema, targeted: AbstractSet[str], features: dict[str, BaseFeature]
) -> tuple[str, ...]:
    """Add a feature for every column whose name is free, and return the names of the default inputs."""
    inputs: list[str] = []
    numbers = [name for name in stored.inputs if name not in targeted and stored.column_type(name) == "number"]
    if numbers and NUMBERS_NAME not in features and stored.column(NUMBERS_NAME) is None:
        features[NUMBERS_NAME] = NumbersFeature(columns=tuple(numbers))
        inputs.append(NUMBERS_NAME)
    for column in stored.columns:
        name = sanitize_name(column.name, features.keys(), "")
        if name:
            features[name] = default_input(column)
            is_read = stored.is_input(column.name) and column.name not in targeted
            if is_read and (column.type != "number" or NUMBERS_NAME not in features):
                inputs.append(name)
    return tuple(inputs)


def _context(
    data: Data, stored: DataSchema, declared: Mapping[str, BaseFeature], features: Mapping[str, BaseFeature]
) -> FeatureContext:
    """Return what the defaults of features depend on; tags belong to a sequence that is read by default, if any is."""
    lengths = (feature.sequence_lengths(stored) for feature in features.values())
    sequences = sorted(
        (each for each in lengths if each is not None), key=lambda each: not stored.is_input(each.column)
    )
    return FeatureContext(stored, data, declared, sequences)


def _source_problems(feature: BaseFeature, name: str, context: FeatureContext) -> Iterator[Problem]:
    """Yield the source columns that do not exist, or that the feature cannot read."""
    for position, source in enumerate(feature.source_columns):
        pointer = context.pointer(name, feature.source_pointer(position))
        column = context.stored.column(source)
        if column is None:
            choices = [each.name for each in context.stored.columns]
            hint = did_you_mean(source, choices) or "one of: " + ", ".join(choices[:50])
            yield Problem(pointer, "unknown_column", f'the data has no column "{source}"', hint)
        elif column.type not in feature.column_types:
            detail = f'"{source}" is a column of type {column.type}, which a feature of kind {feature.kind} cannot read'
            yield Problem(pointer, "wrong_column_type", detail, f"use the kind {' or '.join(supported_kinds(column))}")
        elif feature.requires_labels and not column.labels:
            detail = (
                f'"{source}" has too many different values (over {MAX_LABELS}) for a feature of kind {feature.kind}'
            )
            yield Problem(pointer, "too_many_labels", detail, "use another column, or a feature of kind text")


def _duplicate_column(name: str, context: FeatureContext) -> Problem:
    detail = f'two features make the column "{name}": texts and series add <name>_length, trees <name>_children'
    return Problem(context.pointer(name, ""), "duplicate_id", detail, "give one of them another name")
