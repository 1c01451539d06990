"""Data sets: registered by name, or uploaded in pieces and described before anything trains on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from re import sub
from typing import Any

from sqlalchemy import Select, Text, cast, func, select
from sqlalchemy.orm import Session

from app.datasets import contents
from app.db.paging import paginate
from app.db.tables import DatasetRow, JobRow, now
from app.errors import InvalidInput, InvalidState, NotFound, Problem, WrongOffset
from app.ids import new_id
from app.jobs.states import TERMINAL_STATUSES
from app.spec.data.columns import DataSchema
from app.spec.data.sources import DATASET_SCHEMAS, NewDataset, UploadSource
from app.spec.problems import json_pointer

DATA_POINTER = "/data/id"  # where a job names what it trains on
START_POINTER = "/start_from/dataset"  # and the weights that it begins with; elsewhere it names vectors of words
MAX_COMPARED = 100  # data sets with the same content, of which one may have been read in the same way


class DatasetStatus(StrEnum):
    """How far a data set is."""

    AWAITING_CONTENT = "awaiting_content"
    """Registered; its content has not arrived, or not all of it."""
    READY = "ready"
    """Described, and from now on unchangeable."""
    INVALID = "invalid"
    """The content has problems; another upload may replace it."""


@dataclass(frozen=True, slots=True)
class DatasetContent:
    """Content that was found to be a data set, and lies in the artifact store."""

    schema: DataSchema
    preview: Sequence[Any]
    format: str
    path: str
    size: int  # bytes
    sha256: str


def register(session: Session, owner: str, new: NewDataset) -> DatasetRow:
    """Register a data set: one with a name is ready at once, and so is one whose content is there already."""
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
    if isinstance(source, UploadSource) and source.sha256 is not None:
        _fill_from_shared_content(session, row, source, source.sha256)
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def _fill_from_shared_content(session: Session, row: DatasetRow, source: UploadSource, sha256: str) -> None:
    """Make the data set ready if another one of the owner has this content, read in the same way."""
    content = contents.find(session, row.owner, sha256)
    if content is None:
        return
    having = select(DatasetRow).where(DatasetRow.owner == row.owner, DatasetRow.path == content.path)
    for other in session.scalars(having.order_by(DatasetRow.id).limit(MAX_COMPARED)):
        theirs = UploadSource.model_validate(other.source)
        same = source.format in ("auto", theirs.format) and source.target == theirs.target
        if same and (source.types or {}) == (theirs.types or {}):
            row.status, row.source = DatasetStatus.READY, row.source | {"format": theirs.format}
            row.data_schema, row.preview = other.data_schema, other.preview
            row.path, row.size, row.sha256 = other.path, other.size, other.sha256
            return


def find(session: Session, owner: str, dataset_id: str) -> DatasetRow:
    """Return the owner's data set; raises `NotFound` for any other."""
    row = session.scalar(_select_owned(owner, dataset_id))
    if row is None:
        raise NotFound(f"there is no data set {dataset_id}")
    return row


def page(
    session: Session,
    owner: str,
    limit: int,
    after: str | None = None,
    status: Sequence[DatasetStatus] = (),
    name: str | None = None,
) -> tuple[Sequence[DatasetRow], bool]:
    """Return up to `limit` data sets, newest first, older than `after`; and whether there are more."""
    query = select(DatasetRow).where(DatasetRow.owner == owner)
    if status:
        query = query.where(DatasetRow.status.in_(status))
    if name is not None:
        query = query.where(DatasetRow.name == name)
    return paginate(session, query, DatasetRow.id, limit, after)


def referenced_datasets(document: Any) -> dict[str, str]:
    """Return the registered data sets that a job names, by pointer; the document may not have been checked."""
    if not isinstance(document, dict):
        return {}
    data, start = document.get("data"), document.get("start_from")
    found = {START_POINTER: start.get("dataset")} if isinstance(start, dict) else {}
    if not isinstance(data, dict):
        data = {}
    if data.get("kind") == "dataset":
        found[DATA_POINTER] = data.get("id")
    features = data.get("features")
    for name, feature in features.items() if isinstance(features, dict) else ():
        vectors = feature.get("vectors") if isinstance(feature, dict) else None
        if isinstance(vectors, dict):
            found[json_pointer(["data", "features", name, "vectors", "dataset"])] = vectors.get("dataset")
    return {place: named for place, named in found.items() if isinstance(named, str)}


