"""The revisions of a job with the inspections of their networks, which a child makes where there is none yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.api.services import Services
from app.datasets import references
from app.edits import repository, revisions
from app.jobs import repository as jobs
from app.spec.data.columns import DataSchema
from app.spec.training.planned_edits import without_rules


@dataclass(frozen=True, slots=True)
class RevisionSource:
    """A revision: its whole spec, and the inspection of its network."""

    number: int
    document: Mapping[str, Any]
    inspection: Mapping[str, Any]


def find_revision(services: Services, owner: str, job_id: str, revision: int | None) -> RevisionSource:
    """Return a revision of the owner's job, or the current one.

    Raises `NotFound`, and what `Inspector.inspect` raises of one that a plan has made.
    """

    def unit(session: Session) -> tuple[int, Mapping[str, Any], Mapping[str, Any] | None, Mapping[str, Any]]:
        job = jobs.find(session, owner, job_id)
        number = job.revision if revision is None else revision
        document = revisions.document_at(session, job, number)
        return number, document, revisions.inspection_at(session, job, number), job.data_schema

    number, document, inspection, schema = services.db.read(unit)
    if inspection is None:
        inspection = inspect_revision(services, owner, document, schema)
        services.db.run(_store_inspection, job_id, number, inspection)
    return RevisionSource(number, document, inspection)


def _store_inspection(session: Session, job_id: str, revision: int, inspection: Mapping[str, Any]) -> None:
    repository.set_inspection(session, job_id, revision, inspection)
    jobs.update_visible(session, job_id)  # it shows the totals


def inspect_revision(
    services: Services, owner: str, document: Mapping[str, Any], schema: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the inspection of a job's spec at a revision; `schema` is that of its data."""
    others = references.other_schemas(services.db.read(references.load_schemas, owner, document))
    return services.inspector.inspect(without_rules(document), DataSchema.model_validate(schema), others)
