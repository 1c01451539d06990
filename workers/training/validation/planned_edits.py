"""Rules of `training.edits` tried on the meta device: their operations must be possible on the network of the job."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from app.errors import InvalidInput, Problem
from app.spec.data.columns import DataSchema
from app.spec.edits.operations import Operation
from app.spec.job import JobSpec
from workers.surgery.revise import revise
from workers.training.edits.rules import fill_in

_OPERATIONS = TypeAdapter(tuple[Operation, ...])


def rule_problems(document: Mapping[str, Any], job: JobSpec, schema: DataSchema) -> Iterator[Problem]:
    """Yield why the operations of rules are not possible; pointers lead into the job.

    A rule is tried after those that stand before it, and on the job's own network too: which comes first is not known.
    """
    later = document
    for position, rule in enumerate(job.training.edits):
        listed = [each.model_dump(mode="json", by_alias=True, exclude_unset=True) for each in rule.operations]
        problems: tuple[Problem, ...] = ()
        for base in (later, document):
            try:
                later = revise(base, schema, _OPERATIONS.validate_python(fill_in(listed, base))).document
                break
            except InvalidInput as error:
                problems = problems or tuple(error.problems)
        else:
            yield from (problem.with_prefix(f"/training/edits/{position}") for problem in problems)
