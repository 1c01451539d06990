"""Registering data sets, and deleting them."""

from sqlalchemy.orm import Session

from app.datasets import contents, lookup, references
from app.datasets.lookup import DatasetStatus
from app.db.tables import DatasetRow
from app.errors import InvalidState
from app.ids import new_id
from app.spec.data.sources import DATASET_SCHEMAS, NewDataset, UploadSource


def register(session: Session, owner: str, new: NewDataset) -> DatasetRow:
    """Register a data set. A named one is ready at once, and so is one whose content is stored already."""
    source = new.source
    schema = None if isinstance(source, UploadSource) else DATASET_SCHEMAS[source.kind][source.name]
    row = DatasetRow(
        id=new_id("ds"),
        owner=owner,
        name=new.name,
        source=source.model_dump(mode="json"),
        parts=[],
        status=DatasetStatus.AWAITING_CONTENT if schema is None else DatasetStatus.READY,
        data_schema=None if schema is None else schema.model_dump(mode="json"),
    )
    if isinstance(source, UploadSource) and contents.copy_description(session, row, source):
        row.status = DatasetStatus.READY
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def delete(session: Session, owner: str, dataset_id: str) -> list[str]:
    """Delete a data set that no unfinished job needs; returns the keys of files to remove after the commit."""
    row = lookup.find(session, owner, dataset_id, locked=True)
    job_id = references.find_dependent_job(session, owner, dataset_id)
    if job_id is not None:
        raise InvalidState(f"{job_id} needs the data set", hint="cancel the job, or wait for its end")
    session.delete(row)
    session.flush()
    superfluous = [part["path"] for part in row.parts]
    if row.path is not None and row.sha256 is not None:
        superfluous += contents.release(session, owner, row.sha256, row.path)
    return superfluous
