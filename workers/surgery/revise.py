"""From a document and operations to the next revision: a pure function, with all networks on the meta device."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.errors import InvalidInput, Problem
from app.spec.data.columns import DataSchema
from app.spec.edits.operations import Operation
from app.spec.job import canonical_document, parse_job
from workers.network.analysis.pretrained import pretrained_nodes
from workers.network.blueprint import Blueprint
from workers.network.inference.partial_network import PartialNetwork
from workers.surgery.built_nodes import built_nodes, owner_path
from workers.surgery.draft import Change, Draft, Revision, Weights, open_draft
from workers.surgery.group_parameters import drop_removed_paths, group_parameters
from workers.surgery.initial.functions import check_initial_functions
from workers.surgery.layer_ids import remove_layer_ids
from workers.surgery.operations.catalog import OPERATIONS
from workers.surgery.tensor_map import TensorMap

PLAN_POINTER = "/training"
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
    draft.network = draft.infer()
    changes: list[Change] = []
    pending = False
    for index, operation in enumerate(operations):
        row = OPERATIONS[operation.op]
        if pending and (row.changes_shapes or row.reads_network):
            changes.append(_settle(draft))
            pending = False
        change = _apply(draft, operation, index)
        if change is None:
            pending = True
        else:
            changes.append(change)
            draft.follow(change, draft.infer())
    if pending:
        changes.append(_settle(draft))
    places = draft.places()
    remove_layer_ids(draft.model, draft.implicit_ids)
    final = canonical_document(parse_job(draft.document), draft.document)
    return Revision(final, tuple(changes), draft.choices, tuple(draft.warnings), places)


def _apply(draft: Draft, operation: Operation, index: int) -> Change | None:
    """Apply an operation. It may find a document that operations before it left with problems."""
    try:
        return OPERATIONS[operation.op].apply(draft, operation, index)
    except InvalidInput as error:
        if all(problem.pointer.startswith("/operations/") for problem in error.problems):
            raise
        places = draft.places()
        raise _InvalidDocument([locate(problem, places) for problem in error.problems]) from None


def _settle(draft: Draft) -> Change:
    """Return the change that the operations since the last one make together."""
    try:
        network = draft.infer()
    except InvalidInput as error:
        places = draft.places()
        raise _InvalidDocument([locate(problem, places) for problem in error.problems]) from None
    if refused := check_initial_functions(network, draft.model, draft.functions, draft.lineage):
        raise InvalidInput(refused)
    after = network.blueprint
    tensors, problems = draft.lineage.tensor_map(draft.blueprint, after, draft.model)
    if problems:
        places = draft.places()
        raise _InvalidDocument([locate(each.with_prefix("/model"), places) for each in problems])
    for path in drop_removed_paths(draft.document, draft.blueprint, after):
        detail = f'"{path}" has no parameters any more, and was taken out of the plan'
        draft.warnings.append(Problem(PLAN_POINTER, "group_changed", detail))
    if refused := _new_pretrained_nodes(draft.blueprint, after):
        places = draft.places()
        raise _InvalidDocument([locate(problem, places) for problem in refused])
    _warn_of_frozen(draft, network, tensors)
    draft.functions.clear()
    change = Change(after, tensors)
    draft.follow(change, network)
    return change


def _new_pretrained_nodes(before: Blueprint, after: Blueprint) -> list[Problem]:
    """Return a problem for nodes that an edit adds and that name trained weights: a file is read by new jobs alone."""
    known = Counter((node.kind, node.parameters["weights"]) for _, node in pretrained_nodes(before))
    problems = []
    for _, node in pretrained_nodes(after):
        key = (node.kind, node.parameters["weights"])
        known[key] -= 1
        if known[key] < 0:
            detail = f"{node.id} names trained weights, which are read when a job begins, and not by an edit"
            hint = "remove weights, or start a new job with this network"
            problems.append(Problem(f"/model{node.pointer}/weights", "unsupported", detail, hint))
    return problems


def _warn_of_frozen(draft: Draft, network: PartialNetwork, tensors: TensorMap) -> None:
    """Warn of new nodes that a group of the plan freezes, since it names what they are in."""
    if not draft.has_groups:
        return
    updates = group_parameters(draft.document, network.blueprint)
    frozen = frozenset[str]().union(*(update.frozen() for update in updates))
    nodes, places = built_nodes(network.blueprint), draft.places()
    fresh = {owner_path(name, nodes) for name in frozen if name in tensors and tensors[name].name is None}
    for path in sorted(fresh):
        detail, hint = (
            f"a group freezes {path}, so that it is not trained",
            f'add {{"op": "unfreeze", "nodes": ["{path}"]}}',
        )
        place = places.get(f"/model{nodes[path].node.pointer}", PLAN_POINTER)
        draft.warnings.append(Problem(place, "frozen", detail, hint))


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
    inner = [place for place in places if _is_part(place, problem.pointer)]
    return replace(problem, pointer=places[inner[-1]]) if inner else problem


def _is_part(place: str, pointer: str) -> bool:
    """Say whether a place is a part of an object, such as a setting of a node, or of the plan."""
    inside = place.startswith(f"{pointer}/") and pointer != ""
    return inside and (place.rpartition("/")[0] == pointer or not place.startswith("/model/"))


def _of_operation(problem: Problem, index: int) -> Problem:
    """Return a problem of an operation; the detail says where in the job it is, if the edit did not write that."""
    if problem.pointer.startswith("/operations/"):
        return problem
    return replace(
        problem, pointer=f"/operations/{index}", detail=f"{problem.detail} (at {problem.pointer} of the job)"
    )