def load_schemas(session: Session, owner: str, document: Any) -> dict[str, DataSchema]:
    """Return what is known of the data sets that a job needs, by pointer. Raises `InvalidInput` for unfit ones."""
    found, problems = {}, []
    for place, dataset_id in referenced_datasets(document).items():
        row = session.scalar(_select_owned(owner, dataset_id))
        if row is None:
            detail = f"there is no data set {dataset_id[:40]}"
            problems.append(Problem(place, "unknown_dataset", detail, "register it first"))
        elif row.status != DatasetStatus.READY or row.data_schema is None:
            detail = f"the data set is {row.status}"
            problems.append(Problem(place, "dataset_not_ready", detail, "upload its content first"))
        else:
            found[place] = DataSchema.model_validate(row.data_schema)
            problems += _kind_problems(place, found[place])
    if problems:
        raise InvalidInput(problems)
    return found


def _kind_problems(place: str, schema: DataSchema) -> list[Problem]:
    """Return the problem of a data set of the wrong kind, which its splits tell."""
    split, lack, hint = _REQUIRED_SPLITS.get(place, _WORD_VECTORS)
    if split in schema.rows:
        return []
    for other, thing, better in _UNTRAINABLE_SPLITS:
        if place == DATA_POINTER and other in schema.rows:
            return [Problem(place, "wrong_dataset", f"the data set holds {thing}, on which nothing is trained", better)]
    return [Problem(place, "wrong_dataset", lack, hint)]


# Place → split that a data set has to have there, what is wrong otherwise, hint.
_WORD_VECTORS = (
    "vectors",
    "the data set holds no vectors of words",
    'upload a file of vectors with "format": "vectors"',
)
_REQUIRED_SPLITS = {
    DATA_POINTER: ("train", "the data set holds nothing to train on", "name another one"),
    START_POINTER: ("weights", "the data set holds no weights", 'upload a safetensors file with "format": "weights"'),
}
_UNTRAINABLE_SPLITS = (
    ("vectors", "vectors of words", "name them in a text feature, and other data here"),
    ("weights", "weights of a network", "name them in start_from, and other data here"),
)


def pin(session: Session, owner: str, document: Any) -> None:
    """Keep the data sets that a job names from being deleted until the transaction has ended. Raises `InvalidInput`."""
    for place, dataset_id in sorted(
        referenced_datasets(document).items(), key=lambda item: item[1]
    ):  # always in the same order
        if session.scalar(_select_owned(owner, dataset_id).with_for_update(read=True)) is None:
            detail = f"there is no data set {dataset_id}"
            raise InvalidInput([Problem(place, "unknown_dataset", detail, "register it first")])


def content_file(row: DatasetRow) -> dict[str, Any]:
    """Return the file {name, path, size, sha256} of a data set's content. Raises `StateForbids` if it has none."""
    if row.source["kind"] != "upload":
        raise InvalidState(f"a {row.source['kind']} data set has no content of its own")
    if row.path is None:
        raise InvalidState(f"the data set is {row.status}", hint="send its content first")
    name = sub(r"[^A-Za-z0-9._-]+", "_", row.source.get("file") or "").lstrip(".")
    return {
        "name": name or f"{row.id}.{row.source['format']}",
        "path": row.path,
        "size": row.size,
        "sha256": row.sha256,
    }


def find_for_upload(session: Session, owner: str, dataset_id: str) -> DatasetRow:
    """Return a data set that content may be sent to, locked; raises `NotFound`, `StateForbids`."""
    row = session.scalar(_select_owned(owner, dataset_id).with_for_update())
    if row is None:
        raise NotFound(f"there is no data set {dataset_id}")
    if row.source["kind"] != "upload":
        raise InvalidState(f"a {row.source['kind']} data set has no content of its own")
    if row.status == DatasetStatus.READY:
        raise InvalidState("the data set has its content and never changes", hint="register another one")
    return row


