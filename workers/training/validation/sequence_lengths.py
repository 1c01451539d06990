"""Checks that a network takes batches of every length: a batch is as long as its longest row.

The shapes of the network are inferred at other lengths than the maximum: with all batches as short as possible, and
with each group of sequences one time step shorter than the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from app.errors import Problem
from app.spec.data.columns import DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.job import JobSpec, head_targets
from workers.network.blueprint import Blueprint
from workers.network.inference.partial_network import PartialNetwork
from workers.network.inference.shape_inference import infer_shapes
from workers.network.inference.vocabulary_sizes import VOCABULARY_FIELD
from workers.training.validation.objective import objective_problems


@dataclass(frozen=True)
class SequenceGroup:
    """Columns whose batches always have the same length: a text and its tags, a tree's labels and children."""

    feature: str  # of the first column
    columns: tuple[str, ...]
    max_length: int
    min_length: int


def length_problems(
    job: JobSpec, resolved: ResolvedFeatures, stored: DataSchema, first: PartialNetwork, skip: AbstractSet[str]
) -> list[Problem]:
    """Return why the network cannot be used at every length; `first` are its shapes at the maximum.

    Shapes are inferred again only if the network reads sequences without a fixed length.
    """
    groups = sequence_groups(resolved, stored, {*first.blueprint.inputs, *resolved.targets.values()})
    known = {problem.pointer for problem in first.problems}
    agreed = (
        not first.problems and not objective_problems(job, head_targets(job, stored, resolved), first)
        if groups
        else False
    )
    for group, lengths in _length_cases(groups):
        other = replace(resolved, schema=_with_lengths(resolved.schema, lengths))
        again = infer_shapes(job.model, other.schema, job.data.inputs or resolved.schema.inputs, skip)
        new = [problem.with_prefix("/model") for problem in again.problems if problem.pointer not in known]
        if agreed and not new:
            new = objective_problems(job, head_targets(job, stored, other), again)
        words = " and ".join(f'"{each.feature}" of {lengths[each.columns[0]]}' for each in groups)
        problems = [_length_problem(problem, words, group) for problem in new]
        problems += _parameter_problems(first.blueprint, again.blueprint, group, lengths[group.columns[0]])
        if problems:
            return _first_by_pointer(problems)
    return []


def sequence_groups(resolved: ResolvedFeatures, stored: DataSchema, read: AbstractSet[str]) -> list[SequenceGroup]:
    """Return the groups of sequence columns that the network reads.

    Columns of lists of words with equal maximum lengths count as parallel (tokens, and their parts of speech).
    """
    groups: dict[Any, SequenceGroup] = {}
    for column in resolved.schema.columns:
        if not column.ragged or column.name not in read:
            continue
        ((feature, part),) = resolved.features_for([column.name]).items()
        source = stored.column(part.length_source)
        if source is not None and source.type == "words":
            key: Any = (source.longest, column.shape[0], column.shortest)
        else:
            key = feature if part.kind == "text" or source is None else source.name
        before = groups.get(key, SequenceGroup(feature, (), column.shape[0], column.shortest))
        groups[key] = replace(before, columns=(*before.columns, column.name))
    return list(groups.values())


def _length_cases(groups: Sequence[SequenceGroup]) -> Iterator[tuple[SequenceGroup, dict[str, int]]]:
    """Yield the group whose length is varied, and the lengths of all columns."""

    def lengths(**changed: int) -> dict[str, int]:
        return {name: changed.get(each.feature, each.max_length) for each in groups for name in each.columns}

    if groups and any(each.min_length < each.max_length for each in groups):
        first = next(each for each in groups if each.min_length < each.max_length)
        yield first, lengths(**{each.feature: each.min_length for each in groups})
    for each in groups:
        if each.max_length - 1 >= each.min_length:
            yield each, lengths(**{each.feature: each.max_length - 1})


def _with_lengths(schema: DataSchema, lengths: Mapping[str, int]) -> DataSchema:
    """Return the schema with sequences of other lengths."""
    columns = [
        column.model_copy(update={"shape": (lengths[column.name], *column.shape[1:])})
        if column.name in lengths
        else column
        for column in schema.columns
    ]
    return schema.model_copy(update={"columns": tuple(columns)})


def _parameter_problems(first: Blueprint, other: Blueprint, group: SequenceGroup, length: int) -> Iterator[Problem]:
    """Yield a problem for every node whose parameters differ at another length, except sizes of vocabularies."""
    theirs = {node.id: node for node in other.nodes}
    for node in first.nodes:
        again = theirs.get(node.id)
        if again is None:
            continue
        for field, value in node.parameters.items():
            other_value = again.parameters.get(field)
            if value != other_value and field != VOCABULARY_FIELD:
                detail = (
                    f'{node.id} has {field} {_abbreviate(value)} where batches of "{group.feature}" are '
                    f"{group.max_length} long, and {_abbreviate(other_value)} where they are {length}: they are as "
                    "long as their longest row"
                )
                yield Problem(f"/model{node.pointer}", "depends_on_length", detail, _hint(group))
        for name, body in node.bodies.items():
            if name in again.bodies:
                yield from _parameter_problems(body, again.bodies[name], group, length)


def _abbreviate(value: object) -> str:
    return str(value)[:40]


def _length_problem(problem: Problem, words: str, group: SequenceGroup) -> Problem:
    detail = f"a batch is as long as its longest row; at {words}: {problem.detail}"
    return Problem(problem.pointer, "depends_on_length", detail, _hint(group))


def _hint(group: SequenceGroup) -> str:
    return (
        f'pool over the sequence, for example with pool_sequence, or set "min_length" or "pad": "max_length" of '
        f'the feature "{group.feature}"'
    )


def _first_by_pointer(problems: Sequence[Problem]) -> list[Problem]:
    """Return the first problem of each pointer."""
    return list({problem.pointer: problem for problem in reversed(problems)}.values())[::-1]
