"""From a document and operations to the next revision: a pure function, with all networks on the meta device."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.errors import InvalidInput, Problem
from app.spec.data.columns import DataSchema
from app.spec.edits.operations import Operation
from app.spec.job import canonical_document, parse_job
from workers.network.blueprint import Blueprint
from workers.surgery.draft import Change, Draft, Revision, Weights, open_draft
from workers.surgery.layer_ids import remove_layer_ids
from workers.surgery.operations.catalog import OPERATIONS

MAX_ATTRIBUTIONS = 32  # beginnings of an edit that are tried for the operation that a problem comes from


def revise(
    document: Mapping[str, Any],
    schema: DataSchema,
    operations: Sequence[Operation],
    *,
    weights: Weights | None = None,
    choices: Mapping[int, Sequence[int]] | None = None,
) -> Revision:
    """Return the revision that operations make of a document.

    `schema` is that of the data set as stored with the job. `weights` choose what is removed where an operation leaves
    it to them, unless `choices` of an earlier application of the same edit are given. Raises `InvalidInput` with
    problems whose pointers lead into the edit: `/operations/<index>/...`.
    """
    try:
        return _revise(document, schema, operations, weights, choices)
    except _InvalidDocument as error:
        problems = error.problems
        culprit = len(operations) - 1
    for count in range(culprit, max(0, culprit - MAX_ATTRIBUTIONS), -1):
        try:
            _revise(document, schema, operations[:count], weights, choices)
            break
        except _InvalidDocument:
            culprit = count - 1
    raise InvalidInput([_of_operation(problem, culprit) for problem in problems])


class _InvalidDocument(Exception):
    """Operations made a document with problems. Those of places that operations wrote have pointers into the edit."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__()


def _revise(
    document: Mapping[str, Any],
    schema: DataSchema,
    operations: Sequence[Operation],
    weights: Weights | None,
    choices: Mapping[int, Sequence[int]] | None,
) -> Revision:
    draft = open_draft(document, schema, weights, choices)
    changes: list[Change] = []
    before = draft.infer().blueprint
    pending = False
    for index, operation in enumerate(operations):
        row = OPERATIONS[operation.op]
        if row.changes_shapes and pending:
            changes.append(_settle(draft, before))
            before, pending = changes[-1].blueprint, False
        change = row.apply(draft, operation, index)
        if change is None:
            pending = True
        else:
            changes.append(change)
            before = change.blueprint
            draft.lineage.restart(draft.model)
    if pending:
        changes.append(_settle(draft, before))
    places = draft.places()
    remove_layer_ids(draft.model, draft.implicit_ids)
    final = canonical_document(parse_job(draft.document), draft.document)
    return Revision(final, tuple(changes), draft.choices, tuple(draft.warnings), places)


def _settle(draft: Draft, before: Blueprint) -> Change:
    """Return the change that the operations since the last one make together."""
    try:
        after = draft.infer().blueprint
    except InvalidInput as error:
        places = draft.places()
        raise _InvalidDocument([locate(problem, places) for problem in error.problems]) from None
    tensors, problems = draft.lineage.tensor_map(before, after, draft.model)
    if problems:
        places = draft.places()
        raise _InvalidDocument([locate(each.with_prefix("/model"), places) for each in problems])
    draft.lineage.restart(draft.model)
    return Change(after, tensors)


def locate(problem: Problem, places: Mapping[str, str]) -> Problem:
    """Return a problem of a document with a pointer into the edit, where the edit wrote the place, or else unchanged.

    `places` are those of a `Revision`.
    """
    pointer, rest = problem.pointer, ""
    while pointer:
        if pointer in places:
            return replace(problem, pointer=places[pointer] + rest)
        pointer, _, part = pointer.rpartition("/")
        rest = f"/{part}{rest}"
    return problem


def _of_operation(problem: Problem, index: int) -> Problem:
    """Return a problem of an operation; the detail says where in the job it is, if the edit did not write that."""
    if problem.pointer.startswith("/operations/"):
        return problem
    return replace(
        problem, pointer=f"/operations/{index}", detail=f"{problem.detail} (at {problem.pointer} of the job)"
    )