def append_part(session: Session, owner: str, dataset_id: str, offset: int, part: Mapping[str, Any]) -> DatasetRow:
    """Note that a piece {path, size} has arrived at `offset`; raises `WrongOffset` unless it follows the last one."""
    row = find_for_upload(session, owner, dataset_id)
    if row.size != offset:
        raise WrongOffset(row.size)
    row.parts = [*row.parts, dict(part)]
    row.size += part["size"]
    row.touched_at = now()
    row.status, row.problems = DatasetStatus.AWAITING_CONTENT, None
    session.flush()
    session.refresh(row)
    return row


def reuse_content(session: Session, owner: str, dataset_id: str, sha256: str) -> tuple[DatasetRow, list[str]] | None:
    """Make the data set ready if the same content has been read before; else change nothing. Returns as `accept`."""
    row = find_for_upload(session, owner, dataset_id)
    _fill_from_shared_content(session, row, UploadSource.model_validate(row.source), sha256)
    if row.status != DatasetStatus.READY:
        return None
    superfluous = [part["path"] for part in row.parts]
    row.parts, row.problems = [], None
    session.flush()
    return row, superfluous


def accept(session: Session, owner: str, dataset_id: str, content: DatasetContent) -> tuple[DatasetRow, list[str]]:
    """Make the data set ready; returns it, and the keys of files that are superfluous after the commit.

    Where the owner has the same content already, this data set shares it.
    """
    row = find_for_upload(session, owner, dataset_id)
    superfluous = [part["path"] for part in row.parts]
    row.status, row.parts, row.problems = DatasetStatus.READY, [], None
    row.source = row.source | {"format": content.format}
    row.data_schema, row.preview = content.schema.model_dump(mode="json"), list(content.preview)
    row.size, row.sha256 = content.size, content.sha256
    row.path = contents.share(session, owner, content.sha256, content.path)
    if row.path != content.path:
        superfluous.append(content.path)
    session.flush()
    return row, superfluous


def reject(session: Session, owner: str, dataset_id: str, problems: Sequence[Problem]) -> list[str]:
    """Note what is wrong with the content, which is forgotten; returns the keys of its pieces."""
    row = find_for_upload(session, owner, dataset_id)
    superfluous = [part["path"] for part in row.parts]
    row.status, row.parts, row.size = DatasetStatus.INVALID, [], 0
    row.problems = [problem.as_dict() for problem in problems]
    session.flush()
    return superfluous


def delete(session: Session, owner: str, dataset_id: str) -> list[str]:
    """Delete a data set that no unfinished job needs; returns the keys of files to remove after the commit."""
    row = session.scalar(_select_owned(owner, dataset_id).with_for_update())
    if row is None:
        raise NotFound(f"there is no data set {dataset_id}")
    job_id = _find_dependent_job(session, owner, dataset_id)
    if job_id is not None:
        raise InvalidState(f"{job_id} needs the data set", hint="cancel the job, or wait for its end")
    session.delete(row)
    session.flush()
    superfluous = [part["path"] for part in row.parts]
    if row.path is not None and row.sha256 is not None:
        superfluous += contents.release(session, owner, row.sha256, row.path)
    return superfluous


def delete_abandoned(session: Session, seconds: float, limit: int) -> list[str] | None:
    """Delete some data sets to which no content has come for so long; returns the keys of their pieces.

    `None` if there was none.
    """
    silent = func.coalesce(DatasetRow.touched_at, DatasetRow.created_at) < now() - seconds
    old = select(DatasetRow).where(DatasetRow.status == DatasetStatus.AWAITING_CONTENT, silent).limit(limit)
    rows = session.scalars(old.with_for_update(skip_locked=True)).all()
    for row in rows:
        session.delete(row)
    return [part["path"] for row in rows for part in row.parts] if rows else None


def _find_dependent_job(session: Session, owner: str, dataset_id: str) -> str | None:
    """Return a job that has not ended and names the data set, wherever in its spec."""
    said = cast(JobRow.spec, Text).contains(dataset_id, autoescape=True)
    jobs = session.execute(
        select(JobRow.id, JobRow.spec).where(JobRow.owner == owner, JobRow.status.not_in(TERMINAL_STATUSES), said)
    )
    return next((row.id for row in jobs if dataset_id in referenced_datasets(row.spec).values()), None)


def _select_owned(owner: str, dataset_id: str) -> Select[DatasetRow]:
    return select(DatasetRow).where(DatasetRow.id == dataset_id, DatasetRow.owner == owner)
