"""The names of features: those that a job declares, and those that follow from the columns' types."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain, count
from re import fullmatch, sub
from typing import NamedTuple

from app.errors import Problem
from app.spec.base import NAME_PATTERN
from app.spec.data.base_feature import BaseFeature, FeatureContext, Scale
from app.spec.data.columns import MAX_LABELS, Column, DataSchema
from app.spec.data.encodings.table_feature import TableFeature
from app.spec.data.examples.windows import FUTURE_SUFFIX, Windows
from app.spec.data.features import TargetTask, default_input, default_target, supported_kinds
from app.spec.data.images.checks import missing_image_problems, mixing_problems
from app.spec.data.job_data import Data
from app.spec.data.sequence_features import NEXT_SUFFIX, TextFeature
from app.spec.hints.names import did_you_mean

TABLE_NAME = "x"  # of the columns of a table that are joined, unless the job says otherwise
JOINED_TYPES = ("number",)  # that one tensor holds by default
CHAIN_JOINED_TYPES = TableFeature.column_types  # the same where the network is a chain of layers, which reads one input


class TargetRequest(NamedTuple):
    """A target as a job names it, and what its loss makes of it."""

    pointer: str
    name: str  # of a feature or a stored column
    task: TargetTask | None = None
    is_scaled: bool = False  # whether numbers are standardised by default

    @property
    def key(self) -> "TargetKey":
        """What tells its feature from those of other losses."""
        return self.name, self.task


TargetKey = tuple[str, TargetTask | None]


@dataclass(frozen=True, slots=True)
class ResolvedFeatures:
    """The features of a job. `schema` has their columns, all tensors; it lacks those of features with problems."""

    schema: DataSchema
    features: Mapping[str, BaseFeature]  # by the name of their (first) column
    targets: Mapping[TargetKey, str]  # name in the job and the loss's task → name of the column
    problems: tuple[Problem, ...] = ()
    ignored: frozenset[str] = frozenset()  # stored columns that the job says no network shall read
    windows: Windows | None = None  # of rows, from which the columns of the schema are cut

    def feature_of(self, column: str) -> BaseFeature:
        """Return the feature that makes a column of the schema."""
        found = self.features_for((column,))
        return found[column] if column in found else next(iter(found.values()))

    def features_for(self, columns: Sequence[str]) -> dict[str, BaseFeature]:
        """Return the features that make these columns."""
        return {
            name: feature
            for name, feature in self.features.items()
            if not {*feature.column_names(name), *self._future_names(name)}.isdisjoint(columns)
        }

    def _future_names(self, name: str) -> tuple[str, ...]:
        return (name + FUTURE_SUFFIX,) if self.windows is not None and name in self.windows.known else ()


def resolve_features(
    data: Data, stored: DataSchema, targets: Sequence[TargetRequest] = (), is_chain: bool = False
) -> ResolvedFeatures:
    """Return the features of a job. `is_chain`: its network is a chain of layers, which reads one input.

    Where all that is declared are targets, the inputs are those of a job that declares nothing.
    """
    declared = dict(data.features or {})
    names, targeted, problems = _resolve_targets(data, stored, targets)
    features: dict[str, BaseFeature] = dict(declared)
    ignored = frozenset(data.ignore)
    learned = {name: declared[name] for name in declared if name in names.values()}
    has_default_inputs = len(learned) == len(declared)
    compared = {column for feature in learned.values() for column in feature.source_columns}
    if data.windows is not None:  # their past is read like any other column
        past = [*compared, *(column for feature in targeted.values() for column in feature.source_columns)]
        readable = stored.model_copy(update={"inputs": tuple(dict.fromkeys([*stored.inputs, *past]))})
        inputs = _add_default_inputs(readable, ignored, targeted, features, is_chain, reads_targets=True)
    else:
        unread = ignored | compared if has_default_inputs else ignored
        inputs = _add_default_inputs(stored, unread, targeted, features, is_chain)
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
    inputs = tuple(name for name in (inputs if has_default_inputs else declared) if name in features.keys() - learned)
    if data.windows is not None:
        read = data.inputs or inputs
        problems += data.windows.problems(stored, features, data.windows.feature_names(read), [*names.values()])
        columns, inputs = _windowed_columns(data.windows, columns, inputs, frozenset(names.values()))
    target = next(iter(names.values()), None)
    schema = DataSchema(columns=tuple(columns), rows=stored.rows, inputs=inputs, target=target)
    return ResolvedFeatures(schema, features, names, tuple(problems), ignored, data.windows)


def _windowed_columns(
    windows: Windows, columns: Sequence[Column], inputs: Sequence[str], targets: AbstractSet[str]
) -> tuple[list[Column], tuple[str, ...]]:
    """Return the columns and the default inputs of windows, of the columns of rows."""
    cut: dict[str, list[Column]] = {
        column.name: [windows.target_column(column)]
        if column.name in targets
        else windows.input_columns(column.name, column)
        for column in columns
    }
    read = tuple(column.name for name in inputs for column in cut.get(name, ()))
    return [column for each in cut.values() for column in each], read


def _resolve_targets(
    data: Data, stored: DataSchema, targets: Sequence[TargetRequest]
) -> tuple[dict[TargetKey, str], dict[str, BaseFeature], list[Problem]]:
    """Return the column of each target, and the features of those that are not declared.

    An autoencoder's target is what the network reads, so it needs no feature of its own.
    """
    declared = data.features or {}
    derived = {column for name, feature in declared.items() for column in feature.target_names(name)}
    names: dict[TargetKey, str] = {}
    targeted: dict[str, BaseFeature] = {}
    problems: list[Problem] = []
    for request in targets:
        column = stored.column(request.name)
        if request.name in declared or request.name in derived:
            names[request.key] = request.name
        elif column is not None and request.key not in names:
            is_read = default_input(column).is_own_target and stored.is_input(request.name) and data.windows is None
            taken = {*declared, *names.values(), *(each.name for each in stored.columns if each is not column)}
            taken |= set() if is_read else {TABLE_NAME}
            plain = sanitize_name(request.name)
            name = plain if plain and plain not in taken else unique_name(_other_target_name(request, names), taken)
            names[request.key] = name
            if not is_read or name != plain:
                scale: Scale = "standard" if request.is_scaled and data.scale != "none" else "none"
                targeted[name] = default_target(column, request.task, scale)
        elif column is None:
            choices = list(dict.fromkeys([*declared, *derived, *(column.name for column in stored.columns)]))
            hint = _next_hint(request.name, declared) or did_you_mean(request.name, choices)
            hint = hint or "one of: " + ", ".join(choices[:50])
            detail = f'the data has no column "{request.name}"'
            problems.append(Problem(request.pointer, "unknown_column", detail, hint))
    return names, targeted, problems


def _next_hint(name: str, declared: Mapping[str, BaseFeature]) -> str:
    """Return how a text gets the target that is named; empty if it is not that of a declared text."""
    text = name.removesuffix(NEXT_SUFFIX)
    is_next = text != name and isinstance(declared.get(text), TextFeature)
    return f'say "next": true in the feature {text}' if is_next else ""


def _other_target_name(request: TargetRequest, names: Mapping[TargetKey, str]) -> str:
    """Return the name of a target whose own name is taken: by another loss on the same column, or not valid."""
    other = next((name for (column, _), name in names.items() if column == request.name), None)
    return "target" if other is None else f"{other[:50]}_{request.task or 'values'}"


def sanitize_name(name: str) -> str:
    """Return a valid name for a column: its own, with _ for anything but letters and digits; empty if that is none."""
    plain = sub(r"\W+", "_", name, flags=256).strip("_")[:60]  # ASCII; room for a number
    return plain if fullmatch(NAME_PATTERN, plain) else ""


def unique_name(name: str, taken: AbstractSet[str]) -> str:
    """Return the name, with the first number from 2 on that makes it free."""
    return next(each for each in chain([name], (f"{name}_{number}" for number in count(2))) if each not in taken)


def _add_default_inputs(
    stored: DataSchema,
    ignored: AbstractSet[str],
    targeted: Mapping[str, BaseFeature],
    features: dict[str, BaseFeature],
    is_chain: bool,
    reads_targets: bool = False,
) -> tuple[str, ...]:
    """Add the targets and a feature for every other column, and return the names of the default inputs.

    Numbers are joined to one tensor; for a chain of layers also with other columns of a table, if there are such. With
    `reads_targets` the columns of the targets are joined too.
    """
    compared = {feature.source_columns[0]: name for name, feature in targeted.items()}
    excluded = ignored if reads_targets else compared.keys() | ignored
    read = [column for column in stored.columns if _is_default_input(column, stored) and column.name not in excluded]
    joined = [column.name for column in read if column.type in JOINED_TYPES]
    if is_chain:
        every = [column.name for column in read if column.type in CHAIN_JOINED_TYPES]
        joined = every if joined or len(every) > 1 else []
    separate = {column.name for column in read}
    inputs: list[str] = []
    if joined and TABLE_NAME not in features:
        features[TABLE_NAME] = TableFeature(columns=tuple(joined))
        inputs.append(TABLE_NAME)
        separate.difference_update(joined)
    names = _feature_names(stored, features.keys() | targeted.keys())
    for column in stored.columns:
        if column.name in compared:
            features[compared[column.name]] = targeted[compared[column.name]]
        elif column.name in names:
            name = names[column.name]
            features[name] = default_input(column)
            if column.name in separate:
                inputs.append(name)
    features |= targeted
    return tuple(inputs)


def _feature_names(stored: DataSchema, taken: AbstractSet[str]) -> dict[str, str]:
    """Return the name of each column's own feature; none for a column whose name the job has given to another one.

    A name that is valid is kept. Else letters and digits of it are, or its place: `column_3`.
    """
    names = {column.name: column.name for column in stored.columns if fullmatch(NAME_PATTERN, column.name)}
    used = {*taken, *names}
    for position, column in enumerate(stored.columns, start=1):
        if column.name in names and column.name == TABLE_NAME and TABLE_NAME in taken:
            names[column.name] = unique_name(TABLE_NAME, used)
        elif column.name not in names:
            names[column.name] = unique_name(sanitize_name(column.name) or f"column_{position}", used)
        used.add(names[column.name])
    return {column: name for column, name in names.items() if name not in taken}


def _is_default_input(column: Column, stored: DataSchema) -> bool:
    """Return whether a network reads a column unless the job says otherwise: not a target that somebody named."""
    if column.ignored is not None:
        return False
    return stored.is_input(column.name) or (stored.guessed_target and column.name == stored.target)


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
            hint = f"use the kind {' or '.join(supported_kinds(column))}"
            if feature.kind == "text" and column.type in ("datetime", "number"):
                hint = f'register the data set with "types": {{"{source}": "text"}}, or {hint}'
            yield Problem(pointer, "wrong_column_type", detail, hint)
        elif feature.requires_labels and not column.labels:
            detail = (
                f'"{source}" has too many different values (over {MAX_LABELS}) for a feature of kind {feature.kind}'
            )
            yield Problem(pointer, "too_many_labels", detail, "use another column, or a feature of kind text")


def _duplicate_column(name: str, context: FeatureContext) -> Problem:
    detail = f'two features make the column "{name}": some add <name>_length, <name>_next or <name>_children'
    return Problem(context.pointer(name, ""), "duplicate_id", detail, "give one of them another name")
