"""Checks an edit: revises a job's document on the meta device, and inspects the whole job that it becomes."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from re import match

from pydantic import TypeAdapter

from app.errors import InvalidInput, Problem
from app.spec.base import bounded_counts
from app.spec.data.columns import DataSchema
from app.spec.edits.operations import Operation
from app.spec.job import parse_job
from app.spec.problems import limit_problems
from workers.children.inspect import inspect_job
from workers.protocol.child_requests import InspectionLimits, InspectResponse, Json, ReviseRequest, ReviseResponse
from workers.surgery.revise import locate, revise
from workers.training.validation.planned_edits import rule_problems

MAX_ATTRIBUTIONS = 16  # beginnings of an edit that are inspected for the operation that a problem comes from

OPERATIONS: TypeAdapter[tuple[Operation, ...]] = TypeAdapter(tuple[Operation, ...])


@dataclass(frozen=True, slots=True)
class EditCheck:
    """What an edit is checked with: the document before it, and what inspections need."""

    before: Json
    schema: DataSchema
    named: Mapping[str, DataSchema]
    limits: InspectionLimits
    spent_rules: tuple[int, ...] = ()

    def inspect(self, document: Json) -> InspectResponse:
        """Return the inspection of a revised job."""
        return inspect_job(document, self.schema, self.limits, self.named)

    def check(self, operations: Sequence[Operation]) -> ReviseResponse:
        """Return the revised job, its inspection, and problems and warnings with pointers into the edit."""
        try:
            revision = revise(self.before, self.schema, operations)
        except InvalidInput as error:
            return ReviseResponse(self.before, self.before, {}, tuple(error.problems))
        response = self.inspect(revision.document)
        problems = [locate(problem, revision.places) for problem in self._own_problems(response)]
        located = limit_problems([self._attribute(problem, operations) for problem in problems])
        warned = tuple(locate(warning, revision.places) for warning in response.warnings)
        report = bounded_counts(response.report)
        return ReviseResponse(self.before, revision.document, report, tuple(located), (*revision.warnings, *warned))

    def _own_problems(self, response: InspectResponse) -> Sequence[Problem]:
        """Return the problems without those of rules that make no more edits, or could not be applied before either."""
        if not any(_rule_of(problem) is not None for problem in response.problems):
            return response.problems
        job = parse_job(dict(self.before))
        known = {_rule_of(problem) for problem in rule_problems(self.before, job, self.schema)}
        return [problem for problem in response.problems if _rule_of(problem) not in {*known, *self.spent_rules}]

    def _attribute(self, problem: Problem, operations: Sequence[Operation]) -> Problem:
        """Return a problem of the revised job as one of the first operation after which the job has it."""
        if problem.pointer.startswith("/operations/"):
            return problem
        last = len(operations) - 1
        tried = range(min(last, MAX_ATTRIBUTIONS))
        index = next((each for each in tried if self._occurs(problem, operations[: each + 1])), last)
        detail = f"{problem.detail} (at {problem.pointer or '/'} of the job)"
        return replace(problem, pointer=f"/operations/{index}", detail=detail)

    def _occurs(self, problem: Problem, operations: Sequence[Operation]) -> bool:
        try:
            document = revise(self.before, self.schema, operations).document
        except InvalidInput:
            return False
        return problem.code in {each.code for each in self.inspect(document).problems}


def _rule_of(problem: Problem) -> int | None:
    """Return the place of the rule of `training.edits` in which a problem is."""
    found = match(r"/training/edits/(\d+)(?:/|$)", problem.pointer)
    return int(found[1]) if found else None


def revise_all(document: Json, schema: DataSchema, edits: Sequence[Sequence[Json]]) -> Json:
    """Return the document that edits make one after the other. Raises `InvalidInput` if one of them no longer fits."""
    for operations in edits:
        document = revise(document, schema, OPERATIONS.validate_python(operations)).document
    return document


def handle(request: ReviseRequest) -> ReviseResponse:
    """Revise and inspect the job of a request."""
    schema = DataSchema.model_validate(request.schema)
    named = {pointer: DataSchema.model_validate(each) for pointer, each in request.named_schemas.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's advice on unusual settings is no problem
        before = revise_all(request.document, schema, request.pending)
        check = EditCheck(before, schema, named, request.limits, request.spent_rules)
        return check.check(OPERATIONS.validate_python(request.operations))
